"""From one format to another: read as a stream into a native set beside the target, written from there."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from stgcn_lens.data.dataset import Fault
from stgcn_lens.data.native import open_set
from stgcn_lens.data.opened import gather
from stgcn_lens.data.readers import native, recognise
from stgcn_lens.data.sides import read_sides
from stgcn_lens.data.source import Progress
from stgcn_lens.data.splits import is_file, split
from stgcn_lens.data.writers import WRITERS
from stgcn_lens.data.writers.losses import losses
from stgcn_lens.data.writers.target import Writer
from stgcn_lens.errors import DataError
from stgcn_lens.files import cannot_write


@dataclass(frozen=True)
class Converted:
    """What became of a conversion.

    Attributes
    ----------
    path, format : what was written; `source`, `source_format`: what was read.
    clips, frames, classes, layout : of what was written.
    sides : side -> clips, as they were passed on; {"none": all} without a split.
    bytes : size of what was written.
    faults : what was left out or changed while reading.
    losses : what the new format could not hold.
    """

    path: str
    format: str
    source: str
    source_format: str
    clips: int
    frames: int
    classes: int
    layout: str
    sides: dict[str, int]
    bytes: int
    faults: tuple[Fault, ...]
    losses: tuple[Fault, ...]

    @property
    def left_out(self) -> int:
        """Number of clips or files that did not arrive."""
        return sum(fault.dropped == "clip" for fault in (*self.faults, *self.losses))


def writer_of(name: str) -> Writer:
    """The row of `WRITERS` of that name; `DataError` lists those there are."""
    for writer in WRITERS:
        if writer.name == name:
            return writer
    known = ", ".join(writer.name for writer in WRITERS)
    raise DataError("cannot write such a format", got=repr(name), expected=f"one of {known}")


def convert(
    path: Path | str,
    out: Path | str,
    to: str,
    *,
    format: str = "auto",
    layout: str | None = None,
    to_layout: str | None = None,
    by: str = "none",
    force: bool = False,
    progress: Progress | None = None,
    writing: Progress | None = None,
) -> Converted:
    """Write the clips at `path` to `out` in another format; one clip is in memory at a time.

    Parameters
    ----------
    path, format, layout, to_layout : see `readers.read`.
    out : where to; a file or folder that appears whole or not at all.
    to : a row of `WRITERS`.
    by : how clips are put on sides, see `splits.split`; "none" leaves it to the sides that the source gives.
    force : replace an `out` of that very format. Other things are never overwritten.
    progress, writing : called with (done, in all) while reading and while writing.

    Raises
    ------
    DataError
        where nothing can be read, `out` is taken, or the format cannot hold such clips.
    """
    path, out, writer = Path(path), Path(out), writer_of(to)
    source = recognise(path, format, layout, to_layout)
    check_out(path, out, writer, force)
    if is_file(by):
        read_sides(Path(by))  # before all clips are read
    with ExitStack() as stack:
        if source.reader.name == "native" and source.to_layout is None:
            clips = open_set(native.folder_of(source.home))
            clips = clips if source.layout is None else replace(clips, layout=source.layout)
        else:
            clips = gather(source, stack.enter_context(_beside(out)) / "clips", progress)
        # What a native set says was left out when it was made is no news; it is passed on, not told again.
        faults = list(source.told) if source.reader.name == "native" else list(clips.faults)
        sides = np.full(len(clips), "none", "<U5") if by == "none" else split(clips, by, on_fault=faults.append)
        lost = [*writer.write(clips, out, sides, writing), *losses(clips, sides, writer)]
        return Converted(
            path=str(out),
            format=writer.name,
            source=str(path),
            source_format=source.reader.name,
            clips=len(clips),
            frames=sum(row.frames for row in clips.rows),
            classes=len(clips.classes),
            layout=clips.layout,
            sides={
                side: int((sides == side).sum()) for side in ("train", "val", "test", "none") if (sides == side).any()
            },
            bytes=_size(out),
            faults=tuple(faults),
            losses=tuple(lost),
        )


def check_out(path: Path, out: Path, writer: Writer, force: bool) -> None:
    """`DataError` unless `out` may be written: new, empty, or of that format and `force`."""
    there, source = out.resolve(), path.resolve()
    if there == source or there in source.parents or source in there.parents:
        raise DataError(
            "would write into what it reads",
            file=out,
            got=f"source {path}",
            expected="two places",
            fix="choose another",
        )
    if writer.suffix is not None and out.suffix.lower() != writer.suffix:
        raise DataError(
            f"format {writer.name} is one file",
            file=out,
            got=f"a name that ends in {out.suffix!r}",
            expected=f"one that ends in {writer.suffix!r}",
            fix=f"write to {out}{writer.suffix}" if not out.is_dir() else f"write to {out / f'clips{writer.suffix}'}",
        )
    if not (out.exists() or out.is_symlink()) or (writer.suffix is None and _is_empty(out)):
        return
    if not _holds(out, writer):
        raise DataError(
            "would overwrite other things",
            file=out,
            got=f"something that is not of format {writer.name}",
            expected="a new or empty place",
            fix="choose another",
        )
    if not force:
        raise DataError(
            f"is there already, in format {writer.name}", file=out, fix="replace it with --force, or choose another"
        )


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _holds(out: Path, writer: Writer) -> bool:
    """Whether there is nothing at `out` but what the writer has written."""
    if (writer.suffix is None) != out.is_dir() or out.is_symlink():
        return False
    if out.is_dir() and not all(
        file.is_file() and any(fnmatchcase(file.name, pattern) for pattern in writer.files) for file in out.iterdir()
    ):
        return False
    try:
        return recognise(out).reader.name == writer.name
    except DataError:
        return False


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A hidden folder beside `out`, on the same disk, which is gone afterwards."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent))
    except OSError as error:
        raise cannot_write(out, error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _size(out: Path) -> int:
    files = [out] if out.is_file() else [file for file in out.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
