"""What lies at a path: format, clips, classes, lengths, duplicates, faults; read clip by clip, nothing is kept."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stgcn_lens.data.dataset import ClipSet, Fault, Row
from stgcn_lens.data.native import open_set
from stgcn_lens.data.opened import Source, nothing_read
from stgcn_lens.data.readers import native, recognise
from stgcn_lens.data.remarks import origin, remarks
from stgcn_lens.data.source import OnFault, Progress
from stgcn_lens.data.splits import AXES, PROTOCOLS, complete, families, split
from stgcn_lens.data.tally import Sample, Tally
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.errors import DataError

BINS = 10  # of the histogram of lengths


@dataclass(frozen=True)
class Info:
    """A data set described.

    Attributes
    ----------
    path, format, layout, joints, channels, units, fps, protocol : what was understood; units and fps are the first
        clip's.
    most : where not None, only so many clips were looked at, the first ones; all counts are of these.
    clips, frames : how many there are in all.
    classes : class name -> clips, in label order, also where there is none; `unlabelled`: clips without a label.
    subjects, views, setups : id -> clips; ids that no name gives are left out.
    sides : the sides that the source itself puts clips on -> clips.
    splits : subject, view, setup, ... -> clips on each side, or why there is no such split.
    complete : how the number of clips compares to what the protocol's authors count; None where nothing is known.
    shortest, median, longest : clip lengths in frames.
    histogram : (from, to, clips) with `to` included.
    bodies : body slots of a clip -> clips; `at_once`: the most bodies in one frame of a clip -> clips.
    absent : share of frames and body slots in which the body is not there, [0, 1].
    missing : joint -> share of the present bodies' frames in which it is not detected, [0, 1]; see
        `tally.undetected`. The origin is never missing.
    origin : the joint that clips are centred on, None where they are not.
    extent : per channel, (lowest, highest) coordinate of a present body.
    duplicates : groups of names whose coordinates are equal.
    unusable : clips that training leaves out with default preprocessing, and why.
    remarks : what may surprise in the data, in sentences.
    faults : what was left out, and why; `earlier`: what was when this native set was made, and is told again.
    bytes : memory that the coordinates and masks need; a native set of the clips is as large on disk.
    prepared_bytes : disk that training needs for the prepared clips, with default preprocessing.
    """

    path: str
    format: str
    layout: str
    joints: int
    channels: int
    units: str
    fps: float
    protocol: str
    most: int | None
    clips: int
    frames: int
    classes: dict[str, int]
    unlabelled: int
    subjects: dict[int, int]
    views: dict[int, int]
    setups: dict[int, int]
    sides: dict[str, int]
    splits: dict[str, dict[str, int] | str]
    complete: str | None
    shortest: int
    median: float
    longest: int
    histogram: tuple[tuple[int, int, int], ...]
    bodies: dict[int, int]
    at_once: dict[int, int]
    absent: float
    missing: dict[str, float]
    origin: str | None
    extent: tuple[tuple[float, float], ...]
    duplicates: tuple[tuple[str, ...], ...]
    unusable: tuple[Fault, ...]
    remarks: tuple[str, ...]
    faults: tuple[Fault, ...]
    earlier: tuple[Fault, ...]
    bytes: int
    prepared_bytes: int

    @property
    def left_out(self) -> int:
        """Number of clips or files that were left out."""
        return sum(fault.dropped == "clip" for fault in self.faults)

    def text(self, most: int = 40) -> str:
        """For a terminal; of classes, duplicates and faults at most `most` lines each, the rest counted."""
        from stgcn_lens.data.overview import overview

        return overview(self, most)


def inspect(
    path: Path | str,
    format: str = "auto",
    layout: str | None = None,
    progress: Progress | None = None,
    most: int | None = None,
    to_layout: str | None = None,
) -> Info:
    """Read everything at `path` once, one clip at a time, and describe it.

    Parameters
    ----------
    path, format, layout, to_layout : see `readers.recognise`.
    progress : called with (clips or files done, in all).
    most : look at the first so many clips only.

    Raises
    ------
    DataError
        where nothing could be read; see `readers.recognise`.
    """
    return survey(path, format, layout, progress, most, to_layout)[0]


def survey(
    path: Path | str,
    format: str = "auto",
    layout: str | None = None,
    progress: Progress | None = None,
    most: int | None = None,
    to_layout: str | None = None,
) -> tuple[Info, tuple[Sample, ...]]:
    """`inspect`, and a few frames of up to three clips."""
    if most is not None and most < 1:
        raise DataError("too few clips to look at", got=most, expected="at least 1")
    source = recognise(path, format, layout, to_layout)
    faults: list[Fault] = []
    tally = Tally()
    cut = False
    for clip in source.clips(faults.append, progress if most is None else None):
        if len(tally.rows) == most:
            cut = True
            break
        tally.add(clip)
        if most is not None and progress is not None:
            progress(len(tally.rows), most)
    if tally.first is None:
        raise nothing_read(source, faults)
    return _info(source, tally, faults, most if cut else None), tally.samples()


def _info(source: Source, tally: Tally, faults: Sequence[Fault], most: int | None) -> Info:
    first, rows = tally.first, tally.rows
    assert first is not None
    layout, lengths = first.skeleton, [row.frames for row in rows]
    centred = origin(tally, layout)
    torn: list[Fault] = []
    sides = _sides(source, tally, torn.append)
    equal = [places for places in tally.equal.values() if len(places) > 1]
    slots = max(row.bodies for row in rows)
    earlier: tuple[Fault, ...] = ()
    if source.reader.name == "native":
        earlier = open_set(native.folder_of(source.home)).faults
    known = set(earlier)
    return Info(
        path=str(source.path),
        format=source.reader.name,
        layout=first.layout,
        joints=layout.V,
        channels=first.xyz.shape[0],
        units=first.units,
        fps=first.fps,
        protocol=source.protocol,
        most=most,
        clips=len(rows),
        frames=sum(lengths),
        classes=_classes(source.classes, rows),
        unlabelled=sum(row.label is None for row in rows),
        subjects=_counted(row.subject for row in rows),
        views=_counted(row.view for row in rows),
        setups=_counted(row.setup for row in rows),
        sides=_counted(side for row in rows for side in row.splits),
        splits={by: side if isinstance(side, str) else _counted(side.tolist()) for by, side in sides.items()},
        complete=None if most is not None else complete(rows, source.protocol),
        shortest=min(lengths),
        median=float(np.median(lengths)),
        longest=max(lengths),
        histogram=histogram(lengths),
        bodies=_counted(row.bodies for row in rows),
        at_once=dict(sorted(tally.at_once.items())),
        absent=1 - tally.present / tally.cells,
        missing={
            joint: 0.0 if joint == centred else float(lost) / tally.present
            for joint, lost in zip(layout.joints, tally.lost, strict=True)
        },
        origin=centred,
        extent=tuple((float(low), float(high)) for low, high in tally.extent.T),
        duplicates=tuple(tuple(rows[i].name for i in places) for places in equal),
        unusable=tuple(tally.unusable),
        remarks=(
            *remarks(tally, source.classes, equal, sides),
            *dict.fromkeys(f"{fault.file}: {fault.reason}" for fault in torn),
        ),
        faults=tuple(fault for fault in faults if fault not in known),
        earlier=earlier,
        bytes=tally.bytes,
        prepared_bytes=prepared_bytes(len(rows), first.xyz.shape[0], layout.V, slots),
    )


def _sides(source: Source, tally: Tally, on_fault: OnFault) -> dict[str, np.ndarray | str]:
    """What `--split` may say -> side of every clip, or why not; what nobody would try is left out.

    `on_fault` is told of clips that their source puts on two sides.
    """
    first = tally.first
    assert first is not None
    nothing = np.zeros((0, first.skeleton.V, first.xyz.shape[0]), np.float32)
    table = ClipSet(  # without coordinates: a split asks for the rows only
        rows=tuple(tally.rows),
        classes=source.classes,
        layout=first.layout,
        xyz=nothing,
        valid=np.zeros(0, bool),
        source=source.reader.name,
        protocol=source.protocol,
    )
    sides: dict[str, np.ndarray | str] = {}
    given = [family or "file" for family in families(tally.rows)]
    for by in [*AXES, *given]:
        try:
            sides[by] = split(table, by, on_fault=on_fault)
        except DataError as error:
            known = by in given or any(getattr(row, by) is not None for row in tally.rows)
            if known and (by in given or by in PROTOCOLS.get(source.protocol, {by: ()})):
                sides[by] = f"{error.what}: got {error.got}"
    return sides


def _counted(things: Iterable[Any]) -> dict[Any, int]:
    """Thing -> how often, sorted; None is not counted."""
    return dict(sorted(Counter(thing for thing in things if thing is not None).items()))


def _classes(names: Sequence[str], rows: Sequence[Row]) -> dict[str, int]:
    """Class name -> clips; names that occur twice are told apart by their number."""
    counts = Counter(row.label for row in rows)
    told: dict[str, int] = {}
    for i, name in enumerate(names):
        told[name if name not in told else f"{name} ({i + 1})"] = counts[i]
    return told


def prepared_bytes(clips: int, channels: int, joints: int, slots: int) -> int:
    """Size of the clips that training keeps prepared (`training.prepared`), with default preprocessing."""
    prep = Preprocessing()
    bodies = max(1, min(prep.bodies, slots))
    return clips * prep.frames * bodies * (channels * joints * 4 + 1)


def histogram(lengths: Sequence[int], bins: int = BINS) -> tuple[tuple[int, int, int], ...]:
    """Counts of whole numbers in at most `bins` ranges of equal width: (from, to, count), `to` included."""
    low, high = min(lengths), max(lengths)
    width = -(-(high - low + 1) // bins)
    starts = range(low, high + 1, width)
    counts = np.bincount((np.asarray(lengths) - low) // width, minlength=len(starts))
    return tuple((start, start + width - 1, int(n)) for start, n in zip(starts, counts, strict=True))
