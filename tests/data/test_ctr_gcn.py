"""CTR-GCN's archive: read as a stream, stored or compressed; no small file unpacks to more than clips."""

import io
import zipfile

import numpy as np
import pytest

from stgcn_lens.data import ClipSet, read
from stgcn_lens.data.readers import ctr_gcn, recognise
from stgcn_lens.data.writers.ctr_gcn import WRITER
from stgcn_lens.errors import DataError
from tests.data import people
from tests.data.makers.ctr_gcn import x

SAVE = pytest.mark.parametrize("save", [np.savez, np.savez_compressed])


def clips(n=3, **about):
    return [people.clip(4 + i, 1 + i % 2, seed=i, **about) for i in range(n)]


def arrays(**change):
    made = {"x_train": x(clips(3)), "y_train": np.eye(4)[[1, 0, 3]], "x_test": x(clips(2)), "y_test": np.eye(4)[[2, 2]]}
    return {name: array for name, array in {**made, **change}.items() if array is not None}


def faults(source):
    return [(fault.file, fault.dropped, fault.reason) for fault in source.faults]


def members(file, content, method=zipfile.ZIP_DEFLATED):
    """An archive of raw members."""
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in content.items():
            archive.writestr(f"{name}.npy", data)
    return file


def npy(array):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=True)
    return stream.getvalue()


def promise(shape, descr="<f4"):
    """A header without its array."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
    return stream.getvalue()


# reading


@SAVE
def test_both_sides_are_read_with_their_labels(tmp_path, save):
    save(tmp_path / "NTU60_CS.npz", **arrays())
    source = read(tmp_path / "NTU60_CS.npz")
    assert [(r.name, r.label, r.splits, r.frames, r.bodies) for r in source.rows] == [
        *(("train_000000", 1, ("train",), 4, 1), ("train_000001", 0, ("train",), 5, 2)),
        *(("train_000002", 3, ("train",), 6, 1), ("test_000000", 2, ("test",), 4, 1)),
        ("test_000001", 2, ("test",), 5, 2),
    ]
    assert (source.classes, source.layout, source.units) == (
        tuple(f"action {i}" for i in range(1, 5)),
        "ntu25",
        "metres",
    )
    assert source.faults == ()
    for clip, made in zip(source, clips(3) + clips(2), strict=True):
        np.testing.assert_array_equal(clip.xyz, made.xyz)
        assert clip.valid.all()


def test_numbers_of_a_frame_are_body_then_joint_then_coordinate(tmp_path):
    rows = np.arange(1, 301, dtype=np.float32).reshape(1, 2, 150)
    np.savez(tmp_path / "a.npz", x_train=rows, y_train=[3])
    (clip,) = read(tmp_path / "a.npz")
    assert clip.xyz[:, 0, 0, 0].tolist() == [1, 2, 3]
    assert clip.xyz[:, 0, 1, 0].tolist() == [4, 5, 6]
    assert clip.xyz[:, 0, 0, 1].tolist() == [76, 77, 78]
    assert clip.xyz[:, 1, 24, 1].tolist() == [298, 299, 300]
    assert clip.label == 3


@SAVE
@pytest.mark.parametrize("dtype", [">f4", "<f8", "<f2"])
def test_every_kind_of_number_is_read(tmp_path, save, dtype):
    save(tmp_path / "a.npz", x_train=x(clips()).astype(dtype), y_train=np.array([0, 1, 2], np.uint8))
    for clip, made in zip(read(tmp_path / "a.npz"), clips(), strict=True):
        np.testing.assert_array_equal(clip.xyz, made.xyz.astype(dtype).astype(np.float32))


def test_a_second_body_that_copies_the_first_is_none_and_is_counted(tmp_path):
    rows = x(clips(4))
    rows[[0, 2], :, 75:] = rows[[0, 2], :, :75]
    np.savez(tmp_path / "a.npz", x_train=rows, y_train=[0, 1, 2, 3])
    source = read(tmp_path / "a.npz")
    assert [r.bodies for r in source.rows] == [1, 2, 1, 2]
    assert faults(source) == [
        ("a.npz:x_train", "nothing", "the second body copies the first in 2 clips, and was left out of them")
    ]


def test_a_clip_of_zeros_is_listed(tmp_path):
    np.savez(tmp_path / "a.npz", **arrays(x_test=np.stack([*x(clips(1)), np.zeros((10, 150), np.float32)])))
    source = read(tmp_path / "a.npz")
    assert len(source) == 4
    ((file, dropped, reason),) = faults(source)
    assert (file, dropped) == ("a.npz:x_test[1]", "clip")
    assert "no body in any frame: got 10 empty frames" in reason


@pytest.mark.parametrize(
    ("layout", "bodies", "channels", "wish", "found"),
    [
        ("ntu25", 2, 3, "ntu25-hand", "ntu25-hand"),
        ("ntu25", 1, 3, None, "ntu25"),
        ("kinect20", 2, 3, None, "kinect20"),
        ("kinect20", 1, 3, None, "kinect20"),
        ("coco17", 2, 3, None, "coco17"),
        ("openpose18", 2, 2, None, "openpose18"),
    ],
)
def test_other_joints_are_known_by_their_number_or_by_the_wish(tmp_path, layout, bodies, channels, wish, found):
    made = [clip.replace(xyz=clip.xyz[:channels, ..., :bodies]) for clip in clips(layout=layout)]
    rows = np.zeros((3, 10, bodies, made[0].xyz.shape[2], channels), np.float32)
    for i, clip in enumerate(made):
        rows[i, : clip.frames, : clip.xyz.shape[3]] = clip.xyz.transpose(1, 3, 2, 0)
    np.savez(tmp_path / "a.npz", x_train=rows.reshape(3, 10, -1), y_train=[0, 1, 2])
    source = read(tmp_path / "a.npz", layout=wish)
    assert (source.layout, source.channels) == (found, channels)
    for clip, one in zip(source, made, strict=True):
        np.testing.assert_array_equal(clip.xyz, one.xyz)


@pytest.mark.parametrize(("numbers", "wish"), [(149, None), (150, "kinect20"), (14, None)])
def test_numbers_that_are_no_bodies_are_refused_with_both(tmp_path, numbers, wish):
    np.savez(tmp_path / "a.npz", x_train=np.ones((2, 10, numbers), np.float32), y_train=[0, 1])
    with pytest.raises(DataError, match=rf"a\.npz:x_train: .*: got {numbers}, .* expected bodies x joints x channels"):
        read(tmp_path / "a.npz", layout=wish)


@pytest.mark.parametrize(
    "y",
    [
        [1, 0, 3],
        np.array([[1], [0], [3]]),
        np.array([1.0, 0, 3]),
        np.eye(4, dtype=bool)[[1, 0, 3]],
        0.5 * np.eye(4)[[1, 0, 3]],
    ],
)
@SAVE
def test_labels_are_one_hot_or_numbers(tmp_path, save, y):
    save(tmp_path / "a.npz", **arrays(y_train=y))
    source = read(tmp_path / "a.npz")
    assert source.labels.tolist() == [1, 0, 3, 2, 2]
    assert source.faults == ()


def test_rows_of_labels_that_mark_no_class_or_two_cost_their_clip(tmp_path):
    y = np.eye(4)[[1, 0, 3]]
    y[0], y[1] = 0, 1
    np.savez(tmp_path / "a.npz", **arrays(y_train=y))
    source = read(tmp_path / "a.npz")
    assert [r.name for r in source.rows] == ["train_000002", "test_000000", "test_000001"]
    assert [file for file, *_ in faults(source)] == ["a.npz:x_train[0]", "a.npz:x_train[1]"]


@pytest.mark.parametrize("y", [[-1, 0, 3], [0.5, 0, 3], [np.nan, 0, 3], [10**12, 0, 3], [10**4, 0, 3]])
def test_numbers_that_are_no_classes_cost_their_clip(tmp_path, y):
    np.savez(tmp_path / "a.npz", **arrays(y_train=y))
    source = read(tmp_path / "a.npz")
    assert source.labels.tolist() == [0, 3, 2, 2]
    assert len(source.classes) == 4


@pytest.mark.parametrize(
    ("y", "told"),
    [
        (None, "no labels: there is no y_train beside it"),
        (np.array([{"a": 1}, 2, 3], dtype=object), "not an array file that can be used"),
        (np.array(["a", "b", "c"]), "not an array file that can be used"),
        (np.zeros((3, 2, 2)), "not labels: got float64 (3, 2, 2)"),
        (np.array(3.0), "not labels"),
        (np.asfortranarray(np.eye(4)[[1, 0, 3]]), "Fortran order"),
    ],
)
def test_labels_that_cannot_be_used_are_told_and_the_clips_read_without(tmp_path, y, told):
    np.savez(tmp_path / "a.npz", **arrays(y_train=y))
    source = read(tmp_path / "a.npz")
    assert source.labels.tolist() == [-1, -1, -1, 2, 2]
    ((_, dropped, reason),) = faults(source)
    assert dropped == "nothing"
    assert told in reason


def test_labels_of_another_set_are_never_given_to_clips(tmp_path):
    np.savez(tmp_path / "a.npz", **arrays(y_train=np.eye(4)[[0, 1]]))
    source = read(tmp_path / "a.npz")
    assert [r.splits for r in source.rows] == [("test",)] * 2
    assert "labels of other clips: got 2 rows of y_train, expected 3, one a clip" in source.faults[0].reason


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (np.zeros((3, 10, 150), bool), "not clips: got bool"),
        (np.zeros((3, 10, 2, 75), np.float32), "not clips: got float32 (3, 10, 2, 75), expected numbers (N, T, F)"),
        (np.zeros((3, 0, 150), np.float32), "not clips"),
        (np.asfortranarray(np.ones((3, 10, 150))), "got Fortran order, expected C order"),
    ],
)
def test_other_arrays_are_refused_and_the_other_side_is_read(tmp_path, rows, told):
    np.savez(tmp_path / "a.npz", **arrays(x_train=rows))
    source = read(tmp_path / "a.npz")
    assert [r.splits for r in source.rows] == [("test",)] * 2
    assert told in source.faults[0].reason


def test_a_side_without_clips_is_no_fault(tmp_path):
    np.savez(tmp_path / "a.npz", **arrays(x_test=np.zeros((0, 10, 150), np.float32), y_test=np.zeros((0, 4))))
    assert read(tmp_path / "a.npz").faults == ()


def test_classes_are_as_many_as_columns_or_are_named_beside(tmp_path):
    np.savez(tmp_path / "a.npz", **arrays(y_train=np.eye(9)[[0, 1, 2]], y_test=None))
    assert len(read(tmp_path / "a.npz").classes) == 9
    (tmp_path / "classes.txt").write_text("".join(f"class {i}\n" for i in range(9)))
    assert read(tmp_path / "a.npz").classes[8] == "class 8"


# damage


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    "shape", [(10**12, 300, 150), (3, 10**15, 150), (3, 10, 10**17), (0, 10**17, 10**17), (4, 10, 150)]
)
def test_a_header_that_promises_more_than_its_member_is_refused_at_once(tmp_path, method, shape):
    made = arrays()
    content = {name: npy(array) for name, array in made.items()}
    content["x_train"] = promise(shape) + made["x_train"].tobytes()
    source = read(members(tmp_path / "a.npz", content, method))
    assert len(source) == 2
    assert "an array of another size than its header says" in source.faults[0].reason


@pytest.mark.parametrize("shape", [(1, 100_000, 150), (500, 300, 150), (30_000, 1, 150)])
def test_zeros_that_unpack_to_more_than_clips_are_refused_before_they_are_unpacked(tmp_path, shape, monkeypatch):
    content = {"x_train": npy(np.zeros(shape, np.float32)), "y_train": npy(np.zeros(shape[0], np.int64))}
    content |= {name: npy(array) for name, array in arrays().items() if "test" in name}
    file = members(tmp_path / "a.npz", content)
    assert file.stat().st_size < 200_000
    source = read(file)
    assert len(source) == 2
    assert "would unpack to more than clips ever do" in source.faults[0].reason


def test_labels_that_unpack_to_more_than_the_clips_are_not_unpacked(tmp_path):
    content = {name: npy(array) for name, array in arrays().items()}
    content["y_train"] = npy(np.zeros((3, 300_000)))
    source = read(members(tmp_path / "a.npz", content))
    assert source.labels.tolist() == [-1, -1, -1, 2, 2]
    assert "too large for labels" in source.faults[0].reason


@SAVE
def test_clips_before_a_damaged_place_are_read_and_the_lost_ones_counted(tmp_path, save):
    rng = np.random.default_rng(0)
    rows = rng.integers(1, 1000, (40, 10, 150)).astype(np.float32)
    save(tmp_path / "a.npz", x_train=rows, y_train=np.zeros(40, np.int64))
    data = bytearray((tmp_path / "a.npz").read_bytes())
    if save is np.savez:
        data[20 * 6000 + 300] ^= 1
    else:
        half = len(data) // 2
        data[half : half + 400] = b"\xff" * 400
    (tmp_path / "a.npz").write_bytes(data)
    source = read(tmp_path / "a.npz")
    _, dropped, reason = faults(source)[-1]
    assert dropped == "clip"
    if save is np.savez:
        assert len(source) == 39
        assert "the last clip is lost, and any other may be wrong" in reason
    else:
        assert 10 < len(source) < 30
        assert f"clips {len(source)} to 39 are lost" in reason


def test_an_encrypted_member_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", **arrays())
    data = bytearray((tmp_path / "a.npz").read_bytes())
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(mark) + at] |= 1
    (tmp_path / "a.npz").write_bytes(data)
    source = read(tmp_path / "a.npz")
    assert [r.splits for r in source.rows] == [("test",)] * 2
    assert "encrypted" in source.faults[0].reason


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_way_to_compress_that_numpy_does_not_know_is_refused(tmp_path, method):
    content = {name: npy(array) for name, array in arrays().items()}
    with pytest.raises(DataError, match=f"compressed in a way that numpy does not use: got method {method}"):
        read(members(tmp_path / "a.npz", content, method))


def test_other_archives_of_arrays_are_not_taken_for_clips(tmp_path):
    np.savez(tmp_path / "a.npz", features=np.ones((3, 4)))
    assert not ctr_gcn.READER.sniff(tmp_path / "a.npz")
    with pytest.raises(DataError, match="no skeletons that a reader knows"):
        recognise(tmp_path / "a.npz")


# writing


def test_what_is_written_is_what_the_field_reads(tmp_path):
    made = ClipSet.from_clips([people.clip(5, 2, label=1), people.clip(7, name="b", label=0)], ["x", "y", "z"])
    assert WRITER.write(made, tmp_path / "a.npz", np.array(["train", "test"]), None) == []
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        assert sorted(archive) == ["x_test", "x_train", "y_test", "y_train"]
        assert (archive["x_train"].shape, archive["x_train"].dtype) == ((1, 300, 150), np.float32)
        bodies = archive["x_train"].reshape(1, 300, 2, 25, 3)
        np.testing.assert_array_equal(bodies[0, :5].transpose(3, 0, 2, 1), made[0].xyz)
        assert not bodies[0, 5:].any()
        assert archive["y_train"].tolist() == [[0, 1, 0]]
        assert archive["y_test"].tolist() == [[1, 0, 0]]


def test_ragged_clips_of_one_to_three_bodies_come_back_to_the_last_bit(tmp_path):
    made = [people.clip(3 + 4 * i, 1 + i % 2, seed=i, name=f"clip {i}", label=i) for i in range(4)]
    made[1] = people.without(people.without(made[1], 1, [0, 5]), 0, [2])
    made[3] = people.without(people.without(made[3], 0, [6, 7]), 1, [6, 7])
    made += [people.clip(320, 3, name="three", label=0)]
    told = WRITER.write(ClipSet.from_clips(made, list("abcd")), tmp_path / "a.npz", np.full(5, "test"), None)
    back = read(tmp_path / "a.npz")
    assert back.faults == ()
    for before, after in zip(made, back, strict=True):
        assert (after.label, after.splits) == (before.label, ("test",))
        assert after.xyz.tobytes() == np.ascontiguousarray(before.xyz[..., :2]).tobytes()
        np.testing.assert_array_equal(after.valid, before.valid[:, :2])
    assert [(fault.file, fault.dropped) for fault in told] == [("three", "nothing")]


@pytest.mark.parametrize(
    ("sides", "expected", "dropped"),
    [
        (("none", "none", "none"), ["train", "train", "train"], ["nothing"]),
        (("train", "val", "test"), ["train", "train", "test"], ["nothing"]),
        (("train", "val", "val"), ["train", "test", "test"], []),
        (("train", "none", "test"), ["train", "test"], ["clip"]),
    ],
)
def test_there_are_two_sides_and_what_fits_neither_is_said(tmp_path, sides, expected, dropped):
    made = ClipSet.from_clips([people.clip(4 + i, label=i) for i in range(3)], list("abc"))
    told = WRITER.write(made, tmp_path / "a.npz", np.array(sides), None)
    assert [r.splits[0] for r in read(tmp_path / "a.npz").rows] == expected
    assert [fault.dropped for fault in told] == dropped


def test_a_clip_without_a_label_is_left_out_for_the_format_has_no_place_for_it(tmp_path):
    made = ClipSet.from_clips([people.clip(4, label=0), people.clip(5, name="b", label=None)], ["a"])
    (fault,) = WRITER.write(made, tmp_path / "a.npz", np.array(["train", "train"]), None)
    assert (fault.file, fault.dropped) == ("b", "clip")
    assert read(tmp_path / "a.npz").labels.tolist() == [0]


@pytest.mark.parametrize(("layout", "channels"), [("kinect20", 3), ("openpose18", 3), ("ntu25", 2)])
def test_other_joints_are_refused_before_anything_is_written(tmp_path, layout, channels):
    clip = people.clip(4, layout=layout)
    made = ClipSet.from_clips([clip.replace(xyz=clip.xyz[:channels])], list("abcd"))
    with pytest.raises(DataError, match=rf"a\.npz: .* got {channels} channels of .* expected 3 channels of 25 joints"):
        WRITER.write(made, tmp_path / "a.npz", np.array(["train"]), None)
    assert list(tmp_path.iterdir()) == []
