"""What every layout promises, and the facts of NTU-25 that checkpoints depend on."""

import numpy as np
import pytest

from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import LAYOUTS, get_layout

layouts = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)


@layouts
def test_bones_form_one_tree(layout):
    assert len(layout.bones) == layout.V - 1
    children = [child for child, _ in layout.bones]
    assert len(set(children)) == len(children)
    (root,) = set(range(layout.V)) - set(children)
    for joint in range(layout.V):
        steps = 0
        while joint != root and steps < layout.V:
            joint, steps = layout.parents[joint], steps + 1
        assert joint == root
    assert layout.parents[root] == root


@layouts
def test_mirror_is_an_involution_that_swaps_sides(layout):
    mirror = np.array(layout.mirror)
    np.testing.assert_array_equal(mirror[mirror], np.arange(layout.V))
    for joint, other in enumerate(layout.mirror):
        swapped = {"left": "right", "right": "left"}
        side, _, rest = layout.joints[joint].partition("_")
        assert layout.joints[other] == (f"{swapped[side]}_{rest}" if side in swapped else layout.joints[joint])


@layouts
def test_mirroring_keeps_the_skeleton_and_its_parts(layout):
    mirror = layout.mirror
    bones = {frozenset(bone) for bone in layout.bones}
    assert {frozenset((mirror[a], mirror[b])) for a, b in layout.bones} == bones
    for name, part in layout.parts.items():
        other = name.replace("left", "?").replace("right", "left").replace("?", "right")
        assert sorted(mirror[joint] for joint in part) == sorted(layout.parts[other])
    # A hand has no sides: its mirror image is a hand with the same joints.
    swapped = layout.shoulders[::-1] if layout.pairs else layout.shoulders
    assert (mirror[layout.shoulders[0]], mirror[layout.shoulders[1]]) == swapped


@layouts
def test_parts_hold_every_joint_once(layout):
    assert sorted(joint for part in layout.parts.values() for joint in part) == list(range(layout.V))


@layouts
def test_names_are_unique_and_lead_back_to_their_joints(layout):
    assert [layout.index(name) for name in layout.joints] == list(range(layout.V))
    with pytest.raises(DataError, match=f"layout '{layout.name}' has no such joint: got 'tail', expected one of"):
        layout.index("tail")


@layouts
def test_directions_have_a_length(layout):
    assert layout.spine[0] != layout.spine[1]
    assert layout.shoulders[0] != layout.shoulders[1]
    assert layout.up in ("+x", "-x", "+y", "-y", "+z", "-z")
    assert layout.dims in (2, 3)


def test_ntu25_has_the_published_bones_and_centre():
    published = (
        "1-2 2-21 3-21 4-3 5-21 6-5 7-6 8-7 9-21 10-9 11-10 12-11 13-1 14-13 15-14 16-15 17-1 18-17 19-18 20-19 "
        "22-23 23-8 24-25 25-12"
    )
    layout = LAYOUTS["ntu25"]
    assert " ".join(f"{child + 1}-{parent + 1}" for child, parent in layout.bones) == published
    assert layout.centre + 1 == 21
    assert set(LAYOUTS["ntu25-hand"].bones) - set(layout.bones) == {(21, 7), (23, 11)}


def test_layouts_have_the_joints_of_their_name():
    joints = {layout.name: layout.V for layout in LAYOUTS.values()}
    kinect = {"ntu25": 25, "ntu25-hand": 25, "kinect20": 20}
    pose = {"openpose18": 18, "coco17": 17, "body25": 25, "halpe26": 26, "mediapipe33": 33}
    assert joints == {**kinect, **pose, "hand21": 21}
    assert [layout.name for layout in LAYOUTS.values() if not layout.pairs] == ["hand21"]


# Index -> joint, from the lists that the makers of each format publish.
PUBLISHED = {
    "ntu25": {0: "spine_base", 3: "head", 7: "left_hand", 11: "right_hand", 12: "left_hip", 20: "spine_shoulder"},
    "kinect20": {0: "hip_centre", 3: "head", 4: "left_shoulder", 11: "right_hand", 15: "left_foot", 16: "right_hip"},
    "openpose18": {0: "nose", 1: "neck", 4: "right_wrist", 7: "left_wrist", 8: "right_hip", 13: "left_ankle"},
    "coco17": {0: "nose", 1: "left_eye", 4: "right_ear", 5: "left_shoulder", 10: "right_wrist", 15: "left_ankle"},
    "body25": {
        **{0: "nose", 1: "neck", 4: "right_wrist", 5: "left_shoulder", 8: "hip_centre", 9: "right_hip"},
        **{11: "right_ankle", 14: "left_ankle", 15: "right_eye", 18: "left_ear", 19: "left_big_toe"},
        **{20: "left_small_toe", 21: "left_heel", 22: "right_big_toe", 24: "right_heel"},
    },
    "halpe26": {
        **{0: "nose", 2: "right_eye", 6: "right_shoulder", 9: "left_wrist", 16: "right_ankle", 17: "head", 18: "neck"},
        **{19: "hip_centre", 20: "left_big_toe", 21: "right_big_toe", 22: "left_small_toe", 25: "right_heel"},
    },
    "mediapipe33": {
        **{0: "nose", 1: "left_eye_inner", 2: "left_eye", 3: "left_eye_outer", 4: "right_eye_inner", 7: "left_ear"},
        **{9: "left_mouth", 11: "left_shoulder", 16: "right_wrist", 17: "left_pinky", 20: "right_index"},
        **{21: "left_thumb", 24: "right_hip", 25: "left_knee", 28: "right_ankle", 29: "left_heel"},
        **{31: "left_foot_index", 32: "right_foot_index"},
    },
    "hand21": {0: "wrist", 1: "thumb_cmc", 4: "thumb_tip", 5: "index_mcp", 8: "index_tip", 9: "middle_mcp"}
    | {12: "middle_tip", 13: "ring_mcp", 16: "ring_tip", 17: "pinky_mcp", 20: "pinky_tip"},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_joints_are_in_the_published_order(name):
    layout = LAYOUTS[name]
    assert {i: layout.joints[i] for i in PUBLISHED[name]} == PUBLISHED[name]


# (bones of the published drawing lists, those cut because they close a ring, those added because a part hangs alone)
DRAWN = {
    "body25": (
        "1-8 1-2 1-5 2-3 3-4 5-6 6-7 8-9 9-10 10-11 8-12 12-13 13-14 1-0 0-15 15-17 0-16 16-18 14-19 19-20 14-21 "
        "11-22 22-23 11-24",
        "",
        "",
    ),
    "halpe26": (
        "0-1 0-2 1-3 2-4 5-18 6-18 5-7 7-9 6-8 8-10 17-18 18-19 19-11 19-12 11-13 12-14 13-15 14-16 20-24 21-25 23-25 "
        "22-24 15-24 16-25",
        "",
        "0-18",
    ),
    "mediapipe33": (
        "0-1 1-2 2-3 3-7 0-4 4-5 5-6 6-8 9-10 11-12 11-13 13-15 15-17 15-19 15-21 17-19 12-14 14-16 16-18 16-20 16-22 "
        "18-20 11-23 12-24 23-24 23-25 24-26 25-27 26-28 27-29 28-30 29-31 30-32 27-31 28-32",
        "9-10 11-12 23-24 17-19 18-20 29-31 30-32",
        "0-9 0-10 0-11 0-12",
    ),
    "hand21": (
        "0-1 1-2 2-3 3-4 0-5 5-6 6-7 7-8 5-9 9-10 10-11 11-12 9-13 13-14 14-15 15-16 13-17 0-17 17-18 18-19 19-20",
        "5-9 9-13 13-17",
        "0-9 0-13",
    ),
}


@pytest.mark.parametrize("name", DRAWN)
def test_bones_are_those_of_the_published_drawing_but_for_the_rings_cut_and_the_bridges_added(name):
    drawn, cut, added = ({frozenset(map(int, bone.split("-"))) for bone in bones.split()} for bones in DRAWN[name])
    assert cut <= drawn
    assert {frozenset(bone) for bone in LAYOUTS[name].bones} == (drawn - cut) | added


def test_an_unknown_layout_is_refused_with_those_there_are():
    with pytest.raises(DataError, match=r"got 'ntu24', expected one of ntu25, ntu25-hand, kinect20"):
        get_layout("ntu24")
