"""Recordings that a visitor brings along: read by the safe readers alone, in a folder that is gone afterwards."""

import gzip
import tempfile
import uuid
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import Fault
from stgcn_lens.data.info import Info, survey
from stgcn_lens.data.parsing.archives import DAMAGE
from stgcn_lens.data.readers import ntu, recognise
from stgcn_lens.data.synthetic import SyntheticConfig, synthesise
from stgcn_lens.errors import DataError

# All ours. A Kinect clip of 10 s is 0.5 MB as text; one-file-a-frame formats come in hundreds of small files.
MOST_MB = 32  # of one file and of all together; app/.streamlit/config.toml says the same to the server
MOST_FILES = 500
MOST_CLIPS = 100  # that can be explored; all are described
SAMPLE = "sample_kick.skeleton"  # a name without the code of NTU's classes, whose numbers mean other actions
UNPACKED = 256 << 20  # bytes that archives may unpack to

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Brought:
    """What was understood of an upload, and its clips as recorded, the first `MOST_CLIPS` of them.

    `key` is like no other upload's, in any session.
    """

    key: str
    info: Info
    clips: tuple[Clip, ...]


def read(files: Sequence[tuple[str, bytes]], progress: Progress | None = None) -> Brought:
    """Read files that belong together, given as (name, content).

    Nothing of a name but its last part is used; the temporary folder is removed before this returns or raises.

    Raises
    ------
    DataError
        for too many or too large files, or where no clip could be read; no message tells the temporary folder.
    """
    _check(files)
    with tempfile.TemporaryDirectory(prefix="stgcn_lens_upload_") as home:
        # Two folders down, for what is said beside recordings is looked for in two folders above them.
        folder = Path(home).resolve() / "brought" / "along"
        folder.mkdir(parents=True)
        path = _written(files, folder)
        try:
            info, _ = survey(path, progress=progress)
            source = recognise(path)
            clips = tuple(islice(source.clips(lambda _: None), MOST_CLIPS))
        except DataError as error:
            raise _without(error, folder) from None
        del source  # and with it the folder that an archive was unpacked to
    return Brought(uuid.uuid4().hex, _told(info, folder, path), clips)


def _check(files: Sequence[tuple[str, bytes]]) -> None:
    total = sum(len(content) for _, content in files)
    if len(files) > MOST_FILES:
        raise DataError("too many files", got=len(files), expected=f"at most {MOST_FILES}", fix="put them into a .zip")
    if total > MOST_MB * 1_000_000:
        raise DataError(
            "too much to upload",
            got=f"{total / 1e6:.0f} MB",
            expected=f"at most {MOST_MB} MB",
            fix="choose fewer clips, or read them in a terminal: stgcn-lens data info PATH",
        )


def _written(files: Sequence[tuple[str, bytes]], folder: Path) -> Path:
    """Write the files; the place to read: the file, or the folder of several."""
    for number, (name, content) in enumerate(files):
        target = folder / (Path(name.replace("\\", "/")).name.lstrip(".") or "clip")
        if target.exists():
            target = folder / str(number) / target.name
            target.parent.mkdir()
        try:
            target.write_bytes(content)
        except (OSError, ValueError) as error:  # a name that no file can have
            raise DataError(f"a file that cannot be kept ({error})", got=repr(name[:80])) from error
        _check_unpacked(target)
    only = list(folder.iterdir())
    return only[0] if len(files) == 1 else folder


def _check_unpacked(path: Path) -> None:
    """`DataError` for an archive that unpacks to too much; what is none, or damaged, is left to the readers."""
    size = 0
    with suppress(*DAMAGE):
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                size = sum(info.file_size for info in archive.infolist())
        elif path.read_bytes()[:2] == b"\x1f\x8b":
            with gzip.open(path) as stream:
                while size <= UNPACKED and (part := stream.read(1 << 20)):
                    size += len(part)
    if size > UNPACKED:
        raise DataError(
            "would unpack to too much",
            file=path.name,
            got=f"more than {UNPACKED >> 20} MiB",
            expected="less",
            fix="unpack it and bring a few of its clips",
        )


def _told(info: Info, folder: Path, path: Path) -> Info:
    """The description without a word of where the files lay for a moment."""
    clean = lambda fault: Fault(_short(fault.file, folder), _short(fault.reason, folder), fault.dropped, fault.frames)  # noqa: E731
    return replace(
        info,
        path=path.name if path != folder else "upload",
        remarks=tuple(_short(remark, folder) for remark in info.remarks),
        faults=tuple(map(clean, info.faults)),
        earlier=tuple(map(clean, info.earlier)),
        unusable=tuple(map(clean, info.unusable)),
    )


def _without(error: DataError, folder: Path) -> DataError:
    short = lambda value: None if value is None else _short(str(value), folder)  # noqa: E731
    return DataError(
        _short(error.what, folder),
        file=short(error.file),
        frame=error.frame,
        got=short(error.got),
        expected=short(error.expected),
        fix=short(error.fix),
    )


def _short(text: str, folder: Path) -> str:
    return text.replace(f"{folder}/", "").replace(str(folder), "upload")


def sample() -> bytes:
    """One synthetic clip as NTU RGB+D writes it."""
    (clip,) = synthesise(SyntheticConfig(subjects=(40,), views=(2,), actions=("kick",)))
    with tempfile.TemporaryDirectory(prefix="stgcn_lens_sample_") as folder:
        return ntu.write(clip, Path(folder) / SAMPLE).read_bytes()
