"""Edits of a clip: each beside a slow, literal twin or an invariant, in 3-D and in 2-D, with absent bodies."""

import dataclasses

import numpy as np
import pytest

from stgcn_lens.data.clip import Clip, check
from stgcn_lens.data.edits import Edits, drop, edit, freeze, hide, mirror, noise, rotate, slow
from stgcn_lens.data.transforms import Preprocessing, prepare
from stgcn_lens.errors import DataError
from tests.data import people

ALL = Edits(
    mirror=True,
    rotate=40.0,
    freeze=("left_wrist",),
    slow=1.5,
    noise=20.0,
    drop=0.3,
    hide=("right_wrist",),
)
ONE_EACH = [
    Edits(**{field.name: getattr(ALL, field.name)}) for field in dataclasses.fields(Edits) if field.name != "seed"
]


def clip(layout: str = "ntu25", frames: int = 21) -> Clip:
    """Two bodies, the second of which comes late and leaves; in 2-D a joint that is not detected for a while."""
    made = people.without(people.clip(frames, 2, layout=layout, seed=3), 1, [0, 1, 2, frames - 1])
    made.xyz[0] += 5.0 * made.valid[:, None]  # not about the origin
    if made.skeleton.dims == 2:
        made.xyz[:, 4:7, 3, 0] = 0
    evidence = np.zeros(made.xyz.shape[1:], bool)
    evidence[5:9, made.skeleton.joints.index("left_wrist"), 0] = True
    return made.replace(evidence=evidence)


@pytest.mark.parametrize("layout", ["ntu25", "openpose18"])
@pytest.mark.parametrize("edits", [*ONE_EACH, ALL], ids=str)
def test_an_edited_clip_is_sound_and_absent_stays_absent(layout, edits):
    before = clip(layout)
    copy = before.xyz.copy()
    after = check(edit(before, edits))
    np.testing.assert_array_equal(before.xyz, copy)
    assert not np.any(np.moveaxis(after.xyz, 2, 0)[:, :, ~after.valid])
    assert after.evidence.shape == after.xyz.shape[1:]
    assert (after.frames, after.bodies) == (31 if edits.slow != 1 else 21, 2)
    if edits.slow == 1:
        np.testing.assert_array_equal(after.valid, before.valid)
    assert not np.array_equal(after.xyz, before.xyz)
    if before.skeleton.dims == 2 and not (edits.mirror or edits.slow != 1):
        assert not after.xyz[:, 5, 3, 0].any()  # what was not detected stays so


def test_no_edit_is_the_clip_itself():
    before = clip()
    assert edit(before, Edits(seed=4)) is before
    assert not Edits(seed=4).any
    assert all(edits.any for edits in ONE_EACH)


@pytest.mark.parametrize("layout", ["ntu25", "openpose18"])
def test_twice_mirrored_is_as_before_and_once_swaps_the_sides(layout):
    before = clip(layout)
    once = mirror(before)
    np.testing.assert_allclose(mirror(once).xyz, before.xyz, atol=2e-6)
    np.testing.assert_array_equal(mirror(once).evidence, before.evidence)
    pivot = before.xyz[0, 0, before.skeleton.centre, 0]
    left, right = (before.skeleton.index(f"{side}_wrist") for side in ("left", "right"))
    np.testing.assert_allclose(once.xyz[0, 10, right, 0], 2 * pivot - before.xyz[0, 10, left, 0], rtol=1e-6)
    np.testing.assert_array_equal(once.xyz[1:, 10, right, 0], before.xyz[1:, 10, left, 0])


@pytest.mark.parametrize("layout", ["ntu25", "openpose18"])
def test_a_turn_keeps_lengths_and_heights_and_a_full_one_changes_nothing(layout):
    before = clip(layout)
    d, body = before.skeleton.dims, before.valid[:, 0]
    after = rotate(before, 90.0)
    bones = [np.linalg.norm(c.xyz[:d, body, 9, 0] - c.xyz[:d, body, 8, 0], axis=0) for c in (before, after)]
    np.testing.assert_allclose(bones[1], bones[0], rtol=1e-5)
    if d == 3:
        np.testing.assert_allclose(after.xyz[1], before.xyz[1], atol=1e-6)
        pivot = before.xyz[:, 0, 20, 0]
        x, z = before.xyz[0, 3, 7, 0] - pivot[0], before.xyz[2, 3, 7, 0] - pivot[2]
        # Seen from above (from +y), x turns towards -z.
        np.testing.assert_allclose(after.xyz[:, 3, 7, 0] - pivot, [z, before.xyz[1, 3, 7, 0] - pivot[1], -x], atol=1e-5)
    np.testing.assert_allclose(rotate(before, 360.0).xyz, before.xyz, atol=1e-5)
    np.testing.assert_allclose(rotate(after, -90.0).xyz, before.xyz, atol=1e-5)


def test_a_turn_is_undone_by_preprocessing_that_turns_bodies_to_the_front():
    before = clip()
    one, other = (prepare(c, Preprocessing(frames=16), 2).x for c in (before, rotate(before, 70.0)))
    np.testing.assert_allclose(one, other, atol=1e-4)
    apart = Preprocessing(frames=16, rotate=False)
    one, other = (prepare(c, apart, 2).x for c in (before, rotate(before, 70.0)))
    assert np.abs(one - other).max() > 0.1


def test_a_frozen_joint_keeps_its_first_place_about_the_centre_and_others_are_left_alone():
    before = clip()
    joint, centre = before.skeleton.index("left_wrist"), before.skeleton.centre
    after = freeze(before, ["left_wrist", before.skeleton.joints[centre]])
    for body, first in ((0, 0), (1, 3)):
        for t in np.flatnonzero(before.valid[:, body]):
            offset = before.xyz[:, first, joint, body] - before.xyz[:, first, centre, body]
            np.testing.assert_allclose(after.xyz[:, t, joint, body], before.xyz[:, t, centre, body] + offset, atol=1e-6)
    others = [v for v in range(25) if v != joint]
    np.testing.assert_array_equal(after.xyz[:, :, others], before.xyz[:, :, others])


def test_a_hidden_joint_stays_at_its_mean_place_in_space_and_is_not_detected_in_a_picture():
    before = clip()
    joint, centre = before.skeleton.index("head"), before.skeleton.centre
    after = hide(before, ["head"])
    for body in (0, 1):
        here = before.valid[:, body]
        mean = (before.xyz[:, here, joint, body] - before.xyz[:, here, centre, body]).mean(axis=1)
        offsets = after.xyz[:, here, joint, body] - after.xyz[:, here, centre, body]
        np.testing.assert_allclose(offsets, np.repeat(mean[:, None], here.sum(), axis=1), atol=1e-5)
    flat = hide(clip("openpose18"), ["nose"])
    assert not flat.xyz[:, :, flat.skeleton.index("nose")].any()


def test_an_unknown_joint_is_refused_by_name():
    with pytest.raises(DataError, match="no such joint: got 'tail'"):
        hide(clip(), ["tail"])


@pytest.mark.parametrize("level", [20.0, 0.0])
def test_the_noise_has_the_ratio_that_was_asked_for(level):
    before = people.clip(200, 2, seed=1)
    after = noise(before, level, seed=5)
    signal = before.xyz - before.xyz[:, :, [before.skeleton.centre]]
    ratio = np.mean(signal.astype(float) ** 2) / np.mean((after.xyz - before.xyz).astype(float) ** 2)
    assert 10 * np.log10(ratio) == pytest.approx(level, abs=0.1)  # 30,000 draws: a standard error of 0.035 dB


def test_one_seed_is_one_direction_of_noise_and_scores_are_left_alone():
    before = clip("openpose18")
    strong, weak, other = noise(before, 0.0, seed=1), noise(before, 20.0, seed=1), noise(before, 0.0, seed=2)
    np.testing.assert_allclose(strong.xyz[:2] - before.xyz[:2], 10 * (weak.xyz[:2] - before.xyz[:2]), atol=2e-5)
    np.testing.assert_array_equal(strong.xyz[2], before.xyz[2])
    assert not np.array_equal(strong.xyz, other.xyz)
    with pytest.raises(DataError, match="expected -20 to 60 dB"):
        noise(before, 90.0, seed=0)


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_lost_frames_lie_on_straight_lines_between_those_that_remain(share):
    before = clip()
    after = drop(before, share, seed=2)
    changed = np.flatnonzero((after.xyz != before.xyz).any(axis=(0, 2, 3)))
    assert len(changed) == round(share * 21)
    assert not {0, 20} & set(changed.tolist())
    for body in (0, 1):
        kept = np.array([t for t in range(21) if before.valid[t, body] and t not in changed])
        for t in np.flatnonzero(before.valid[:, body]):
            expected = [
                np.interp(t, kept, before.xyz[c, kept, v, body]) if len(kept) else before.xyz[c, t, v, body]
                for c in range(3)
                for v in (0, 7, 24)
            ]
            got = [after.xyz[c, t, v, body] for c in range(3) for v in (0, 7, 24)]
            np.testing.assert_allclose(got, expected, atol=1e-5)


def test_a_share_of_frames_outside_its_range_is_refused():
    with pytest.raises(DataError, match=r"expected 0 to 0\.9"):
        drop(clip(), 0.95, seed=0)
    one = clip(frames=5).replace(evidence=None)
    np.testing.assert_array_equal(drop(one.replace(xyz=one.xyz[:, :1], valid=one.valid[:1]), 0.9, seed=0).frames, 1)


def test_a_slower_clip_passes_through_the_same_places():
    before = clip()
    after = slow(before, 2.0)
    assert after.frames == 41
    np.testing.assert_array_equal(after.xyz[..., ::2, :, 0], before.xyz[..., 0])
    np.testing.assert_array_equal(after.evidence[::2], before.evidence)
    middle = (before.xyz[:, 7, :, 0] + before.xyz[:, 8, :, 0]) / 2
    np.testing.assert_allclose(after.xyz[:, 15, :, 0], middle, rtol=1e-6)
    assert slow(before, 0.5).frames == 11
    with pytest.raises(DataError, match="times as long"):
        slow(before, 5.0)
