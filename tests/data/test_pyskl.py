"""Annotation pickles of pyskl and mmaction2 against values written out here, and what we write against `pickle`."""

import pickle
import tracemalloc
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from stgcn_lens.data import ClipSet, read
from stgcn_lens.data.readers import pyskl as reader
from stgcn_lens.data.readers import recognise
from stgcn_lens.data.splits import split
from stgcn_lens.data.transforms import Preprocessing, clean
from stgcn_lens.data.writers import pyskl
from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import get_layout, own
from tests.data import people
from tests.data.makers.pyskl import annotation, save


def poses(rng, bodies=1, frames=4, joints=17, channels=2):
    """(M, T, V, C) float16, nowhere zero."""
    return rng.uniform(1, 200, (bodies, frames, joints, channels)).astype(np.float16)


def one(rng, name="video", label=0, **about):
    pose = poses(rng)
    return {"frame_dir": name, "label": label, "total_frames": 4, "keypoint": pose, **about}


def saved(folder, content, name="set.pkl", protocol=4):
    save(content, folder / name, protocol)
    return folder / name


def reasons(clips):
    return [(fault.file, fault.reason, fault.dropped) for fault in clips.faults]


@pytest.mark.parametrize("protocol", range(6))
def test_a_3d_set_with_splits_is_read_value_by_value(protocol, tmp_path, rng):
    first, second = poses(rng, 1, 3, 25, 3), poses(rng, 2, 5, 25, 3)
    second[1, [0, 4]] = 0
    names = ["S001C002P003R001A005", "S018C001P041R002A061"]
    content = {
        "split": {"xsub_train": names[:1], "xsub_val": names[1:], "xset_train": names[1:], "xset_val": names[:1]},
        "annotations": [
            {"frame_dir": names[0], "label": 4, "total_frames": 3, "keypoint": first},
            {"frame_dir": names[1], "label": np.int64(60), "total_frames": 5, "keypoint": second},
        ],
    }
    clips = read(saved(tmp_path, content, protocol=protocol))
    assert (clips.source, clips.layout, clips.units, clips.fps) == ("pyskl", "ntu25", "metres", 30.0)
    assert (clips.protocol, len(clips.classes), clips.classes[60]) == ("ntu120", 120, "A061")
    assert clips.faults == ()
    assert [row.name for row in clips.rows] == names
    assert [(row.label, row.setup, row.view, row.subject) for row in clips.rows] == [(4, 1, 2, 3), (60, 18, 1, 41)]
    assert [row.splits for row in clips.rows] == [("xsub_train", "xset_val"), ("xsub_val", "xset_train")]
    np.testing.assert_array_equal(clips[0].xyz[:, 2, 7, 0], first[0, 2, 7].astype(np.float32))
    np.testing.assert_array_equal(clips[1].xyz, second.transpose(3, 1, 2, 0).astype(np.float32))
    assert clips[1].valid.tolist() == [[True, False], [True, True], [True, True], [True, True], [True, False]]
    assert split(clips, "xsub").tolist() == ["train", "test"]


def test_a_2d_list_without_splits_has_pixels_and_scores(tmp_path, rng):
    pose, score = poses(rng, 2, 4), rng.uniform(0.1, 1, (2, 4, 17)).astype(np.float32)
    pose[0, 1, 3] = 0  # one joint that was not found
    score[0, 1, 3] = 0
    score[1, 2] = 0  # a whole body that was guessed
    clips = read(saved(tmp_path, [one(rng, "a", 2), {"frame_dir": "b", "keypoint": pose, "keypoint_score": score}]))
    assert (clips.layout, clips.units, clips.protocol) == ("coco17", "pixels", "generic")
    assert clips.classes == ("class 1", "class 2", "class 3")
    assert clips.labels.tolist() == [2, -1]
    assert {row.splits for row in clips.rows} == {()}
    np.testing.assert_array_equal(clips[1].xyz[:2, 1, 5, 1], pose[1, 1, 5].astype(np.float32))
    np.testing.assert_array_equal(clips[1].xyz[2, :, :, 0], score[0])
    assert clips[1].valid.tolist() == [[True, True], [True, True], [True, False], [True, True]]
    assert not clips[1].xyz[:, 2, :, 1].any()
    assert (clips[0].xyz[2] == 1).all()


def test_without_scores_a_joint_at_zero_has_none_and_a_body_all_at_zero_is_absent(tmp_path, rng):
    pose = poses(rng, 2, 4)
    pose[0, 1, 3] = 0
    pose[0, 2, 4, 0] = 0  # on the picture's edge
    pose[1, :2] = 0
    (clip,) = read(saved(tmp_path, {"frame_dir": "a", "keypoint": pose}))
    assert clip.valid.tolist() == [[True, False], [True, False], [True, True], [True, True]]
    assert clip.xyz[2, 1, 3, 0] == 0
    assert clip.xyz[2, 2, 4, 0] == 1
    assert clip.xyz[2, :, :, 0].sum() == 4 * 17 - 1


def test_zeros_that_only_fill_up_are_cut_off(tmp_path, rng):
    pose = np.zeros((3, 9, 17, 2), np.float32)
    pose[1, 2:6] = rng.normal(size=(4, 17, 2))
    clips = read(saved(tmp_path, [{"frame_dir": "a", "keypoint": pose, "total_frames": 6}]))
    np.testing.assert_array_equal(clips[0].xyz[:2, :, :, 0], pose[1, :6].transpose(2, 0, 1))
    assert clips[0].valid[:, 0].tolist() == [False, False, True, True, True, True]
    assert [reason for _, reason, _ in reasons(clips)] == ["total_frames says 6; the 9 frames of the array were read"]


@pytest.mark.parametrize(
    ("joints", "channels", "layout"), [(17, 2, "coco17"), (18, 2, "openpose18"), (20, 3, "kinect20")]
)
def test_the_layout_follows_from_joints_and_channels(joints, channels, layout, tmp_path, rng):
    pose = poses(rng, 1, 3, joints, channels)
    assert read(saved(tmp_path, {"frame_dir": "a", "keypoint": pose})).layout == layout


def test_another_layout_can_be_named_where_it_fits(tmp_path, rng):
    pose = poses(rng, 1, 3, 25, 3)
    file = saved(tmp_path, {"frame_dir": "a", "keypoint": pose})
    assert read(file, layout="ntu25-hand").layout == "ntu25-hand"
    with pytest.raises(DataError, match="got 25 joints in 3-D, expected 17 joints in 2-D"):
        read(file, layout="coco17")
    flat = saved(tmp_path, {"frame_dir": "a", "keypoint": poses(rng, 1, 3, 17, 3)})
    with pytest.raises(
        DataError, match=r"got 17 joints in 3-D.*third number of a joint is a score, name it with --layout coco"
    ):
        read(flat)
    with pytest.raises(DataError, match=r"got 19 joints in 2-D, expected .*--layout FILE\.toml"):
        read(saved(tmp_path, {"frame_dir": "a", "keypoint": poses(rng, joints=19)}))


def test_a_third_number_is_the_score_where_the_layout_is_flat(tmp_path, rng):
    pose = poses(rng, 1, 3, 17, 3)
    pose[0, 1, :, 2] = 0
    (clip,) = read(saved(tmp_path, {"frame_dir": "a", "keypoint": pose}), layout="coco17")
    np.testing.assert_array_equal(clip.xyz[..., 0], pose[0].transpose(2, 0, 1).astype(np.float32))
    assert clip.units == "pixels"


BAD = {
    "not a dict": (lambda a: "x", "not an annotation: got 'x', expected a dict"),
    "no keypoint": (lambda a: {"frame_dir": "bad", "label": 1}, "no keypoints: expected keypoint (M, T, V, C)"),
    "a list": (lambda a: {**a, "keypoint": a["keypoint"].tolist()}, "keypoint is not coordinates: got list"),
    "text": (lambda a: {**a, "keypoint": a["keypoint"].astype("U5")}, "got an array of <U5"),
    "3 axes": (lambda a: {**a, "keypoint": a["keypoint"][0]}, "got (4, 17, 2), expected (M, T, V, C)"),
    "4 channels": (lambda a: {**a, "keypoint": np.ones((1, 4, 17, 4))}, "got (1, 4, 17, 4)"),
    "no frames": (
        lambda a: {**a, "keypoint": a["keypoint"][:, :0]},
        "got (1, 0, 17, 2), expected (M, T, V, C), at least",
    ),
    "joints": (
        lambda a: {**a, "keypoint": a["keypoint"][:, :, :9]},
        "got 9 joints in 2-D, expected 17 joints of 'coco17'",
    ),
    "score": (lambda a: {**a, "keypoint_score": np.ones((1, 4, 9))}, "got (1, 4, 9), expected (1, 4, 17)"),
    "label": (lambda a: {**a, "label": "jump"}, "the label is not a whole number: got 'jump'"),
    "truth": (lambda a: {**a, "label": True}, "the label is not a whole number: got True"),
    "range": (lambda a: {**a, "label": 20_000}, "label out of range: got class 20001, expected 1 to 2"),
    "negative": (lambda a: {**a, "label": -1}, "label out of range: got class 0"),
    "nobody": (lambda a: {**a, "keypoint": 0 * a["keypoint"]}, "no body in any frame"),
    "overflow": (lambda a: {**a, "keypoint": np.full((1, 4, 17, 2), 1e300)}, "a coordinate is not a finite number"),
    "damaged NaN": (  # one that a processor complains of
        lambda a: {**a, "keypoint": np.full((1, 4, 17, 2), 0x7FA00001, "u4").view("f4")},
        "a coordinate is not a finite number",
    ),
    "NaN": (lambda a: {**a, "keypoint": np.full((1, 4, 17, 2), np.nan)}, "a coordinate is not a finite number"),
}


@pytest.mark.parametrize("what", list(BAD))
@pytest.mark.parametrize("place", [0, 1])
def test_one_bad_annotation_is_listed_and_the_others_are_read(what, place, tmp_path, rng):
    change, said = BAD[what]
    sound = [one(rng, "a"), one(rng, "b", 1)]
    content = sound.copy()
    content.insert(place, change(one(rng, "bad")))
    clips = read(saved(tmp_path, content))
    assert [row.name for row in clips.rows] == ["a", "b"]
    np.testing.assert_array_equal(
        clips[1].xyz[:2, ..., 0], sound[1]["keypoint"][0].transpose(2, 0, 1).astype(np.float32)
    )
    dropped = [fault for fault in clips.faults if fault.dropped == "clip"]
    assert len(dropped) == 1
    assert dropped[0].file.startswith(f"set.pkl[{place}]")
    assert any(said in fault.reason for fault in clips.faults), clips.faults


def test_a_file_without_any_keypoints_is_refused_once_with_its_count(tmp_path):
    content = {"split": {"train": ["a"]}, "annotations": [{"frame_dir": name, "label": 0} for name in "abc"]}
    with pytest.raises(DataError, match="no keypoints: got 3 annotations, none of which has a keypoint array"):
        read(saved(tmp_path, content))


@pytest.mark.parametrize(
    "content", [[], {"annotations": []}, {"annotations": 3, "split": {}}, ["frame_dir", "keypoint"]]
)
def test_a_pickle_of_other_things_is_no_set(content, tmp_path):
    with pytest.raises(DataError, match="no annotations: got"):
        read(saved(tmp_path, content), format="pyskl")


def test_an_annotation_listed_twice_is_read_once(tmp_path, rng):
    first = one(rng, "a")
    clips = read(saved(tmp_path, [first, one(rng, "b"), first, {**first, "frame_dir": "c"}]))
    assert [row.name for row in clips.rows] == ["a", "b"]
    assert [reason for _, reason, _ in reasons(clips)] == ["the same annotation again; list it once"] * 2


@pytest.mark.parametrize(
    ("frame_dir", "name"),
    [
        ("folder/video", "folder/video"),
        (np.str_("video"), "video"),
        ("/data/frames/video", "video"),
        ("..\\..\\video", "set_000001"),
        ("two\nlines", "set_000001"),
        ("  ", "set_000001"),
        (17, "set_000001"),
        (None, "set_000001"),
    ],
)
def test_names_that_cannot_be_used_become_numbers(frame_dir, name, tmp_path, rng):
    clips = read(saved(tmp_path, [one(rng, "first"), {**one(rng), "frame_dir": frame_dir}]))
    assert [row.name for row in clips.rows] == ["first", name]


def test_what_splits_say_wrongly_is_told_and_the_rest_is_used(tmp_path, rng):
    splits = {"train": ["a", "gone", 3, None], "val": "b", 7: ["a"], "test": ("b", "b")}
    clips = read(saved(tmp_path, {"split": splits, "annotations": [one(rng, "a"), one(rng, "b")]}))
    assert [row.splits for row in clips.rows] == [("train",), ("test",)]
    strange = "one of its splits is not a list of names under a name, and is not used"
    assert [reason for _, reason, _ in reasons(clips)] == [
        strange,
        strange,
        "its splits name 1 clip that it does not hold",
    ]
    clips = read(saved(tmp_path, {"split": ["a"], "annotations": [one(rng, "a")]}))
    assert [reason for _, reason, _ in reasons(clips)] == [
        "its splits are not used: a list, expected at most 64 lists of names"
    ]


def test_lists_in_two_files_are_on_the_side_that_their_file_is_named_for(tmp_path, rng):
    for side, names in (("train", "ab"), ("val", "ca")):
        saved(tmp_path, [one(rng, name) for name in names], f"ntu60_xsub_{side}.pkl")
    clips = read(tmp_path)
    assert [(row.name, row.splits) for row in clips.rows] == [
        ("ntu60_xsub_train/a", ("ntu60_xsub_train",)),
        ("b", ("ntu60_xsub_train",)),
        ("c", ("ntu60_xsub_val",)),
        ("ntu60_xsub_val/a", ("ntu60_xsub_val",)),
    ]


def test_many_files_are_read_without_being_kept_open(tmp_path, rng, monkeypatch):
    for i in range(5):
        saved(tmp_path, one(rng, f"v{i}", i), f"v{i}.pkl")
    kept = read(tmp_path)
    monkeypatch.setattr(reader, "HELD", 2)
    source = recognise(tmp_path)
    saved(tmp_path, [], "v3.pkl")  # changes between the two looks
    faults = []
    clips = list(source.clips(faults.append))
    assert [clip.name for clip in clips] == ["v0", "v1", "v2", "v4"]
    assert source.classes == kept.classes == tuple(f"class {i}" for i in range(1, 6))
    (fault,) = faults
    assert (fault.file, fault.dropped) == ("v3.pkl", "clip")
    assert "changed while it was read" in fault.reason


def test_sniffing_tells_sets_from_other_pickles(tmp_path, rng):
    sets = [
        one(rng),
        [one(rng)],
        {"split": {"train": ["x" * 90_000]}, "annotations": [one(rng)]},
    ]
    others = [(["S001C001P001R001A001"] * 9, [0] * 9), {"a": 1}, [1, 2], "keypoint", {"x": "split"}]
    for protocol in range(6):
        assert all(reader.READER.sniff(saved(tmp_path, content, protocol=protocol)) for content in sets)
        assert not any(reader.READER.sniff(saved(tmp_path, content, protocol=protocol)) for content in others)
    text = tmp_path / "a.json"
    text.write_text('{"frame_dir": "a", "keypoint": []}')
    assert not reader.READER.sniff(text)
    assert not reader.READER.sniff(tmp_path / "nowhere")


class OnlyArrays(pickle.Unpickler):
    """Python's own reader, as the oracle for a file that others made: it may build arrays and nothing else."""

    def find_class(self, module, name):
        assert (module.split(".")[0], name) in {("numpy", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")}
        return super().find_class(module, name)


def test_a_real_annotation_is_read_with_a_second_person_in_14_frames(shared):
    clips = read(shared / "formats" / "paddlevideo_example_UCF101_skeleton.pkl")
    (clip,) = clips
    with (shared / "formats" / "paddlevideo_example_UCF101_skeleton.pkl").open("rb") as stream:
        truth = OnlyArrays(stream).load()
    assert (clip.name, clip.label, clip.layout, clip.units) == ("v_ApplyEyeMakeup_g01_c01", 0, "coco17", "pixels")
    assert clip.valid.sum(axis=0).tolist() == [163, 14]
    np.testing.assert_array_equal(clip.xyz[:2], truth["keypoint"].transpose(3, 1, 2, 0).astype(np.float32))
    np.testing.assert_array_equal(clip.xyz[2], truth["keypoint_score"].transpose(1, 2, 0).astype(np.float32))
    assert clips.faults == ()
    assert clean(clip, Preprocessing()).frames == 163  # who is seen from the waist up is no furniture


def test_a_real_list_of_videos_without_keypoints_is_refused(shared):
    with pytest.raises(DataError, match="no keypoints: got 100 annotations"):
        read(shared / "formats" / "mmaction2_tests_kinetics_sample.pkl")


def ragged(layout="ntu25", **about):
    """Three clips of other lengths and bodies, with gaps, a slot that is never taken, and a joint at the origin."""
    clips = [
        people.clip(5 + 2 * i, 1 + i, layout=layout, seed=i, name=f"clip {i}é", label=i or None, **about)
        for i in range(3)
    ]
    clips[1] = people.without(clips[1], 1, [0, 3, 6])
    clips[2] = people.without(people.without(clips[2], 2, slice(None)), 0, slice(6, None))
    clips[2].xyz[:, 2, :, 1] = 0  # a body that is there, all at the origin
    clips[0].xyz[:, 1, 3] = 0
    return clips


def written(clips, out, sides=None):
    sides = np.full(len(clips), "none", "<U5") if sides is None else np.array(sides)
    assert pyskl.WRITER.write(clips, out, sides, None) == []
    return out


def assert_equal_sets(clips, others):
    assert [(one.rows, one.classes, one.layout, one.fps, one.units, one.protocol) for one in (clips, others)].count(
        (clips.rows, clips.classes, clips.layout, clips.fps, clips.units, clips.protocol)
    ) == 2
    assert others.faults == ()
    for one, other in zip(clips, others, strict=True):
        assert one.xyz.tobytes() == other.xyz.tobytes()
        np.testing.assert_array_equal(one.valid, other.valid)


@pytest.mark.parametrize("layout", ["ntu25", "ntu25-hand", "kinect20", "coco17", "openpose18"])
def test_what_is_written_comes_back_to_the_last_bit(layout, tmp_path):
    units = "metres" if get_layout(layout).dims == 3 else "normalised"
    clips = [
        clip.replace(splits=("xsub_train", "xview_val")[: 1 + i % 2])
        for i, clip in enumerate(ragged(layout, units=units))
    ]
    whole = ClipSet.from_clips([clip.replace(fps=25.0) for clip in clips], ["wave", "été", "c"], protocol="utd-mhad")
    assert_equal_sets(whole, read(written(whole, tmp_path / "out.pkl")))


def test_a_layout_of_ones_own_comes_back(tmp_path):
    layout = own(replace(get_layout("kinect20"), name="mine", centre=0))
    whole = ClipSet.from_clips(ragged(layout.name), list("abc"))
    assert read(written(whole, tmp_path / "out.pkl")).layout == layout.name


@pytest.mark.parametrize("layout", ["ntu25", "coco17"])
def test_pickle_opens_what_is_written_as_pyskl_expects_it(layout, tmp_path):
    clips = ragged(layout)
    whole = ClipSet.from_clips(clips, list("abc"))
    file = written(whole, tmp_path / "out.pkl", ["train", "none", "test"])
    with file.open("rb") as stream:
        content = pickle.load(stream)
    assert content["split"] == {"train": ["clip 0é"], "test": ["clip 2é"]}
    assert content["classes"] == list("abc")
    assert len(content["annotations"]) == 3
    for note, clip in zip(content["annotations"], clips, strict=True):
        assert (note["frame_dir"], note["total_frames"]) == (clip.name, clip.frames)
        assert note.get("label") == clip.label
        pose = note["keypoint"]
        assert (pose.dtype, pose.shape[:3]) == (np.float32, (clip.bodies, clip.frames, clip.skeleton.V))
        np.testing.assert_array_equal(pose, clip.xyz[: clip.skeleton.dims].transpose(3, 1, 2, 0))
        np.testing.assert_array_equal(note["present"], clip.valid.T)
        assert ("keypoint_score" in note) == (layout == "coco17")
        if layout == "coco17":
            np.testing.assert_array_equal(note["keypoint_score"], clip.xyz[2].transpose(2, 0, 1))
    assert b"numpy._core" not in file.read_bytes()  # which numpy before 1.26 does not know


def test_chosen_sides_replace_those_of_the_source(tmp_path):
    clips = ClipSet.from_clips([clip.replace(splits=("xsub_train",)) for clip in ragged()], list("abc"))
    rows = read(written(clips, tmp_path / "out.pkl", ["train", "val", "none"])).rows
    assert [row.splits for row in rows] == [("train",), ("val",), ()]


def test_positions_that_lack_a_coordinate_are_not_written(tmp_path):
    clips = ClipSet.from_clips([people.clip().replace(xyz=people.clip().xyz[:2])], list("abcd"))
    with pytest.raises(DataError, match="got 2 channels of 'ntu25', expected 3 coordinates"):
        written(clips, tmp_path / "out.pkl")
    assert not list(tmp_path.iterdir())


def test_writing_and_reading_take_the_same_memory_for_ten_times_the_clips(tmp_path):
    def peak(work):
        tracemalloc.start()
        try:
            work()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peaks = {}
    for count in (10, 100):
        clips = [people.clip(60, 2, seed=i % 5, name=f"clip {i}") for i in range(count)]
        held = ClipSet.from_clips(clips, list("abcd")).save(tmp_path / f"{count}")
        progress = []
        none = np.full(count, "none")
        out = tmp_path / f"{count}.pkl"
        writing = peak(lambda: pyskl.write(held, out, none, lambda *at: progress.append(at)))  # noqa: B023
        reading = peak(lambda: [None for _ in recognise(out).clips(print)])  # noqa: B023
        assert progress == [(i + 1, count) for i in range(count)]
        peaks[count] = writing, reading
    (written_few, read_few), (written_many, read_many) = peaks.values()
    clip = 60 * 25 * 2 * 3 * 4
    assert written_many < written_few + clip
    assert read_many < read_few + 90 * clip / 20  # what is known of a clip, without its coordinates


HOSTILE = [
    *(
        None,
        True,
        -1,
        2**31,
        10**30,
        float("nan"),
        float("inf"),
        "",
        "../x",
        "/abs/name",
        "é\ud800",
        b"ab",
        [],
        {},
        (),
        [[]],
    ),
    *(np.float32(2), np.int64(3), np.bool_(True), np.array(5), np.zeros((2, 0, 17, 2)), np.ones((1, 3, 17, 2), "c8")),
    *(
        np.full((1, 3, 17, 2), 1e300),
        np.ones((1, 3, 17, 2), bool),
        np.ones((1, 3, 25, 3)),
        np.array(["a"]),
        {1},
        "x@1",
        "[" * 9999,
    ),
]


def test_hostile_values_in_any_place_raise_nothing_but_data_errors(tmp_path, rng):
    read_ = refused = 0
    for seed in range(500):
        random = Random(seed)
        notes = [annotation(people.clip(5, 1 + i, layout="coco17", seed=i, name=f"v{i}", label=i), i) for i in range(2)]
        about = {"classes": ["a", "b"], "layout": "coco17", "skeleton": '{"a":[[', "fps": 25.0, "units": "pixels"}
        content = {"split": {"train": ["v0"], "val": ["v1"]}, "annotations": notes, **about}
        for _ in range(random.choice((1, 1, 2, 4))):
            inner, key = content, random.choice(list(content))
            while isinstance(inner[key], dict | list) and inner[key] and random.random() < 0.8:
                inner = inner[key]
                key = random.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
            inner[key] = random.choice(HOSTILE)
        file = saved(tmp_path, content, protocol=random.randrange(2, 6))
        try:
            for clip in recognise(file, format="pyskl").clips(lambda fault: None):
                assert np.isfinite(clip.xyz).all()
                read_ += 1
        except DataError:
            refused += 1
    assert read_ > 300
    assert refused > 10
