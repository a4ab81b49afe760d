"""Recordings in a .zip, .tar or .tar.gz, as data sets are shipped: unpacked into a folder that goes away again.

Nothing is written but plain files, each below that folder, and no more of them than the disk has room for. Sizes are
compared before anything is written: of a .zip all at once, of a .tar, which has no table, before each member.
"""

import errno
import gzip
import re
import shutil
import stat
import tarfile
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from stgcn_lens.data.dataset import Fault
from stgcn_lens.errors import DataError

# What Python's zipfile and tarfile raise on damaged files, besides their own errors.
DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, KeyError, IndexError),
    *(ValueError, OverflowError, RuntimeError, MemoryError),  # RecursionError and NotImplementedError among them
)
RATIO, SMALL = 100, 16 << 20  # text shrinks to a tenth, arrays full of zeros to a fiftieth
SPARE = 64 << 20  # bytes of the disk that are left free
CHUNK = 1 << 18
_LONGEST = 1 << 13  # bytes of a tar header's notes (long names, times) that are read; they need a few hundred
_ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)  # those that need little memory
_PLAIN = (0, stat.S_IFREG, stat.S_IFDIR)  # 0: made where files have no Unix mode


@dataclass(frozen=True, eq=False)
class Unpacked:
    """A folder of unpacked recordings, which is removed when this object goes; `faults` says what was left out."""

    folder: Path
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class _Member:
    """One entry of an archive: a plain file, or for what reason it is none that is unpacked."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]
    reason: str = ""


class _Careful:
    """A stream for `tarfile`, which would read headers of any length they claim."""

    def __init__(self, stream: BinaryIO) -> None:
        self.seek, self.tell, self._read = stream.seek, stream.tell, stream.read

    def read(self, count: int = -1) -> bytes:
        """So many bytes; `tarfile.ReadError` where they are more than a header ever has."""
        if not 0 <= count <= _LONGEST:
            raise tarfile.ReadError(f"a header of {count} bytes")
        return self._read(count)


def is_archive(path: Path) -> bool:
    """Whether a file is a .zip, .tar or .tar.gz, by its content, with anything in it."""
    with suppress(*DAMAGE), ExitStack() as opened:
        start = opened.enter_context(path.open("rb")).read(4)
        if start[:2] == b"PK":
            return bool(opened.enter_context(zipfile.ZipFile(path)).namelist())
        return _tar(path, opened)[0].next() is not None
    return False


def check_whole(path: Path) -> None:
    """`DataError` for a file that begins or is called like an archive, where nothing can be unpacked from it."""
    with suppress(OSError), path.open("rb") as stream:
        start = stream.read(4)
        if start[:4] != b"PK\x03\x04" and not (start and path.name.lower().endswith(_ENDINGS)):
            return
        raise DataError(
            "an archive that cannot be opened",
            file=path,
            got=f"{path.stat().st_size} bytes that begin with {start!r}",
            expected="a whole .zip, .tar or .tar.gz, with files in it",
            fix="it was cut or is something else; get the file again, or unpack it yourself and read the folder",
        )


def unpack(path: Path) -> Unpacked:
    """Unpack an archive into a temporary folder.

    Raises
    ------
    DataError
        for an archive that is encrypted, damaged at its beginning, larger than the disk, or larger by far than its
        own size.
    """
    home = Path(tempfile.mkdtemp(prefix="stgcn_lens_"))
    # Two folders down, for what is said beside recordings is looked for in two folders above them.
    folder = home / "archive" / (re.sub(r"\W+", "_", path.stem) or "unpacked")
    faults: list[Fault] = []
    try:
        folder.mkdir(parents=True)
        with ExitStack() as opened:
            _write(_members(path, opened, faults), folder, path, faults)
    except DataError:
        shutil.rmtree(home, ignore_errors=True)
        raise
    except DAMAGE as error:
        shutil.rmtree(home, ignore_errors=True)
        got, fix = " ".join(str(error).split())[:200], "get the file again, or unpack it yourself"
        raise DataError("an archive that cannot be unpacked", file=path, got=got, fix=fix) from error
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise
    while [one.is_dir() for one in folder.iterdir()] == [True]:
        folder = next(folder.iterdir())
    unpacked = Unpacked(folder, tuple(faults))
    weakref.finalize(unpacked, shutil.rmtree, home, ignore_errors=True)
    return unpacked


def _write(members: Iterator[_Member], folder: Path, path: Path, faults: list[Fault]) -> None:
    """Unpack what may be unpacked; what may not goes to `faults`."""
    total = 0
    for member in members:
        total += member.size
        _check_room(path, folder, total, member.size)
        parts = [part for part in re.split(r"[\\/]+", member.name) if part not in ("", ".")]
        if member.name[:1] in ("/", "\\") or re.match("[A-Za-z]:", member.name):
            why = "an absolute path"
        elif ".." in parts:
            why = "a path that leads out of the folder"
        else:
            why = member.reason
        if not why and parts and not parts[-1].startswith("."):  # hidden files are not read in folders either
            why = _unpack_one(member, folder.joinpath(*parts), path)
        if why:
            shown = member.name if member.name.isprintable() else repr(member.name)
            faults.append(Fault(f"{path.name}: {shown[:200]}", f"not unpacked: {why}"))


def _unpack_one(member: _Member, target: Path, path: Path) -> str:
    """Write one file; why it was not written, or ""."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as out:
            try:
                stream, left = member.open(), member.size
                while left:
                    part = stream.read(min(left, CHUNK))
                    if not part:
                        raise EOFError(f"{left} bytes are missing at its end")
                    out.write(part)
                    left -= len(part)
            except DAMAGE:
                target.unlink()
                raise
        if is_archive(target) and not _is_npz(target):
            target.unlink()
            return "an archive within an archive; unpack it yourself to read it"
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _no_room(path, target.parent, f"{member.size} bytes of {member.name}") from error
        if isinstance(error, FileExistsError):
            return "something of that name was unpacked before it"
        return (isinstance(error, OSError) and error.strerror) or f"damaged ({error})"
    return ""


def _members(path: Path, opened: ExitStack, faults: list[Fault]) -> Iterator[_Member]:
    """Every entry that is no folder; of a damaged .tar those before the damage."""
    with path.open("rb") as stream:
        is_zip = stream.read(2) == b"PK"
    return _zipped(path, opened) if is_zip else _tarred(path, opened, faults)


def _zipped(path: Path, opened: ExitStack) -> Iterator[_Member]:
    archive = opened.enter_context(zipfile.ZipFile(path))
    infos = archive.infolist()
    locked = next((info.filename for info in infos if info.flag_bits & 1), None)
    if locked is not None:
        fix = "unpack it with its password and read the folder"
        raise DataError(
            "encrypted", file=path, got=f"{locked!r:.200}", expected="an archive without a password", fix=fix
        )
    total = sum(info.file_size for info in infos)
    _check_room(path, Path(tempfile.gettempdir()), total, total)
    for info in infos:
        why = "a link or a device" if stat.S_IFMT(info.external_attr >> 16) not in _PLAIN else ""
        if info.compress_type not in _METHODS:
            why = why or f"compressed by method {info.compress_type}, which is not known here"
        if why or not info.is_dir():
            yield _Member(info.filename, info.file_size, partial(archive.open, info), why)


def _tarred(path: Path, opened: ExitStack, faults: list[Fault]) -> Iterator[_Member]:
    tar, stream = _tar(path, opened)

    try:
        while (member := tar.next()) is not None:
            tar.members.clear()  # type: ignore[attr-defined]  # it would keep every header
            if member.size < 0:
                raise tarfile.ReadError(f"{member.name!r:.200} has {member.size} bytes")
            why = "" if member.isreg() and not member.issparse() else "a link, a device or a file with holes"
            if not member.isdir():
                yield _Member(member.name, member.size, partial(_at, stream, member.offset_data), why)
        stream.seek(tar.offset)
        end = stream.read(tarfile.BLOCKSIZE)
    except DAMAGE as error:
        if isinstance(error, DataError):
            raise
        faults.append(Fault(path.name, f"damaged ({error}); what follows in it is lost"))
        return
    if end.strip(b"\0"):
        faults.append(Fault(path.name, f"damaged at byte {tar.offset}; what follows in it is lost"))
    elif len(end) < tarfile.BLOCKSIZE:
        faults.append(Fault(path.name, "has no mark at its end and may have been cut", "nothing"))


def _tar(path: Path, opened: ExitStack) -> tuple[tarfile.TarFile, BinaryIO]:
    """A .tar or .tar.gz and the stream of its bytes; some error of `DAMAGE` where it is none."""
    stream: Any = opened.enter_context(path.open("rb"))
    if stream.read(2) == b"\x1f\x8b":
        stream = opened.enter_context(gzip.GzipFile(path))
    stream.seek(0)
    if stream.read(tarfile.BLOCKSIZE)[257:262] != b"ustar":
        raise tarfile.ReadError("no tar file")
    stream.seek(0)
    return opened.enter_context(tarfile.TarFile(fileobj=cast(Any, _Careful(stream)))), stream


def _at(stream: BinaryIO, place: int) -> BinaryIO:
    stream.seek(place)
    return stream


def _is_npz(path: Path) -> bool:
    """Whether a file is an archive of arrays, which a reader may know."""
    with suppress(*DAMAGE), zipfile.ZipFile(path) as archive:
        return all(name.endswith(".npy") for name in archive.namelist())
    return False


def _check_room(path: Path, folder: Path, total: int, more: int) -> None:
    """`DataError` where an archive unpacks to more than honest files do, or to more than the disk holds."""
    held = path.stat().st_size
    if total > max(SMALL, RATIO * held):
        raise DataError(
            "would unpack to more than recordings ever do",
            file=path,
            got=f"{total} bytes or more in an archive of {held}",
            expected=f"at most {RATIO} times its size",
            fix="get the archive again; if you trust it, unpack it yourself and read the folder",
        )
    if more + SPARE > shutil.disk_usage(folder).free:
        raise _no_room(path, folder, f"{more} bytes")


def _no_room(path: Path, folder: Path, got: str) -> DataError:
    free, place = shutil.disk_usage(folder).free, tempfile.gettempdir()
    return DataError(
        "no room to unpack the archive",
        file=path,
        got=got,
        expected=f"at most the {max(0, free - SPARE)} bytes that {place} has to spare",
        fix="set TMPDIR to a folder on a larger disk, or unpack it yourself",
    )
