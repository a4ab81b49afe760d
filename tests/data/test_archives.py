"""Recordings in an archive read like the folder that was packed; nothing is written outside, and nothing stays."""

import gc
import io
import stat
import struct
import tarfile
import tempfile
import zipfile
from random import Random

import numpy as np
import pytest

from stgcn_lens.data import READERS, read
from stgcn_lens.data.info import inspect
from stgcn_lens.data.parsing import archives
from stgcn_lens.data.readers import recognise
from stgcn_lens.errors import DataError
from tests.data.makers import MAKERS
from tests.data.makers.ntu import make as ntu_folder
from tests.disk import no_file_above


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """The folder in which temporary folders are made; it must be empty when all is over."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield place
    if list(place.iterdir()):
        gc.collect()
    assert list(place.iterdir()) == []


def packed(folder, file, top=""):
    """The folder as an archive of the kind that the file's name says."""
    members = [(one, f"{top}{one.relative_to(folder)}") for one in sorted(folder.rglob("*")) if one.is_file()]
    if file.suffix == ".zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for one, name in members:
                archive.write(one, name)
    else:
        with tarfile.open(file, "w:gz" if file.suffix == ".gz" else "w") as archive:
            for one, name in members:
                archive.add(one, name)
    return file


def zipped(file, members):
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file


def tarred(file, members):
    """A tar of (TarInfo or name, content)."""
    with tarfile.open(file, "w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = info.size or len(content)
            archive.addfile(info, io.BytesIO(content))
    return file


def skeleton(tmp_path):
    """Bytes of one sound NTU file."""
    ntu_folder(tmp_path / "one")
    return sorted((tmp_path / "one").iterdir())[0].read_bytes()


def faults(clips):
    return [(fault.file, fault.reason) for fault in clips.faults]


@pytest.mark.parametrize("kind", ["set.zip", "set.tar", "set.tar.gz", "recordings"])
@pytest.mark.parametrize("top", ["", "nturgb+d/skeletons/"])
def test_an_archive_reads_like_the_folder_that_was_packed_whatever_it_is_called(tmp_path, home, kind, top):
    ntu_folder(tmp_path / "set")
    (tmp_path / "set" / "classes.txt").write_text("drink\neat\nbrush\n")
    if kind == "recordings":
        file = packed(tmp_path / "set", tmp_path / "set.zip", top).rename(tmp_path / kind)
    else:
        file = packed(tmp_path / "set", tmp_path / kind, top)
    plain, clips = read(tmp_path / "set"), read(file)
    np.testing.assert_array_equal(clips.xyz, plain.xyz)
    assert (clips.rows, clips.classes, clips.source, clips.faults) == (plain.rows, plain.classes, "ntu", ())
    assert clips.classes == ("drink", "eat", "brush")


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_every_format_is_found_in_an_archive(tmp_path, reader):
    MAKERS[reader.name](tmp_path / "set")
    plain = read(tmp_path / "set")
    clips = read(packed(tmp_path / "set", tmp_path / "set.zip"))
    assert [row.name for row in clips.rows] == [row.name for row in plain.rows]
    np.testing.assert_array_equal(clips.xyz, plain.xyz)
    assert inspect(tmp_path / "set.zip").path == str(tmp_path / "set.zip")


def test_the_folder_lives_as_long_as_the_source(tmp_path, home):
    ntu_folder(tmp_path / "set")
    source = recognise(packed(tmp_path / "set", tmp_path / "set.zip"))
    assert source.path == tmp_path / "set.zip"
    assert len(list(home.iterdir())) == 1
    assert len(list(source.clips(print))) == 3
    stream = source.clips(print)
    del source
    gc.collect()
    assert len(list(stream)) == 3
    del stream
    gc.collect()
    assert list(home.iterdir()) == []


def test_a_classes_file_in_the_temporary_folder_of_others_names_nothing(tmp_path, home):
    ntu_folder(tmp_path / "set")
    (home / "classes.txt").write_text("not\nmine\n")
    assert read(packed(tmp_path / "set", tmp_path / "set.zip")).classes[0] == "A001"
    (home / "classes.txt").unlink()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../{}", "a path that leads out of the folder"),
        ("a/../../../{}", "a path that leads out of the folder"),
        ("..\\..\\{}", "a path that leads out of the folder"),
        ("/tmp/{}", "an absolute path"),
        ("\\{}", "an absolute path"),
        ("C:\\{}", "an absolute path"),
        ("good/" + "x" * 300 + "{}", "File name too long"),
        ("S001C001P001R001A001.skeleton/{}", "something of that name was unpacked before it"),
    ],
)
@pytest.mark.parametrize("make", [zipped, tarred])
def test_a_member_that_would_land_elsewhere_is_left_out_and_the_others_are_read(tmp_path, make, name, why):
    one, evil = skeleton(tmp_path), name.format("S009C001P001R001A009.skeleton")
    before = set(tmp_path.rglob("*"))
    clips = read(make(tmp_path / "set", [("S001C001P001R001A001.skeleton", one), (evil, one), ("notes.md", b"")]))
    assert [row.name for row in clips.rows] == ["S001C001P001R001A001"]
    ((file, reason),) = faults(clips)
    assert file == f"set: {evil}"[: len(file)]
    assert reason == f"not unpacked: {why}"
    assert set(tmp_path.rglob("*")) - before == {tmp_path / "set"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_of_a_tar_are_left_out(tmp_path, kind):
    one, evil = skeleton(tmp_path), tarfile.TarInfo("S002C001P001R001A001.skeleton")
    evil.type, evil.linkname = kind, "/etc/passwd"
    clips = read(tarred(tmp_path / "set.tar", [(evil, b""), ("S001C001P001R001A001.skeleton", one)]))
    assert len(clips) == 1
    assert "a link, a device" in faults(clips)[0][1]


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_of_a_zip_are_left_out(tmp_path, mode):
    evil = zipfile.ZipInfo("S002C001P001R001A001.skeleton")
    evil.external_attr = (mode | 0o777) << 16
    members = [(evil, "/etc/passwd"), ("S001C001P001R001A001.skeleton", skeleton(tmp_path))]
    clips = read(zipped(tmp_path / "set.zip", members))
    assert len(clips) == 1
    assert faults(clips) == [("set.zip: S002C001P001R001A001.skeleton", "not unpacked: a link or a device")]


def test_a_link_and_a_file_behind_it_do_not_meet(tmp_path, home):
    link = tarfile.TarInfo("way")
    link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
    one = skeleton(tmp_path)
    clips = read(tarred(tmp_path / "set.tar", [(link, b""), ("way/S001C001P001R001A001.skeleton", one)]))
    assert not (tmp_path / "S001C001P001R001A001.skeleton").exists()
    assert len(clips) == 1


@pytest.mark.parametrize("make", [zipped, tarred])
def test_a_name_that_comes_twice_is_read_once(tmp_path, make, recwarn):
    one = skeleton(tmp_path)
    name = "S001C001P001R001A001.skeleton"
    with pytest.warns(UserWarning, match="Duplicate") if make is zipped else pytest.MonkeyPatch.context():
        file = make(tmp_path / "set", [(name, one), (name, b"other")])
    clips = read(file)
    assert faults(clips) == [(f"set: {name}", "not unpacked: something of that name was unpacked before it")]


@pytest.mark.parametrize("inner", ["inner.zip", "inner.tar", "inner.tar.gz"])
def test_an_archive_within_an_archive_is_not_opened(tmp_path, inner):
    ntu_folder(tmp_path / "set")
    content = packed(tmp_path / "set", tmp_path / inner).read_bytes()
    clips = read(zipped(tmp_path / "o.zip", [("S001C001P001R001A001.skeleton", skeleton(tmp_path)), (inner, content)]))
    assert len(clips) == 1
    assert faults(clips) == [
        (f"o.zip: {inner}", "not unpacked: an archive within an archive; unpack it yourself to read it")
    ]


def test_hidden_files_and_what_a_mac_adds_are_passed_over(tmp_path):
    one = skeleton(tmp_path)
    members = [("set/S001C001P001R001A001.skeleton", one), ("set/._S001C001P001R001A001.skeleton", b"\0\5\x16\7")]
    clips = read(zipped(tmp_path / "set.zip", [*members, ("__MACOSX/set/._S001C001P001R001A001.skeleton", b"\0")]))
    assert [row.name for row in clips.rows] == ["S001C001P001R001A001"]
    assert clips.faults == ()


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_that_would_unpack_to_a_thousand_times_its_size_is_refused_before_anything_is_written(
    tmp_path, kind, monkeypatch
):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "zeros.skeleton").write_bytes(b"\0" * (archives.SMALL + 1))
    file = packed(tmp_path / "set", tmp_path / f"bomb.{kind}")
    monkeypatch.setattr(archives, "_unpack_one", lambda *args: pytest.fail("written"))
    with pytest.raises(
        DataError, match=r"bomb.* would unpack to more .* in an archive of .*expected at most 100 times"
    ):
        read(file)


def test_a_zip_of_members_that_share_their_bytes_counts_each_of_them(tmp_path):
    # The table names one piece of data many times: a small file that unpacks to gigabytes.
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.skeleton", b"\0" * 2**20)
    data = whole.getvalue()
    start = data.index(b"PK\1\2")
    entry = data[start : data.index(b"PK\5\6")]
    table = entry * 500
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 500, 500, len(table), start, 0)
    (tmp_path / "bomb.zip").write_bytes(data[:start] + table + end)
    with pytest.raises(DataError, match="would unpack to more than recordings ever do: got 524288000 bytes"):
        read(tmp_path / "bomb.zip")


def test_a_tar_that_promises_a_terabyte_is_refused(tmp_path):
    info = tarfile.TarInfo("S001C001P001R001A001.skeleton")
    info.size = 10**12
    (tmp_path / "set.tar").write_bytes(info.tobuf() + b"\0" * 2048)
    with pytest.raises(DataError, match="got 1000000000000 bytes or more in an archive of 3584"):
        read(tmp_path / "set.tar")


@pytest.mark.parametrize("size", [-1024, 2**40])
@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.REGTYPE, tarfile.SYMTYPE])
def test_a_tar_header_of_an_impossible_size_ends_the_archive(tmp_path, kind, size):
    info = tarfile.TarInfo("x")
    info.type = kind
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[124:136] = size.to_bytes(12, "big", signed=True)
    block[124] |= 0x80
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    first = tarfile.TarInfo("S001C001P001R001A001.skeleton")
    one = skeleton(tmp_path)
    first.size = len(one)
    padding = b"\0" * (-len(one) % 512)
    (tmp_path / "set.tar").write_bytes(first.tobuf() + one + padding + bytes(block) + b"\0" * 4096)
    try:
        clips = read(tmp_path / "set.tar")
    except DataError as error:
        assert "would unpack to more" in str(error)  # noqa: PT017
    else:
        assert len(clips) == 1
        assert "damaged" in str(faults(clips)) or "a link" in str(faults(clips))


def test_a_full_disk_is_said_before_and_while_writing(tmp_path, home, monkeypatch):
    ntu_folder(tmp_path / "set")
    file = packed(tmp_path / "set", tmp_path / "set.zip")
    with no_file_above(1000), pytest.raises(DataError, match=r"set.zip: (no room|no skeletons)"):
        read(file)
    usage = type(archives.shutil.disk_usage("/"))(10**12, 10**12, archives.SPARE + 10)
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DataError, match=f"no room to unpack .* at most the 10 bytes that {home} has .* set TMPDIR"):
        read(file)


def test_an_encrypted_zip_asks_to_be_unpacked_first(tmp_path):
    file = zipped(tmp_path / "set.zip", [("S001C001P001R001A001.skeleton", skeleton(tmp_path))])
    data = bytearray(file.read_bytes())
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(mark) + at] |= 1
    file.write_bytes(data)
    with pytest.raises(DataError, match=r"set\.zip: encrypted: .*unpack it with its password"):
        read(file)


def test_a_damaged_member_is_listed_and_the_others_are_read(tmp_path):
    ntu_folder(tmp_path / "set")
    file = packed(tmp_path / "set", tmp_path / "set.zip")
    with zipfile.ZipFile(file) as archive:
        place = archive.infolist()[1].header_offset + 200
    data = bytearray(file.read_bytes())
    data[place : place + 20] = b"\xff" * 20
    file.write_bytes(data)
    clips = read(file)
    assert len(clips) == 2
    assert "not unpacked: damaged" in faults(clips)[0][1]


@pytest.mark.parametrize("kind", ["set.tar", "set.tar.gz"])
def test_of_a_tar_that_was_cut_the_files_before_the_cut_are_read(tmp_path, kind):
    ntu_folder(tmp_path / "set")
    file = packed(tmp_path / "set", tmp_path / kind)
    data = file.read_bytes()
    file.write_bytes(data[: len(data) * 7 // 20])
    clips = read(file)
    assert 0 < len(clips) < 3
    assert any(file.startswith(kind) and "damaged" in reason for file, reason in faults(clips))


def test_a_tar_with_rubbish_in_the_middle_says_that_the_rest_is_lost(tmp_path):
    one = skeleton(tmp_path)
    file = tarred(
        tmp_path / "set.tar", [("S001C001P001R001A001.skeleton", one), ("S001C001P002R001A001.skeleton", one)]
    )
    data = bytearray(file.read_bytes())
    second = data.index(b"S001C001P002")
    data[second : second + 512] = b"rubbish!" * 64
    file.write_bytes(data)
    clips = read(file)
    assert len(clips) == 1
    assert faults(clips) == [("set.tar", f"damaged at byte {second}; what follows in it is lost")]


def test_an_archive_of_other_things_is_refused_by_its_own_name(tmp_path):
    with pytest.raises(DataError, match=r"set\.zip: no skeletons .* got files: 1 \.mp4") as caught:
        read(zipped(tmp_path / "set.zip", [("a/film.mp4", b"\0\0"), ("a/.hidden", b"")]))
    assert "stgcn_lens_" not in str(caught.value)


def test_an_archive_that_holds_nothing_but_what_is_refused_says_so(tmp_path):
    with pytest.raises(
        DataError, match=r"an empty folder; left out of the archive: 1, first .*\.\./x\.pkl: not unpacked"
    ):
        read(zipped(tmp_path / "set.zip", [("../x.pkl", b"x")]))


@pytest.mark.parametrize("name", ["set.zip", "clips.npz", "called_otherwise"])
def test_a_zip_that_was_cut_is_called_one_whatever_its_name(tmp_path, name):
    whole = zipped(tmp_path / "whole.zip", [("a.skeleton", b"1" * 400)]).read_bytes()
    (tmp_path / name).write_bytes(whole[:-30])
    with pytest.raises(DataError, match=f"{name}: an archive that cannot be opened: .*get the file again"):
        read(tmp_path / name)


def test_another_file_with_the_name_of_an_archive_shows_how_it_begins(tmp_path):
    (tmp_path / "set.tar.gz").write_bytes(b"\x89PNG" + bytes(600))
    with pytest.raises(DataError, match=r"cannot be opened: got 604 bytes that begin with b'\\x89PNG'"):
        read(tmp_path / "set.tar.gz")


def test_an_npz_of_other_arrays_is_told_what_an_npz_would_have_to_hold(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    with pytest.raises(DataError, match=r"expected one of: ctr-gcn: an \.npz archive of x_train"):
        read(tmp_path / "other.npz")


def test_a_named_format_is_looked_for_inside(tmp_path):
    ntu_folder(tmp_path / "set")
    file = packed(tmp_path / "set", tmp_path / "set.zip")
    assert len(read(file, format="ntu")) == 3
    with pytest.raises(DataError, match=r"set\.zip: no files of format utd-mhad: got files: 3 \.skeleton"):
        read(file, format="utd-mhad")


def test_damaged_archives_raise_nothing_but_a_data_error(tmp_path, home):
    ntu_folder(tmp_path / "set")
    for kind in ("set.zip", "set.tar", "set.tar.gz"):
        whole = packed(tmp_path / "set", tmp_path / kind).read_bytes()
        for seed in range(60):
            rng = Random(seed)
            data = bytearray(whole)
            for _ in range(rng.choice((1, 3))):
                at = rng.choice((rng.randrange(len(data)), rng.randrange(min(len(data), 600)), -rng.randrange(1, 400)))
                data[at : at + 4 if at < -4 else None] = rng.randbytes(4) + (data[at + 4 :] if at >= -4 else b"")
            (tmp_path / "damaged").write_bytes(data[: rng.randrange(len(data))] if seed % 5 == 0 else data)
            try:
                read(tmp_path / "damaged")
            except DataError as error:
                assert str(home) not in str(error)  # noqa: PT017


def test_links_that_lead_out_of_a_folder_are_not_followed_and_others_are(tmp_path):
    ntu_folder(tmp_path / "elsewhere")
    ntu_folder(tmp_path / "set")
    files = sorted((tmp_path / "set").iterdir())
    (tmp_path / "set" / "S005C001P001R001A001.skeleton").symlink_to(files[0])
    (tmp_path / "set" / "S006C001P001R001A001.skeleton").symlink_to(tmp_path / "elsewhere" / files[1].name)
    (tmp_path / "set" / "S007C001P001R001A001.skeleton").symlink_to("S007C001P001R001A001.skeleton")
    (tmp_path / "set" / "more").symlink_to(tmp_path / "elsewhere")
    clips = read(tmp_path / "set")
    assert len(clips) == 4
    assert [file for file, reason in faults(clips) if "a link out of the folder" in reason] == [
        *("S006C001P001R001A001.skeleton", "S007C001P001R001A001.skeleton", "more")
    ]
    (tmp_path / "name").symlink_to(tmp_path / "set")
    assert len(read(tmp_path / "name")) == 4
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "more").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="an empty folder, and 1 links that lead elsewhere"):
        read(tmp_path / "empty")
