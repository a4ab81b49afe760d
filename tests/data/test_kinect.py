"""UTD-MHAD and MSR-Action3D: joints by name, frames without a body, damaged files, and the real sets whole."""

import re
import struct

import numpy as np
import pytest
from scipy.io import savemat

from stgcn_lens.data import read
from stgcn_lens.data.parsing.mat5 import variables
from stgcn_lens.data.readers import msr_action3d, utd_mhad
from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import get_layout
from tests.data import people
from tests.data.makers.msr_action3d import make as msr_folder
from tests.data.makers.msr_action3d import write as write_msr
from tests.data.makers.utd_mhad import make as utd_folder
from tests.data.makers.utd_mhad import write as write_utd
from tests.data.people import edited


@pytest.mark.parametrize(("write", "name"), [(write_utd, "a3_s2_t4_skeleton"), (write_msr, "a03_s02_e04_skeleton3D")])
def test_kinect_joints_are_put_in_the_order_of_their_names(tmp_path, write, name):
    clip = people.clip(7, layout="kinect20")
    write(clip, tmp_path, name)
    (back,) = read(tmp_path)
    np.testing.assert_array_equal(back.xyz, clip.xyz)
    assert (back.layout, back.label, back.subject, back.view) == ("kinect20", 2, 2, None)
    assert back.valid.all()  # confidence 0, which half the rows of the text have, is no absence


@pytest.mark.parametrize("order", [utd_mhad.JOINTS, msr_action3d.JOINTS])
def test_stored_joints_are_those_of_the_layout(order):
    assert sorted(order) == sorted(get_layout("kinect20").joints)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"skeleton": np.zeros((20, 3, 5))}, r"a variable is missing: got \['skeleton'\], expected d_skel"),
        ({"d_skel": np.zeros((25, 3, 5))}, r"another shape: got \(25, 3, 5\) double, expected \(20, 3, frames\)"),
        ({"d_skel": np.zeros((20, 3, 0))}, "no frames: got 0"),
        ({"d_skel": "text"}, "another shape"),
        ({"d_skel": np.full((20, 3, 5), np.nan)}, r"frame 0: a coordinate is not a finite number: got \[nan"),
    ],
)
def test_a_mat_file_of_other_content_is_listed_and_the_others_are_read(tmp_path, content, message):
    utd_folder(tmp_path / "raw")
    savemat(tmp_path / "raw" / "a2_s1_t1_skeleton.mat", content)
    clips = read(tmp_path / "raw")
    assert len(clips) == 2
    assert clips.faults[0].file == "a2_s1_t1_skeleton.mat"
    assert re.search(message, clips.faults[0].reason), clips.faults[0].reason


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_mat_files_hold_what_scipy_wrote(tmp_path, rng, dtype, compressed):
    numbers = rng.integers(0, 100, (20, 3, 7)).astype(dtype)
    file = tmp_path / "a1_s1_t1_skeleton.mat"
    savemat(file, {"first": "text", "d_skel": numbers, "last": [[1, 2]]}, do_compression=compressed)
    with file.open("rb") as stream:
        found = {one.name: (one.shape, one.kind, one.values()) for one in variables(stream, file) if one.numeric}
    assert list(found) == ["d_skel", "last"]
    assert found["d_skel"][:2] == (
        (20, 3, 7),
        {"f8": "double", "f4": "single"}.get(dtype, f"{'u' * (dtype[0] == 'u')}int{8 * int(dtype[1])}"),
    )
    np.testing.assert_array_equal(found["d_skel"][2], numbers)
    np.testing.assert_array_equal(found["last"][2], [[1, 2]])


def test_a_mat_file_of_the_other_byte_order_reads_the_same(tmp_path, rng):
    numbers = rng.normal(size=(20, 3, 4))
    parts = [(6, np.array([6, 0], ">u4")), (5, np.array(numbers.shape, ">i4")), (1, np.frombuffer(b"d_skel", "u1"))]
    parts.append((9, numbers.astype(">f8").reshape(-1, order="F")))
    body = b"".join(
        struct.pack(">II", kind, part.nbytes) + part.tobytes() + bytes(-part.nbytes % 8) for kind, part in parts
    )
    file = tmp_path / "a1_s1_t1_skeleton.mat"
    file.write_bytes(b"MATLAB 5.0".ljust(124) + b"\x01\x00MI" + struct.pack(">II", 14, len(body)) + body)
    (clip,) = read(file)
    order = [clip.skeleton.index(name) for name in utd_mhad.JOINTS]
    np.testing.assert_array_equal(clip.xyz[:, :, order, 0], numbers.transpose(1, 2, 0).astype(np.float32))


def test_a_promise_of_a_packed_mat_file_is_not_believed(tmp_path):
    file = tmp_path / "a1_s1_t1_skeleton.mat"
    savemat(file, {"d_skel": np.zeros((20, 3, 100_000))}, do_compression=True)
    assert file.stat().st_size < 60_000
    with pytest.raises(DataError, match=r"48000000 bytes of numbers promised by a file of \d+\)"):
        read(file)


def test_a_packed_mat_file_whose_checksum_is_wrong_is_refused(tmp_path, rng):
    file = tmp_path / "a1_s1_t1_skeleton.mat"
    savemat(file, {"d_skel": rng.normal(size=(20, 3, 7))}, do_compression=True)
    assert len(read(file)) == 1
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(DataError, match="incorrect data check"):
        read(file)


def test_a_mat_file_that_crashes_scipy_is_refused(tmp_path):
    utd_folder(tmp_path / "raw")
    file = tmp_path / "raw" / "a1_s1_t1_skeleton.mat"
    content = bytearray(file.read_bytes())
    assert content[192] == 9  # the numbers are doubles
    content[192] = 8  # no type has this number; scipy 1.17 follows a null pointer
    file.write_bytes(content)
    (fault,) = read(tmp_path / "raw").faults
    assert "not a MATLAB file that can be read (numbers of type 8)" in fault.reason


def test_a_cut_mat_file_is_listed(tmp_path):
    utd_folder(tmp_path / "raw")
    file = tmp_path / "raw" / "a1_s1_t1_skeleton.mat"
    file.write_bytes(file.read_bytes()[:600])
    clips = read(tmp_path / "raw")
    assert [fault.file for fault in clips.faults] == [file.name]
    assert "not a MATLAB file that can be read" in clips.faults[0].reason


def test_a_mat_clip_of_one_frame_has_lost_its_last_axis(tmp_path):
    clip = people.clip(1, layout="kinect20")
    write_utd(clip, tmp_path, "a1_s1_t1_skeleton")
    (back,) = read(tmp_path)
    np.testing.assert_array_equal(back.xyz, clip.xyz)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda lines: lines[:-7], "frame 4: cut mid-frame: got 13 rows in the last frame, expected 20"),
        (
            lambda lines: [*lines[:-1], "0.1 0.2"],
            r"frame 4: a row of another length \(row 99\): got 2 values, expected 4",
        ),
        (lambda lines: edited(lines, 45, "1 2 x 0"), "frame 2: not a number: got 'x', expected x y z confidence"),
        (
            lambda lines: ["1 2 inf 0" if i % 20 == 5 else line for i, line in enumerate(lines)],
            r"frame 0: a coordinate is not a finite number: got \[1.0, 2.0, inf\]",
        ),
        (lambda lines: [], "an empty file: expected 20 rows a frame"),
        (lambda lines: ["0 0 0 0"] * 60, "no body in any frame: got 3 all-zero frames"),
    ],
)
def test_a_damaged_text_file_is_listed_and_the_others_are_read(tmp_path, damage, message):
    msr_folder(tmp_path / "raw")
    bad = tmp_path / "raw" / "a01_s01_e01_skeleton3D.txt"
    bad.write_text("".join(f"{line}\n" for line in damage(bad.read_text().splitlines())))
    clips = read(tmp_path / "raw")
    assert [row.label for row in clips.rows] == [2]
    assert [(fault.file, fault.dropped) for fault in clips.faults] == [(bad.name, "clip")]
    assert re.search(message, clips.faults[0].reason), clips.faults[0].reason


def test_all_zero_frames_show_no_body_and_are_cut_off_at_the_end_only(tmp_path):
    clip = people.without(people.clip(10, layout="kinect20"), 0, [0, 4, 8, 9])
    write_msr(clip, tmp_path, "a01_s01_e01_skeleton3D")
    clips = read(tmp_path)
    np.testing.assert_array_equal(clips[0].valid[:, 0], clip.valid[:8, 0])
    np.testing.assert_array_equal(clips[0].xyz, clip.xyz[:, :8])
    (fault,) = clips.faults
    assert (fault.dropped, fault.frames) == ("frames", 4)
    assert fault.reason == "all-zero frames: 2 of 10 frames cut off the end and 2 of 10 frames marked as without a body"


def test_utd_mhad_reads_whole(shared):
    clips = read(shared / "utd_mhad" / "raw")
    assert (len(clips), len(clips.classes), len(clips.faults)) == (861, 27, 0)
    assert clips.classes[0] == "right arm swipe to the left"
    frames = sorted(row.frames for row in clips.rows)
    assert (frames[0], frames[430], frames[-1]) == (41, 67, 125)
    x = clips.xyz[..., 0].mean(axis=0)
    lefts = [clips.skeleton.index(name) for name in ("left_shoulder", "left_hand", "left_hip", "left_foot")]
    rights = [clips.skeleton.mirror[joint] for joint in lefts]
    assert (x[lefts] < x[rights]).all()
    heights = clips.xyz[..., 1].mean(axis=0)
    order = ["head", "shoulder_centre", "spine", "hip_centre", "left_knee", "left_foot"]
    assert (np.diff([heights[clips.skeleton.index(name)] for name in order]) < 0).all()


def test_msr_action3d_reads_whole_and_lists_every_frame_without_a_body(shared):
    path = shared / "msr_action3d"
    assert len(list(path.rglob("a*_skeleton3D.txt"))) == 567
    clips = read(path)
    assert (len(clips), len(clips.classes)) == (566, 20)
    assert len(clips.faults) == 20
    assert sum(fault.frames for fault in clips.faults) == 1113
    assert [fault.file for fault in clips.faults if fault.dropped == "clip"] == ["a13_s09_e02_skeleton3D.txt"]
    assert clips[clips.index("a13_s09_e03_skeleton3D")].frames == 196
    heights = np.median(clips.xyz[clips.valid][..., 1], axis=0)
    order = ["head", "shoulder_centre", "hip_centre", "left_knee", "left_foot"]
    assert (np.diff([heights[clips.skeleton.index(name)] for name in order]) < 0).all()
    bones = np.linalg.norm(np.diff(clips.xyz[clips.valid][:, np.array(clips.skeleton.bones)], axis=2), axis=-1)
    assert np.median(bones, axis=0).max() < 0.6  # joints in a wrong order would make longer bones
