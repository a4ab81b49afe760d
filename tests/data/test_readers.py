"""Every format reads into the same kind of clip; what is asked for wrongly is said, and no sound file is lost."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

from stgcn_lens.data import READERS, read
from stgcn_lens.data.clip import check
from stgcn_lens.data.dataset import Fault
from stgcn_lens.data.parsing.places import as_name
from stgcn_lens.data.readers import ntu, recognise
from stgcn_lens.data.splits import PROTOCOLS
from stgcn_lens.errors import DataError
from tests.data import people
from tests.data.makers import MAKERS, MODULES
from tests.data.makers.ntu import NAMES
from tests.data.makers.ntu import make as ntu_folder
from tests.data.makers.utd_mhad import make as utd_folder
from tests.data.makers.utd_mhad import write as write_utd

FILES = [reader for reader in READERS if MODULES[reader.name].SUFFIX]  # those that read a clip from one file


def first_file(folder, name):
    """The first file that holds clips."""
    return sorted(file for file in folder.rglob("*") if file.suffix == MODULES[name].SUFFIX)[0]


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_reader_recognises_its_own_files_and_no_others(reader, tmp_path):
    for name, make in MAKERS.items():
        make(tmp_path / name)
        assert recognise(tmp_path / name).reader.name == name
        known = [file for file in (tmp_path / name).rglob("*") if file.is_file() and reader.sniff(file)]
        assert bool(known) == (name == reader.name), known


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_reader_yields_sound_clips_classes_and_a_known_protocol(reader, tmp_path):
    MAKERS[reader.name](tmp_path / "set")
    clips = read(tmp_path / "set")
    assert clips.source == ("native" if reader.name == "native" else reader.name)
    assert clips.protocol in PROTOCOLS
    assert len({row.name for row in clips.rows}) == len(clips)
    assert clips.faults == ()
    for clip in clips:
        check(clip)
        assert clip.label is None or 0 <= clip.label < len(clips.classes)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_reading_into_a_folder_gives_the_same_set(reader, tmp_path):
    MAKERS[reader.name](tmp_path / "set")
    seen = []
    held, stored = (
        read(tmp_path / "set"),
        read(tmp_path / "set", into=tmp_path / "native", progress=lambda *at: seen.append(at)),
    )
    assert isinstance(stored.xyz, np.memmap)
    np.testing.assert_array_equal(stored.xyz, held.xyz)
    np.testing.assert_array_equal(stored.valid, held.valid)
    assert (stored.rows, stored.classes, stored.source, stored.protocol) == (
        held.rows,
        held.classes,
        held.source,
        held.protocol,
    )
    assert seen == [(i + 1, len(seen)) for i in range(len(held))]


@pytest.mark.parametrize("reader", FILES, ids=lambda reader: reader.name)
def test_a_file_of_rubbish_is_listed_and_the_others_are_read(reader, tmp_path):
    MAKERS[reader.name](tmp_path / "set")
    whole = read(tmp_path / "set")
    first = first_file(tmp_path / "set", reader.name)
    rubbish = first.with_name("a01_s01_e00 damaged copy" + first.suffix)
    rubbish.write_bytes(b"\x00\xffnot a skeleton" * 20)
    clips = read(tmp_path / "set")
    assert clips.rows == whole.rows
    assert [(fault.file, fault.dropped) for fault in clips.faults] == [(rubbish.name, "clip")]


@pytest.mark.parametrize("reader", FILES, ids=lambda reader: reader.name)
def test_one_file_can_be_read_by_itself(reader, tmp_path):
    MAKERS[reader.name](tmp_path / "set")
    (clip,) = read(first_file(tmp_path / "set", reader.name))
    np.testing.assert_array_equal(clip.xyz, read(tmp_path / "set")[0].xyz)


@pytest.mark.parametrize("reader", FILES, ids=lambda reader: reader.name)
def test_equal_names_in_two_folders_are_kept_apart(reader, tmp_path):
    for session in ("monday", "tuesday"):
        (tmp_path / "all").mkdir(exist_ok=True)
        MAKERS[reader.name](tmp_path / "all" / session)
    rows = read(tmp_path / "all").rows
    assert rows[0].name.startswith("monday/")
    assert len({row.name for row in rows}) == len(rows)
    assert {row.label for row in rows} == {row.label for row in read(tmp_path / "all" / "monday").rows}


@pytest.mark.parametrize(
    "suffix", sorted({suffix for reader in READERS for suffix in reader.suffixes} | {".zip", ".tar"})
)
def test_an_empty_file_is_called_one(tmp_path, suffix):
    file = tmp_path / f"a{suffix}"
    file.touch()
    with pytest.raises(DataError, match=f"{re.escape(str(file))}: .*: got an empty file, expected one of"):
        read(file)


def test_what_is_neither_file_nor_folder_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataError, match="got neither a file nor a folder"):
        read(tmp_path / "pipe.csv")


def test_an_empty_folder_says_what_was_looked_for(tmp_path):
    with pytest.raises(
        DataError, match="no skeletons that a reader knows: got an empty folder, expected one of"
    ) as caught:
        read(tmp_path)
    assert all(reader.name in str(caught.value) for reader in READERS)
    assert str(tmp_path) in str(caught.value)


def test_files_that_no_reader_knows_are_told_what_those_of_such_names_look_like(tmp_path):
    (tmp_path / "a.JSON").write_text('{"a": 1}')
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    for reader in READERS:
        assert (f"{reader.name}: {reader.what}" in str(caught.value)) == (".json" in reader.suffixes)


def test_json_files_of_other_things_are_no_native_set(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(DataError, match=r"no files of format native: got files: 1 \.json, expected a folder with"):
        read(tmp_path, format="native")


def test_what_may_not_be_read_is_said_and_the_rest_is_read(tmp_path, monkeypatch):
    (tmp_path / "all").mkdir()
    for name in ("open", "closed"):
        ntu_folder(tmp_path / "all" / name)
    closed, allowed = tmp_path / "all" / "closed", os.access
    monkeypatch.setattr(os, "access", lambda path, mode: closed not in (path, *path.parents) and allowed(path, mode))
    clips = read(tmp_path / "all")
    assert len(clips) == 3
    assert clips.faults == (Fault("closed", "a folder that this user may not read was passed over"),)
    for path in (closed, closed / f"{NAMES[0]}.skeleton"):
        with pytest.raises(DataError, match=f"{re.escape(str(path))}: may not be read: got no permission"):
            read(path)


def test_a_folder_of_files_that_may_not_be_read_says_so(tmp_path, monkeypatch):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.npy").write_bytes(b"closed")
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path.suffix != ".npy" and allowed(path, mode))
    with pytest.raises(DataError, match=r"a\.npy: may not be read: got no permission"):
        read(tmp_path / "set")


def test_hidden_folders_are_passed_over(tmp_path):
    ntu_folder(tmp_path / "set")
    (tmp_path / "set" / ".half written").mkdir()
    ntu_folder(tmp_path / "set" / ".half written" / "clips")
    assert len(read(tmp_path / "set")) == 3


def test_a_folder_of_other_things_says_what_is_there(tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"\0")
    (tmp_path / "notes.txt").write_text("1 2 3\n")
    with pytest.raises(DataError, match=r"got files: 1 \.mp4, 1 \.txt"):
        read(tmp_path)


@pytest.mark.parametrize("name", [reader.name for reader in READERS])
def test_a_format_that_is_not_there_is_refused_with_what_is(tmp_path, name):
    with pytest.raises(
        DataError, match=f"{re.escape(str(tmp_path))}: .*(an empty folder|expected a folder that holds)"
    ):
        read(tmp_path, format=name)


def test_a_missing_path_and_an_unknown_format_are_named(tmp_path):
    with pytest.raises(DataError, match="no such file or folder"):
        read(tmp_path / "nowhere")
    with pytest.raises(DataError, match="unknown format: got 'fbx', expected auto or one of native, ntu, utd-mhad"):
        read(tmp_path, format="fbx")


@pytest.mark.parametrize("kind", ["ntu", "native"])
def test_another_bone_set_for_the_same_joints_can_be_chosen(kind, tmp_path):
    MAKERS[kind](tmp_path / "set")
    assert read(tmp_path / "set", layout="ntu25-hand").layout == "ntu25-hand"
    assert read(tmp_path / "set", layout="ntu25-hand", into=tmp_path / "native")[0].layout == "ntu25-hand"
    with pytest.raises(DataError, match="got 20 joints of 'kinect20', expected the 25 joints of 'ntu25'"):
        read(tmp_path / "set", layout="kinect20")


def test_a_folder_of_other_things_is_never_overwritten(tmp_path):
    ntu_folder(tmp_path / "set")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(DataError, match="would overwrite other things"):
        read(tmp_path / "set", into=tmp_path / "mine")
    with pytest.raises(DataError, match="would overwrite other things"):
        ntu.write_set(read(tmp_path / "set"), tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.tex").exists()


def test_classes_are_named_by_a_list_beside_or_above_and_missing_ones_keep_their_number(tmp_path):
    utd_folder(tmp_path / "raw")
    assert read(tmp_path / "raw").classes == ("action 1", "action 2", "action 3")
    (tmp_path / "classes.txt").write_text("swipe\nwave\nclap\nthrow\n")
    clips = read(tmp_path / "raw")
    assert clips.classes == ("swipe", "wave", "clap", "throw")
    assert clips.labels.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("maker", "name", "classes", "expected"),
    [
        (utd_folder, "a3_s2_t4_skeleton", "one\ntwo\n", "got class 3, expected 1 to 2"),
        (ntu_folder, NAMES[1], "one\ntwo\n", "got class 3, expected 1 to 2"),
        (utd_folder, "a0_s1_t1_skeleton", "one\ntwo\nthree\n", "got class 0, expected 1 to 3"),
    ],
)
def test_a_label_out_of_range_is_listed_and_left_out(tmp_path, maker, name, classes, expected):
    maker(tmp_path / "raw")
    if not list((tmp_path / "raw").glob(f"{name}.*")):
        write_utd(people.clip(layout="kinect20"), tmp_path / "raw", name)
    (tmp_path / "raw" / "classes.txt").write_text(classes)
    clips = read(tmp_path / "raw")
    (fault,) = clips.faults
    assert Path(fault.file).stem == name
    assert f"label out of range: {expected}" in fault.reason
    assert name not in {row.name for row in clips.rows}


def test_real_sets_are_told_apart_by_content(shared):
    assert recognise(shared / "utd_mhad").reader.name == "utd-mhad"
    assert recognise(shared / "msr_action3d").reader.name == "msr-action3d"
    assert recognise(shared / "msr_action3d").classes[0] == "high arm wave"


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("../../etc/passwd", "\ufffd/\ufffd/etc/passwd"),
        ("/root/clip", "root/clip"),
        ("..\\up", "\ufffd/up"),
        ("monday/S001", "monday/S001"),
        (".hidden..name", ".hidden..name"),
        ("", "\ufffd"),
    ],
)
def test_a_name_never_leads_out_of_a_folder(name, called, tmp_path):
    assert as_name(name) == called
    inside = (tmp_path / f"{as_name(name)}.skeleton").resolve()
    assert inside.is_relative_to(tmp_path.resolve())


@pytest.mark.parametrize("into", [None, "native"])
def test_a_set_says_which_clips_it_gives_the_rate_and_the_units_of_others(into, tmp_path, monkeypatch):
    ntu_folder(tmp_path / "set")
    parse = ntu.parse

    def differing(file, name, *args, **more):
        return parse(file, name, *args, **more).replace(
            **({} if name == NAMES[0] else {"fps": 15.0, "units": "pixels"})
        )

    monkeypatch.setattr(ntu, "parse", differing)
    clips = read(tmp_path / "set", into=None if into is None else tmp_path / into)
    others = len(clips) - 1
    told = [fault.reason for fault in clips.faults if fault.dropped == "nothing"]
    assert (clips.fps, clips.units) == (30.0, "metres")
    assert f"other frames a second than the first clip's in {others} clips; the set says 30.0 for all" in told
    assert f"other units than the first clip's in {others} clips; the set says metres for all" in told


def test_a_name_without_end_is_cut_so_that_the_set_can_be_stored(tmp_path):
    assert as_name("a" * 50_000) == "a" * 1000


def test_numbers_in_a_name_that_nobody_counts_to_are_no_ids(tmp_path):
    utd_folder(tmp_path / "set")
    file = first_file(tmp_path / "set", "utd-mhad")
    file.rename(file.with_name(f"a1_s{'9' * 30}_t1_skeleton.mat"))
    rows = {row.name: row for row in read(tmp_path / "set").rows}
    assert rows[f"a1_s{'9' * 30}_t1_skeleton"].subject is None
    assert sum(row.subject is None for row in rows.values()) == 1


@pytest.mark.parametrize("name", ["classes.txt", "protocol.txt"])
def test_a_text_beside_the_files_is_not_read_without_end(name, tmp_path):
    ntu_folder(tmp_path / "set")
    (tmp_path / "set" / name).write_bytes(b"ntu60\n" + b"a" * 2_000_000)
    with pytest.raises(DataError, match=f"too long for a {name}: got over 1048576 bytes"):
        read(tmp_path / "set")
