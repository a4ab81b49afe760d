"""Noise in doses: each kind does what it says, by the dose it says, the same for the same seed, and no more."""

import math
from itertools import pairwise

import numpy as np
import pytest

from stgcn_lens.data.clip import check
from stgcn_lens.data.noise import NOISES, disturb, signal
from stgcn_lens.data.transforms import Preprocessing, prepare
from stgcn_lens.errors import LensError
from tests.data import people

KINDS = list(NOISES)
LEVELLED = [name for name, row in NOISES.items() if row.unit]


def clip(frames: int = 40, bodies: int = 2, layout: str = "ntu25", seed: int = 3, name: str = "one"):
    made = people.clip(frames, bodies, layout=layout, seed=seed, name=name, label=0)
    return people.without(made, 1, [0, 1, 2, frames - 1]) if bodies == 2 else made


def middle(kind: str) -> float | None:
    levels = NOISES[kind].levels
    return levels[len(levels) // 2] if levels else None


def centre_of(one) -> np.ndarray:
    return one.xyz[:, :, one.skeleton.centre]


@pytest.mark.parametrize("kind", KINDS)
def test_a_disturbed_clip_is_sound_and_the_original_is_left_alone(kind) -> None:
    one = clip()
    before = one.xyz.copy()
    for level in NOISES[kind].levels or (None,):
        noisy = check(disturb(one, kind, level, seed=0))
        assert not np.array_equal(noisy.xyz, before)
        assert noisy.xyz.dtype == np.float32
        assert not noisy.xyz[:, ~noisy.valid[:, 0], :, 0].any()
        prepare(noisy, Preprocessing(frames=16), 2)
    np.testing.assert_array_equal(one.xyz, before)


@pytest.mark.parametrize("kind", KINDS)
def test_noise_is_that_of_the_seed_and_the_name_and_of_nothing_else(kind) -> None:
    level = middle(kind)
    first = disturb(clip(), kind, level, seed=1)
    disturb(clip(seed=5, name="in between"), kind, level, seed=1)
    np.testing.assert_array_equal(disturb(clip(), kind, level, seed=1).xyz, first.xyz)
    if kind in ("gaussian", "joint_dropout", "frame_dropout", "jitter"):
        assert not np.array_equal(disturb(clip(), kind, level, seed=2).xyz, first.xyz)
        assert not np.array_equal(disturb(clip(name="two"), kind, level, seed=1).xyz, first.xyz)


@pytest.mark.parametrize("kind", [kind for kind in LEVELLED if NOISES[kind].clean == 0])
def test_no_noise_changes_nothing(kind) -> None:
    one = clip()
    np.testing.assert_allclose(disturb(one, kind, 0, seed=0).xyz, one.xyz, atol=1e-6)


@pytest.mark.parametrize("level", [40.0, 10.0, 0.0, -10.0])
def test_gaussian_noise_has_the_ratio_that_was_asked_for(level) -> None:
    one, measured = clip(60), []
    there = np.broadcast_to(one.valid[None, :, None], one.xyz.shape)
    # A literal transcription: over present bodies, about each one's centre in each frame.
    about = [
        one.xyz[:, t, v, m].astype(float) - one.xyz[:, t, one.skeleton.centre, m]
        for t, m in zip(*np.nonzero(one.valid), strict=True)
        for v in range(25)
    ]
    power = float(np.mean(np.square(about)))
    assert signal(one) == pytest.approx(power, rel=1e-9)
    for seed in range(40):
        noise = (disturb(one, "gaussian", level, seed=seed).xyz.astype(float) - one.xyz)[there]
        measured.append(np.mean(noise**2))
    assert 10 * math.log10(power / np.mean(measured)) == pytest.approx(level, abs=0.05)


def test_gaussian_noise_of_one_seed_goes_one_way_at_all_levels() -> None:
    one = clip()
    weak, strong = (disturb(one, "gaussian", level, seed=4).xyz - one.xyz for level in (20, 0))
    np.testing.assert_allclose(strong, weak * 10, atol=1e-5)


def test_gaussian_noise_leaves_scores_and_joints_that_were_not_detected_alone() -> None:
    one = people.clip(20, layout="openpose18", seed=0)
    assert one.xyz.shape[0] == 3
    xyz = one.xyz.copy()
    xyz[2, :, 5] = 0
    xyz[:2, :, 5] = 1e6  # were they counted, the power would be huge
    one = one.replace(xyz=xyz)
    noisy = disturb(one, "gaussian", 10.0, seed=0)
    np.testing.assert_array_equal(noisy.xyz[2], one.xyz[2])
    np.testing.assert_array_equal(noisy.xyz[:, :, 5], one.xyz[:, :, 5])
    assert np.abs(noisy.xyz[:2, :, 6] - one.xyz[:2, :, 6]).max() < 1e3


def lost_joints(one, noisy, body: int) -> set[int]:
    return set(np.flatnonzero(np.abs(noisy.xyz - one.xyz)[..., body].max(axis=(0, 1)) > 1e-4).tolist())


def test_a_dropped_joint_stands_at_its_mean_place_relative_to_the_centre() -> None:
    one = clip()
    noisy = disturb(one, "joint_dropout", 0.3, seed=0)
    for body in range(2):
        lost = lost_joints(one, noisy, body)
        assert len(lost) == round(0.3 * 24)
        assert one.skeleton.centre not in lost
        here = one.valid[:, body]
        for joint in lost:
            relative = one.xyz[:, here, joint, body].astype(float) - centre_of(one)[:, here, body]
            expected = centre_of(one)[:, here, body] + relative.mean(axis=1, keepdims=True)
            np.testing.assert_allclose(noisy.xyz[:, here, joint, body], expected, atol=1e-5)


def test_more_of_the_same_seed_loses_the_same_joints_and_more() -> None:
    one = clip()
    sets = [lost_joints(one, disturb(one, "joint_dropout", level, seed=7), 0) for level in (0.1, 0.3, 0.6, 1.0)]
    assert all(small < large for small, large in pairwise(sets))
    assert len(sets[-1]) == 24


def test_dropped_frames_lie_on_straight_lines_between_those_that_are_left() -> None:
    one = clip()
    noisy = disturb(one, "frame_dropout", 0.5, seed=0)
    np.testing.assert_array_equal(noisy.valid, one.valid)
    changed = np.abs(noisy.xyz - one.xyz).max(axis=(0, 2, 3)) > 0
    ends = {0, 39, 3, 38}  # first and last frame of either body
    assert changed.sum() == round(0.5 * (40 - len(ends)))
    assert not changed[list(ends)].any()
    for body in range(2):
        left = np.flatnonzero(~changed & one.valid[:, body])
        for t in np.flatnonzero(changed & one.valid[:, body]):
            before, after = left[left < t][-1], left[left > t][0]
            share = (t - before) / (after - before)
            line = (1 - share) * one.xyz[:, before, :, body] + share * one.xyz[:, after, :, body]
            np.testing.assert_allclose(noisy.xyz[:, t, :, body], line, atol=1e-5)


def test_all_frames_lost_leaves_a_straight_line() -> None:
    one = clip(30, 1)
    noisy = disturb(one, "frame_dropout", 1.0, seed=0)
    np.testing.assert_allclose(np.diff(noisy.xyz, n=2, axis=1), 0, atol=1e-5)


def test_jitter_displaces_by_as_many_frames_as_it_says() -> None:
    still = people.clip(4000, 1, seed=0)
    xyz = np.zeros_like(still.xyz)
    xyz[0] = np.arange(4000, dtype=np.float32)[:, None, None]  # a clip that shows its own time
    moved = disturb(still.replace(xyz=xyz), "jitter", 3.0, seed=0).xyz[0, :, 0, 0] - np.arange(4000)
    assert moved[100:-100].std() == pytest.approx(3.0, rel=0.05)
    assert abs(moved[100:-100].mean()) < 0.2


def test_jitter_never_leaves_a_frame_without_anybody_that_had_somebody() -> None:
    one = people.without(clip(30, 1), 0, [0, 1, 10, 11, 12, 13, 14, 29])
    for seed in range(20):
        noisy = disturb(one, "jitter", 8.0, seed=seed)
        np.testing.assert_array_equal(noisy.valid, one.valid)


def test_a_turned_scene_keeps_heights_and_distances_and_its_pivot() -> None:
    one = clip()
    noisy = disturb(one, "viewpoint", 30, seed=0)
    up = "xyz".index(one.skeleton.up[1])
    np.testing.assert_allclose(noisy.xyz[up], one.xyz[up], atol=1e-5)
    np.testing.assert_allclose(noisy.xyz[:, 0, one.skeleton.centre, 0], centre_of(one)[:, 0, 0], atol=1e-5)
    lengths = [np.linalg.norm(x[:, 5, 1:, 0] - x[:, 5, :-1, 0], axis=0) for x in (one.xyz, noisy.xyz)]
    np.testing.assert_allclose(*lengths, atol=1e-5)
    a, b = (axis for axis in range(3) if axis != up)
    plane = [x[[a, b], 20, 4, 0] - x[[a, b], 0, one.skeleton.centre, 0] for x in (one.xyz, noisy.xyz)]
    angle = np.arctan2(*plane[1][::-1]) - np.arctan2(*plane[0][::-1])
    assert np.cos(angle) == pytest.approx(math.cos(math.radians(30)), abs=1e-4)


def test_turning_is_undone_by_a_preprocessing_that_turns_people_to_the_front() -> None:
    one, prep = clip(40, 1), Preprocessing(frames=16)
    plain, turned = (prepare(each, prep, 1).x for each in (one, disturb(one, "viewpoint", 60, seed=0)))
    np.testing.assert_allclose(turned, plain, atol=1e-4)


def test_clips_without_what_is_disturbed_stay_as_they_are() -> None:
    alone, flat = clip(bodies=1), people.clip(20, layout="openpose18", seed=0)
    assert disturb(alone, "second_body", seed=0) is alone
    assert disturb(flat, "viewpoint", 10, seed=0) is flat
    assert NOISES["second_body"].lacks(alone)
    assert NOISES["viewpoint"].lacks(flat)


def test_of_two_bodies_the_one_with_less_room_goes() -> None:
    one = clip()
    xyz = one.xyz.copy()
    xyz[..., 0] *= 0.5
    kept = disturb(one.replace(xyz=xyz), "second_body", seed=0)
    assert kept.bodies == 1
    np.testing.assert_array_equal(kept.xyz[..., 0], one.xyz[..., 1])


@pytest.mark.parametrize(
    ("kind", "level", "said"),
    [
        ("fog", 1.0, "one of gaussian"),
        ("joint_dropout", 1.5, "0 to 1 of the joints"),
        ("gaussian", None, "say at which level"),
        ("gaussian", math.nan, "impossible level"),
        ("second_body", 1.0, "leave the level out"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(kind, level, said) -> None:
    with pytest.raises(LensError, match=said) as caught:
        disturb(clip(), kind, level, seed=0)
    assert "\n" not in str(caught.value)
