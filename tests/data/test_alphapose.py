"""AlphaPose: entries become frames and people, by track ids or by place; damaged files are listed."""

import json
import re

import numpy as np
import pytest

from stgcn_lens.data import read
from stgcn_lens.errors import DataError
from tests.data.makers.alphapose import entry

# As AlphaPose writes it without tracking: idx is 0.0 for everyone.
REAL = (
    '[{"image_id":"9.jpg","category_id":1,"keypoints":['
    + ",".join(f"{600.5 + i},{300.25 - i},0.9{i:02d}" for i in range(17))
    + '],"score":3.05,"box":[581.3,281.9,40.5,90.1],"idx":[0.0]},'
    '{"image_id":"10.jpg","category_id":1,"keypoints":['
    + ",".join(f"{601.5 + i},{300.25 - i},0.8{i:02d}" for i in range(17))
    + '],"score":2.91,"box":[582.3,281.9,40.5,90.1],"idx":[0.0]}]'
)


def body(x=100.0, y=200.0, joints=17):
    """Someone 40 wide and 90 high."""
    places = np.stack([x + 40 * np.linspace(0, 1, joints), y + 90 * np.linspace(0, 1, joints) ** 2], axis=1)
    return np.column_stack([places, np.full(joints, 0.5)])


def write(folder, content, name="video"):
    """A file of that content."""
    folder.mkdir(exist_ok=True, parents=True)
    (folder / f"{name}.json").write_text(content if isinstance(content, str) else json.dumps(content))


def lefts(clip):
    """x of the first joint: a list of frames, each of slots."""
    return clip.xyz[0, :, 0].tolist()


def test_a_file_is_read_to_the_number(tmp_path):
    write(tmp_path, REAL)
    clips = read(tmp_path)
    clip = clips[0]
    assert (clips.source, clip.name, clip.layout, clip.units, clips.faults) == (
        "alphapose",
        "video",
        "coco17",
        "pixels",
        (),
    )
    assert clip.xyz.shape == (3, 2, 17, 1)
    expected = [[[600.5 + i, 300.25 - i, 0.9 + i / 1000] for i in range(17)]]
    expected += [[[601.5 + i, 300.25 - i, 0.8 + i / 1000] for i in range(17)]]
    np.testing.assert_allclose(clip.xyz[..., 0].transpose(1, 2, 0), expected, rtol=1e-6)


@pytest.mark.parametrize(("joints", "layout"), [(17, "coco17"), (26, "halpe26"), (18, "openpose18")])
def test_joints_are_known_by_their_number(tmp_path, joints, layout):
    write(tmp_path, [entry("1.jpg", body(joints=joints))])
    assert read(tmp_path)[0].layout == layout


def test_a_whole_body_of_136_joints_is_refused_with_what_there_is_and_what_to_do(tmp_path):
    write(tmp_path, [entry("1.jpg", body(joints=136))])
    with pytest.raises(DataError, match=r"got 136 joints in 2-D, expected .*26 joints in 2-D \(halpe26\).*--layout"):
        read(tmp_path)


def test_frames_are_ordered_by_the_last_number_in_the_pictures_names(tmp_path):
    write(tmp_path, [entry(f"cam2/v3_{t}.jpg", body(t)) for t in (11, 9, 13)])
    clip = read(tmp_path)[0]
    assert lefts(clip) == [[9], [0], [11], [0], [13]]
    assert clip.valid[:, 0].tolist() == [True, False, True, False, True]
    write(tmp_path, [entry(t, body(t)) for t in (2, 1)])
    assert lefts(read(tmp_path)[0]) == [[1], [2]]


@pytest.mark.parametrize("pictures", [("begin.jpg", "end.jpg"), ("a/1.jpg", "b/1.jpg")])
def test_pictures_without_an_order_stay_in_the_files_which_is_noted(tmp_path, pictures):
    write(tmp_path, [entry(picture, body(i)) for i, picture in enumerate(pictures)])
    clips = read(tmp_path)
    assert lefts(clips[0]) == [[0], [1]]
    assert [(fault.file, fault.dropped) for fault in clips.faults] == [("video.json", "nothing")]
    assert f"pictures named like '{pictures[0]}' tell no order" in clips.faults[0].reason


def test_people_who_were_followed_keep_their_slots(tmp_path):
    there = [(1, 0, 7), (1, 400, 3), (2, 0, 3), (3, 400, 7), (3, 0, 3)]  # they change places: only idx tells it
    write(tmp_path, [entry(f"{t}.jpg", body(x), idx=who) for t, x, who in there])
    assert lefts(read(tmp_path)[0]) == [[0, 400], [0, 0], [400, 0]]
    write(tmp_path, [entry(f"{t}.jpg", body(x), idx=[float(who)]) for t, x, who in there])
    clip = read(tmp_path)[0]
    assert lefts(clip) == [[0, 400], [0, 0], [400, 0]]
    assert clip.valid.tolist() == [[True, True], [False, True], [True, True]]


@pytest.mark.parametrize("idx", [{}, {"idx": 0}, {"idx": [0.0]}, {"idx": None}])
def test_people_who_were_not_followed_are_told_apart_by_place(tmp_path, idx):
    there = [(1, 0), (1, 400), (2, 398), (2, 2), (3, 4), (3, 396)]
    write(tmp_path, [entry(f"{t}.jpg", body(x), **idx) for t, x in there])
    assert lefts(read(tmp_path)[0]) == [[0, 400], [2, 398], [4, 396]]


def test_of_more_than_64_people_those_in_most_frames_are_kept(tmp_path):
    people = [entry(f"{t}.jpg", body(10 * m), idx=m) for t in range(2) for m in range(66) if t == 0 or m > 1]
    write(tmp_path, people)
    clips = read(tmp_path)
    assert clips[0].bodies == 64
    assert lefts(clips[0])[0] == [10 * m for m in range(2, 66)]
    (fault,) = clips.faults
    assert fault.dropped == "frames"
    assert fault.reason == "2 of 130 bodies are left out; kept are the 64 in most frames"


@pytest.mark.parametrize(("bodies", "joints"), [("bodies", "joints"), ("people", "pose_keypoints_2d")])
def test_the_other_two_forms_are_read(tmp_path, bodies, joints):
    one, two = (body(x, joints=18).ravel().tolist() for x in (100, 105))
    content = {
        "2.jpg": {"version": 0.1, bodies: [{joints: two}]},
        "1.jpg": {"version": 0.1, bodies: [{joints: one}, {joints: []}]},
        "4.jpg": {"version": 0.1, bodies: []},
    }
    write(tmp_path, content)
    clips = read(tmp_path)
    assert (clips.source, clips.layout, clips.faults) == ("alphapose", "openpose18", ())
    assert lefts(clips[0]) == [[100], [105]]


def test_a_body_of_scores_0_is_nobody_and_such_joints_are_zero(tmp_path):
    half = body()
    half[3:, 2] = 0
    write(tmp_path, [entry("0.jpg", body() * [1, 1, 0]), entry("1.jpg", half), entry("2.jpg", body())])
    clip = read(tmp_path)[0]
    assert clip.frames == 2
    np.testing.assert_array_equal(clip.xyz[:, 0, 3:], 0)
    assert clip.xyz[:, 0, :3, 0].all()


ONE = entry("1.jpg", body())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "no body in any frame"),
        ([ONE, 5], "entry 1 is no person: got 5, expected {image_id, keypoints"),
        ([{"image_id": "1.jpg"}], "entry 0 is no person: got a dict"),
        ([ONE, {**ONE, "image_id": None}], "image_id of entry 1: no such number: got None"),
        ([ONE, {**ONE, "image_id": -1}], "image_id of entry 1: no such number: got -1"),
        ([ONE, {**ONE, "image_id": True}], "image_id of entry 1: no such number: got True"),
        ([ONE, {**ONE, "keypoints": None}], r"key points of entry 1, picture '1.jpg': no list: got None"),
        ([ONE, entry("2.jpg", body(joints=26))], "frame 1: key points of entry 1.*another length: got 78, expected 51"),
        ([{**ONE, "keypoints": [1] * 50}], "another length: got 50, expected x, y, score of every joint"),
        ([{**ONE, "keypoints": ["1"] * 51}], "not a number: got '1'"),
        ([{**ONE, "keypoints": [float("inf")] * 51}], "not a finite number: got inf"),
        ([{**ONE, "keypoints": [False] * 51}], "not a number: got False"),
        ([ONE, entry(10**12, body())], "leave most frames without a body: got 2 bodies in frames 1 to 1000000000000"),
        ({"1.jpg": {"bodies": [5]}}, "key points of entry 0, picture '1.jpg': no list: got 5"),
        ({"1.jpg": {"bodies": {}}}, "frame 0: no list of people: got a dict of picture '1.jpg'"),
        ({"1.jpg": 7}, "frame 0: no list of people: got 7 of picture '1.jpg'"),
        ("[" + json.dumps(ONE)[:200], "not JSON: got the file ends in the middle"),
    ],
)
def test_a_damaged_file_is_listed_and_the_others_are_read(tmp_path, content, message):
    write(tmp_path, [ONE], "a")
    write(tmp_path, content, "b")
    clips = read(tmp_path, format="alphapose")
    assert [row.name for row in clips.rows] == ["a"]
    fault = clips.faults[-1]
    assert (fault.file, fault.dropped) == ("b.json", "clip")
    assert re.search(message, fault.reason), fault.reason
