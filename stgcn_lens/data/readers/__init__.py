"""Formats that skeletons come in: `READERS` lists them, `read` reads any of them into a `ClipSet`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from stgcn_lens.data.clip import Clip, check
from stgcn_lens.data.dataset import ClipSet, Fault
from stgcn_lens.data.native import ABOUT, open_set, pack
from stgcn_lens.data.readers import msr_action3d, native, ntu, utd_mhad
from stgcn_lens.data.readers.source import Contents, Found, OnFault, Progress, Reader, reason
from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import LAYOUTS, find_layout, get_layout

# A file is held to be of the first format whose `sniff` says so.
READERS: tuple[Reader, ...] = (native.READER, ntu.READER, utd_mhad.READER, msr_action3d.READER)

SNIFFED = 32  # files of each suffix that are looked into
_NOTES = ("classes.txt", "protocol.txt")  # say something about the clips and hold none


@dataclass(frozen=True, eq=False)
class Source:
    """A data set on disk, recognised and not yet read; `clips()` reads it, one clip at a time.

    `layout` is what the user says the recording has, `others` the further formats that lie at the path and stay
    unread, with their number of files.
    """

    path: Path
    reader: Reader
    contents: Contents
    layout: str | None = None
    others: dict[str, int] | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of all classes."""
        return self.contents.classes

    @property
    def protocol(self) -> str:
        """Key of `splits.PROTOCOLS`."""
        return self.contents.protocol

    def clips(self, on_fault: OnFault, progress: Progress | None = None) -> Iterator[Clip]:
        """Every usable clip, all of one layout, under names of their own; what is left out goes to `on_fault`."""
        for name, count in (self.others or {}).items():
            also = (
                f"{count} files look like format {name} and were not read; name it with --format to read them instead"
            )
            on_fault(Fault(str(self.path), also, "nothing"))
        first: Clip | None = None
        met: dict[str, int] = {}
        for clip in self.contents.clips(on_fault, progress):
            try:
                clip = self._sound(clip)
                if first is not None and _kind(clip) != _kind(first):
                    got, expected = (f"{c} channels of layout {layout}" for layout, c in (_kind(clip), _kind(first)))
                    raise DataError("another kind of clip than the first", got=got, expected=expected, fix="read apart")
            except DataError as error:
                on_fault(Fault(clip.file or clip.name, reason(error)))
                continue
            first = clip if first is None else first
            met[clip.name] = met.get(clip.name, 0) + 1
            if met[clip.name] > 1:
                name = f"{clip.name} ({met[clip.name]})"
                on_fault(Fault(clip.file or clip.name, f"the name occurs again; this clip is called {name!r}", "nothing"))
                clip = clip.replace(name=name)
            yield clip

    def _sound(self, clip: Clip) -> Clip:
        """The clip as it can be used, or `DataError`."""
        if clip.label is not None and not 0 <= clip.label < len(self.classes):
            raise DataError(
                "label out of range",
                got=f"class {clip.label + 1}",
                expected=f"1 to {len(self.classes)}",
                fix="mend the name, or list all classes in a classes.txt beside the files",
            )
        if self.layout is not None:
            _check_joints(self.path, clip.layout, self.layout)
            clip = clip.replace(layout=self.layout)
        return check(clip)


def recognise(path: Path | str, format: str = "auto", layout: str | None = None) -> Source:
    """Which format lies at `path`, by content, and what is known before its clips are read.

    Parameters
    ----------
    path : a file or folder.
    format : name of a reader, or "auto".
    layout : what the recorded joints are, where the format leaves that open: a name of `LAYOUTS` or a TOML file.

    Raises
    ------
    DataError
        for a missing path, an unknown format, a layout with other joints, or where no reader fits: then it lists what
        was looked for.
    """
    path = Path(path)
    known = ", ".join(reader.name for reader in READERS)
    if format != "auto" and format not in {reader.name for reader in READERS}:
        raise DataError("unknown format", got=repr(format), expected=f"auto or one of {known}")
    if not path.exists():
        raise DataError("no such file or folder", file=path, fix="check the path")
    wish = None if layout is None else find_layout(layout).name
    if (path / ABOUT).is_file() and format in ("auto", "native"):
        return _opened(native.READER, Found(path, (path / ABOUT,), wish))
    files = _files(path)
    if format != "auto":
        reader = next(reader for reader in READERS if reader.name == format)
        own = files if path.is_file() else tuple(file for file in files if file.suffix.lower() in reader.suffixes)
        if not own:
            raise DataError(f"no files of format {format}", file=path, got=contents(path), expected=reader.what)
        return _opened(reader, Found(path, own, wish))
    claims = _claims(files)
    if not claims:
        wanted = "; ".join(f"{reader.name}: {reader.what}" for reader in READERS)
        raise DataError(
            "no skeletons that a reader knows",
            file=path,
            got=contents(path),
            expected=f"one of: {wanted}",
            fix="point to the folder that holds the files, or name the format to see each file's fault",
        )
    (reader, suffixes, _), *rest = claims
    own = tuple(file for file in files if file.suffix in suffixes)
    return _opened(reader, Found(path, own, wish), {other.name: count for other, _, count in rest})


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
    path, format, layout : see `recognise`.
    into : stream the clips into this native folder instead of holding them in memory.
    progress : called with (clips or files done, in all).

    Raises
    ------
    DataError
        where nothing could be read at all; see `recognise`.
    """
    source = recognise(path, format, layout)
    if source.reader.name == "native" and into is None:
        clips = open_set(native.folder_of(source.path))
        return clips if source.layout is None else replace(clips, layout=source.layout)
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
    first = f"{len(faults)} faults, first {faults[0].file}: {faults[0].reason}" if faults else contents(source.path)
    return DataError("no clip could be read", file=source.path, got=first, expected=source.reader.what)


def contents(path: Path) -> str:
    """What lies at a path, in few words."""
    if path.is_file():
        return f"a file of {path.stat().st_size} bytes"
    suffixes: dict[str, int] = {}
    for file in _files(path):
        suffixes[file.suffix or "no suffix"] = suffixes.get(file.suffix or "no suffix", 0) + 1
    counts = ", ".join(
        f"{n} {suffix}" for suffix, n in sorted(suffixes.items(), key=lambda item: (-item[1], item[0]))[:5]
    )
    return f"files: {counts}" if counts else "an empty folder"


def _files(path: Path) -> tuple[Path, ...]:
    """The file itself, or all files below the folder that are not hidden, sorted."""
    if path.is_file():
        return (path,)
    return tuple(sorted(file for file in path.rglob("*") if not file.name.startswith(".") and file.is_file()))


def _claims(files: Sequence[Path]) -> list[tuple[Reader, set[str], int]]:
    """Readers that know some of the files, with the suffixes of these and their estimated number, most files first."""
    groups: dict[str, list[Path]] = {}
    for file in files:
        if file.name not in _NOTES:
            groups.setdefault(file.suffix, []).append(file)
    suffixes: dict[str, set[str]] = {}
    counts: dict[str, float] = {}
    for suffix, group in groups.items():
        looked = group[:: -(-len(group) // SNIFFED)]
        for file in looked:
            name = next((reader.name for reader in READERS if reader.sniff(file)), None)
            if name is not None:
                suffixes.setdefault(name, set()).add(suffix)
                counts[name] = counts.get(name, 0) + len(group) / len(looked)
    order = sorted((reader for reader in READERS if reader.name in counts), key=lambda reader: -counts[reader.name])
    return [(reader, suffixes[reader.name], round(counts[reader.name])) for reader in order]


def _opened(reader: Reader, found: Found, others: dict[str, int] | None = None) -> Source:
    if reader.name == "native" and found.path.is_dir() and not (found.path / ABOUT).is_file():
        found = replace(found, path=next(file.parent for file in found.files if file.name == ABOUT))
    opened = reader.open(found)
    if found.layout is not None:
        recorded = open_set(native.folder_of(found.path)).layout if reader.name == "native" else reader.layout
        if recorded in LAYOUTS:  # else the files say it, or the wish itself does
            _check_joints(found.path, recorded, found.layout)
    return Source(found.path, reader, opened, found.layout, others)


def _kind(clip: Clip) -> tuple[str, int]:
    return clip.layout, clip.xyz.shape[0]


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
    if into.exists() and not (into / ABOUT).is_file() and (into.is_file() or any(into.iterdir())):
        raise DataError("would overwrite other things", file=into, fix="choose a new or empty folder to write to")
