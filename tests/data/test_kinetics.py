"""Kinetics-skeleton: what the released ST-GCN makes of a file, to the number; labels; damaged files."""

import json
import re

import numpy as np
import pytest

from stgcn_lens.data import read
from stgcn_lens.data.readers.kinetics import best_two
from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import LAYOUTS
from tests.data.makers.kinetics import entry

# Frame 1 holds two people of 18 joints, the second of the higher score; 2 nobody; 3 is not there; 4 one person.
TWO = {
    "low": {"pose": [0.25, 0.75] * 17 + [0.0, 0.0], "score": [0.5] * 17 + [0.0]},
    "high": {"pose": [0.125, 1.0] + [0.5, 0.375] * 17, "score": [0.0] + [0.75] * 17},
}
TEXT = json.dumps(
    {
        "label_index": 2,
        "data": [
            {"frame_index": 1, "skeleton": [TWO["low"], TWO["high"]]},
            {"frame_index": 2, "skeleton": []},
            {"skeleton": [TWO["low"]], "frame_index": 4},
            {"frame_index": 5, "skeleton": []},
        ],
        "label": "zumba",
    }
)


def body(joints=18, x=0.5, score=0.5):
    """Someone whose joints all lie in one place."""
    return np.tile([x, 0.5, score], (joints, 1))


def write(folder, name="clip", index=0, **content):
    """A file of one frame, or of the given content; `...` leaves a key out."""
    folder.mkdir(exist_ok=True, parents=True)
    content = {"data": [entry(1, body())], "label": f"class of {index}", "label_index": index} | content
    (folder / f"{name}.json").write_text(json.dumps({k: v for k, v in content.items() if v is not ...}))


def test_a_file_is_read_to_the_number(tmp_path):
    (tmp_path / "a.json").write_text(TEXT)
    clips = read(tmp_path)
    clip = clips[0]
    assert (clips.source, clip.layout, clip.units, clip.fps, clip.name) == (
        "kinetics",
        "openpose18",
        "normalised",
        30,
        "a",
    )
    assert (clip.label, clips.classes) == (2, ("class 0", "class 1", "zumba"))
    assert clip.xyz.shape == (3, 4, 18, 2)
    assert clip.valid.tolist() == [[True, True], [False, False], [False, False], [True, False]]
    high, low = clip.xyz[:, 0, :, 0], clip.xyz[:, 0, :, 1]
    np.testing.assert_array_equal(low[:, :17], np.tile([[-0.25], [0.25], [0.5]], 17))
    np.testing.assert_array_equal(low[:, 17], [0, 0, 0])  # score 0: zero, not -0.5
    np.testing.assert_array_equal(high[:, 0], [0, 0, 0])  # even where the file has a place
    np.testing.assert_array_equal(high[:, 1:], np.tile([[0], [-0.125], [0.75]], 17))
    np.testing.assert_array_equal(clip.xyz[:, 3, :, 0], low)
    assert not clip.xyz[:, 1:3].any()
    assert not clip.xyz[:, 3, :, 1].any()


def released(content, frames, joints=18):
    """What the released loader computes, frames counted from 1: literal and slow."""
    data = np.zeros((3, frames, joints, 5))
    for info in content["data"]:
        for m, person in enumerate(info["skeleton"][:5]):
            data[0, info["frame_index"] - 1, :, m] = person["pose"][0::2]
            data[1, info["frame_index"] - 1, :, m] = person["pose"][1::2]
            data[2, info["frame_index"] - 1, :, m] = person["score"]
    data[:2] -= 0.5
    data[0][data[2] == 0] = 0
    data[1][data[2] == 0] = 0
    for t in range(frames):
        order = np.argsort(-data[2, t].sum(axis=0), kind="stable")
        data[:, t] = data[:, t][..., order]
    return data[..., :2].astype(np.float32)


def test_up_to_seven_people_a_frame_are_chosen_among_like_the_released_loader_does(tmp_path, rng):
    data = []
    for t in range(1, 30):
        people = rng.random((rng.integers(0, 8), 18, 3))
        people[..., 2] *= rng.random(people.shape[:2]) > 0.3
        data.append(entry(t, *people))
    data[-1] = entry(29, rng.random((18, 3)))
    content = {"data": data, "label_index": 0, "label": "x"}
    (tmp_path / "a.json").write_text(json.dumps(content))
    clip = read(tmp_path)[0]
    np.testing.assert_array_equal(clip.xyz, released(content, 29))
    np.testing.assert_array_equal(clip.valid, clip.xyz[2].any(axis=1))


def test_the_two_best_of_the_first_five_get_slots():
    frames, places = np.array([3] * 7 + [1]), np.array([*range(7), 0])
    scores = np.array([1, 3, 2, 3, 0.5, 9, 9, 4])
    assert best_two(frames, places, scores).tolist() == [-1, 0, -1, 1, -1, -1, -1, 0]
    assert best_two(*np.zeros((3, 0), int)).tolist() == []


def test_seventeen_joints_are_those_of_coco_and_a_layout_that_does_not_fit_is_refused(tmp_path):
    write(tmp_path, data=[entry(1, body(17))])
    assert read(tmp_path)[0].layout == "coco17"
    with pytest.raises(DataError, match=r"layout 'openpose18' does not fit.*17 joints"):
        read(tmp_path, layout="openpose18")
    assert read(tmp_path, layout="coco17")[0].layout == "coco17"


def test_frames_may_count_from_0_where_the_file_does(tmp_path):
    write(tmp_path, data=[entry(0), entry(1, body())])
    assert read(tmp_path)[0].valid[:, 0].tolist() == [False, True]
    write(tmp_path, data=[entry(3, body()), entry(2, body(x=0.25))])
    clip = read(tmp_path)[0]
    assert clip.valid[:, 0].tolist() == [False, True, True]
    assert clip.xyz[0, :, 0, 0].tolist() == [0, -0.25, 0]


def test_pixels_instead_of_fractions_are_noted(tmp_path):
    write(tmp_path, data=[entry(1, body(x=320))])
    clips = read(tmp_path)
    assert clips.units == "unknown"
    (fault,) = clips.faults
    assert fault.dropped == "nothing"
    assert "x and y reach 320, where fractions of the picture, 0 to 1, are expected" in fault.reason


def test_classes_come_from_the_files_and_missing_ones_keep_their_number(tmp_path):
    write(tmp_path, "a", 4, label='résumé \\ "x"')
    write(tmp_path, "b", 1)
    write(tmp_path, "c", 1, label=..., label_index=None)
    write(tmp_path, "d", 1, label=..., label_index=-1)
    clips = read(tmp_path)
    assert clips.classes == ("class 0", "class of 1", "class 2", "class 3", 'résumé \\ "x"')
    assert clips.labels.tolist() == [4, 1, -1, -1]


def test_classes_and_labels_come_from_the_list_beside_the_folder(tmp_path):
    for side, label in (("train", 1), ("val", 0)):
        folder = tmp_path / "all" / f"kinetics_{side}"
        write(folder, f"{side}1", label=..., label_index=...)
        listed = {f"{side}1": {"has_skeleton": True, "label": f"the {label}", "label_index": label}}
        (tmp_path / "all" / f"kinetics_{side}_label.json").write_text(json.dumps(listed))
    clips = read(tmp_path / "all")
    assert clips.faults == ()
    assert clips.classes == ("the 0", "the 1")
    assert [(row.name, row.label, row.splits) for row in clips.rows] == [
        ("train1", 1, ("train",)),
        ("val1", 0, ("val",)),
    ]
    assert read(tmp_path / "all" / "kinetics_train").labels.tolist() == [1]


def test_a_list_of_labels_speaks_of_its_own_folder_only(tmp_path):
    for side, label in (("train", 1), ("val", 0)):
        write(tmp_path / f"kinetics_{side}", "a", label=..., label_index=...)
        listed = {"a": {"has_skeleton": True, "label": f"the {label}", "label_index": label}}
        (tmp_path / f"kinetics_{side}_label.json").write_text(json.dumps(listed))
    assert [(row.splits, row.label) for row in read(tmp_path).rows] == [(("train",), 1), (("val",), 0)]


def test_a_damaged_list_of_labels_is_noted_and_the_files_say_their_own(tmp_path):
    write(tmp_path / "kinetics_val", "a", 1)
    (tmp_path / "kinetics_val_label.json").write_text('{"a": {"has_skeleton": true, "label_index": "x"}}')
    clips = read(tmp_path / "kinetics_val")
    assert clips.labels.tolist() == [1]
    assert [(fault.file, fault.dropped) for fault in clips.faults] == [("kinetics_val_label.json", "nothing")]
    assert "label_index: no such number: got 'x'" in clips.faults[0].reason


def test_a_huge_label_makes_no_list_of_classes(tmp_path):
    write(tmp_path, "a", 999_999_999)
    write(tmp_path, "b", 0)
    clips = read(tmp_path)
    assert len(clips.classes) == 1
    assert "label out of range" in clips.faults[0].reason


PERSON = entry(1, body())["skeleton"][0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (..., "a key is missing: expected data, the list of frames"),
        ({}, "a list is missing at character 9: got an object"),
        ([], "no body in any frame"),
        ([entry(1, body(score=0))], "no body in any frame"),
        ([entry(1, body()), 5], "frame 1: no list of people: got 5"),
        ([{"frame_index": 1, "skeleton": None}], "frame 0: no list of people: got None"),
        ([{"frame_index": 1, "skeleton": [[1]]}], "frame 0: not a person: got a list"),
        ([{"skeleton": []}], "frame 0: frame_index: no such number: got None, expected a whole number from 0"),
        ([entry(-1, body())], "frame 0: frame_index: no such number: got -1"),
        ([entry(True, body())], "frame 0: frame_index: no such number: got True"),
        ([entry(1, body()), entry(1, body())], "a frame comes twice: got frame_index 1 more than once"),
        ([entry(1, body()), entry(10**15, body())], "leave most frames without a body: got 2 bodies in frames 1 to 10"),
        ([entry(1, body()), entry(1001, body())], "leave most frames without a body"),
        ([{"frame_index": 1, "skeleton": [{"pose": PERSON["pose"]}]}], "frame 0: score: no list: got None"),
        (
            [{"frame_index": 1, "skeleton": [{**PERSON, "pose": [1]}]}],
            "frame 0: pose: another length: got 1, expected 36",
        ),
        ([{"frame_index": 1, "skeleton": [{**PERSON, "score": ["a"]}]}], "frame 0: score: not a number: got 'a'"),
        ([entry(1, body(x=float("nan")))], "frame 0: pose: not a finite number: got nan"),
        ([entry(1, body(x=1e300))], r"frame 0: pose: not a finite number: got 1e\+300"),
        ([entry(1, body()), entry(2, body(17))], "frame 2: another number of joints: got 17 joints, expected 18"),
        ([entry(1, body(16))], "the joints fit no known layout: got 16 joints"),
    ],
)
def test_a_damaged_file_is_listed_and_the_others_are_read(tmp_path, data, message):
    write(tmp_path, "a")
    write(tmp_path, "b", data=data)
    clips = read(tmp_path, format="kinetics")
    assert [row.name for row in clips.rows] == ["a"]
    assert [(fault.file, fault.dropped) for fault in clips.faults] == [("b.json", "clip")]
    assert re.search(message, clips.faults[0].reason), clips.faults[0].reason


def test_people_without_any_joint_are_nobody(tmp_path):
    write(tmp_path, data=[{"frame_index": 1, "skeleton": [{"pose": [], "score": []}, PERSON]}])
    assert read(tmp_path)[0].xyz.shape == (3, 1, LAYOUTS["openpose18"].V, 1)
