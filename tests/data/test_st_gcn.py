"""ST-GCN's arrays: zeros are absence, labels belong to their rows, and no more than one clip is ever loaded."""

import pickle
from random import Random

import numpy as np
import pytest

from stgcn_lens.data import ClipSet, read
from stgcn_lens.data.info import inspect
from stgcn_lens.data.readers import recognise, st_gcn
from stgcn_lens.data.writers.st_gcn import WRITER
from stgcn_lens.errors import DataError
from tests.data import people
from tests.data.makers.st_gcn import make, row, write

NAMES = [f"S001C001P00{p}R001A00{a}" for p, a in ((1, 2), (2, 1), (1, 3))]


def rows(n=3, **about):
    return [row(people.clip(4 + i, 1 + i % 2, seed=i, **about)) for i in range(n)]


def faults(clips):
    return [(fault.file, fault.dropped, fault.reason) for fault in clips.faults]


def labels(folder, content, name="train_label.pkl"):
    with (folder / name).open("wb") as stream:
        pickle.dump(content, stream)


# reading


def test_names_labels_sides_and_numbers_in_names_come_from_their_row(tmp_path):
    write(tmp_path, "train", rows(), [f"{name}.skeleton" for name in NAMES], [1, 0, 2])
    write(tmp_path, "val", rows(1), ["S001C003P007R001A060"], np.array([59]))
    clips = read(tmp_path)
    assert [(r.name, r.label, r.subject, r.view, r.splits, r.frames, r.bodies) for r in clips.rows] == [
        (NAMES[0], 1, 1, 1, ("train",), 4, 1),
        (NAMES[1], 0, 2, 1, ("train",), 5, 2),
        (NAMES[2], 2, 1, 1, ("train",), 6, 1),
        ("S001C003P007R001A060", 59, 7, 3, ("val",), 4, 1),
    ]
    assert (clips.classes[0], len(clips.classes), clips.protocol) == ("A001", 60, "ntu60")
    assert (clips.source, clips.layout, clips.units, clips.fps) == ("st-gcn", "ntu25", "metres", 30)
    assert clips.faults == ()
    np.testing.assert_array_equal(clips[1].xyz, people.clip(5, 2, seed=1).xyz)


def test_labels_that_are_not_ntus_name_their_own_classes(tmp_path):
    write(tmp_path, "train", rows(2), NAMES[:2], [5, 0])
    assert read(tmp_path).classes == tuple(f"action {i}" for i in range(1, 7))
    (tmp_path / "classes.txt").write_text("sit\nstand\nwalk\nrun\njump\nfall\n")
    assert read(tmp_path).classes[5] == "fall"


def test_zeros_are_absence_and_other_numbers_are_not(tmp_path):
    array = np.zeros((1, 3, 9, 25, 2), np.float32)
    array[0, 0, 1, 3, 0] = 1e-40  # the smallest of numbers is one
    array[0, :, 4, :, 0] = -0.0  # minus zero is zero
    array[0, 1, 6, 24, 1] = -5
    np.save(tmp_path / "data.npy", array)
    (clip,) = read(tmp_path)
    assert clip.valid.tolist() == [[t == 1, t == 6] for t in range(7)]
    np.testing.assert_array_equal(clip.xyz, array[0, :, :7])
    assert clip.splits == ()


def test_slots_that_nobody_takes_are_cut_wherever_they_are(tmp_path):
    array = np.zeros((1, 3, 5, 25, 4), np.float32)
    array[0, ..., 2] = 7
    np.save(tmp_path / "data.npy", array)
    (clip,) = read(tmp_path)
    assert clip.xyz.shape == (3, 5, 25, 1)
    assert clip.valid.all()


def test_a_clip_without_a_body_is_listed_and_the_others_are_read(tmp_path):
    write(tmp_path, "train", [*rows(1), np.zeros((3, 10, 25, 2), np.float32)], NAMES[:2], [1, 0])
    clips = read(tmp_path)
    assert [r.name for r in clips.rows] == NAMES[:1]
    ((file, dropped, reason),) = faults(clips)
    assert (file, dropped) == (f"train_data.npy[1] {NAMES[1]}", "clip")
    assert reason.startswith("no body in any frame: got 10 empty frames")


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8", "<i2", "<i8"])
def test_every_kind_of_number_is_read(tmp_path, dtype):
    array = (100 * np.stack(rows())).astype(dtype)
    np.save(tmp_path / "data.npy", array)
    for i, clip in enumerate(read(tmp_path)):
        assert clip.xyz.dtype == np.float32
        np.testing.assert_array_equal(clip.xyz, array[i, :, : clip.frames, :, : clip.bodies].astype(np.float32))


def test_what_float32_cannot_hold_and_nan_are_not_passed_on(tmp_path):
    array = np.stack(rows()).astype(np.float64)
    array[0, 1, :, 5] = 1e300
    array[1, ..., 0] = np.nan
    write(tmp_path, "train", array, NAMES, [1, 0, 2])
    clips = read(tmp_path)
    assert [r.name for r in clips.rows] == NAMES[2:]
    assert all("a coordinate is not a finite number" in reason for _, _, reason in faults(clips))


@pytest.mark.parametrize(
    ("layout", "channels", "wish", "found", "units"),
    [
        ("ntu25", 3, None, "ntu25", "metres"),
        ("ntu25", 3, "ntu25-hand", "ntu25-hand", "metres"),
        ("kinect20", 3, None, "kinect20", "unknown"),
        ("openpose18", 3, None, "openpose18", "normalised"),
        ("openpose18", 2, None, "openpose18", "normalised"),
        ("coco17", 3, None, "coco17", "unknown"),
    ],
)
def test_the_layout_is_the_wish_or_follows_from_joints_and_channels(tmp_path, layout, channels, wish, found, units):
    np.save(tmp_path / "data.npy", np.stack(rows(layout=layout))[:, :channels])
    clips = read(tmp_path, layout=wish)
    assert (clips.layout, clips.channels, clips.units) == (found, channels, units)


def test_a_wish_with_other_joints_says_both_numbers(tmp_path):
    make(tmp_path / "set")
    with pytest.raises(DataError, match=r"got .*25 joints.* expected .*20 joints"):
        read(tmp_path / "set", layout="kinect20")


def test_names_of_2s_agcn_are_understood_and_what_follows_from_joints_is_not_read(tmp_path):
    for side in ("train", "val"):
        for stream in ("joint", "bone", "joint_motion", "bone_motion"):
            np.save(tmp_path / f"{side}_data_{stream}.npy", np.stack(rows(1)))
        labels(tmp_path, (NAMES[:1] if side == "train" else NAMES[1:2], [1]), f"{side}_label.pkl")
    clips = read(tmp_path)
    assert [(r.name, r.splits) for r in clips.rows] == [(NAMES[0], ("train",)), (NAMES[1], ("val",))]
    assert [(file, dropped) for file, dropped, _ in faults(clips)] == [
        (f"{side}_data_{stream}.npy", "nothing")
        for side in ("train", "val")
        for stream in ("bone", "bone_motion", "joint_motion")
    ]
    with pytest.raises(DataError, match="computed from the joints here"):
        read(tmp_path / "val_data_bone.npy")


def test_one_file_finds_its_labels(tmp_path):
    make(tmp_path / "set")
    (clip,) = read(tmp_path / "set" / "val_data.npy")
    assert (clip.name, clip.label, clip.splits) == ("S001C002P003R001A003", 2, ("val",))


def test_labels_may_be_an_array_without_names(tmp_path):
    np.save(tmp_path / "train_data.npy", np.stack(rows()))
    np.save(tmp_path / "train_label.npy", np.array([2, 0, 1]))
    clips = read(tmp_path)
    assert clips.labels.tolist() == [2, 0, 1]
    assert [r.name for r in clips.rows] == [f"train_data_00000{i}" for i in range(3)]
    assert clips.faults == ()


def test_a_missing_label_file_is_told_and_the_clips_are_read_without(tmp_path):
    np.save(tmp_path / "train_data.npy", np.stack(rows()))
    clips = read(tmp_path)
    assert clips.labels.tolist() == [-1, -1, -1]
    assert faults(clips) == [("train_data.npy", "nothing", "no labels: there is no train_label.pkl beside it")]


class Evil:
    def __reduce__(self):
        return (pytest.fail, ("executed",))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (Evil(), "asks to run"),
        ({"names": NAMES}, "not a label file: got dict"),
        ((NAMES, 3), "not a label file"),
        (7, "not a label file: got int"),
    ],
)
def test_a_label_file_that_is_none_is_told_and_never_executed(tmp_path, content, told):
    np.save(tmp_path / "train_data.npy", np.stack(rows()))
    labels(tmp_path, content)
    clips = read(tmp_path)
    assert clips.labels.tolist() == [-1, -1, -1]
    ((file, dropped, reason),) = faults(clips)
    assert (file, dropped) == ("train_label.pkl", "nothing")
    assert told in reason


@pytest.mark.parametrize(
    ("content", "got"),
    [
        ((NAMES[:2], [0, 1]), "2 names"),
        ((NAMES, [0, 1]), "2 labels"),
        (([*NAMES, "x"], [0, 1, 2, 3]), "4 names"),
        ([0, 1, 2, 3], "4 labels"),
    ],
)
def test_labels_of_another_array_are_never_given_to_clips(tmp_path, content, got):
    write(tmp_path, "val", rows(1), NAMES[:1], [0])
    np.save(tmp_path / "train_data.npy", np.stack(rows()))
    labels(tmp_path, content)
    clips = read(tmp_path)
    assert len(clips) == 1
    assert faults(clips) == [
        (
            "train_data.npy",
            "clip",
            f"labels of another array: got {got} in train_label.pkl, expected 3, one a clip; get the two files that "
            "belong together",
        )
    ]


def test_a_label_that_is_no_whole_number_costs_its_clip_only(tmp_path):
    names = [f"S001C001P001R001A00{i}" for i in range(1, 9)]
    write(tmp_path, "train", rows(6) + rows(2), names, ["3", 1.5, True, [2] * 999, np.array([]), -2, None, 7])
    clips = read(tmp_path)
    assert [(r.name[-1], r.label) for r in clips.rows] == [("7", None), ("8", 7)]
    assert [(file[-1], reason.split(",")[0]) for file, _, reason in faults(clips)[:5]] == [
        (str(i + 1), f"the label is not a whole number: got {got}")
        for i, got in enumerate(("'3'", "1.5", "True", "list", "ndarray"))
    ]
    assert "label out of range" in faults(clips)[5][2]


def test_a_huge_label_makes_no_list_of_classes(tmp_path):
    write(tmp_path, "train", rows(2), NAMES[:2], [10**15, 4])
    clips = read(tmp_path)
    assert len(clips.classes) == 5
    assert "label out of range" in clips.faults[0].reason


def test_names_that_are_none_are_replaced_by_numbers(tmp_path):
    write(tmp_path, "train", rows(5), ["../../x", "/etc/x", "two\nlines", 7, b"caf\xc3\xa9"], [0] * 5)
    clips = read(tmp_path)
    assert [r.name for r in clips.rows] == [*(f"train_data_{i:06d}" for i in range(4)), "café"]
    assert "4 names cannot be used" in clips.faults[0].reason


def test_arrays_of_other_axes_are_refused_with_got_and_expected(tmp_path):
    write(tmp_path, "val", rows(1), NAMES[:1], [0])
    array = np.stack(rows())
    wrong = {
        "ntvcm_data.npy": array.transpose(0, 2, 3, 1, 4),
        "nmtvc_data.npy": array.transpose(0, 4, 2, 3, 1),
        "ntmvc_data.npy": array.transpose(0, 2, 4, 3, 1),
        "nctmv_data.npy": array.transpose(0, 1, 2, 4, 3),
        "ncvtm_data.npy": array.transpose(0, 1, 3, 2, 4),
        "nothing_data.npy": array[:0],
        "truth_data.npy": array > 0,
    }
    for name, content in wrong.items():
        np.save(tmp_path / name, np.ascontiguousarray(content))
    np.save(tmp_path / "scattered_data.npy", np.asfortranarray(array))
    clips = read(tmp_path)
    assert len(clips) == 1
    assert {file for file, *_ in faults(clips)} == {*wrong, "scattered_data.npy"}
    said = {file: reason for file, _, reason in faults(clips)}
    assert all("got" in reason and "expected" in reason for reason in said.values())
    assert "float32 (3, 2, 10, 25, 3), which may be (N, M, T, V, C) just as well" in said["nmtvc_data.npy"]
    assert "expected (N, C, T, V, M)" in said["ntvcm_data.npy"]
    assert "10 joints" in said["ncvtm_data.npy"]
    assert "Fortran order, expected C order" in said["scattered_data.npy"]


def test_a_clip_of_its_own_may_be_in_either_order(tmp_path):
    np.save(tmp_path / "one.npy", rows()[1])
    np.save(tmp_path / "two.npy", np.asfortranarray(rows()[1]))
    clips = read(tmp_path)
    assert [(r.name, r.label, r.frames, r.bodies) for r in clips.rows] == [("one", None, 5, 2), ("two", None, 5, 2)]
    np.testing.assert_array_equal(clips[0].xyz, clips[1].xyz)
    np.testing.assert_array_equal(clips[0].xyz, people.clip(5, 2, seed=1).xyz)
    assert clips.faults == ()


def test_arrays_of_two_folders_keep_their_names_apart(tmp_path):
    make(tmp_path / "xsub")
    make(tmp_path / "xview")
    assert [r.name for r in read(tmp_path).rows][::2] == [*("xsub/S001C002P001R001A001", "xview/S001C002P001R001A001")]


def test_an_array_larger_than_memory_is_read_clip_by_clip(tmp_path):
    # A file with holes: 4 TB that it says it has, of which three clips are written.
    shape = (30_000_000, 3, 300, 25, 2)
    mapped = np.lib.format.open_memmap(tmp_path / "train_data.npy", "w+", np.float32, (3, *shape[1:]))
    mapped[:, :, :10] = 1.5
    mapped.flush()
    del mapped
    with (tmp_path / "train_data.npy").open("r+b") as stream:
        stream.seek(0)
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
        start = stream.tell()
        try:
            stream.truncate(start + 4 * int(np.prod(shape, dtype=object)))
        except OSError:
            pytest.skip("no file of 5 TB can be made here")
    found = st_gcn.READER.sniff(tmp_path / "train_data.npy")
    assert found
    array = st_gcn.open_npy(tmp_path / "train_data.npy")
    (first,) = st_gcn.read_rows(array, 2, 3)
    xyz, valid = st_gcn.unpadded(first)
    assert (xyz.shape, bool((xyz == 1.5).all()), bool(valid.all())) == ((3, 10, 25, 2), True, True)


def test_a_header_that_promises_more_than_the_file_is_refused_at_once(tmp_path):
    with (tmp_path / "train_data.npy").open("wb") as stream:
        shape = (10**12, 3, 300, 25, 2)
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
        stream.write(b"\0" * 1000)
    with pytest.raises(DataError, match=r"1128 bytes for .*which takes 180000000000000128"):
        read(tmp_path)


def test_damaged_label_files_cost_the_labels_and_nothing_else(tmp_path):
    make(tmp_path / "set")
    file = tmp_path / "set" / "train_label.pkl"
    whole = file.read_bytes()
    for seed in range(200):
        rng = Random(seed)
        data = bytearray(whole)
        for _ in range(rng.choice((1, 2))):
            data[rng.randrange(len(data))] = rng.choice((0, 46, 255, rng.randrange(256)))
        file.write_bytes(data[: rng.randrange(len(data))] if seed % 4 == 0 else data)
        told = []
        clips = list(recognise(tmp_path / "set").clips(told.append))
        assert len(clips) == 2 or told
        assert clips[-1].splits == ("val",)


def test_the_real_sample_is_one_clip_of_72_frames(shared):
    file = shared / "formats" / "paddlevideo_example_NTU-RGB-D_sketeton.npy"
    info = inspect(file)
    assert (info.format, info.layout, info.clips, info.longest) == ("st-gcn", "ntu25", 1, 72)
    assert (info.bodies, info.unlabelled, info.units, info.faults) == ({1: 1}, 1, "metres", ())
    (clip,) = read(file)
    np.testing.assert_array_equal(clip.xyz[..., 0], np.load(file, allow_pickle=False)[:, :72, :, 0])


# writing


def test_what_is_written_is_what_the_field_reads(tmp_path):
    made = ClipSet.from_clips([people.clip(5, 2, name="a", label=1), people.clip(7, name="b", label=0)], ["x", "y z"])
    assert WRITER.write(made, tmp_path / "out", np.array(["train", "test"]), None)[0].reason.startswith("no place for")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        *("classes.txt", "protocol.txt", "train_data.npy", "train_label.pkl", "val_data.npy", "val_label.pkl")
    ]
    array = np.load(tmp_path / "out" / "train_data.npy", mmap_mode="r", allow_pickle=False)
    assert (array.shape, array.dtype, array.flags.c_contiguous) == ((1, 3, 300, 25, 2), np.float32, True)
    np.testing.assert_array_equal(array[0, :, :5], made[0].xyz)
    assert not array[0, :, 5:].any()
    with (tmp_path / "out" / "val_label.pkl").open("rb") as stream:
        assert pickle.load(stream) == (["b"], [0])
    assert (tmp_path / "out" / "classes.txt").read_text() == "x\ny z\n"


def test_sides_have_files_of_their_own_and_longer_clips_longer_rows(tmp_path):
    made = ClipSet.from_clips(
        [people.clip(4, name=f"c{i}", label=0) for i in range(3)] + [people.clip(310)], list("abcd")
    )
    WRITER.write(made, tmp_path / "out", np.array(["train", "val", "test", "none"]), None)
    back = read(tmp_path / "out")
    splits = {r.name: r.splits for r in back.rows}
    assert splits == {"c0": ("train",), "c1": ("val",), "c2": ("test",), made.rows[3].name: ()}
    assert np.load(tmp_path / "out" / "data.npy", mmap_mode="r", allow_pickle=False).shape == (1, 3, 310, 25, 2)


@pytest.mark.parametrize("layout", ["ntu25", "openpose18"])
def test_ragged_clips_of_one_to_three_bodies_come_back_to_the_last_bit(tmp_path, layout):
    made = [people.clip(3 + 4 * i, 1 + i % 2, seed=i, layout=layout, name=f"clip {i}", label=i) for i in range(4)]
    made[1] = people.without(people.without(made[1], 1, [0, 5]), 0, [2])  # the second leaves, the first returns
    made[3] = people.without(people.without(made[3], 0, [6, 7]), 1, [6, 7])  # nobody, in the middle
    three = people.clip(6, 3, layout=layout, name="three", label=0)
    clips = ClipSet.from_clips([*made, three], list("abcd"))
    told = WRITER.write(clips, tmp_path / "out", np.full(5, "none"), None)
    back = read(tmp_path / "out")
    assert back.faults == ()
    for before, after in zip([*made, three], back, strict=True):
        bodies = min(before.bodies, 2)  # of the three the first two are the largest
        assert (after.name, after.label) == (before.name, before.label)
        assert after.xyz.tobytes() == np.ascontiguousarray(before.xyz[..., :bodies]).tobytes()
        np.testing.assert_array_equal(after.valid, before.valid[:, :bodies])
    assert [fault.file for fault in told if "3 bodies" in fault.reason] == ["three"]


def test_a_body_at_the_origin_is_said_to_be_lost(tmp_path):
    clip = people.clip(4)
    clip.xyz[:, 2] = 0
    made = ClipSet.from_clips([clip], list("abcd"))
    (fault,) = [fault for fault in WRITER.write(made, tmp_path / "out", np.array(["none"]), None) if fault.frames]
    assert (fault.file, fault.dropped, fault.frames) == (clip.name, "frames", 1)
    assert read(tmp_path / "out")[0].valid[:, 0].tolist() == [True, True, False, True]
