"""MediaPipe: the shapes that people save landmarks in are all read alike; metres are preferred; damaged files."""

import json
import re

import numpy as np
import pytest

from stgcn_lens.data import read
from stgcn_lens.data.readers import recognise
from stgcn_lens.errors import DataError
from tests.data.makers.mediapipe import landmarks


def body(x=0.5, joints=33):
    """(V, 3): joint j lies at (x + j / 1000, j / 100, -j / 10)."""
    j = np.arange(joints)
    return np.stack([x + j / 1000, j / 100, -j / 10], axis=1)


FRAMES = [body(0.5), body(0.51), body(0.52)]
DICTS = [landmarks(frame) for frame in FRAMES]
LISTS = [frame.tolist() for frame in FRAMES]


def put(folder, content, name="clip"):
    """A file of that content."""
    folder.mkdir(exist_ok=True, parents=True)
    (folder / f"{name}.json").write_text(content if isinstance(content, str) else json.dumps(content))


def one(folder, content, **how):
    """The clip of a file of that content, found by itself."""
    put(folder, content)
    clips = read(folder, **how)
    assert clips.source == "mediapipe"
    assert clips.faults == ()
    return clips[0]


def test_a_file_is_read_to_the_number(tmp_path):
    # 33 landmarks, of which the first two are not at the origin.
    text = '[[{"x":0.5,"y":0.25,"z":-0.125,"visibility":0.9},{"x":-1,"y":2e-1,"z":0,"visibility":0.1}'
    text += ',{"x":0.0,"y":0.0,"z":0.0,"visibility":0.5}' * 31 + "]]"
    clip = one(tmp_path, text)
    assert (clip.layout, clip.units, clip.fps, clip.label) == ("mediapipe33", "normalised", 30, None)
    assert clip.xyz.shape == (3, 1, 33, 1)
    np.testing.assert_array_equal(clip.xyz[:, 0, 0, 0], [0.5, 0.25, -0.125])
    np.testing.assert_array_equal(clip.xyz[:, 0, 1, 0], np.float32([-1, 0.2, 0]))
    assert not clip.xyz[:, 0, 2:].any()


@pytest.mark.parametrize(
    "content",
    [
        DICTS,
        LISTS,
        [[frame] for frame in DICTS],
        [[[*point, 0.9] for point in frame] for frame in LISTS],
        {"landmarks": DICTS},
        {"landmarks": LISTS},
        {"frames": DICTS},
        {"frames": LISTS},
        {"frames": [{"poseLandmarks": frame, "timestamp": 0.1} for frame in DICTS]},
        {"frames": [{"pose_landmarks": frame} for frame in LISTS]},
        {"results": [{"index": 1, "poseLandmarks": {"landmark": frame}} for frame in DICTS]},
        {"pose_landmarks": DICTS},
        {"poseLandmarks": [[frame] for frame in DICTS], "faceLandmarks": [[{"x": 1, "y": 1, "z": 1}] * 478] * 3},
        {"metadata": {"width": 640, "frames": 3}, "pose_landmarks": LISTS},
        [{"landmarks": [frame], "worldLandmarks": []} for frame in DICTS],
        [{"pose_landmarks": frame, "left_hand_landmarks": landmarks(body(joints=21))} for frame in DICTS],
    ],
)
def test_every_shape_gives_the_same_clip(tmp_path, content):
    clip = one(tmp_path, content)
    assert (clip.layout, clip.units) == ("mediapipe33", "normalised")
    np.testing.assert_array_equal(clip.xyz[..., 0].transpose(1, 2, 0), np.float32(FRAMES))


@pytest.mark.parametrize(
    "content",
    [
        {"pose_landmarks": DICTS, "pose_world_landmarks": LISTS},
        {"poseWorldLandmarks": DICTS, "poseLandmarks": DICTS[:1]},
        [{"poseLandmarks": DICTS[0], "poseWorldLandmarks": frame} for frame in DICTS],
        [{"landmarks": [DICTS[0]], "worldLandmarks": [frame]} for frame in DICTS],
    ],
)
def test_world_landmarks_are_preferred(tmp_path, content):
    clip = one(tmp_path, content)
    assert clip.units == "metres"
    np.testing.assert_array_equal(clip.xyz[..., 0].transpose(1, 2, 0), np.float32(FRAMES))


@pytest.mark.parametrize(
    "content", [DICTS[0], LISTS[0], {"landmarks": DICTS[0]}, {"pose_landmarks": {"landmark": DICTS[0]}}]
)
def test_the_landmarks_of_one_picture_are_a_clip_of_one_frame(tmp_path, content):
    put(tmp_path, content)
    (clip,) = read(tmp_path, format="mediapipe")
    np.testing.assert_array_equal(clip.xyz[:, 0, :, 0].T, np.float32(FRAMES[0]))


def test_frames_without_a_body_are_kept_inside_and_cut_off_at_the_end(tmp_path):
    for nobody in (None, [], {}):
        clip = one(tmp_path, {"frames": [nobody, DICTS[0], {"poseLandmarks": nobody}, DICTS[1], nobody, nobody]})
        assert clip.valid[:, 0].tolist() == [False, True, False, True]
        assert not clip.xyz[:, [0, 2]].any()
    clip = one(tmp_path, [[], DICTS[0], [[0, 0, 0]] * 33, DICTS[1]])
    assert clip.valid[:, 0].tolist() == [False, True, False, True]


def test_hands_are_read_where_there_is_no_body_or_they_are_asked_for(tmp_path):
    hands = [body(x, 21) for x in (0.2, 0.7)]
    frame = {"multiHandLandmarks": [landmarks(hand) for hand in hands], "multiHandedness": [{"index": 0}]}
    clip = one(tmp_path, {"frames": [frame]})
    assert (clip.layout, clip.bodies) == ("hand21", 2)
    np.testing.assert_array_equal(clip.xyz[:, 0].transpose(2, 1, 0), np.float32(hands))
    both = {"frames": [{**frame, "poseLandmarks": DICTS[0]}]}
    assert one(tmp_path, both).layout == "mediapipe33"
    assert one(tmp_path, both, layout="hand21").layout == "hand21"


def test_a_left_and_a_right_hand_keep_their_slots(tmp_path):
    left, right = landmarks(body(0.2, 21)), landmarks(body(0.7, 21))
    frames = [{"rightHandLandmarks": right}, {"leftHandLandmarks": left, "rightHandLandmarks": right}]
    clip = one(tmp_path, frames)
    assert clip.valid.tolist() == [[False, True], [True, True]]
    assert clip.xyz[0, 1, 0].tolist() == pytest.approx([0.2, 0.7])


def test_several_people_keep_their_slots_by_their_place_in_the_picture(tmp_path):
    places = [(0.1, 0.8), (0.79, 0.11), (0.12, 0.78)]
    picture = [[landmarks(body(x) * [1, 0.1, 1]) for x in pair] for pair in places]
    clip = one(tmp_path, {"pose_landmarks": picture})
    np.testing.assert_allclose(clip.xyz[0, :, 0], [[0.1, 0.8], [0.11, 0.79], [0.12, 0.78]], rtol=1e-6)
    # In metres everyone's hips are at the origin: nothing but the picture tells who is who.
    world = [[landmarks(body(round(x))) for x in pair] for pair in places]
    clip = one(tmp_path, {"pose_world_landmarks": world, "pose_landmarks": picture})
    assert clip.units == "metres"
    np.testing.assert_array_equal(clip.xyz[0, :, 0], [[0, 1], [0, 1], [0, 1]])
    clip = one(tmp_path, {"pose_world_landmarks": world})
    np.testing.assert_array_equal(clip.xyz[0, :, 0], [[0, 1], [1, 0], [0, 1]])  # the order of the file


@pytest.mark.parametrize(("fps", "expected"), [(24, 24), (29.97, 29.97), (None, 30), (1000, 1000)])
def test_a_frame_rate_in_the_file_is_taken(tmp_path, fps, expected):
    assert one(tmp_path, {"frames": DICTS, "fps": fps}).fps == expected


@pytest.mark.parametrize("fps", [0, -5, 1001, "25", True, [25], float("nan"), 1e999])
def test_a_frame_rate_that_is_none_is_noted_and_not_taken(tmp_path, fps):
    put(tmp_path, {"fps": fps, "frames": DICTS})
    clips = read(tmp_path)
    assert clips.fps == 30
    assert [fault.dropped for fault in clips.faults] == ["nothing"]
    assert "no frame rate: got" in clips.faults[0].reason


def test_a_layout_of_another_number_of_joints_is_refused(tmp_path):
    put(tmp_path, DICTS)
    with pytest.raises(DataError, match="layout 'kinect20' does not fit"):
        read(tmp_path, layout="kinect20")


@pytest.mark.parametrize(
    "content",
    [
        {"format": 1, "layout": "ntu25", "classes": [], "skeleton": {"joints": []}},
        {"name": "package", "version": "1.0.0", "dependencies": {}},
        [{"image_id": 1, "bbox": [1, 2, 3, 4]}],
        [[1, 2, 3]],
        [[[1, 2, 3]] * 20],
        [[[1, 2]] * 33],
        {"x": 1, "y": 2, "z": 3},
        {"data": [1, 2, 3]},
        {"label": 1, "people": 3},
        [],
        {},
        "text",
    ],
)
def test_other_json_is_nobodys(tmp_path, content):
    put(tmp_path, json.dumps(content))
    with pytest.raises(DataError, match="no skeletons that a reader knows"):
        recognise(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "no body in any frame"),
        ({"frames": [{"other": 1}]}, "no body in any frame"),
        ([*DICTS, 5], "frame 3: no landmarks: got 5, expected a list of {x, y, z}"),
        ([*DICTS, [*DICTS[0][:32], None]], "frame 3: no landmark: got None, expected {x, y, z}"),
        ([*DICTS, [*DICTS[0][:32], {"x": 1, "y": 2}]], "frame 3: landmarks: not a number: got None"),
        ([*DICTS, [*LISTS[0][:32], [1, 2]]], "frame 3: no landmark: got a list"),
        ([*DICTS, [*LISTS[0][:32], [1, True, 3]]], "frame 3: landmarks: not a number: got True"),
        ([*DICTS, [*LISTS[0][:32], [1, 2, float("nan")]]], "frame 3: landmarks: not a finite number: got nan"),
        ([*DICTS, DICTS[0][:32]], "frame 3: another number of joints: got 32 joints, expected 33"),
        ([*DICTS, {"x": 1, "y": 1, "z": 1}], "frame 3: landmarks among frames: got 0 landmarks, then a dict"),
        ([*DICTS[0][:3], *DICTS], "frame 3: landmarks among frames: got 3 landmarks, then a list"),
        ([DICTS[0][:12]], "the joints fit no known layout: got 12 joints in 3-D"),
        ({"landmarks": [None] * 2000 + DICTS}, "leave most frames without a body: got 3 bodies in frames 0 to 2002"),
        ("[" + json.dumps(DICTS[0])[:500], "not JSON: got the file ends in the middle"),
    ],
)
def test_a_damaged_file_is_listed_and_the_others_are_read(tmp_path, content, message):
    put(tmp_path, DICTS, "a")
    put(tmp_path, content, "b")
    clips = read(tmp_path, format="mediapipe")
    assert [row.name for row in clips.rows] == ["a"]
    assert [(fault.file, fault.dropped) for fault in clips.faults] == [("b.json", "clip")]
    assert re.search(message, clips.faults[0].reason), clips.faults[0].reason
