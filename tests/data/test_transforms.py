"""Centring, turning, scaling and fitting do what their names say; the whole keeps its promises for every switch."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from stgcn_lens.data.bodies import spatial_energy
from stgcn_lens.data.clip import Clip
from stgcn_lens.data.streams import STREAMS
from stgcn_lens.data.transforms import (
    EARLIER,
    FITS,
    Preprocessing,
    centre,
    clean,
    fit,
    prepare,
    rotate,
    rotation,
    scale,
)
from stgcn_lens.errors import DataError
from tests.data import people

RAW = Preprocessing(
    max_flatness=0, drop_empty=False, max_gap=0, centre="none", rotate=False, scale=False, frames=12, fit="crop"
)


def test_steps_leave_their_input_alone():
    clip = people.without(people.clip(bodies=2), 0, [4])
    before = clip.xyz.copy()
    prepare(clip, Preprocessing(scale=True, centre="every"), 2)
    np.testing.assert_array_equal(clip.xyz, before)


def test_centring_on_the_first_frame_keeps_locomotion_and_the_other_body():
    clip = people.clip(bodies=2)
    centred = centre(clip, "first")
    np.testing.assert_array_equal(centred.xyz[:, 0, 20, 0], 0)
    moved = clip.xyz.astype(float) - centred.xyz
    np.testing.assert_allclose(moved, np.broadcast_to(clip.xyz[:, :1, 20:21, :1], moved.shape), atol=1e-6)


def test_centring_on_every_frame_removes_locomotion_and_keeps_bodies_apart():
    clip = people.clip(bodies=2)
    centred = centre(clip, "every")
    np.testing.assert_array_equal(centred.xyz[:, :, 20, 0], 0)
    np.testing.assert_allclose(
        centred.xyz[..., 1] - centred.xyz[..., 0], clip.xyz[..., 1] - clip.xyz[..., 0], atol=1e-6
    )


def test_centring_starts_at_the_first_frame_that_shows_the_main_body():
    clip = people.without(people.clip(bodies=2), 0, [0, 1, 6])
    np.testing.assert_array_equal(centre(clip, "first").xyz[:, 2, 20, 0], 0)
    between = centre(clip, "every")
    middle = (clip.xyz[:, 5, 20, 0] + clip.xyz[:, 7, 20, 0]) / 2
    np.testing.assert_allclose(between.xyz[:, 6, :, 1], clip.xyz[:, 6, :, 1] - middle[:, None], atol=1e-6)
    np.testing.assert_array_equal(between.xyz[:, [0, 1, 6], :, 0], 0)


def turned(clip: Clip, turn: np.ndarray) -> Clip:
    return clip.replace(xyz=np.einsum("dc,ctvm->dtvm", turn, clip.xyz.astype(float)).astype(np.float32))


@pytest.mark.parametrize("layout", ["ntu25", "kinect20"])
def test_rotation_puts_the_spine_up_and_the_shoulders_across(layout):
    clip = centre(turned(people.clip(layout=layout), Rotation.from_euler("xyz", [0.7, -1.1, 0.4]).as_matrix()))
    pose = rotate(clip).xyz[:, 0, :, 0]
    skeleton = clip.skeleton
    spine = pose[:, skeleton.spine[1]] - pose[:, skeleton.spine[0]]
    shoulders = pose[:, skeleton.shoulders[1]] - pose[:, skeleton.shoulders[0]]
    np.testing.assert_allclose(spine, [0, np.linalg.norm(spine), 0], atol=1e-5)
    assert shoulders[0] > 0
    assert shoulders[2] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_rotation_forgets_the_viewpoint(seed):
    clip = centre(people.clip(bodies=2))
    seen_elsewhere = turned(clip, Rotation.random(rng=seed).as_matrix())
    np.testing.assert_allclose(rotate(seen_elsewhere).xyz, rotate(clip).xyz, atol=1e-5)


def test_rotation_is_rigid_and_no_mirror_image():
    matrix = rotation(turned(people.clip(), Rotation.from_euler("y", 2.5).as_matrix()))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)


def test_rotation_leaves_someone_upright_who_faces_the_sensor():
    clip = people.clip(frames=1)
    clip.xyz[:, 0, [0, 20, 4, 8], 0] = np.array([[0, 0, 3], [0, 0.5, 3], [-0.2, 0.45, 3], [0.2, 0.45, 3]]).T
    np.testing.assert_allclose(rotate(clip).xyz, clip.xyz, atol=1e-6)


@pytest.mark.parametrize("joints", [[0, 20], [4, 8]], ids=["no spine", "no shoulders"])
def test_a_body_without_a_direction_is_not_turned(joints):
    clip = people.clip()
    clip.xyz[:, 0, joints[1], 0] = clip.xyz[:, 0, joints[0], 0]
    assert rotate(clip) is clip


def test_flat_clips_are_not_turned():
    clip = people.clip(layout="coco17")
    assert rotate(clip) is clip


def test_scaling_forgets_body_size_and_makes_the_spine_one():
    clip = centre(people.clip(bodies=2))
    tall = clip.replace(xyz=clip.xyz * np.float32(1.3))
    np.testing.assert_allclose(scale(tall).xyz, scale(clip).xyz, rtol=1e-5, atol=1e-6)
    spine = scale(clip).xyz[:, :, 20, 0] - scale(clip).xyz[:, :, 0, 0]
    assert np.median(np.linalg.norm(spine, axis=0)) == pytest.approx(1, rel=1e-5)


def test_a_body_without_a_spine_is_not_scaled():
    clip = people.clip()
    clip.xyz[:, :, 20] = clip.xyz[:, :, 0]
    assert scale(clip) is clip


@pytest.mark.parametrize("layout", ["coco17", "openpose18"])
def test_cleaning_never_touches_scores(layout):
    clip = people.clip(layout=layout, bodies=2)
    cleaned = clean(clip, Preprocessing(scale=True, max_flatness=0))
    order = np.argsort(-spatial_energy(clip))
    np.testing.assert_array_equal(cleaned.xyz[2], clip.xyz[2][..., order])
    assert not np.allclose(cleaned.xyz[:2], clip.xyz[:2][..., order])


def test_evidence_follows_its_bodies_and_frames_through_cleaning(rng):
    clip = people.among_furniture(rng)
    evidence = rng.random(clip.xyz.shape[1:]) < 0.5
    clip = clip.replace(evidence=evidence)
    for body in range(3):
        clip = people.without(clip, body, [0, 5, 6, 7, 11])
    cleaned = clean(clip, Preprocessing(max_gap=2, long_gaps="cut"))
    frames = [1, 2, 3, 4, 8, 9, 10]
    np.testing.assert_array_equal(cleaned.evidence, evidence[frames][..., [2, 0]])
    assert cleaned.xyz.shape == (3, 7, 25, 2)


SWITCHES = [
    Preprocessing(centre=c, rotate=r, scale=s, fit=f, stream=x, frames=t)
    for c, (r, s), f, x, t in itertools.product(
        ("first", "every", "none"), ((True, False), (False, True)), FITS, STREAMS, (7, 20)
    )
]


@pytest.mark.parametrize("layout", ["ntu25", "coco17"])
def test_every_configuration_keeps_the_promises_of_a_sample(layout):
    clip = people.without(people.clip(bodies=2, layout=layout), 1, [0, 1, 5, 6, 7])
    for prep in SWITCHES:
        sample = prepare(clip, prep, bodies=3)
        assert sample.x.shape == (3, prep.frames, clip.skeleton.V, 3)
        assert sample.x.dtype == np.float32
        assert sample.x.flags.c_contiguous
        assert np.isfinite(sample.x).all()
        assert sample.present.shape == (prep.frames, 3)
        assert (sample.x.transpose(1, 3, 0, 2)[~sample.present] == 0).all()
        assert len(sample.source) == sample.frames == (prep.frames if prep.fit == "resample" else min(prep.frames, 12))
        assert 0 <= sample.source.min() <= sample.source.max() <= 11


def test_resampling_is_linear_interpolation_in_time():
    clip = people.clip()
    sample = fit(clip, Preprocessing(frames=31), bodies=1)
    position = [i * 11 / 30 for i in range(31)]
    np.testing.assert_allclose(sample.source, position)
    for c, v in itertools.product(range(3), range(25)):
        expected = np.interp(position, range(12), clip.xyz[c, :, v, 0])
        np.testing.assert_allclose(sample.x[c, :, v, 0], expected, rtol=1e-5, atol=1e-6)
    assert sample.present.all()


def test_resampling_to_the_same_length_changes_nothing():
    clip = people.clip()
    np.testing.assert_array_equal(fit(clip, Preprocessing(frames=12), bodies=1).x, clip.xyz)


def test_a_body_that_comes_late_is_not_dragged_from_the_origin():
    clip = people.without(people.clip(bodies=2), 1, slice(0, 6))
    sample = fit(clip, Preprocessing(frames=23), bodies=2)  # every half frame
    np.testing.assert_array_equal(sample.present[:, 1], np.arange(23) >= 12)
    np.testing.assert_array_equal(sample.x[:, 12, :, 1], clip.xyz[:, 6, :, 1])
    finer = fit(clip, Preprocessing(frames=45), bodies=2)  # every quarter frame: 5.75 is nearest to frame 6
    assert finer.present[23, 1]
    np.testing.assert_allclose(finer.x[:, 23, :, 1], clip.xyz[:, 6, :, 1], rtol=1e-6)


def test_replay_starts_again_and_says_how_much_is_real():
    clip = people.without(people.clip(frames=5), 0, [3])
    sample = fit(clip, Preprocessing(frames=12, fit="replay"), bodies=1)
    assert sample.frames == 5
    for t in range(12):
        np.testing.assert_array_equal(sample.x[:, t], clip.xyz[:, t % 5])
        np.testing.assert_array_equal(sample.present[t], clip.valid[t % 5])


@pytest.mark.parametrize("how", ["crop", "replay"])
def test_a_clip_that_is_too_long_keeps_its_middle(how):
    clip = people.clip(frames=12)
    sample = fit(clip, Preprocessing(frames=6, fit=how), bodies=1)
    np.testing.assert_array_equal(sample.x, clip.xyz[:, 3:9])
    assert sample.source.tolist() == [3, 4, 5, 6, 7, 8]


def test_cropping_leaves_frames_past_the_end_empty():
    clip = people.clip(frames=5)
    sample = fit(clip, Preprocessing(frames=8, fit="crop"), bodies=1)
    np.testing.assert_array_equal(sample.x[:, :5], clip.xyz)
    assert not sample.present[5:].any()


@pytest.mark.parametrize("prep", [Preprocessing(fit=how, stream=s) for how in FITS for s in STREAMS])
def test_a_clip_of_one_frame_works(prep):
    sample = prepare(people.clip(frames=1), prep, 2)
    assert set(sample.source) == {0.0}
    assert (np.abs(sample.x).max() > 0) == ("motion" not in prep.stream)


def test_a_joint_at_the_origin_stays_a_joint():
    clip = people.clip()
    clip.xyz[:] = 0
    sample = prepare(clip, Preprocessing(), 1)
    assert sample.present.all()


def test_everything_switched_off_hands_the_clip_through():
    clip = people.clip()
    np.testing.assert_array_equal(prepare(clip, RAW, 1).x, clip.xyz)


def test_more_bodies_than_slots_are_cut_and_missing_ones_are_absent():
    clip = people.clip(bodies=2)
    prep = Preprocessing(frames=12, centre="none", rotate=False, scale=False)
    np.testing.assert_array_equal(prepare(clip, prep, 1).x, clip.xyz[..., :1])
    three = prepare(clip, prep, 3)
    assert three.present.all(axis=0).tolist() == [True, True, False]


def test_a_clip_without_anybody_is_an_error_with_its_name():
    clip = people.without(people.clip(name="empty one"), 0, slice(None))
    with pytest.raises(DataError, match="empty one: no body in any frame: got 12 empty frames"):
        prepare(clip, Preprocessing(), 1)


def test_nobody_for_a_long_time_is_refused_by_its_frame_in_the_recording_or_cut():
    clip = people.without(people.clip(40, name="with a pause"), 0, [*range(3), *range(20, 31)])
    with pytest.raises(DataError, match="with a pause, frame 20: nobody is there for too long: got 11 frames"):
        clean(clip, Preprocessing())
    whole = [t for t in range(3, 40) if not 20 <= t < 31]
    raw = replace(RAW, long_gaps="cut", drop_empty=True)
    np.testing.assert_array_equal(clean(clip, raw).xyz, clip.xyz[:, whole])
    assert clean(clip, Preprocessing(max_gap=11)).valid.all()


def test_a_gap_that_only_furniture_fills_is_a_gap(rng):
    clip = people.among_furniture(rng)
    clip = people.without(people.without(clip, 0, slice(3, 8)), 2, slice(3, 8))
    assert clip.valid.any(axis=1).all()
    with pytest.raises(DataError, match="frame 3: nobody is there for too long: got 5 frames"):
        clean(clip, Preprocessing(max_gap=4))


def test_undetected_joints_are_filled_before_a_gap_of_the_body_is():
    whole = people.clip(20, layout="coco17")
    clip = people.without(whole, 0, [8, 9])
    clip.xyz[:, 7, 9] = 0  # not detected just before the body leaves
    cleaned = clean(clip, replace(RAW, max_gap=2, joint_gap=1))
    # Between frames 6 and 10, in which it was detected, all lies on one line.
    place = [whole.xyz[:2, 6, 9] + (t - 6) / 4 * (whole.xyz[:2, 10, 9] - whole.xyz[:2, 6, 9]) for t in (7, 8, 9)]
    np.testing.assert_allclose(cleaned.xyz[:2, 7:10, 9], np.stack(place, axis=1), rtol=1e-4)
    assert cleaned.xyz[2, 7, 9, 0] == 0


def test_three_bodies_one_of_them_furniture_leave_two_people(rng):
    sample = prepare(people.among_furniture(rng), Preprocessing(frames=12, centre="none", rotate=False, scale=False), 2)
    two = people.clip(bodies=2)
    np.testing.assert_array_equal(sample.x, two.xyz)


def test_empty_leading_frames_are_gone_before_anything_is_measured():
    whole = people.clip(20)
    late = people.without(whole, 0, slice(0, 8))
    np.testing.assert_array_equal(prepare(late, Preprocessing(), 1).x, prepare(_from(whole, 8), Preprocessing(), 1).x)


def _from(clip: Clip, frame: int) -> Clip:
    return clip.replace(xyz=clip.xyz[:, frame:], valid=clip.valid[frame:])


@pytest.mark.parametrize("how", FITS)
def test_more_than_three_hundred_frames_become_three_hundred(how):
    clip = people.clip(frames=431)
    sample = fit(clip, Preprocessing(frames=300, fit=how), bodies=1)
    assert sample.x.shape == (3, 300, 25, 1)
    assert sample.frames == 300
    ends = [0.0, 430.0] if how == "resample" else [65.0, 364.0]
    assert sample.source[[0, -1]].tolist() == ends
    np.testing.assert_array_equal(sample.x[:, [0, -1]], clip.xyz[:, [int(end) for end in ends]])


def test_a_clip_without_frames_is_an_error_with_its_name():
    with pytest.raises(DataError, match="nothing left: the clip has no frames: got 0, expected at least 1"):
        prepare(_from(people.clip(name="nothing left"), 12), Preprocessing(), 1)


def test_settings_written_before_gaps_were_refused_mean_that_they_were_cut():
    old = {name: value for name, value in vars(Preprocessing()).items() if name not in ("long_gaps", "joint_gap")}
    assert Preprocessing(**{**EARLIER, **old}) == Preprocessing(long_gaps="cut", joint_gap=0)


def test_a_number_that_is_not_finite_never_reaches_a_model():
    clip = people.clip(name="broken one")
    clip.xyz[2, 7, 3, 0] = np.nan
    with pytest.raises(DataError, match=r"broken one, frame 7: .* at joint head"):
        prepare(clip, Preprocessing(), 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fit": "stretch"}, "unknown fit: got 'stretch', expected one of resample, replay, crop"),
        ({"centre": "hip"}, "unknown centre: got 'hip', expected one of first, every, none"),
        ({"stream": "bones"}, "unknown stream: got 'bones', expected one of joint, bone"),
        ({"frames": 0}, "frames too small: got 0, expected >= 1"),
        ({"bodies": 0}, "bodies too small: got 0, expected >= 1"),
        ({"max_gap": -1}, "max_gap too small: got -1, expected >= 0"),
        ({"joint_gap": -1}, "joint_gap too small: got -1, expected >= 0"),
        ({"long_gaps": "keep"}, "unknown long_gaps: got 'keep', expected one of refuse, cut"),
    ],
)
def test_a_preprocessing_that_cannot_be_is_refused(change, message):
    with pytest.raises(DataError, match=message):
        Preprocessing(**change)
