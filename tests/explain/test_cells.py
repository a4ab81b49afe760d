"""Cells that are taken out or disturbed: what takes their place, which of them count, in which order they go."""

import numpy as np
import pytest

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.transforms import Preprocessing, prepare
from stgcn_lens.errors import LensError
from stgcn_lens.explain.cells import Cells, cells_of
from stgcn_lens.skeleton import get_layout
from tests.data import people
from tests.explain.mock import STICK
from tests.reference import saliency_metrics as literal


def some(
    rng: np.random.Generator, frames: int = 7, bodies: int = 2, padding: int = 2, *, replayed: bool = False
) -> Cells:
    """Two bodies of which the second comes late; then padding."""
    x = rng.normal(size=(3, frames, STICK.V, bodies)).astype(np.float32)
    there = np.ones((frames, bodies), bool)
    there[: frames // 2, 1:] = False
    x *= there[:, None]
    total = frames + padding
    shows = np.arange(total) % frames if replayed else np.arange(total)
    x = x[:, shows] if replayed else np.pad(x, ((0, 0), (0, padding), (0, 0), (0, 0)))
    there = np.pad(there, ((0, padding), (0, 0)))
    return Cells(x, there, frames, shows, STICK, "joint")


def test_a_removed_joint_goes_to_its_own_mean_place_about_the_centre(rng: np.random.Generator) -> None:
    cells = some(rng)
    assert np.allclose(cells.neutral(), literal.neutral(cells.x, cells.there, STICK.centre), atol=1e-6)


def test_what_is_left_is_a_skeleton_whose_bones_do_not_move(rng: np.random.Generator) -> None:
    still = some(rng, padding=0).neutral()
    bones = still - still[:, :, STICK.centre, None]
    assert np.allclose(bones[..., 0], bones[:, :1, :, 0], atol=1e-5)


def test_the_centre_joint_keeps_its_path(rng: np.random.Generator) -> None:
    cells = some(rng)
    assert np.allclose(cells.neutral()[:, :, STICK.centre], cells.x[:, :, STICK.centre], atol=1e-6)


def test_zero_filling_is_zero_where_somebody_is(rng: np.random.Generator) -> None:
    cells = some(rng)
    assert not cells.neutral("zero").any()
    with pytest.raises(LensError, match="unknown filling: got 'noise', expected mean or zero"):
        cells.neutral("noise")


def test_other_streams_and_scores_have_their_own_mean(rng: np.random.Generator) -> None:
    cells = some(rng, bodies=1, padding=0)
    bone = Cells(cells.x, cells.there, cells.frames, cells.shows, STICK, "bone")
    mean = cells.x.mean(axis=1, keepdims=True)
    assert np.allclose(bone.neutral(), np.broadcast_to(mean, cells.x.shape), atol=1e-6)
    flat = Cells(cells.x, cells.there, cells.frames, cells.shows, get_layout("coco17"), "joint")
    x = rng.normal(size=(3, 7, 17, 1)).astype(np.float32)
    flat = Cells(x, cells.there, 7, cells.shows, get_layout("coco17"), "joint")
    score = np.broadcast_to(x[2].mean(axis=0), x[2].shape)
    assert np.allclose(flat.neutral()[2], score, atol=1e-6)


def test_without_takes_out_these_cells_and_no_others(rng: np.random.Generator) -> None:
    cells = some(rng)
    mask = rng.random(cells.x.shape[1:]) < 0.5
    (out,) = cells.without(mask[None])
    gone = mask & cells.present
    assert np.array_equal(out[:, ~gone], cells.x[:, ~gone])
    assert np.array_equal(out[:, gone], cells.neutral()[:, gone])


def test_a_replayed_frame_is_taken_out_of_every_repeat(rng: np.random.Generator) -> None:
    cells = some(rng, frames=3, bodies=1, padding=4, replayed=True)
    mask = np.zeros(cells.x.shape[1:], bool)
    mask[1, 4] = True
    (out,) = cells.without(mask[None])
    assert np.flatnonzero((out != cells.x).any(axis=(0, 2, 3))).tolist() == [1, 4]
    noisy = cells.x + cells.noise(1, [0])[0]
    assert np.array_equal(noisy[:, 1], noisy[:, 4])


def test_noise_has_the_clips_strength_and_stays_in_its_cells(rng: np.random.Generator) -> None:
    cells = some(rng, frames=400)
    noise = cells.noise(3, [5])
    assert not noise[..., ~cells.present].any()
    inside = noise[..., cells.present]
    assert inside.std() == pytest.approx(cells.spread, rel=0.05)
    assert np.array_equal(noise, cells.noise(3, [5]))
    assert not np.array_equal(noise, cells.noise(3, [6]))


def test_the_score_channel_gets_no_noise(rng: np.random.Generator) -> None:
    x = rng.normal(size=(3, 4, 17, 1)).astype(np.float32)
    cells = Cells(x, np.ones((4, 1), bool), 4, np.arange(4), get_layout("coco17"), "joint")
    noise = cells.noise(2, [0])
    assert noise[:, :2].all()
    assert not noise[:, 2].any()


def test_ranks_follow_the_map_and_leave_absent_cells_to_the_end(rng: np.random.Generator) -> None:
    cells = some(rng)
    map = rng.random(cells.x.shape[1:])
    ranks = cells.ranks(map, [0])
    assert np.array_equal(np.sort(ranks[cells.present]), np.arange(cells.size))
    assert np.array_equal(np.argsort(ranks[cells.present]), np.argsort(-map[cells.present]))
    assert (ranks[~cells.present] == cells.size).all()


def test_ties_fall_at_random_and_alike_for_every_map(rng: np.random.Generator) -> None:
    cells = some(rng, frames=60)
    flat = cells.ranks(np.zeros(cells.x.shape[1:]), [1])
    assert np.array_equal(flat, cells.ranks(np.full(cells.x.shape[1:], 9.0), [1]))
    early = flat[:30][cells.present[:30]].mean()
    assert early == pytest.approx(cells.size / 2, rel=0.15)
    two = np.where(np.arange(STICK.V) == 3, 1.0, 0.0)[None, :, None] * np.ones(cells.x.shape[1:])
    ranks = cells.ranks(two, [1])
    assert ranks[:, 3][cells.there].max() < ranks[:, 2][cells.there].min()


@pytest.mark.parametrize("spoilt", [np.nan, np.inf])
def test_maps_that_are_not_finite_or_of_another_clip_are_refused(rng: np.random.Generator, spoilt: float) -> None:
    cells = some(rng)
    map = np.zeros(cells.x.shape[1:])
    with pytest.raises(LensError, match="no map of this clip"):
        cells.ranks(map[1:], [0])
    map[0, 0, 0] = spoilt
    with pytest.raises(LensError, match="no map of this clip"):
        cells.ranks(map, [0])


@pytest.mark.parametrize("fit", ["resample", "replay", "crop"])
def test_cells_of_a_prepared_clip_are_its_real_frames(fit: str) -> None:
    clip = people.clip(9, 2, layout="ntu25", seed=1, name="a", label=0, subject=1)
    assert isinstance(clip, Clip)
    prep = Preprocessing(frames=16, fit=fit)
    sample = prepare(clip, prep, 2)
    cells = cells_of(sample, get_layout("ntu25"), "joint", replayed=fit == "replay")
    assert cells.size == 25 * int(sample.present[: sample.frames].sum())
    if fit == "replay":
        assert np.array_equal(cells.x, cells.x[:, cells.shows])
    everything = cells.without(cells.present[None])[0]
    absent = ~sample.present
    assert np.array_equal(everything.transpose(0, 1, 3, 2)[:, absent], cells.x.transpose(0, 1, 3, 2)[:, absent])
