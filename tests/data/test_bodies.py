"""Which bodies and frames are kept: people before furniture, and no empty ends."""

import numpy as np
import pytest

from stgcn_lens.data.bodies import drop_empty, flatness, select_bodies, spatial_energy
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


@pytest.mark.parametrize(("frames", "who"), [(5, [1, 0]), (6, [1])])
def test_somebody_who_sits_is_not_dropped_for_one_who_passes_by(rng, frames, who):
    pair = people.clip(12, bodies=2)
    pair.xyz[..., 0] = 0.3 * people.furniture(pair, rng)  # wide, of little energy, there in all 12 frames
    passing = people.without(pair, 1, slice(frames, None))
    assert flatness(passing)[0] > 0.8 > flatness(passing)[1]
    np.testing.assert_array_equal(select_bodies(passing).xyz, passing.xyz[..., who])


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
