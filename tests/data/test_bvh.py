"""BVH: joints are where forward kinematics by hand puts them; rigs become layouts; damaged files are refused."""

import random
import re

import numpy as np
import pytest

from stgcn_lens.data import read
from stgcn_lens.data.parsing import rig
from stgcn_lens.data.readers import bvh
from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import find_layout, get_layout
from tests.data.makers.bvh import RIG, hierarchy, make, motion, values
from tests.reference import bvh as reference

ARM = """HIERARCHY
ROOT Base
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Upper
  {
    OFFSET 10 0 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT Lower
    {
      OFFSET 0 5 0
      CHANNELS 3 Xrotation Yrotation Zrotation
      End Site
      {
        OFFSET 0 1 0
      }
    }
  }
}
"""
ARM_LAYOUT = """joints = ["Base", "Upper", "Lower"]
bones = ["Upper-Base", "Lower-Upper"]
centre = "Base"
spine = ["Base", "Upper"]
shoulders = ["Upper", "Lower"]
"""


def sound(frames=3):
    return hierarchy() + motion(values(frames))


def parse(tmp_path, text, wish=None, told=None):
    file = tmp_path / "a.bvh"
    file.write_text(text, newline="")
    return bvh.parse(file, "a", [].append if told is None else told.append, wish)


@pytest.fixture
def arm(tmp_path):
    (tmp_path / "arm.toml").write_text(ARM_LAYOUT)
    return find_layout(str(tmp_path / "arm.toml")).name


def test_three_joints_turned_by_right_angles_are_where_they_are_by_hand(tmp_path, arm):
    rows = [
        [1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0],  # nothing turned
        [1, 2, 3, 90, 0, 0, 0, 0, 0, 0, 0, 0],  # x of the root points up
        [0, 0, 0, 90, 0, 0, 0, 90, 0, 0, 0, 0],  # and y of the upper joint towards the viewer
        [0, 0, 0, 90, 90, 0, 0, 0, 0, 50, 60, 70],  # Z before X: about the root's own x, which already points up
    ]
    clip = parse(tmp_path, ARM + motion(rows), arm)
    expected = [
        [[1, 2, 3], [11, 2, 3], [11, 7, 3]],
        [[1, 2, 3], [1, 12, 3], [-4, 12, 3]],
        [[0, 0, 0], [0, 10, 0], [0, 10, 5]],
        [[0, 0, 0], [0, 10, 0], [0, 10, 5]],
    ]
    np.testing.assert_allclose(clip.xyz[..., 0].transpose(1, 2, 0), expected, atol=1e-6)
    assert clip.valid.all()
    assert (clip.fps, clip.units) == (120.0, "unknown")


def test_the_order_of_the_channels_is_the_order_of_the_turns(tmp_path, arm):
    text = ARM.replace("Zposition Zrotation Xrotation", "Zposition Xrotation Zrotation")
    clip = parse(tmp_path, text + motion([[0, 0, 0, 90, 90, 0, 0, 0, 0, 0, 0, 0]]), arm)
    # X first: y points towards the viewer; then Z about the own z, which points down: x towards the viewer, y back.
    np.testing.assert_allclose(clip.xyz[:, 0, :, 0].T, [[0, 0, 0], [0, 0, 10], [-5, 0, 10]], atol=1e-6)


@pytest.mark.parametrize(
    "turns", ["Zrotation Xrotation Yrotation", "Xrotation Yrotation Zrotation", "Yrotation Zrotation Xrotation"]
)
def test_positions_are_those_of_the_slow_transcription(tmp_path, turns):
    text = hierarchy(turns=turns) + motion(values(40))
    xyz = parse(tmp_path, text).xyz[..., 0].transpose(1, 2, 0)
    np.testing.assert_allclose(xyz, reference.positions(text), rtol=1e-6, atol=1e-4)


def test_long_files_are_placed_in_blocks_like_short_ones(tmp_path):
    rows = values(900)
    whole = parse(tmp_path, hierarchy() + motion(rows)).xyz
    for begin in (0, 311, 312, 313, 890):
        part = parse(tmp_path, hierarchy() + motion(rows[begin : begin + 10])).xyz
        np.testing.assert_array_equal(part, whole[:, begin : begin + 10])


def test_positions_of_a_joint_replace_its_offset_unless_they_are_all_zero(tmp_path, arm):
    text = ARM.replace("CHANNELS 3 Zrotation", "CHANNELS 6 Xposition Yposition Zposition Zrotation")
    rest = [0] * 6
    moved = parse(tmp_path, text + motion([[0] * 6 + [7, 1, 0] + rest, [0] * 6 + [0, 0, 0] + rest]), arm)
    np.testing.assert_allclose(moved.xyz[:, :, 1, 0].T, [[7, 1, 0], [0, 0, 0]])
    added = parse(tmp_path, text + motion([[0] * 6 + [0, 0, 0] + rest, [0] * 6 + [1, 2, 0] + rest]), arm)
    np.testing.assert_allclose(added.xyz[:, :, 1, 0].T, [[10, 0, 0], [11, 2, 0]])


def test_a_rig_becomes_a_layout_in_the_words_of_this_field(tmp_path):
    clip = parse(tmp_path, sound())
    layout = clip.skeleton
    assert layout.joints == (
        *("hip_centre", "spine", "neck", "head"),
        *("left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist"),
        *("left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle"),
    )
    bones = {(layout.joints[child], layout.joints[parent]) for child, parent in layout.bones}
    assert {("neck", "spine"), ("left_elbow", "left_shoulder"), ("right_ankle", "right_knee")} <= bones
    names = [layout.joints[j] for j in (layout.centre, *layout.spine, *layout.shoulders)]
    assert names == ["spine", "hip_centre", "neck", "left_shoulder", "right_shoulder"]
    assert [[layout.joints[a], layout.joints[b]] for a, b in layout.pairs[:2]] == [
        ["left_shoulder", "right_shoulder"],
        ["left_elbow", "right_elbow"],
    ]
    parts = {part: [layout.joints[j] for j in joints] for part, joints in layout.parts.items()}
    assert parts["trunk"] == ["hip_centre", "spine"]
    assert parts["left_arm"] == ["left_shoulder", "left_elbow", "left_wrist"]
    assert parts["right_leg"] == ["right_hip", "right_knee", "right_ankle"]
    assert layout.name.startswith("bvh@")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("LHipJoint LeftUpLeg LeftLeg LeftFoot LeftToeBase", "hip_joint hip knee ankle foot"),  # CMU
        ("LeftShoulder LeftArm LeftForeArm LeftHand LeftFingerBase", "collar shoulder elbow wrist hand"),
        ("mixamorig:LeftShoulder mixamorig:LeftArm mixamorig:LeftHandMiddle1", "collar shoulder hand"),
        ("LeftCollar LeftUpArm LeftLowArm LeftHand", "collar shoulder elbow wrist"),  # Biovision
        ("LeftCollar LeftShoulder LeftElbow LeftWrist", "collar shoulder elbow wrist"),
        ("L_Hip L_Knee L_Ankle L_Foot L_Collar L_Shoulder L_Hand", "hip knee ankle foot collar shoulder wrist"),
        ("lThigh lShin lFoot lCollar lShldr lForeArm", "hip knee ankle collar shoulder elbow"),
        ("thigh.L shin.L foot.L toe.L upper_arm.L", "hip knee ankle foot shoulder"),
    ],
)
def test_joints_of_known_rigs_get_their_names(names, expected):
    left = names.split()
    right = [re.sub(r"^L(?=[A-Z_])|\bL$", "R", name.replace("Left", "Right")) for name in left]
    right = [re.sub(r"^l(?=[A-Z])", "r", name) for name in right]
    renamed = rig.rename(["Hips", *left, *right])
    want = expected.split()
    assert renamed == ("hip_centre", *(f"left_{name}" for name in want), *(f"right_{name}" for name in want))


def test_names_that_are_not_known_and_joints_without_a_twin_keep_their_names():
    assert rig.rename(["Hips", "Tail", "L5", "a:LowerBack", "LeftPocket"]) == (
        *("hip_centre", "Tail", "L5"),
        *("LowerBack", "LeftPocket"),
    )
    assert rig.rename(["Model_Hips", "Model_Spine", "Model_Head"]) == ("hip_centre", "spine", "head")


def test_a_rig_is_read_as_kinect20_by_name(tmp_path):
    make(tmp_path / "set")
    clips = read(tmp_path / "set", to_layout="kinect20")
    own = read(tmp_path / "set")
    assert clips.layout == "kinect20"
    for joint in ("hip_centre", "left_knee", "right_elbow", "head"):
        i, j = get_layout("kinect20").index(joint), own.skeleton.index(joint)
        np.testing.assert_array_equal(clips[0].xyz[:, :, i], own[0].xyz[:, :, j])


def test_a_layout_that_is_asked_for_picks_its_joints_by_the_files_names_or_ours(tmp_path):
    toml = ARM_LAYOUT.replace("Base", "Hips").replace("Upper", "left_elbow").replace("Lower", "RightFoot")
    (tmp_path / "some.toml").write_text(toml)
    layout = find_layout(str(tmp_path / "some.toml"))
    some, whole = parse(tmp_path, sound(), layout.name), parse(tmp_path, sound())
    places = [whole.skeleton.index(name) for name in ("hip_centre", "left_elbow", "right_ankle")]
    np.testing.assert_array_equal(some.xyz, whole.xyz[:, :, places])
    with pytest.raises(DataError, match="lacks joints of layout 'kinect20': got no left_hand, right_hand, left_foot"):
        parse(tmp_path, sound().replace("Neck", "shoulder_centre"), "kinect20")
    with pytest.raises(DataError, match="expected a layout with dims = 3"):
        parse(tmp_path, sound(), "coco17")


def test_a_rig_without_known_shoulders_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match=r"no left_shoulder and no right_shoulder among hip_centre.*--layout FILE.toml"):
        parse(tmp_path, sound().replace("Arm", "Wing"))
    short = hierarchy([("Hips", 0, (0, 0, 0)), ("LeftArm", 1, (1, 0, 0)), ("RightArm", 1, (1, 0, 0))])
    with pytest.raises(DataError, match="spine is a single joint: got hip_centre"):
        parse(tmp_path, short + motion(np.zeros((2, 12))))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n{", " {").replace("\n}\n", "}\n", 3),
        lambda text: text.replace("Xrotation", "xrotation").replace("HIERARCHY", "hierarchy"),
        lambda text: text.replace("\nMOTION", "\n\n\nMOTION").replace(" ", "\t  "),
        lambda text: text.rstrip("\n"),
    ],
)
def test_the_look_of_the_file_does_not_matter(tmp_path, change):
    (tmp_path / "a.bvh").write_text(change(sound()), encoding="utf-8", newline="")
    (clip,) = read(tmp_path / "a.bvh")
    np.testing.assert_array_equal(clip.xyz, parse(tmp_path, sound()).xyz)


@pytest.mark.parametrize(("seconds", "fps"), [(0.0083333, 120), (0.0333333, 30), (0.0416667, 24), (0.012, 83.33)])
def test_frames_a_second_come_from_the_frame_time(tmp_path, seconds, fps):
    assert parse(tmp_path, hierarchy() + motion(values(2), seconds)).fps == fps


def test_lines_after_the_last_frame_are_told(tmp_path):
    told = []
    clip = parse(tmp_path, sound(3) + "1 2 3\n\n4\n", told=told)
    assert clip.frames == 3
    assert [(fault.reason, fault.dropped) for fault in told] == [
        ("2 lines after the last of 3 frames were not read", "nothing")
    ]


LAST = motion(values(3)).splitlines()[-1]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("Frames: 3", "Frames: 999999999999", "frame count that the file cannot hold: got 999999999999, expected 1 to"),
        ("Frames: 3", "Frames: 0", "expected 1 to"),
        ("Frames: 3", "Frames: 5", "frame 3: cut mid-frame: got 3 frames, expected 5"),
        ("Frames: 3", "Frames: -3", r"no frame count \(line \d+\): got 'Frames: -3'"),
        ("Frames: 3", "Frames: " + "9" * 5000, "is too long|no frame count"),
        ("Frame Time: 0.0083333", "Frame Time: 0", "no frame time"),
        ("Frame Time: 0.0083333", "Frame Time: nan", "no frame time"),
        ("Frame Time: 0.0083333", "Frame Time: fast", "no frame time"),
        (LAST, LAST + " 1", "frame 2: .*got 52 values, expected 51 numbers"),
        (LAST, LAST.rpartition(" ")[0], "frame 2: .*got 50 values, expected 51 numbers"),
        (LAST, "7", "frame 2: .*got 1 values, expected 51 numbers"),
        (LAST, LAST.replace(" ", " x", 1), "frame 2: .*got 'x"),
        (LAST, "", "frame 2: cut mid-frame: got 2 frames, expected 3"),
        (LAST, "0" * 30_000, "is too long"),
        ("JOINT Neck", "ROOT Neck", r"a hierarchy that cannot be understood \(line .*got 'ROOT Neck'"),
        ("JOINT Neck", "JOINT Spine", "got 'Spine', expected at most 500 joints, each with a name of its own"),
        ("JOINT Neck", "JOINT", "a joint too many"),
        ("CHANNELS 3 Zrotation", "CHANNELS 3 Wrotation", "channels .*each at most once"),
        ("CHANNELS 3 Zrotation", "CHANNELS 2 Zrotation", "channels .*expected their number"),
        ("CHANNELS 3 Zrotation", "CHANNELS 3 Xrotation", "each at most once"),
        ("OFFSET 0 20 0", "OFFSET 0 20", "an offset .*got '0 20', expected three numbers"),
        ("OFFSET 0 20 0", "OFFSET 0 1e999 0", "an offset .*expected finite numbers"),
        ("HIERARCHY", "hello", "not a BVH file"),
        ("MOTION", "MOTIONS", "a hierarchy that cannot be understood"),
        ("}\nMOTION", "MOTION", "a hierarchy that cannot be understood"),
        ("}\nMOTION", "}\n}\nMOTION", "a hierarchy that cannot be understood"),
    ],
)
def test_faults_name_the_line_or_the_frame(tmp_path, old, new, expected):
    text = sound()
    assert old in text
    with pytest.raises(DataError, match=expected):
        parse(tmp_path, text.replace(old, new, 1))


def test_joints_within_joints_without_end_are_refused(tmp_path):
    text = "HIERARCHY\nROOT a0\n{\n" + "".join(f"JOINT a{i}\n{{\n" for i in range(1, 100_000))
    with pytest.raises(DataError, match="a joint too many"):
        parse(tmp_path, text)
    with pytest.raises(DataError, match="the hierarchy does not end"):
        parse(tmp_path, text[: text.index("JOINT a400")])


def test_a_rig_with_more_joints_than_values_cannot_fill_the_memory(tmp_path):
    still = hierarchy([*RIG, *((f"extra {i}", 1, (0, 1, 0)) for i in range(480))]).replace("CHANNELS 3", "CHANNELS 0 #")
    still = still.replace("CHANNELS 0 # Zrotation Xrotation Yrotation", "CHANNELS 0")
    with pytest.raises(DataError, match="frame count that the file cannot hold: got 20000"):
        parse(tmp_path, still + motion(np.zeros((20_000, 6))))


def test_folders_are_classes_if_every_file_lies_in_one_of_them(tmp_path):
    make(tmp_path / "set")
    clips = read(tmp_path / "set")
    assert clips.classes == ("jump", "walk")
    assert [(row.name, row.label) for row in clips.rows] == [("a", 0), ("b", 0), ("a2", 1), ("b2", 1)]
    assert read(tmp_path / "set" / "walk").classes == ()
    (tmp_path / "set" / "classes.txt").write_text("walk\nrun\n")
    clips = read(tmp_path / "set")
    assert clips.classes == ("walk", "run")
    assert [row.label for row in clips.rows] == [None, None, 0, 0]
    (tmp_path / "set" / "classes.txt").unlink()
    (tmp_path / "set" / "c.bvh").write_text(sound())
    assert {row.label for row in read(tmp_path / "set").rows} == {None}


def test_another_rig_rubbish_and_equal_names_do_not_stop_the_others(tmp_path):
    make(tmp_path / "set")
    (tmp_path / "set" / "jump" / "c.bvh").write_bytes(b"\x00\xffnot a skeleton" * 20)
    (tmp_path / "set" / "walk" / "d.bvh").write_text(sound().replace("Spine", "Chest2"))
    (tmp_path / "set" / "walk" / "a.bvh").write_text(sound())
    clips = read(tmp_path / "set")
    assert [row.name for row in clips.rows] == ["jump/a", "b", "walk/a", "a2", "b2"]
    assert [(fault.file, fault.reason[:17], fault.dropped) for fault in clips.faults] == [
        ("c.bvh", "not a BVH file (l", "clip"),
        ("d.bvh", "another kind of c", "clip"),
    ]


def test_damaged_copies_raise_one_kind_of_error(tmp_path):
    rng, text = random.Random(0), sound().encode()
    pieces = [
        b"",
        b"nan",
        b"1e999",
        b"{",
        b"}",
        b"\n",
        b"\0",
        b"-",
        b"99999999999999",
        b"\xff\xfe",
        b"JOINT x {",
        b"End Site",
    ]
    refused = 0
    for _ in range(400):
        damaged = bytearray(text)
        for _ in range(rng.choice((1, 3))):
            at = rng.randrange(len(damaged) // rng.choice((1, 3)))
            damaged[at : at + rng.choice((0, 1, 9))] = rng.choice(pieces)
        if rng.random() < 0.3:
            del damaged[rng.randrange(len(damaged)) :]
        (tmp_path / "a.bvh").write_bytes(damaged)
        try:
            clip = bvh.parse(tmp_path / "a.bvh", "a", lambda fault: None)
            assert clip.xyz.shape == (3, clip.frames, clip.skeleton.V, 1)
        except DataError:
            refused += 1
    assert refused > 200
