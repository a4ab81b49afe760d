"""Formats that skeletons come in: `READERS` lists them, `read` reads any of them into a `ClipSet`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet, Fault, pack
from stgcn_lens.data.readers import msr_action3d, native, ntu, utd_mhad
from stgcn_lens.data.readers.source import OnFault, Progress, Reader
from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import get_layout

READERS: tuple[Reader, ...] = (native.READER, ntu.READER, utd_mhad.READER, msr_action3d.READER)


@dataclass(frozen=True)
class Source:
    """A data set on disk, recognised and not yet read; `clips()` reads it, one clip at a time."""

    path: Path
    reader: Reader
    classes: tuple[str, ...]
    protocol: str
    layout: str | None = None

    def clips(self, on_fault: OnFault, progress: Progress | None = None) -> Iterator[Clip]:
        """Every usable clip; what is left out, and why, goes to `on_fault`."""
        for clip in self.reader.read(self.path, on_fault, progress):
            if clip.label is not None and not 0 <= clip.label < len(self.classes):
                fault = DataError(
                    "label out of range",
                    got=f"class {clip.label + 1}",
                    expected=f"1 to {len(self.classes)}",
                    fix="mend the name, or list all classes in a classes.txt beside the files",
                )
                on_fault(Fault(clip.name, str(fault)))
                continue
            yield clip if self.layout is None else clip.replace(layout=self.layout)


def recognise(path: Path | str, format: str = "auto", layout: str | None = None) -> Source:
    """Which format lies at `path`, by content, and what is known before its clips are read.

    Raises
    ------
    DataError
        for a missing path, an unknown format, a layout with other joints, or where no reader fits: then it lists what
        was looked for.
    """
    path = Path(path)
    names = ", ".join(reader.name for reader in READERS)
    if format != "auto" and format not in {reader.name for reader in READERS}:
        raise DataError("unknown format", got=repr(format), expected=f"auto or one of {names}")
    if not path.exists():
        raise DataError("no such file or folder", file=path, fix="check the path")
    offered = [reader for reader in READERS if format in ("auto", reader.name)]
    fitting = [reader for reader in offered if format != "auto" or reader.sniff(path)]
    if not fitting:
        wanted = "; ".join(f"{reader.name}: {reader.what}" for reader in READERS)
        raise DataError(
            "no skeletons that a reader knows",
            file=path,
            got=_contents(path),
            expected=f"one of: {wanted}",
            fix="point to the folder that holds the files, or name the format to see each file's fault",
        )
    reader = fitting[0]
    if layout is not None:
        recorded = ClipSet.open(path).layout if reader.name == "native" else reader.layout
        _check_joints(path, recorded, layout)
    return Source(path, reader, tuple(reader.classes(path)), reader.protocol(path), layout)


def read(
    path: Path | str,
    format: str = "auto",
    layout: str | None = None,
    into: Path | str | None = None,
    progress: Progress | None = None,
) -> ClipSet:
    """Read a data set; what could not be used is listed in its `faults`.

    Parameters
    ----------
    path : a native folder, a folder of files, or one file.
    format : name of a reader, or "auto" to tell by content.
    layout : another bone set for the same joints, e.g. "ntu25-hand".
    into : stream the clips into this native folder instead of holding them in memory.
    progress : called with (files done, files in all).

    Raises
    ------
    DataError
        where nothing could be read at all; see `recognise`.
    """
    source = recognise(path, format, layout)
    if source.reader.name == "native" and into is None:
        clips = ClipSet.open(source.path)
        return clips if layout is None else replace(clips, layout=layout)
    faults: list[Fault] = []
    stream = source.clips(faults.append, progress)
    first = next(stream, None)
    if first is None:
        raise nothing_read(source, faults)
    stream = chain([first], stream)
    about = {"source": source.reader.name, "protocol": source.protocol}
    if into is not None:
        _check_replaceable(Path(into))
        return pack(stream, into, classes=source.classes, faults=faults, **about)
    held = list(stream)
    return ClipSet.from_clips(held, source.classes, faults=tuple(faults), **about)


def nothing_read(source: Source, faults: Sequence[Fault]) -> DataError:
    """The error for a data set of which no clip is left, with its first fault."""
    first = f"{len(faults)} faults, first {faults[0].file}: {faults[0].reason}" if faults else _contents(source.path)
    return DataError("no clip could be read", file=source.path, got=first, expected=source.reader.what)


def _contents(path: Path) -> str:
    """What lies at a path, in few words."""
    if path.is_file():
        return f"a file of {path.stat().st_size} bytes"
    suffixes: dict[str, int] = {}
    for file in path.rglob("*"):
        if file.is_file():
            suffixes[file.suffix or "no suffix"] = suffixes.get(file.suffix or "no suffix", 0) + 1
    counts = ", ".join(
        f"{n} {suffix}" for suffix, n in sorted(suffixes.items(), key=lambda item: (-item[1], item[0]))[:5]
    )
    return f"files: {counts}" if counts else "an empty folder"


def _check_joints(path: Path, recorded: str, wanted: str) -> None:
    if get_layout(wanted).joints != get_layout(recorded).joints:
        raise DataError(
            f"layout '{wanted}' has other joints than the recording",
            file=path,
            got=f"{get_layout(wanted).V} joints of '{wanted}'",
            expected=f"the {get_layout(recorded).V} joints of '{recorded}'",
            fix="leave the layout out, or choose one with the same joints",
        )


def _check_replaceable(into: Path) -> None:
    """A native set may be overwritten; a folder of other things may not."""
    if into.exists() and not (into / "clipset.json").is_file() and (into.is_file() or any(into.iterdir())):
        raise DataError("would overwrite other things", file=into, fix="choose a new or empty folder to write to")
