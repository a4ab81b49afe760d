"""The description of a data set counts what is there."""

import json
import subprocess
import sys
from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.info import Info, histogram, inspect, survey
from stgcn_lens.data.readers import ntu, read
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.errors import DataError
from stgcn_lens.runs import plain
from stgcn_lens.skeleton import get_layout, own
from stgcn_lens.training.prepared import Prepared
from tests.data import people

KINECT = get_layout("kinect20")


@pytest.fixture
def folder(tmp_path):
    """Four sound files, two of them equal, one without a code; one file cut; three class names, one unused."""
    clips = [
        people.clip(5, seed=1, name="S001C001P001R001A001"),
        people.clip(5, seed=1, name="S001C002P001R002A001"),
        people.without(people.clip(9, 2, seed=2, name="S001C001P002R001A003"), 1, [0, 1, 2]),
        people.clip(20, seed=3, name="free name"),
    ]
    made = ClipSet.from_clips(clips, ["wave", "bow", "kick"])
    ntu.write_set(made, tmp_path / "set")
    (tmp_path / "set" / "S001C001P001R001A002.skeleton").write_text("1\n1\n72 0 0 0 0\n")
    return tmp_path / "set"


def test_everything_is_counted(folder):
    info = inspect(folder)
    assert (info.format, info.layout, info.joints, info.channels, info.units) == ("ntu", "ntu25", 25, 3, "metres")
    assert (info.clips, info.frames, info.shortest, info.median, info.longest) == (4, 39, 5, 7.0, 20)
    assert info.classes == {"wave": 2, "bow": 0, "kick": 1}
    assert (info.unlabelled, info.subjects, info.views, info.setups) == (1, {1: 2, 2: 1}, {1: 2, 2: 1}, {1: 3})
    assert info.bodies == {1: 3, 2: 1}
    assert info.absent == pytest.approx(3 / (5 + 5 + 18 + 20))
    assert info.duplicates == (("S001C001P001R001A001", "S001C002P001R002A001"),)
    assert [fault.file for fault in info.faults] == ["S001C001P001R001A002.skeleton"]
    assert info.bytes == 48 * (25 * 3 * 4 + 1)


def test_extent_is_that_of_present_bodies(folder):
    clips = ClipSet.from_clips([people.without(people.clip(9, 2), 1, [3])], list("abcd")).save(folder.parent / "n")
    there = clips.xyz[clips.valid].reshape(-1, 3)
    info = inspect(folder.parent / "n")
    np.testing.assert_array_equal(info.extent, np.stack([there.min(axis=0), there.max(axis=0)], axis=1))
    assert info.extent[2][0] > 0  # absent bodies are zero there


def test_it_can_be_stored_as_json_and_printed(folder):
    info = inspect(folder)
    stored = json.loads(json.dumps(plain(info)))
    assert stored["classes"] == {"wave": 2, "bow": 0, "kick": 1}
    assert set(stored) == {field.name for field in fields(Info)}
    text = info.text()
    for fact in (
        "ntu; layout ntu25: 25 joints, x, y, z in metres",
        "4 clips, 39 frames, 1.3 s at 30 frames a second",
        "5 to 20 frames",
        "3, of which 2 have clips; 1 to 2 clips each; clips without a label: 1",
        "1 in 3 clips, 2 in 1 clip; absent in 6.2% of their frames",
        "2, number (clips): 1 (2), 2 (1)",
    ):
        assert fact in text
    for not_there in ("bow", "free name"):  # a class without clips; the name of a clip that nothing is wrong with
        assert not_there not in text
    assert "S001C001P001R001A001 = S001C002P001R002A001" in text
    assert "S001C001P001R001A002.skeleton: frame 0: cut mid-frame" in text
    assert "... and 1 more" in info.text(most=1)


def test_text_fits_a_terminal_of_100_columns_but_for_faults_which_keep_to_one_line(folder):
    lines = inspect(folder).text().splitlines()
    assert all(len(line) <= 100 for line in lines[1:] if not line.startswith("    S001"))
    assert next(line for line in lines if "cut mid-frame" in line).endswith("get the file again or remove it")


def test_names_cannot_move_the_cursor_of_a_terminal_nor_fail_to_print(tmp_path):
    names = ("red \x1b[31m", "two\nlines", "not utf-8 \udcff", "größer")
    for name in names:
        ntu.write(people.clip(3, seed=1, name=name), tmp_path)
    (tmp_path / "classes.txt").write_text("d\x07\n")
    (tmp_path / "cut \x1b[2J.skeleton").write_text("2\n1\n")
    info = inspect(tmp_path)
    info.text().encode()
    assert not any(sign in info.text() for sign in "\x1b\r\x07\udcff")
    assert sorted(info.duplicates[0]) == ["größer", "not utf-8 \ufffd", "red \ufffd[31m", "two\ufffdlines"]
    assert [fault.dropped for fault in info.faults] == ["clip", "nothing", "nothing", "nothing"]
    assert len(read(tmp_path, into=tmp_path / "native")) == 4


def test_every_class_is_listed_once_however_many_columns_there_are(tmp_path):
    clips = [people.clip(3, name=f"c{i}", label=i, seed=i) for i in range(25)]
    ClipSet.from_clips(clips, [f"class <{i}>" for i in range(25)]).save(tmp_path / "set")
    text = inspect(tmp_path / "set").text()
    assert [text.count(f"class <{i}>") for i in range(25)] == [1 + (i < 3) for i in range(25)]  # 3 in the remark
    assert max(line.count("class <") for line in text.splitlines()) == 3


def test_progress_counts_files(folder):
    seen = []
    inspect(folder, progress=lambda *at: seen.append(at))
    assert seen == [(i, 5) for i in range(1, 6)]


def test_a_folder_of_broken_files_only_is_an_error_with_the_first(tmp_path):
    (tmp_path / "a.skeleton").write_text("2\n1\n")
    with pytest.raises(DataError, match=r"no clip could be read: got 1 fault, first a.skeleton: "):
        inspect(tmp_path, format="ntu")


@pytest.mark.parametrize("lengths", [[7], [3, 3, 4], list(range(13, 256)), [1, 1000]])
def test_a_histogram_counts_everything_once_in_bins_that_touch(lengths):
    bins = histogram(lengths)
    assert len(bins) <= 10
    assert [sum(low <= n <= high for n in lengths) for low, high, _ in bins] == [count for *_, count in bins]
    assert sum(count for *_, count in bins) == len(lengths)
    assert all(after[0] == before[1] + 1 for before, after in pairwise(bins))


def native(tmp_path, clips, classes=tuple("abcd"), **about):
    ClipSet.from_clips(clips, classes, **about).save(tmp_path / "native")
    return tmp_path / "native"


def test_missing_joints_are_those_at_zero_in_3d_and_those_of_score_zero_in_2d(tmp_path):
    deep, flat = people.clip(10, 2, seed=1), people.clip(8, layout="coco17", seed=2)
    deep.xyz[:, 4:7, deep.skeleton.index("left_thumb"), 1] = 0
    deep = people.without(deep, 1, [9])
    flat.xyz[2, :6, flat.skeleton.index("left_ear")] = 0
    flat.xyz[:2, 3, flat.skeleton.index("nose")] = 0  # seen, in the corner of the picture
    missing = inspect(native(tmp_path / "3d", [deep])).missing
    assert {joint: share for joint, share in missing.items() if share} == {"left_thumb": pytest.approx(3 / 19)}
    info = inspect(native(tmp_path / "2d", [flat]))
    assert {joint: share for joint, share in info.missing.items() if share} == {"left_ear": pytest.approx(6 / 8)}
    assert "missing (they have score 0): left_ear 75.0%" in info.text()
    assert any("missing in more than half of all poses: left_ear (75%)" in remark for remark in info.remarks)


def test_the_origin_of_centred_clips_is_not_called_missing(tmp_path):
    clips = [people.clip(6, name=name, seed=i) for i, name in enumerate("abc")]
    middle = clips[0].skeleton.index("spine_mid")
    clips = [clip.replace(xyz=clip.xyz - clip.xyz[:, :1, [middle]]) for clip in clips]
    info = inspect(native(tmp_path, clips))
    assert (info.origin, info.missing["spine_mid"]) == ("spine_mid", 0)
    assert any(remark.startswith("spine_mid is at zero") for remark in info.remarks)
    clips[1].xyz[:, 0] += 1
    assert inspect(native(tmp_path / "moved", clips)).origin is None


def test_sides_splits_and_completeness_are_told(tmp_path):
    clips = [
        people.clip(4, name=f"c{i}", seed=i, subject=i % 4 + 1, view=None, splits=(("train",) if i < 5 else ("val",)))
        for i in range(8)
    ]
    info = inspect(native(tmp_path, clips, protocol="utd-mhad"))
    assert info.sides == {"train": 5, "val": 3}
    assert info.splits == {"subject": {"test": 4, "train": 4}, "file": {"test": 3, "train": 5}}
    assert info.complete == "not the whole set: 8 clips, utd-mhad has 861; train/test 4/4 of 431/430 by subject"
    alone = [clip.replace(subject=2) for clip in clips]
    why = inspect(native(tmp_path / "alone", alone, protocol="utd-mhad")).splits["subject"]
    assert why == "splitting by subject leaves no clip to train: got subject 2, of which none train"


def test_a_clip_that_its_source_puts_on_two_sides_is_remarked_once(tmp_path):
    sides = [("train",), ("test",), ("train", "test"), ("train",)]
    clips = [people.clip(4, name=f"c{i}", seed=i, splits=side) for i, side in enumerate(sides)]
    info = inspect(native(tmp_path, clips))
    assert info.splits["file"] == {"none": 1, "test": 1, "train": 2}
    assert [remark for remark in info.remarks if "two sides" in remark] == [
        "c2: the source puts this clip on two sides; it is on none"
    ]


def test_equal_clips_on_both_sides_or_under_two_labels_are_remarked(tmp_path):
    one, other = people.clip(5, seed=1, name="one", subject=1), people.clip(5, seed=1, name="other", subject=2, label=0)
    info = inspect(native(tmp_path, [one, other, people.clip(5, seed=2, name="third", subject=2)]))
    assert info.duplicates == (("one", "other"),)
    assert any("1 group of equal clips under different labels: one = other" in remark for remark in info.remarks)
    assert any("1 group of equal clips on both sides of the split by subject" in remark for remark in info.remarks)


def test_units_axes_crowds_and_long_gaps_are_remarked(tmp_path):
    def remarks(clip, name):
        return " ".join(inspect(native(tmp_path / name, [clip])).remarks)

    clip = people.clip(6)
    assert remarks(clip, "sound") == ""
    assert "the spine is 466 long" in remarks(clip.replace(xyz=1000 * clip.xyz), "millimetres")
    assert "bodies stand along +z where layout 'ntu25' says +y" in remarks(
        clip.replace(xyz=clip.xyz[[2, 0, 1]]), "z up"
    )
    assert "bodies stand along -y" in remarks(
        clip.replace(xyz=clip.xyz * np.float32([1, -1, -1])[:, None, None, None]), "down"
    )
    assert "up to 3 bodies in one frame" in remarks(people.clip(6, 3), "crowd")
    assert "1 clip has one frame only" in remarks(people.clip(1), "still")
    gap = people.without(people.clip(30), 0, slice(5, 20))
    info = inspect(native(tmp_path / "gap", [gap]))
    (refused,) = info.unusable
    assert (refused.file, info.faults, info.left_out) == (gap.name, (), 0)
    assert "frame 5: nobody is there for too long: got 15 frames" in refused.reason


def test_coordinates_too_large_to_compute_with_are_told_without_a_warning(tmp_path):
    far, blank = people.clip(6, name="far"), people.clip(6, name="blank")
    far.xyz[0, 2, 5] = 3e38
    blank.xyz[:] = 0
    info = inspect(native(tmp_path, [far, blank]))
    assert [(fault.file, fault.dropped) for fault in info.faults] == [("far", "clip")]
    assert (info.origin, info.missing["head"]) == (None, 1.0)


def test_rates_and_units_that_differ_are_remarked(folder, monkeypatch):
    parse = ntu.parse

    def differing(*args, **more):
        clip = parse(*args, **more)
        return clip.replace(fps=15.0, units="pixels") if clip.frames > 6 else clip

    monkeypatch.setattr(ntu, "parse", differing)
    info = inspect(folder)
    assert (info.fps, info.units) == (30.0, "metres")
    assert any("15 (2 clips), 30 (2 clips)" in remark for remark in info.remarks)
    assert any("metres (2 clips), pixels (2 clips)" in remark for remark in info.remarks)


def test_a_joint_whose_name_begins_like_that_of_the_origin_can_be_missing(tmp_path):
    joints = (
        "hip centre" if joint == "spine" else "hip" if joint == "hip_centre" else joint for joint in KINECT.joints
    )
    layout = own(replace(KINECT, name="mine", joints=tuple(joints)))
    clip = people.clip(6, layout="kinect20").replace(layout=layout.name)
    clip.xyz[:, :, :2] = 0
    info = inspect(native(tmp_path, [clip]))
    assert info.origin == "hip"
    assert "missing in more than half of all poses: hip centre (100%)" in info.remarks


def test_the_first_so_many_clips_are_enough_where_one_says_so(folder):
    seen = []
    info = inspect(folder, most=2, progress=lambda *at: seen.append(at))
    assert (info.clips, info.most, info.frames, seen) == (2, 2, 5 + 9, [(1, 2), (2, 2)])
    assert info.complete is None
    assert "the first 2 only: all counts are of these" in info.text()
    assert inspect(folder, most=4).most is None  # that is all there are
    with pytest.raises(DataError, match="got 0, expected at least 1"):
        inspect(folder, most=0)


def test_faults_of_the_time_when_a_native_set_was_made_are_told_apart(folder, tmp_path):
    clips = read(folder, into=tmp_path / "native")
    info = inspect(tmp_path / "native")
    assert (info.earlier, info.faults, info.left_out) == (clips.faults, (), 0)
    assert (len(info.earlier), inspect(folder).left_out) == (1, 1)
    assert "S001C001P001R001A002.skeleton: frame 0: cut mid-frame" in info.text()


def test_samples_are_the_first_the_shortest_and_the_longest_or_others(tmp_path):
    lengths = {"a": 7, "b": 30, "c": 2, "d": 9}
    folder = native(tmp_path, [people.clip(n, name=name, seed=n) for name, n in lengths.items()])
    _, samples = survey(folder)
    assert [(s.clip.name, s.why, s.frames) for s in samples] == [
        ("a", "first", 7),
        ("c", "shortest", 2),
        ("b", "longest", 30),
    ]
    assert samples[2].at == (0, 4, 8, 12, 17, 21, 25, 29)
    np.testing.assert_array_equal(samples[2].clip.xyz, ClipSet.open(folder)[1].xyz[:, list(samples[2].at)])
    _, alike = survey(native(tmp_path / "alike", [people.clip(5, name=name, seed=i) for i, name in enumerate("abcde")]))
    assert len({sample.clip.name for sample in alike}) == 3
    assert [sample.why for sample in alike] == ["first", "another", "another"]


def test_prepared_bytes_are_what_training_writes(tmp_path):
    folder = native(tmp_path, [people.clip(5, 3, name="a"), people.clip(7, name="b")])
    prepared = Prepared.make(tmp_path / "cache", ClipSet.open(folder), Preprocessing(), 2, "0" * 16)
    assert inspect(folder).prepared_bytes == prepared.x.nbytes + prepared.present.nbytes


def sparse(folder, clips, frames):
    """A native set whose coordinates, all zero, take no room on the disk."""
    one = ClipSet.from_clips([people.clip(frames, name="c0")], list("abcd")).save(folder)
    row = one.xyz[0].nbytes
    total = clips * frames
    with (folder / "xyz.npy").open("r+b") as stream:
        head = stream.read(128).replace(b"(%d, 25, 3)" % frames, b"(%d, 25, 3)" % total)
        stream.seek(0)
        stream.write(head[:127].rstrip().ljust(127)[:127] + b"\n")
        stream.truncate(128 + total * row)
    np.save(folder / "valid.npy", np.ones(total, bool))
    table = (folder / "clips.csv").read_text().splitlines()
    (folder / "clips.csv").write_text("\n".join([table[0], *(table[1].replace("c0", f"c{i}") for i in range(clips))]))
    return total * row


@pytest.mark.parametrize("clips", [40, pytest.param(400, marks=pytest.mark.long)])
def test_an_array_far_larger_than_the_memory_it_may_take_is_described(tmp_path, clips):
    size = sparse(tmp_path / "set", clips, 25_000)  # 300 MB, 3 GB
    counted, frames, grown = inspected_elsewhere(tmp_path / "set")
    assert counted > size
    assert frames == clips * 25_000
    assert grown < 120e6


@pytest.mark.parametrize("clips", [5_000, pytest.param(16_667, marks=pytest.mark.long)])
def test_a_padded_array_far_larger_than_the_memory_it_may_take_is_described(tmp_path, clips):
    shape = (clips, 3, 300, 25, 2)  # 900 MB, 3 GB, of which most takes no room on the disk
    array = np.lib.format.open_memmap(tmp_path / "train_data.npy", mode="w+", dtype=np.float32, shape=shape)
    array[::100, :, :7, :, 0] = people.clip(7).xyz[..., 0]
    del array
    counted, frames, grown = inspected_elsewhere(tmp_path)
    assert frames == 7 * -(-clips // 100)
    assert counted == frames * (25 * 3 * 4 + 1)
    assert grown < 80e6


def inspected_elsewhere(path):
    """Bytes and frames that are found, and by how many bytes the process that looked has grown at its largest."""
    code = (
        "import sys\nfrom resource import RUSAGE_SELF, getrusage\nfrom stgcn_lens.data import inspect\n"
        "before = getrusage(RUSAGE_SELF).ru_maxrss\ninfo = inspect(sys.argv[1])\n"
        "print(info.bytes, info.frames, (getrusage(RUSAGE_SELF).ru_maxrss - before) * 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    return map(int, done.stdout.split())


def test_real_sets_are_described(shared):
    info = inspect(shared / "utd_mhad")
    assert (info.clips, len(info.classes), sum(info.subjects.values()), info.duplicates, info.faults) == (
        861,
        27,
        861,
        (),
        (),
    )
    assert max(info.classes.values()) == 32
