"""NW-UCLA: joints, labels that skip actions 7 and 10, views; damaged files."""

import json
import re

import numpy as np
import pytest

from stgcn_lens.data import read
from stgcn_lens.data.splits import PROTOCOLS
from stgcn_lens.skeleton import get_layout
from tests.data.makers.nw_ucla import write


def skeletons(frames=3):
    """(T, 20, 3): joint j of frame t lies at (t, j, 2)."""
    t, j = np.mgrid[1 : frames + 1, :20]
    return np.stack([t, j, np.full_like(t, 2)], axis=-1).astype(float)


def put(folder, name="a01_s01_e00_v01", **content):
    """A sound file with some keys replaced; `...` leaves one out."""
    content = {"file_name": name, "skeletons": skeletons().tolist(), "label": 1} | content
    (folder / f"{name}.json").write_text(json.dumps({k: v for k, v in content.items() if v is not ...}))


def test_a_file_is_read_to_the_number(tmp_path):
    # What a file looks like, with one joint of one frame other than zero.
    text = (
        '{"file_name": "a08_s03_e02_v02", "skeletons": [[[-0.5, 0.25, 3.125]' + ", [0, 0, 0]" * 19 + ']], "label": 7}'
    )
    (tmp_path / "a08_s03_e02_v02.json").write_text(text)
    clips = read(tmp_path)
    clip = clips[0]
    assert (clips.source, clips.protocol, clips.units, clips.faults) == ("nw-ucla", "nw-ucla", "metres", ())
    assert (clip.label, clip.subject, clip.view, clip.layout) == (6, 3, 2, "kinect20")
    assert clips.classes[6] == "donning"
    assert clip.xyz[:, 0, 0, 0].tolist() == [-0.5, 0.25, 3.125]
    assert not clip.xyz[:, :, 1:].any()


def test_joints_are_in_the_order_of_the_layout(tmp_path):
    write(tmp_path, "a01_s01_e00_v01", skeletons(4), 1)
    clip = read(tmp_path)[0]
    np.testing.assert_array_equal(clip.xyz[..., 0], skeletons(4).transpose(2, 0, 1))
    joints = get_layout("kinect20").joints  # Kinect SDK 1: hip centre, spine, shoulders, head, left arm first
    assert (joints[0], joints[3], joints[7], joints[11], joints[19]) == (
        "hip_centre",
        "head",
        "left_hand",
        "right_hand",
        "right_foot",
    )


def test_the_ten_actions_are_the_ten_labels(tmp_path):
    for label, action in enumerate((1, 2, 3, 4, 5, 6, 8, 9, 11, 12), start=1):
        put(tmp_path, f"a{action:02d}_s01_e00_v01", label=...)
        put(tmp_path, f"a{action:02d}_s02_e00_v03", label=label)
    clips = read(tmp_path)
    assert clips.faults == ()
    assert clips.labels.tolist() == [label for label in range(10) for _ in range(2)]
    assert (len(clips.classes), clips.classes[0], clips.classes[9]) == (10, "pick up with one hand", "carry")
    assert {(row.subject, row.view) for row in clips.rows} == {(1, 1), (2, 3)}
    assert PROTOCOLS["nw-ucla"]["view"] == (1, 2)


@pytest.mark.parametrize(("name", "other"), [("a08_s01_e00_v01", "label 7"), ("a07_s01_e00_v01", "no label")])
def test_a_label_that_the_name_contradicts_is_noted_and_taken(tmp_path, name, other):
    put(tmp_path, name, label=3)
    clips = read(tmp_path)
    assert clips.labels.tolist() == [2]
    (fault,) = clips.faults
    assert fault.dropped == "nothing"
    assert fault.reason.endswith(f"of its name is {other}; the file's is taken")


def test_a_name_inside_the_file_serves_where_the_files_own_says_nothing(tmp_path):
    put(tmp_path, "clip", file_name="a12_s05_e01_v03", label=None)
    clip = read(tmp_path)[0]
    assert (clip.name, clip.label, clip.subject, clip.view) == ("clip", 9, 5, 3)
    put(tmp_path, "clip", file_name=7, label=...)
    clip = read(tmp_path)[0]
    assert (clip.label, clip.subject, clip.view) == (None, None, None)


def test_all_zero_frames_show_no_body_and_are_cut_off_at_the_end_only(tmp_path):
    table = skeletons(6)
    table[[1, 4, 5]] = 0
    write(tmp_path, "a01_s01_e00_v01", table, 1)
    clips = read(tmp_path)
    assert clips[0].valid[:, 0].tolist() == [True, False, True, True]
    (fault,) = clips.faults
    assert (fault.dropped, fault.frames) == ("frames", 3)
    assert fault.reason == "3 of 6 frames are all zero: 2 cut off the end and 1 marked as without a body"


SOUND = skeletons().tolist()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"skeletons": ...}, "a key is missing: expected skeletons"),
        ({"skeletons": []}, "no body in any frame: got 0 all-zero frames"),
        ({"skeletons": [[[0, 0, 0]] * 20] * 4}, "no body in any frame: got 4 all-zero frames"),
        ({"skeletons": {}}, "a list is missing"),
        ({"skeletons": [*SOUND, None]}, "frame 3: another number of joints: got None, expected 20"),
        ({"skeletons": [*SOUND, SOUND[0][:19]]}, "frame 3: another number of joints: got 19, expected 20"),
        ({"skeletons": [*SOUND, [*SOUND[0][:19], [1, 2]]]}, r"frame 3: not a joint: got a list, expected \[x, y, z\]"),
        ({"skeletons": [*SOUND, [*SOUND[0][:19], 5]]}, "frame 3: not a joint: got 5"),
        ({"skeletons": [*SOUND, [*SOUND[0][:19], None]]}, "frame 3: not a joint: got None"),
        ({"skeletons": [*SOUND, [*SOUND[0][:19], [1, 2, None]]]}, "frame 3: joints: not a number: got None"),
        ({"skeletons": [*SOUND, [*SOUND[0][:19], [1, 2, 1e99]]]}, r"frame 3: joints: not a finite number: got 1e\+99"),
        ({"label": "1"}, "label: no such number: got '1', expected a whole number from 1"),
        ({"label": 0}, "label: no such number: got 0"),
        ({"label": 11}, "label out of range: got class 11, expected 1 to 10"),
    ],
)
def test_a_damaged_file_is_listed_and_the_others_are_read(tmp_path, content, message):
    put(tmp_path)
    put(tmp_path, "b", **content)
    clips = read(tmp_path, format="nw-ucla")
    assert [row.name for row in clips.rows] == ["a01_s01_e00_v01"]
    assert [(fault.file, fault.dropped) for fault in clips.faults] == [("b.json", "clip")]
    assert re.search(message, clips.faults[0].reason), clips.faults[0].reason
