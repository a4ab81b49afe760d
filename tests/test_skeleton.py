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
    assert (mirror[layout.shoulders[0]], mirror[layout.shoulders[1]]) == layout.shoulders[::-1]


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
    assert joints == {"ntu25": 25, "ntu25-hand": 25, "kinect20": 20, "openpose18": 18, "coco17": 17}


def test_an_unknown_layout_is_refused_with_those_there_are():
    with pytest.raises(DataError, match=r"got 'ntu24', expected one of ntu25, ntu25-hand, kinect20"):
        get_layout("ntu24")
