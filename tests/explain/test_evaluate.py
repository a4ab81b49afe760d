"""Scores of maps against evidence that is known, with controls that must not do well."""

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from stgcn_lens.data.clip import Clip
from stgcn_lens.errors import LensError
from stgcn_lens.explain.evaluate import (
    Localisation,
    LocalisationConfig,
    average_precision,
    class_by_joint,
    localise,
    motion,
    pointing,
)

QUICK = LocalisationConfig(resamples=200)


def planted(rng: np.random.Generator, frames: int = 40, bodies: int = 2) -> Clip:
    """Two bodies, the second there for the first half; one of eight cells of those present is evidence."""
    valid = np.zeros((frames, bodies), dtype=bool)
    valid[:, 0] = True
    valid[: frames // 2, 1:] = True
    evidence = rng.random((frames, 25, bodies)) < 0.125
    xyz = rng.normal(size=(3, frames, 25, bodies)).astype(np.float32) * valid[None, :, None]
    return Clip(xyz=xyz, valid=valid, name="clip", layout="ntu25", evidence=evidence & valid[:, None])


@pytest.fixture
def clip(rng: np.random.Generator) -> Clip:
    return planted(rng)


def prevalence(clip: Clip) -> float:
    """Share of evidence among the cells of present bodies, counted one by one."""
    cells = [
        clip.evidence[t, v, m]
        for t in range(clip.frames)
        for m in range(clip.bodies)
        if clip.valid[t, m]
        for v in range(25)
    ]
    return sum(cells) / len(cells)


def test_a_perfect_map_scores_one_and_its_inverse_less_than_chance(clip: Clip) -> None:
    perfect = clip.evidence.astype(np.float32)
    assert average_precision(perfect, clip.evidence, clip.valid) == 1
    assert average_precision(-perfect, clip.evidence, clip.valid) == pytest.approx(prevalence(clip))
    shades = np.random.default_rng(1).random(clip.evidence.shape) * 0.1
    assert average_precision(shades - perfect, clip.evidence, clip.valid) < 0.75 * prevalence(clip)


def test_a_constant_map_scores_the_prevalence_and_a_random_one_about_it(clip: Clip) -> None:
    constant = np.zeros(clip.evidence.shape)
    assert average_precision(constant, clip.evidence, clip.valid) == pytest.approx(prevalence(clip))
    draws = [
        average_precision(np.random.default_rng(i).random(constant.shape), clip.evidence, clip.valid) for i in range(30)
    ]
    assert np.mean(draws) == pytest.approx(prevalence(clip), abs=0.01)


def test_cells_of_absent_bodies_do_not_count(clip: Clip) -> None:
    map = clip.evidence.astype(np.float32)
    map[:, :, 1][~clip.valid[:, 1]] = 99
    assert average_precision(map, clip.evidence, clip.valid) == 1
    assert pointing(map, clip.evidence, clip.valid) == 1


def test_the_score_is_the_area_under_the_precision_recall_steps(clip: Clip, rng: np.random.Generator) -> None:
    map = rng.random(clip.evidence.shape) + 0.3 * clip.evidence
    cells = [(map[t, v, m], clip.evidence[t, v, m]) for t, m in np.argwhere(clip.valid) for v in range(25)]
    found, area = 0, 0.0
    for rank, (_, truth) in enumerate(sorted(cells, reverse=True), start=1):
        found += truth
        area += truth * found / rank
    assert average_precision(map, clip.evidence, clip.valid) == pytest.approx(area / found)


@pytest.mark.parametrize("levels", [1, 2, 7, 10**9])
@pytest.mark.parametrize("seed", range(3))
def test_the_score_is_that_of_scikit_learn_with_and_without_ties(levels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    clip = planted(rng)
    map = rng.integers(levels, size=clip.evidence.shape).astype(np.float32)
    cells = clip.valid[:, None] & np.ones_like(clip.evidence)
    expected = average_precision_score(clip.evidence[cells], map[cells])
    assert average_precision(map, clip.evidence, clip.valid) == pytest.approx(expected, abs=1e-12)


def test_pointing_is_a_hit_a_miss_or_the_share_of_a_tie(clip: Clip) -> None:
    t, v, m = np.argwhere(clip.evidence)[0]
    map = np.zeros(clip.evidence.shape)
    assert pointing(map, clip.evidence, clip.valid) == pytest.approx(prevalence(clip))
    map[t, v, m] = 1
    assert pointing(map, clip.evidence, clip.valid) == 1
    t, v = np.argwhere(~clip.evidence[..., 0])[0]
    map[t, v, 0] = 1
    assert pointing(map, clip.evidence, clip.valid) == 0.5
    map[t, v, 0] = 2
    assert pointing(map, clip.evidence, clip.valid) == 0


def test_motion_is_the_speed_of_a_joint_about_its_own_centre(rng: np.random.Generator) -> None:
    xyz = np.zeros((3, 6, 25, 1), dtype=np.float32)
    xyz[0, :, 7, 0] = np.array([0, 0, 1, 3, 3, 3]) * 0.1
    walk = rng.normal(size=(3, 6, 1, 1)).astype(np.float32)
    clip = Clip(xyz=xyz + walk, valid=np.ones((6, 1), dtype=bool), name="a", layout="ntu25", fps=10)
    speed = motion(clip)
    assert np.allclose(speed[:, 7, 0], [0, 0.5, 1.5, 1, 0, 0], atol=1e-5)
    assert np.abs(np.delete(speed, 7, axis=1)).max() < 1e-5


def test_a_body_that_appears_has_no_speed_from_nowhere() -> None:
    xyz = np.zeros((3, 4, 25, 2), dtype=np.float32)
    xyz[:, 2:, 3, 1] = 5
    valid = np.array([[1, 0], [1, 0], [1, 1], [1, 1]], dtype=bool)
    assert not motion(Clip(xyz=xyz, valid=valid, name="a", layout="ntu25")).any()


def test_motion_leaves_the_score_channel_of_flat_layouts_out() -> None:
    xyz = np.zeros((3, 4, 17, 1), dtype=np.float32)
    xyz[2] = np.arange(4)[:, None, None] * np.arange(17)[:, None]
    assert not motion(Clip(xyz=xyz, valid=np.ones((4, 1), dtype=bool), name="a", layout="coco17")).any()


def test_motion_of_a_single_frame_is_zero() -> None:
    assert (
        motion(Clip(xyz=np.ones((3, 1, 25, 1)), valid=np.ones((1, 1), dtype=bool), name="a", layout="ntu25")).sum() == 0
    )


def scored(rng: np.random.Generator, n: int = 12, config: LocalisationConfig = QUICK) -> dict[str, Localisation]:
    clips = [planted(rng, frames=10 + 3 * i) for i in range(n)]
    maps = [
        {
            "perfect": c.evidence * 1.0,
            "inverse": 1.0 - c.evidence,
            "half": c.evidence * (np.arange(25) < 12)[:, None] * 1.0,
            "noise": rng.random(c.evidence.shape),
        }
        for c in clips
    ]
    return {row.layer: row for row in localise(iter(clips), iter(maps), config)}


def test_layers_are_ranked_by_what_they_find(rng: np.random.Generator) -> None:
    rows = scored(rng)
    assert (rows["perfect"].average_precision.value, rows["perfect"].pointing.value) == (1, 1)
    assert 0.4 < rows["half"].average_precision.value < 0.8
    assert rows["half"].pointing.value == 1
    assert rows["half"].difference_to_random.ci_low > 0
    assert rows["inverse"].difference_to_random.ci_high < 0
    noise = rows["noise"].difference_to_random
    assert noise.ci_low < 0 < noise.ci_high
    assert rows["noise"].random.value == pytest.approx(rows["noise"].prevalence, abs=0.02)


def test_differences_are_paired_clip_by_clip(rng: np.random.Generator) -> None:
    row = scored(rng)["noise"]
    assert row.difference_to_random.value == pytest.approx(row.average_precision.value - row.random.value)
    assert row.difference_to_motion.value == pytest.approx(row.average_precision.value - row.motion.value)
    # Clips of like prevalence move both terms alike: the paired interval is narrower than the sum of the two.
    width = {name: getattr(row, name).ci_high - getattr(row, name).ci_low for name in ("average_precision", "random")}
    paired = row.difference_to_random
    assert paired.ci_high - paired.ci_low < sum(width.values())


def test_intervals_hold_their_mean_and_repeat_with_the_seed() -> None:
    once, again, other = (
        scored(np.random.default_rng(0), config=dataclasses.replace(QUICK, seed=seed)) for seed in (0, 0, 1)
    )
    assert once == again
    assert once["half"].random != other["half"].random
    for row in once.values():
        for name in ("average_precision", "random", "motion", "difference_to_random", "pointing"):
            interval = getattr(row, name)
            assert interval.ci_low <= interval.value <= interval.ci_high


def test_a_wider_level_gives_a_wider_interval() -> None:
    narrow, wide = (
        scored(np.random.default_rng(0), config=dataclasses.replace(QUICK, level=level))["half"].average_precision
        for level in (0.5, 0.95)
    )
    assert wide.ci_low < narrow.ci_low < narrow.ci_high < wide.ci_high


def test_clips_without_evidence_are_left_out_and_counted(clip: Clip) -> None:
    nowhere = clip.replace(evidence=np.zeros_like(clip.evidence))
    absent = np.zeros_like(clip.evidence)
    absent[:, :, 1] = ~clip.valid[:, 1, None]
    clips = [clip.replace(evidence=None), clip, nowhere, clip.replace(evidence=absent)]
    (row,) = localise(clips, [{"block_1": clip.evidence * 1.0}] * 4, QUICK)
    assert (row.n, row.left_out) == (1, 3)
    assert (row.average_precision.value, row.average_precision.ci_low, row.average_precision.ci_high) == (1, 1, 1)
    with pytest.raises(LensError, match="no clip carries evidence: got 1 clips"):
        localise([nowhere], [{"block_1": clip.evidence * 1.0}], QUICK)


def test_every_clip_has_a_random_map_of_its_own(clip: Clip) -> None:
    (row,) = localise([clip] * 4, [{"block_1": clip.evidence * 1.0}] * 4, QUICK)
    assert row.random.ci_low < row.random.ci_high
    assert row.motion.ci_low == pytest.approx(row.motion.ci_high)


def test_slots_of_the_model_beyond_the_clips_bodies_are_padding(rng: np.random.Generator) -> None:
    clip = planted(rng, bodies=1)
    wide = np.concatenate([clip.evidence * 1.0, np.full_like(clip.evidence, 9.0, dtype=float)], axis=2)
    (row,) = localise([clip], [{"block_1": wide}], QUICK)
    assert row.average_precision.value == 1


def test_maps_that_do_not_fit_are_refused(clip: Clip) -> None:
    with pytest.raises(LensError, match="map and evidence do not fit"):
        localise([clip], [{"block_1": clip.evidence[1:] * 1.0}], QUICK)
    with pytest.raises(LensError, match="not finite: got 1500 cells"):
        localise([clip], [{"block_1": np.full(clip.evidence.shape, np.nan)}], QUICK)
    maps = [{"block_1": clip.evidence * 1.0, "block_2": clip.evidence * 1.0}, {"block_1": clip.evidence * 1.0}]
    with pytest.raises(LensError, match="some clips have no map: got layers block_2"):
        localise([clip, clip], maps, QUICK)
    with pytest.raises(LensError, match="impossible localisation settings"):
        LocalisationConfig(draws=0)


def test_class_by_joint_is_the_mean_of_maps_with_peak_one() -> None:
    first = np.zeros((2, 3, 2))
    first[0, :, 0], first[1, :, 0] = [4, 0, 0], [0, 2, 0]
    first[:, :, 1] = 100  # absent
    second = np.zeros((4, 3, 2))
    second[:, 2] = 0.1
    here = [np.array([[1, 0], [1, 0]], dtype=bool), np.ones((4, 2), dtype=bool)]
    zero = np.zeros((1, 3, 2))
    table = class_by_joint([first, second, zero], [0, 2, 2], 4, [*here, np.ones((1, 2), dtype=bool)])
    assert table.dtype == np.float32
    assert np.allclose(table[0], [0.5, 0.25, 0])
    assert np.allclose(table[2], [0, 0, 0.5])
    assert np.isnan(table[[1, 3]]).all()


def test_class_by_joint_does_not_depend_on_the_scale_of_a_clip_or_their_order(rng: np.random.Generator) -> None:
    maps = [rng.random((5 + i, 4, 2)) for i in range(6)]
    labels, here = [0, 1, 0, 1, 0, 1], [rng.random((5 + i, 2)) < 0.8 for i in range(6)]
    table = class_by_joint(maps, labels, 2, here)
    louder = [map * 10.0**i for i, map in enumerate(maps)]
    assert np.allclose(class_by_joint(louder[::-1], labels[::-1], 2, here[::-1]), table)


@pytest.mark.parametrize(
    ("map", "label", "present", "message"),
    [
        (np.ones((2, 3, 1)), 2, np.ones((2, 1), dtype=bool), "got 2, expected 0 to 1"),
        (np.ones((2, 3, 1)), 0, np.ones((3, 1), dtype=bool), "map and presence do not fit"),
        (np.ones((2, 3, 1)), 0, np.zeros((2, 1), dtype=bool), "with 0 present"),
        (-np.ones((2, 3, 1)), 0, np.ones((2, 1), dtype=bool), "a signed map: got minimum -1"),
    ],
)
def test_class_by_joint_refuses_what_it_cannot_average(map, label: int, present, message: str) -> None:
    with pytest.raises(LensError, match=message):
        class_by_joint([map], [label], 2, [present])


def test_class_by_joint_of_nothing_is_refused() -> None:
    with pytest.raises(LensError, match="no clip to average"):
        class_by_joint([], [], 2, [])
