"""What lies at a path: format, clips, classes, lengths, duplicates, faults; read clip by clip, nothing is kept."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import Fault
from stgcn_lens.data.readers import Source, nothing_read, recognise
from stgcn_lens.data.readers.source import Progress
from stgcn_lens.data.splits import PROTOCOLS, describe
from stgcn_lens.files import fingerprint

BINS = 10  # of the histogram of lengths


@dataclass(frozen=True)
class Info:
    """A data set described.

    Attributes
    ----------
    path, format, layout, joints, channels, units, fps, protocol : what was understood.
    clips, frames : how many there are in all.
    classes : class name -> clips, in label order, also where there is none; `unlabelled`: clips without a label.
    subjects, views, setups : id -> clips; ids that no name gives are left out.
    shortest, median, longest : clip lengths in frames.
    histogram : (from, to, clips) with `to` included.
    bodies : body slots of a clip -> clips.
    absent : share of frames and body slots in which the body is not there, [0, 1].
    extent : per channel, (lowest, highest) coordinate of a present body.
    duplicates : groups of names whose coordinates are equal.
    faults : what was left out, and why.
    bytes : memory that the coordinates and masks need.
    """

    path: str
    format: str
    layout: str
    joints: int
    channels: int
    units: str
    fps: float
    protocol: str
    clips: int
    frames: int
    classes: dict[str, int]
    unlabelled: int
    subjects: dict[int, int]
    views: dict[int, int]
    setups: dict[int, int]
    shortest: int
    median: float
    longest: int
    histogram: tuple[tuple[int, int, int], ...]
    bodies: dict[int, int]
    absent: float
    extent: tuple[tuple[float, float], ...]
    duplicates: tuple[tuple[str, ...], ...]
    faults: tuple[Fault, ...]
    bytes: int

    def text(self, most: int = 40) -> str:
        """For a terminal; of classes, duplicates and faults at most `most` each, the rest counted."""
        units = f"{self.units}, {self.fps:g} frames/s"
        used = [(i, name, n) for i, (name, n) in enumerate(self.classes.items(), 1) if n]
        lines = [
            f"{self.path}: {self.format}, {self.clips} clips, {self.frames} frames",
            f"layout     {self.layout}: {self.joints} joints, {self.channels} channels, {units}",
            f"lengths    {self.shortest} to {self.longest} frames, median {self.median:g}",
            *_bars(self.histogram),
            "bodies     "
            + ", ".join(f"{n} with {m} in it" for m, n in self.bodies.items())
            + (f"; {self.absent:.1%} of their frames absent" if self.absent else ""),
            "extent     " + ", ".join(f"{low:.2f} to {high:.2f}" for low, high in self.extent),
            *_ids("subject", self.subjects),
            *_ids("view", self.views),
            *_ids("setup", self.setups),
            f"splits     {self.protocol}: " + "; ".join(describe(self.protocol, by) for by in _axes(self.protocol)),
            f"memory     {_size(self.bytes)}",
            f"classes    {len(self.classes)}"
            + f", of which {len(used)} have clips" * (len(used) < len(self.classes))
            + f"; clips without a label: {self.unlabelled}" * bool(self.unlabelled),
            *_some([f"  {i:4d}  {n:5d}  {name}" for i, name, n in used], most),
            "duplicates " + (f"groups of equal clips: {len(self.duplicates)}" if self.duplicates else "none"),
            *_some([f"  {' = '.join(names)}" for names in self.duplicates], most),
            f"faults     {self._faults()}",
            *_some([f"  {fault.file}: {fault.reason}" for fault in self.faults], most),
        ]
        return "\n".join(lines)

    def _faults(self) -> str:
        if not self.faults:
            return "none"
        lost = sum(fault.dropped == "clip" for fault in self.faults)
        frames = sum(fault.frames for fault in self.faults)
        return f"{len(self.faults)}; clips dropped: {lost}; frames without a body: {frames}"


def inspect(
    path: Path | str, format: str = "auto", layout: str | None = None, progress: Progress | None = None
) -> Info:
    """Read everything at `path` once, one clip at a time, and describe it.

    Raises
    ------
    DataError
        where nothing could be read; see `readers.recognise`.
    """
    source = recognise(path, format, layout)
    faults: list[Fault] = []
    tally = _Tally()
    for clip in source.clips(faults.append, progress):
        tally.add(clip)
    if tally.last is None:
        raise nothing_read(source, faults)
    return tally.info(source, tally.last, faults)


class _Tally:
    """Counts over a stream of clips."""

    def __init__(self) -> None:
        self.last: Clip | None = None
        self.labels: Counter[int | None] = Counter()
        self.ids: dict[str, Counter[int]] = {by: Counter() for by in ("subject", "view", "setup")}
        self.lengths: list[int] = []
        self.bodies: Counter[int] = Counter()
        self.names: defaultdict[str, list[str]] = defaultdict(list)
        self.extent: list[np.ndarray] = []
        self.cells = self.present = self.bytes = 0

    def add(self, clip: Clip) -> None:
        self.last = clip
        self.labels[clip.label] += 1
        for by, counts in self.ids.items():
            if (number := getattr(clip, by)) is not None:
                counts[number] += 1
        self.lengths.append(clip.frames)
        self.bodies[clip.bodies] += 1
        digest = fingerprint(repr(clip.xyz.shape))
        digest.update(np.ascontiguousarray(clip.xyz).data)
        digest.update(np.ascontiguousarray(clip.valid).data)
        self.names[digest.hexdigest()].append(clip.name)
        there = clip.xyz.transpose(0, 1, 3, 2)[:, clip.valid].reshape(clip.xyz.shape[0], -1)
        now = [np.stack([there.min(axis=1), there.max(axis=1)])]
        known = np.stack([*self.extent, *now])
        self.extent = [np.stack([known[:, 0].min(axis=0), known[:, 1].max(axis=0)])]
        self.cells += clip.valid.size
        self.present += int(clip.valid.sum())
        self.bytes += clip.xyz.nbytes + clip.valid.nbytes

    def info(self, source: Source, clip: Clip, faults: Sequence[Fault]) -> Info:
        return Info(
            path=str(source.path),
            format=source.reader.name,
            layout=clip.layout,
            joints=clip.skeleton.V,
            channels=clip.xyz.shape[0],
            units=clip.units,
            fps=clip.fps,
            protocol=source.protocol,
            clips=len(self.lengths),
            frames=sum(self.lengths),
            classes={name: self.labels[i] for i, name in enumerate(source.classes)},
            unlabelled=self.labels[None],
            subjects=dict(sorted(self.ids["subject"].items())),
            views=dict(sorted(self.ids["view"].items())),
            setups=dict(sorted(self.ids["setup"].items())),
            shortest=min(self.lengths),
            median=float(np.median(self.lengths)),
            longest=max(self.lengths),
            histogram=histogram(self.lengths),
            bodies=dict(sorted(self.bodies.items())),
            absent=1 - self.present / self.cells,
            extent=tuple((float(low), float(high)) for low, high in self.extent[0].T),
            duplicates=tuple(tuple(names) for names in self.names.values() if len(names) > 1),
            faults=tuple(faults),
            bytes=self.bytes,
        )


def histogram(lengths: Sequence[int], bins: int = BINS) -> tuple[tuple[int, int, int], ...]:
    """Counts of whole numbers in at most `bins` ranges of equal width: (from, to, count), `to` included."""
    low, high = min(lengths), max(lengths)
    width = -(-(high - low + 1) // bins)
    starts = range(low, high + 1, width)
    counts = np.bincount((np.asarray(lengths) - low) // width, minlength=len(starts))
    return tuple((start, start + width - 1, int(n)) for start, n in zip(starts, counts, strict=True))


def _bars(rows: Sequence[tuple[int, int, int]]) -> list[str]:
    top = max(n for *_, n in rows)
    return [f"  {low:5d} to {high:<5d} {n:6d} {'#' * -(-30 * n // top)}" for low, high, n in rows]


def _ids(name: str, counts: dict[int, int]) -> list[str]:
    if not counts:
        return [f"{name + 's':<10} not known"]
    each = ", ".join(f"{number} ({n})" for number, n in counts.items())
    return [f"{name + 's':<10} {len(counts)}, id (clips): {each}"]


def _some(lines: list[str], most: int) -> list[str]:
    return lines if len(lines) <= most else [*lines[:most], f"  ... and {len(lines) - most} more"]


def _axes(protocol: str) -> list[str]:
    return list(PROTOCOLS.get(protocol, PROTOCOLS["generic"]))


def _size(n: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if n >= size:
            return f"{n / size:.1f} {unit}"
    return f"{n / 1e3:.1f} kB"
