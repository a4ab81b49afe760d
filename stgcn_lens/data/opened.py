"""A data set that was recognised: its clips as they can be used, one at a time, and all that was left out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from stgcn_lens.data.clip import Clip, check
from stgcn_lens.data.dataset import ClipSet, Fault
from stgcn_lens.data.gaps import repair
from stgcn_lens.data.native import pack
from stgcn_lens.data.parsing import archives
from stgcn_lens.data.parsing.places import as_name, as_text, contents
from stgcn_lens.data.relayout import joint_mapping, relayout
from stgcn_lens.data.source import Contents, OnFault, Progress, Reader, reason
from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import get_layout

REMARKS = 3  # on the joints of one clip, that one fault repeats


@dataclass(frozen=True, eq=False)
class Source:
    """A data set on disk, recognised and not yet read; `clips()` reads it, one clip at a time.

    `layout` is what the user says the recording has, `to_layout` what its clips are put onto, `others` the further
    formats that lie at the path and stay unread, with their number of files; `told` is what was left out before a
    reader saw it; `unpacked` holds the folder of an archive for as long as the source lives, `inside` is the place
    in it.
    """

    path: Path
    reader: Reader
    contents: Contents
    layout: str | None = None
    others: dict[str, int] | None = None
    to_layout: str | None = None
    told: tuple[Fault, ...] = ()
    unpacked: archives.Unpacked | None = None
    inside: Path | None = None

    @property
    def home(self) -> Path:
        """The file or folder that is read: `path`, or where that lies unpacked."""
        return self.path if self.inside is None else self.inside

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of all classes."""
        return tuple(map(as_text, self.contents.classes))

    @property
    def protocol(self) -> str:
        """Key of `splits.PROTOCOLS`."""
        return self.contents.protocol

    def clips(self, on_fault: OnFault, progress: Progress | None = None) -> Iterator[Clip]:
        """Every usable clip, all of one layout, under names of their own; what is left out goes to `on_fault`."""
        for fault in self.told:
            on_fault(fault)
        for name, count in (self.others or {}).items():
            some, were, them = (f"{count} files look", "were", "them") if count > 1 else ("1 file looks", "was", "it")
            also = f"{some} like format {name} and {were} not read; name it with --format to read {them} instead"
            on_fault(Fault(str(self.path), also, "nothing"))
        first: Clip | None = None
        met: dict[str, int] = {}
        mapped: set[str] = set()
        self._tell_bridges(on_fault)
        for clip in self.contents.clips(on_fault, progress):
            try:
                clip = self._mapped(self._sound(clip, on_fault), mapped, on_fault)
                if first is not None and _kind(clip) != _kind(first):
                    got, expected = (f"{c} channels of layout {layout}" for layout, c in (_kind(clip), _kind(first)))
                    raise DataError("another kind of clip than the first", got=got, expected=expected, fix="read apart")
            except DataError as error:
                on_fault(Fault(clip.file or clip.name, reason(error)))
                continue
            first = clip if first is None else first
            if clip.name != as_name(clip.name):
                told = f"its name could not be that of a file; this clip is called {as_name(clip.name)!r}"
                on_fault(Fault(clip.file or clip.name, told, "nothing"))
                clip = clip.replace(name=as_name(clip.name))
            met[clip.name] = met.get(clip.name, 0) + 1
            if met[clip.name] > 1:
                name = f"{clip.name} ({met[clip.name]})"
                again = f"the name occurs again; this clip is called {name!r}"
                on_fault(Fault(clip.file or clip.name, again, "nothing"))
                clip = clip.replace(name=name)
            yield clip

    def _sound(self, clip: Clip, on_fault: OnFault) -> Clip:
        """The clip as it can be used, or `DataError`; what had to be repaired is told."""
        if clip.label is not None and not 0 <= clip.label < len(self.classes):
            raise DataError(
                "label out of range",
                got=f"class {clip.label + 1}",
                expected=f"1 to {len(self.classes)}",
                fix="mend the label or the name, or list all classes in a classes.txt beside the files",
            )
        if self.layout is not None:
            check_joints(self.path, clip.layout, self.layout)
            clip = clip.replace(layout=self.layout)
        clip, repaired = repair(clip)
        if repaired:
            told = "; ".join(repaired[:REMARKS]) + f"; and {len(repaired) - REMARKS} more" * (len(repaired) > REMARKS)
            on_fault(Fault(clip.file or clip.name, f"coordinates that are not finite numbers: {told}", "nothing"))
        return check(clip)

    def _mapped(self, clip: Clip, told: set[str], on_fault: OnFault) -> Clip:
        """The clip on the layout that was asked for; how joints were matched is told once a layout."""
        if self.to_layout is None:
            return clip
        notes = joint_mapping(clip.layout, self.to_layout).notes
        if notes and clip.layout not in told:
            told.add(clip.layout)
            what = f"layout '{clip.layout}' is read as '{self.to_layout}': {'; '.join(notes)}"
            on_fault(Fault(str(self.path), what, "nothing"))
        return relayout(clip, self.to_layout)

    def _tell_bridges(self, on_fault: OnFault) -> None:
        layout = None if self.layout is None else get_layout(self.layout)
        if layout is not None and layout.bridged:
            added = ", ".join(f"{layout.joints[child]}-{layout.joints[parent]}" for child, parent in layout.bridged)
            on_fault(Fault(str(self.path), f"bones added to join all of layout '{layout.name}': {added}", "nothing"))


def gather(source: Source, into: Path | None, progress: Progress | None = None) -> ClipSet:
    """All usable clips: in memory, or as a stream in the native folder `into`.

    Raises
    ------
    DataError
        where there is none.
    """
    faults: list[Fault] = []
    stream = _one_rate(source.clips(faults.append, progress), source.path, faults)
    first = next(stream, None)
    if first is None:
        raise nothing_read(source, faults)
    clips, about = chain([first], stream), {"source": source.reader.name, "protocol": source.protocol}
    if into is not None:
        return pack(clips, into, classes=source.classes, faults=faults, **about)
    held = list(clips)
    return ClipSet.from_clips(held, source.classes, faults=tuple(faults), **about)


def _one_rate(clips: Iterator[Clip], path: Path, faults: list[Fault]) -> Iterator[Clip]:
    """The clips; at their end it is told how many differ from the first in what a set says once of them all."""
    first: tuple[float, str] | None = None
    others = [0, 0]
    for clip in clips:
        said = clip.fps, clip.units
        first = first or said
        others = [count + (one != kept) for count, one, kept in zip(others, said, first, strict=True)]
        yield clip
    for what, count, kept in zip(("frames a second", "units"), others, first or (), strict=False):
        if count:
            told = f"other {what} than the first clip's in {count} clip{'s' * (count > 1)}; the set says {kept} for all"
            faults.append(Fault(str(path), told, "nothing"))


def nothing_read(source: Source, faults: Sequence[Fault]) -> DataError:
    """The error for a data set of which no clip is left, with its first fault."""
    if faults:
        first = f"{len(faults)} fault{'s' * (len(faults) > 1)}, first {faults[0].file}: {faults[0].reason}"
        return DataError("no clip could be read", file=source.path, got=first)
    return DataError("no clip could be read", file=source.path, got=contents(source.path), expected=source.reader.what)


def _kind(clip: Clip) -> tuple[str, int]:
    return clip.layout, clip.xyz.shape[0]


def check_joints(path: Path, recorded: str, wanted: str) -> None:
    """`DataError` where two layouts differ in their joints."""
    if get_layout(wanted).joints != get_layout(recorded).joints:
        raise DataError(
            f"layout '{wanted}' has other joints than the recording",
            file=path,
            got=f"{get_layout(wanted).V} joints of '{wanted}'",
            expected=f"the {get_layout(recorded).V} joints of '{recorded}'",
            fix="leave the layout out, or choose one with the same joints",
        )
