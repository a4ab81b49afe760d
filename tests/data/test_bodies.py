"""Which bodies and frames are kept: people before furniture, gaps bridged, nobody invented."""

import numpy as np
import pytest

from stgcn_lens.data.bodies import drop_empty, fill_gaps, flatness, select_bodies, spatial_energy
from tests.data import people


def test_furniture_in_the_middle_is_not_a_body(rng):
    clip = people.among_furniture(rng)
    assert spatial_energy(clip).argmax() == 1  # energy alone, or motion, would take the table
    assert flatness(clip)[1] > 0.8 > flatness(clip)[[0, 2]].max()
    kept = select_bodies(clip, 2)
    np.testing.assert_array_equal(kept.xyz, clip.xyz[..., [2, 0]])
    np.testing.assert_array_equal(kept.evidence, clip.evidence[..., [2, 0]])


def test_the_furniture_rule_can_be_switched_off(rng):
    clip = people.among_furniture(rng)
    np.testing.assert_array_equal(select_bodies(clip, 1, max_flatness=0).xyz[..., 0], clip.xyz[..., 1])


def test_the_only_body_is_kept_however_wide_it_lies(rng):
    clip = people.clip()
    lying = clip.replace(xyz=people.furniture(clip, rng)[..., None])
    assert select_bodies(lying).bodies == 1
    both = clip.replace(
        xyz=np.stack([0.5 * people.furniture(clip, rng), people.furniture(clip, rng)], -1), valid=np.ones((12, 2), bool)
    )
    np.testing.assert_array_equal(select_bodies(both).xyz[..., 0], both.xyz[..., 1])


def test_spatial_energy_is_the_sum_of_the_spreads_over_present_frames():
    clip = people.without(people.clip(bodies=2), 1, [0, 5])
    for body in range(2):
        cloud = [clip.xyz[:, t, v, body] for t in range(12) if clip.valid[t, body] for v in range(25)]
        assert spatial_energy(clip)[body] == pytest.approx(sum(np.std(np.array(cloud, float), axis=0)), rel=1e-9)


def test_a_slot_without_a_body_is_never_selected():
    clip = people.without(people.clip(bodies=2), 0, slice(None))
    np.testing.assert_array_equal(select_bodies(clip).xyz, clip.xyz[..., 1:])


def test_joints_that_a_2d_estimator_did_not_see_do_not_widen_a_body():
    clip = people.clip(layout="coco17")
    seen = spatial_energy(clip), flatness(clip)
    clip.xyz[:, :, 9, 0] = 0  # a wrist at the image corner with score 0
    shifted = clip.xyz.copy()
    shifted[:2, :, 9, 0] = 100
    hidden = clip.replace(xyz=shifted)
    np.testing.assert_allclose(spatial_energy(hidden), seen[0], rtol=0.2)
    np.testing.assert_allclose(flatness(hidden), seen[1], rtol=0.2)


def test_empty_ends_are_cut_off_and_the_middle_is_left():
    clip = people.without(people.clip(), 0, [0, 1, 5, 6, 11])
    clip = clip.replace(evidence=np.ones(clip.xyz.shape[1:], bool))
    cut = drop_empty(clip)
    np.testing.assert_array_equal(cut.xyz, clip.xyz[:, 2:11])
    np.testing.assert_array_equal(cut.valid, clip.valid[2:11])
    assert cut.evidence.shape == (9, 25, 1)


def test_short_gaps_are_bridged_on_a_straight_line():
    whole = people.clip()
    filled = fill_gaps(people.without(whole, 0, [4, 5, 6]), max_gap=3)
    assert filled.valid.all()
    for t, w in ((4, 0.25), (5, 0.5), (6, 0.75)):
        np.testing.assert_allclose(filled.xyz[:, t], (1 - w) * whole.xyz[:, 3] + w * whole.xyz[:, 7], rtol=1e-5)
    untouched = [t for t in range(12) if t not in (4, 5, 6)]
    np.testing.assert_array_equal(filled.xyz[:, untouched], whole.xyz[:, untouched])


def test_a_longer_gap_stays_absent_and_frames_without_anybody_are_removed():
    clip = people.without(people.clip(bodies=2), 0, slice(3, 8))
    kept = fill_gaps(clip, max_gap=4)
    np.testing.assert_array_equal(kept.valid, clip.valid)
    alone = people.without(clip, 1, slice(4, 7))
    kept = fill_gaps(alone, max_gap=2)
    np.testing.assert_array_equal(kept.xyz, alone.xyz[:, [0, 1, 2, 3, 7, 8, 9, 10, 11]])


def test_a_body_is_never_invented_before_it_comes_or_after_it_leaves():
    clip = people.without(people.clip(bodies=2), 1, [0, 1, 10, 11])
    np.testing.assert_array_equal(fill_gaps(clip, max_gap=10).valid, clip.valid)
