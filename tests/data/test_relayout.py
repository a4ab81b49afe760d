"""Clips put onto another layout: coordinates to the bit, masks, scores, evidence; real clips of two sensors' orders."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.io import loadmat

from stgcn_lens.data import read
from stgcn_lens.data.clip import Clip
from stgcn_lens.data.info import inspect
from stgcn_lens.data.readers import msr_action3d, recognise, utd_mhad
from stgcn_lens.data.relayout import relayout
from stgcn_lens.errors import DataError
from tests.data import people
from tests.data.makers.utd_mhad import make as utd_folder


def joint(clip: Clip, name: str) -> np.ndarray:
    """(C, T, M) of one joint."""
    return clip.xyz[:, :, clip.skeleton.index(name)]


def test_a_clip_keeps_all_but_its_joints():
    clip = people.without(people.clip(9, 2, layout="kinect20", units="metres", fps=15.0), 1, [0, 1, 8])
    moved = relayout(clip, "ntu25")
    assert (moved.layout, moved.xyz.shape, moved.xyz.dtype) == ("ntu25", (3, 9, 25, 2), np.float32)
    for name in ("name", "label", "subject", "view", "setup", "splits", "fps", "units"):
        assert getattr(moved, name) == getattr(clip, name)
    np.testing.assert_array_equal(moved.valid, clip.valid)
    assert not moved.xyz[:, [0, 1, 8], :, 1].any()
    np.testing.assert_array_equal(joint(moved, "spine_base"), joint(clip, "hip_centre"))
    mean = (joint(clip, "shoulder_centre").astype(np.float64) + joint(clip, "head")) / 2
    np.testing.assert_allclose(joint(moved, "neck"), mean, rtol=1e-6)
    assert clip.layout == "kinect20"


def test_there_and_back_again_is_the_same_to_the_bit():
    clip = people.clip(20, 2, layout="kinect20", seed=3)
    back = relayout(relayout(clip, "ntu25"), "kinect20")
    assert back.xyz.tobytes() == clip.xyz.tobytes()


def test_the_same_layout_changes_nothing():
    clip = people.clip(5, layout="openpose18")
    assert relayout(clip, "openpose18").xyz.tobytes() == clip.xyz.tobytes()


def test_evidence_goes_to_all_joints_that_are_made_of_one_that_carries_it():
    clip = people.clip(4, layout="kinect20")
    planted = np.zeros((4, 20, 1), bool)
    planted[2, [clip.skeleton.index("head"), clip.skeleton.index("left_hand")]] = True
    moved = relayout(clip.replace(evidence=planted), "ntu25")
    assert moved.evidence is not None
    assert {moved.skeleton.joints[j] for j in np.flatnonzero(moved.evidence[2, :, 0])} == {
        *("neck", "head", "left_hand", "left_hand_tip", "left_thumb")
    }
    assert not moved.evidence[[0, 1, 3]].any()


def test_a_2d_joint_has_the_lowest_score_of_those_it_is_made_of_and_is_unknown_where_one_of_them_is():
    clip = people.clip(3, layout="coco17")
    left, right = clip.skeleton.shoulders
    xyz = clip.xyz.copy()
    xyz[2, :, [left, right], 0] = np.array([[0.9, 0.6, 0.8], [0.7, 0.9, 0.0]], np.float32)
    moved = relayout(clip.replace(xyz=xyz), "openpose18")
    np.testing.assert_array_equal(joint(moved, "neck")[2, :, 0], np.float32([0.7, 0.6, 0.0]))
    assert not joint(moved, "neck")[:, 2].any()
    mean = (xyz[:2, :2, left] + xyz[:2, :2, right]) / 2
    np.testing.assert_allclose(joint(moved, "neck")[:2, :2], mean, rtol=1e-6)
    np.testing.assert_array_equal(joint(moved, "left_ear"), clip.replace(xyz=xyz).xyz[:, :, 3])


def test_2d_clips_without_a_score_get_none():
    clip = people.clip(3, layout="coco17")
    moved = relayout(clip.replace(xyz=clip.xyz[:2]), "openpose18")
    assert moved.xyz.shape == (2, 3, 18, 1)


def test_a_3d_clip_becomes_a_picture_with_score_one_where_the_body_is():
    clip = people.without(people.clip(6, 2, layout="ntu25"), 1, [5])
    moved = relayout(clip, "body25")
    assert moved.xyz.shape == (3, 6, 25, 2)
    np.testing.assert_array_equal(moved.xyz[2], np.repeat(clip.valid[:, None], 25, axis=1))
    np.testing.assert_array_equal(joint(moved, "left_knee")[:2], -joint(clip, "left_knee")[:2])
    assert not moved.xyz[:, 5, :, 1].any()


def test_a_3d_layout_without_its_depth_is_refused():
    clip = people.clip(3, layout="ntu25")
    with pytest.raises(DataError, match="without depth: got 2 channels, expected 3"):
        relayout(clip.replace(xyz=clip.xyz[:2]), "coco17")


def test_reading_onto_another_layout_says_once_what_became_of_the_joints(tmp_path):
    utd_folder(tmp_path / "raw")
    plain, moved = read(tmp_path / "raw"), read(tmp_path / "raw", to_layout="ntu25")
    assert (moved.layout, moved.xyz.shape[1]) == ("ntu25", 25)
    (note,) = moved.faults
    assert (note.dropped, note.frames) == ("nothing", 0)
    assert note.reason.startswith("layout 'kinect20' is read as 'ntu25': spine_base is hip_centre; spine_mid is spine;")
    for clip, before in zip(moved, plain, strict=True):
        np.testing.assert_array_equal(clip.xyz, relayout(before, "ntu25").xyz)
    assert inspect(tmp_path / "raw", to_layout="ntu25").layout == "ntu25"
    packed = read(tmp_path / "raw", to_layout="ntu25", into=tmp_path / "native")
    np.testing.assert_array_equal(packed.xyz, moved.xyz)
    # A native set is put onto another layout as any other set is; without a wish it is opened as it lies.
    assert read(tmp_path / "native").folder == tmp_path / "native"
    back = read(tmp_path / "native", to_layout="kinect20")
    np.testing.assert_array_equal(back.xyz, plain.xyz)
    assert back.folder is None


def test_a_layout_that_the_clips_cannot_be_put_onto_is_refused_before_anything_is_read(tmp_path):
    utd_folder(tmp_path / "raw")
    with pytest.raises(DataError, match="'kinect20' cannot become 'hand21': got no joint for wrist, thumb_cmc"):
        recognise(tmp_path / "raw", to_layout="hand21")
    read(tmp_path / "raw", to_layout="coco17", into=tmp_path / "flat")
    with pytest.raises(DataError, match="depth is not known"):
        recognise(tmp_path / "flat", to_layout="ntu25")
    with pytest.raises(DataError, match="unknown layout: got 'ntu24'"):
        recognise(tmp_path / "raw", to_layout="ntu24")


def test_a_real_clip_goes_to_kinect_2_and_back_to_the_bit(shared):
    files = sorted((shared / "utd_mhad").rglob("a*_skeleton.mat"))[:40]
    for file in files:
        clip = utd_mhad.parse(file, file.stem, lambda fault: None)
        moved = relayout(clip, "ntu25")
        assert relayout(moved, "kinect20").xyz.tobytes() == clip.xyz.tobytes()
        for there, here in (("spine_base", "hip_centre"), ("spine_shoulder", "shoulder_centre"), ("head", "head")):
            np.testing.assert_array_equal(joint(moved, there), joint(clip, here))


# Where the two sets store a joint, counted from 0, from their own descriptions.
STORED = {
    "utd": {"head": 0, "hip_centre": 3, "left_shoulder": 4, "left_elbow": 5, "left_wrist": 6, "left_hand": 7},
    "msr": {"head": 19, "hip_centre": 6, "left_shoulder": 0, "left_elbow": 7, "left_wrist": 9, "left_hand": 11},
}
ARM = ("left_shoulder", "left_elbow", "left_wrist", "left_hand")


def _stored(shared, which):
    """One real clip of a set: as its reader gives it, and (T, 20, 3) as the file has it, untouched by any reader."""
    if which == "utd":
        file = next(shared.rglob("a1_s1_t1_skeleton.mat"))
        return utd_mhad.parse(file, file.stem, print), loadmat(file)["d_skel"].transpose(2, 0, 1)
    file = next(shared.rglob("a01_s01_e01_skeleton3D.txt"))
    return msr_action3d.parse(file, file.stem, print), np.loadtxt(file).reshape(-1, 20, 4)[..., :3]


@pytest.mark.parametrize("which", STORED)
def test_two_stored_orders_land_on_the_same_places_of_the_body(shared, which):
    clip, raw = _stored(shared, which)
    moved = relayout(clip, "ntu25")
    seen = clip.valid[:, 0]
    raw = raw[: len(seen)][seen]
    for name, place in STORED[which].items():
        there = {"hip_centre": "spine_base"}.get(name, name)
        np.testing.assert_array_equal(joint(moved, there)[:, seen, 0], raw[:, place].T.astype(np.float32))
    lengths = [
        [np.linalg.norm(raw[:, STORED[which][a]] - raw[:, STORED[which][b]], axis=1) for a, b in pairwise(ARM)],
        [np.linalg.norm((joint(moved, a) - joint(moved, b))[:, seen, 0], axis=0) for a, b in pairwise(ARM)],
    ]
    np.testing.assert_allclose(lengths[1], lengths[0], atol=1e-5)
    heights = [np.median(joint(moved, name)[1, seen, 0]) for name in ("head", "spine_shoulder", "spine_base")]
    assert heights[0] > heights[1] > heights[2]
    assert np.median(joint(moved, "left_shoulder")[0, seen]) < np.median(joint(moved, "right_shoulder")[0, seen])
