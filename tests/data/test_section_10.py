"""Section 10 of the design, what concerns data, all in one folder: sound clips are read, and each fault is told."""

import os
import pickle

import numpy as np
import pytest

from stgcn_lens.data import read
from stgcn_lens.data.info import inspect
from stgcn_lens.data.readers import ntu
from stgcn_lens.data.transforms import Preprocessing, prepare
from stgcn_lens.errors import DataError
from tests.data import people

NAME = "S001C001P{:03d}R001A{:03d}"


def spoiled(clip, joint, frames, value):
    """The clip with one joint of its first body at no place."""
    xyz = clip.xyz.copy()
    xyz[1, frames, joint, 0] = value
    return clip.replace(xyz=xyz)


def put(folder, subject, action, clip):
    """Write a clip under a name of the data set."""
    return ntu.write(clip.replace(name=NAME.format(subject, action)), folder)


@pytest.fixture
def folder(tmp_path, rng):
    """Every fault once, among sound clips of one frame, of 431, of one frame too late, and of a class of its own."""
    clips = {i: people.clip(20, seed=i) for i in range(1, 8)}
    put(tmp_path, 1, 1, clips[1])
    put(tmp_path, 2, 1, clips[1])  # the same clip again
    put(tmp_path, 3, 1, people.clip(1, seed=8))
    put(tmp_path, 4, 1, people.clip(431, seed=9))
    put(tmp_path, 5, 1, people.without(clips[2], 0, slice(0, 8)))
    put(tmp_path, 6, 1, people.among_furniture(rng))
    put(tmp_path, 7, 2, clips[3])  # alone in its class
    put(tmp_path, 8, 1, spoiled(clips[4], 5, slice(4, 7), np.nan))  # three frames can be repaired
    put(tmp_path, 11, 1, spoiled(clips[4], 5, slice(2, 18), np.nan))
    put(tmp_path, 12, 1, spoiled(clips[5], 7, slice(0, 20), np.inf))
    put(tmp_path, 13, 1, people.without(clips[6], 0, slice(None)))
    put(tmp_path, 14, 1, clips[7]).write_text("0\n")
    cut = put(tmp_path, 15, 1, clips[7])
    cut.write_bytes(cut.read_bytes()[:-700])
    put(tmp_path, 16, 121, clips[7])
    promising = put(tmp_path, 17, 1, clips[7])
    promising.write_text(promising.read_text().replace("20\n", "1000000000000\n", 1))
    return tmp_path


LEFT_OUT = {
    11: "a coordinate is not a finite number",
    12: "a coordinate is not a finite number",
    13: "no body in any frame: got 20 empty frames, expected at least one body",
    14: "no frames: got 0, expected at least 1",
    15: "frame 19: cut mid-frame: got 12 whole joints of body 1, expected 25",
    16: "label out of range: got class 121",
    17: "the frame count is not a whole number: got '1000000000000'",
}


def test_each_fault_is_listed_with_its_reason_and_all_sound_clips_are_read(folder):
    clips = read(folder)
    assert [row.subject for row in clips.rows] == list(range(1, 9))
    told = {int(fault.file[9:12]): fault for fault in clips.faults}
    assert len(told) == len(clips.faults) == len(LEFT_OUT) + 1
    for subject, reason in LEFT_OUT.items():
        assert reason in told[subject].reason
        assert told[subject].dropped == "clip"
    assert "not finite" in told[8].reason
    assert told[8].dropped == "nothing"
    for clip in clips:
        assert np.isfinite(clip.xyz).all()


def test_every_clip_that_was_read_becomes_a_sample(folder):
    clips = read(folder)
    samples = {row.subject: prepare(clips[i], Preprocessing(frames=300), 2) for i, row in enumerate(clips.rows)}
    for sample in samples.values():
        assert sample.x.shape == (3, 300, 25, 2)
        assert np.isfinite(sample.x).all()
        assert np.ptp(sample.x) > 0
    whole = people.clip(20, seed=2)
    late = whole.replace(xyz=whole.xyz[:, 8:], valid=whole.valid[8:])
    np.testing.assert_array_equal(samples[5].x, prepare(late, Preprocessing(frames=300), 2).x)


def test_what_is_odd_but_no_fault_is_remarked(folder):
    info = inspect(folder)
    assert info.duplicates == ((NAME.format(1, 1), NAME.format(2, 1)),)
    assert any("one frame only" in remark for remark in info.remarks)
    assert info.classes["A002"] == 1
    assert info.left_out == len(LEFT_OUT)


def test_other_joints_are_refused_with_both_numbers(folder):
    with pytest.raises(DataError, match="got 17 joints of 'coco17', expected the 25 joints of 'ntu25'"):
        read(folder, layout="coco17")


class Sly:
    """What a pickle can make a careless reader do."""

    def __reduce__(self):
        return os.mkdir, (os.environ["STGCN_LENS_TEST_TRAP"],)


def test_a_pickle_that_is_no_data_runs_nothing(tmp_path, monkeypatch):
    trap = tmp_path / "trap"
    monkeypatch.setenv("STGCN_LENS_TEST_TRAP", str(trap))
    (tmp_path / "set.pkl").write_bytes(pickle.dumps({"annotations": [Sly()]}))
    with pytest.raises(DataError):
        read(tmp_path, format="pyskl")
    assert not trap.exists()


def test_an_array_that_promises_more_than_its_file_is_refused(tmp_path):
    head = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 1000000000000, 25, 2), }".ljust(117) + "\n"
    array = np.lib.format.magic(1, 0) + len(head).to_bytes(2, "little") + head.encode() + bytes(600)
    (tmp_path / "train_data.npy").write_bytes(array)
    with pytest.raises(DataError, match="1000000000000"):
        read(tmp_path, format="st-gcn")
