"""OpenPose: files become clips by their names, people are told apart, and one bad frame costs one frame."""

import json
import re
import shutil

import numpy as np
import pytest

from stgcn_lens.data import read
from stgcn_lens.data.readers import recognise
from tests.data.makers.openpose import frame, make, write

# As OpenPose 1.7 writes it, shortened to what matters: 25 joints, of which the last was not detected.
REAL = (
    '{"version":1.3,"people":[{"person_id":[-1],"pose_keypoints_2d":['
    + ",".join(f"{341.62 + i},{248.922 - i},0.9{i:02d}" for i in range(24))
    + ',0,0,0],"face_keypoints_2d":[],"hand_left_keypoints_2d":[],"hand_right_keypoints_2d":[],'
    '"pose_keypoints_3d":[],"face_keypoints_3d":[]}]}'
)


def body(x=100.0, y=200.0, joints=25):
    """Someone 40 wide and 90 high."""
    places = np.stack([x + 40 * np.linspace(0, 1, joints), y + 90 * np.linspace(0, 1, joints) ** 2], axis=1)
    return np.column_stack([places, np.full(joints, 0.5)])


def test_a_frame_is_read_to_the_number(tmp_path):
    (tmp_path / "v_000000000007_keypoints.json").write_text(REAL)
    clips = read(tmp_path)
    clip = clips[0]
    assert (clips.source, clip.name, clip.layout, clip.units, clip.label) == ("openpose", "v", "body25", "pixels", None)
    assert clip.xyz.shape == (3, 1, 25, 1)
    expected = np.array([[341.62 + i, 248.922 - i, 0.9 + i / 1000] for i in range(24)] + [[0, 0, 0]])
    np.testing.assert_allclose(clip.xyz[:, 0, :, 0].T, expected, rtol=1e-6)
    assert clip.valid.all()


def test_eighteen_joints_and_the_keys_of_old_versions_are_read(tmp_path):
    old = {"version": 0.1, "people": [{"pose_keypoints": body(joints=18).ravel().tolist()}]}
    (tmp_path / "a_01_keypoints.json").write_text(json.dumps(old))
    assert read(tmp_path, format="openpose")[0].layout == "openpose18"


def test_places_between_0_and_1_are_fractions_of_the_picture(tmp_path):
    write(tmp_path, "a", {0: frame(body() / [1000, 1000, 1])})
    assert read(tmp_path).units == "normalised"


def test_a_folder_holds_a_clip_for_every_name_and_frames_are_ordered_by_their_number(tmp_path):
    for name, x in (("walk", 100), ("run 2", 300)):
        for number in (10, 9, 11):
            (tmp_path / f"{name}_{number}_keypoints.json").write_text(json.dumps(frame(body(x + number))))
    clips = read(tmp_path)
    assert [row.name for row in clips.rows] == ["run 2", "walk"]
    assert clips.faults == ()
    assert clips[1].xyz[0, :, 0, 0].tolist() == [109, 110, 111]


def test_a_folder_may_be_a_clip_and_equal_names_are_kept_apart(tmp_path):
    for folder in ("s1/jump", "s2/jump", "s2/wave"):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(3):
            (tmp_path / folder / f"{number}.json").write_text(json.dumps(frame(body())))
    assert [(row.name, row.frames) for row in read(tmp_path).rows] == [("s1/jump", 3), ("s2/jump", 3), ("wave", 3)]
    make(tmp_path / "s3")
    make(tmp_path / "s4")
    names = [row.name for row in read(tmp_path).rows]
    assert sorted(names) == ["s1/jump", "s2/jump", "s2/wave", "s3/jump", "s3/wave", "s4/jump", "s4/wave"]


def test_one_file_is_a_clip_of_one_frame(tmp_path):
    make(tmp_path / "set")
    file = tmp_path / "set" / "wave_000000000002_keypoints.json"
    (clip,) = read(file)
    np.testing.assert_array_equal(clip.xyz[:, 0], read(tmp_path / "set")[1].xyz[:, 2])
    plain = shutil.copy(file, tmp_path / "picture.json")
    assert [row.name for row in read(plain).rows] == ["picture"]


def test_people_keep_their_slots_where_the_file_exchanges_them(tmp_path):
    there = [(0, 400), (5, 395), (10, 390), (15, 385)]
    frames = {t: frame(*(body(x) for x in (places if t % 2 else places[::-1]))) for t, places in enumerate(there)}
    write(tmp_path, "a", frames)
    clip = read(tmp_path)[0]
    assert clip.xyz[0, :, 0].tolist() == [[400, 0], [395, 5], [390, 10], [385, 15]]


def test_person_ids_are_used_where_everyone_has_one(tmp_path):
    frames = {0: frame(body(0), body(400), ids=[4, 9]), 1: frame(body(0), body(400), ids=[9, 4])}
    write(tmp_path, "a", frames)
    assert read(tmp_path)[0].xyz[0, :, 0].tolist() == [[0, 400], [400, 0]]
    write(tmp_path, "a", {**frames, 1: frame(body(0), body(400), ids=[9, -1])})
    assert read(tmp_path)[0].xyz[0, :, 0].tolist() == [[0, 400], [0, 400]]


def test_missing_numbers_and_empty_frames_are_frames_without_a_body(tmp_path):
    write(tmp_path, "a", {3: frame(), 4: frame(body()), 7: frame(body(), np.zeros((25, 3))), 8: frame(), 9: frame()})
    clips = read(tmp_path)
    assert clips[0].valid[:, 0].tolist() == [False, True, False, False, True]
    assert not clips[0].xyz[:, [0, 2, 3]].any()
    (fault,) = clips.faults
    assert (fault.file, fault.dropped) == ("a", "nothing")
    assert fault.reason == "2 of the numbers 3 to 9 have no file; they count as frames without a body"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "an object is missing at character 0: got the end of the file"),
        ("{", "not JSON"),
        ("[]", "an object is missing"),
        ('{"version": 1.3}', "frame 2: a key is missing: expected people, a list"),
        ('{"people": {}}', "a list is missing"),
        ('{"people": [5]}', "frame 2: pose_keypoints_2d: no list"),
        ('{"people": [{}]}', "frame 2: pose_keypoints_2d: no list: got None"),
        (
            '{"people": [{"pose_keypoints_2d": [1, 2]}]}',
            "frame 2: pose_keypoints_2d: another length: got 2, expected 75",
        ),
        ('{"people": [{"pose_keypoints_2d": ' + json.dumps([True] * 75) + "}]}", "not a number: got True"),
        ('{"people": [{"pose_keypoints_2d": ' + json.dumps([float("nan")] * 75) + "}]}", "not a finite number"),
        (json.dumps(frame(*[body()] * 65)), "frame 2: too many people: got 65, expected <= 64"),
        (json.dumps(frame(body())).encode("utf-16"), "another encoding: got UTF-16"),
    ],
)
def test_a_damaged_frame_costs_one_frame_and_is_listed(tmp_path, content, message):
    write(tmp_path, "a", {t: frame(body(t)) for t in range(5)})
    bad = tmp_path / "a_000000000002_keypoints.json"
    bad.write_bytes(content if isinstance(content, bytes) else content.encode())
    clips = read(tmp_path)
    assert clips[0].valid[:, 0].tolist() == [True, True, False, True, True]
    (fault,) = clips.faults
    assert (fault.file, fault.dropped, fault.frames) == (bad.name, "frames", 1)
    assert re.search(message, fault.reason), fault.reason
    assert "the frame counts as one without a body" in fault.reason


def test_a_frame_of_other_joints_than_the_first_is_left_out(tmp_path):
    write(tmp_path, "a", {0: frame(body()), 1: frame(body(joints=18)), 2: frame(body())})
    clips = read(tmp_path)
    assert clips[0].valid[:, 0].tolist() == [True, False, True]
    assert "another length: got 54, expected 75 numbers" in clips.faults[0].reason


def test_two_files_of_one_number_are_noted_and_the_first_is_read(tmp_path):
    (tmp_path / "a_1.json").write_text(json.dumps(frame(body(1))))
    (tmp_path / "a_01.json").write_text(json.dumps(frame(body(2))))
    clips = read(tmp_path)
    assert clips[0].xyz[0, 0, 0].tolist() == [2]
    assert "another file has this number: got 1" in clips.faults[0].reason


def test_a_number_far_away_takes_no_memory(tmp_path):
    write(tmp_path, "b", {0: frame(body())})
    write(tmp_path, "a", {0: frame(body()), 10**11: frame(body())})
    clips = read(tmp_path)
    assert [row.name for row in clips.rows] == ["b"]
    assert "leave most frames without a body: got 2 bodies in frames 0 to 100000000000" in clips.faults[0].reason


def test_joints_that_no_layout_has_are_refused_with_those_there_are(tmp_path):
    write(tmp_path, "a", {t: frame(body(joints=15)) for t in range(3)})
    write(tmp_path, "b", {0: frame(body())})
    (fault,) = read(tmp_path).faults  # one, not one a frame
    assert (fault.file, fault.dropped) == ("a", "clip")
    assert "3 faults, first a_000000000000_keypoints.json" in fault.reason
    assert "the joints fit no known layout: got 15 joints" in fault.reason
    assert "(body25)" in fault.reason


def test_nobody_at_all_is_a_fault_of_the_clip(tmp_path):
    write(tmp_path, "a", {0: frame(), 1: frame()})
    write(tmp_path, "b", {0: frame(body())})
    assert recognise(tmp_path).reader.name == "openpose"
    clips = read(tmp_path)
    assert [(fault.file, fault.dropped) for fault in clips.faults] == [("a", "clip")]
    assert "no body in any frame" in clips.faults[0].reason


def test_a_crowd_in_one_frame_takes_no_memory_for_all_the_others(tmp_path):
    crowd = [body(100.0 * i) for i in range(64)]
    write(tmp_path, "a", {0: frame(*crowd), 999: frame(body())})
    write(tmp_path, "b", {number: frame(body(), body(900.0)) for number in range(3)})
    clips = read(tmp_path)
    assert [row.name for row in clips.rows] == ["b"]
    (told,) = [fault.reason for fault in clips.faults if fault.dropped == "clip"]
    assert "hardly ever there: got 65 bodies in 1000 frames of 64 people" in told
