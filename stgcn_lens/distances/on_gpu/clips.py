"""Clips of different lengths on a device, without padding.

Windows lie by time: the first windows of all clips, then the second ones, and so on. With the longest clip first, those
that have a window at time t are the first so many, at every t. Each time is one dense block of rows, and in a table of
windows against windows each pair of times one dense block of pairs of clips.
"""

from dataclasses import dataclass, field

import numpy as np
import torch

from stgcn_lens.distances.sequences import Sequences

Run = tuple[int, int]  # (first, last + 1) of a list of clips

_STAGE = 64 << 20  # ours: bytes that go to the device at a time


@dataclass(frozen=True, eq=False)
class Axis:
    """How clips lie along an axis of a table.

    Attributes
    ----------
    lengths : (P,) windows of each clip, not increasing.
    counts : for each time, how many clips have a window then.
    starts : for each time, the place of the first clip's window; clip p's is p places further.
    """

    lengths: np.ndarray
    counts: np.ndarray = field(init=False)
    starts: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        counts = np.searchsorted(-self.lengths, -np.arange(self.lengths[0]), side="left")
        object.__setattr__(self, "counts", counts)
        object.__setattr__(self, "starts", np.cumsum(counts) - counts)

    @property
    def clips(self) -> np.ndarray:
        """Clip of each place."""
        return np.arange(self.counts.sum()) - np.repeat(self.starts, self.counts)

    @property
    def times(self) -> np.ndarray:
        """Time of each place."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @property
    def last(self) -> np.ndarray:
        """(P,) place of each clip's last window."""
        return self.starts[self.lengths - 1] + np.arange(len(self.lengths))


@dataclass(frozen=True, eq=False)
class Packed:
    """Some clips of a set, on a device.

    Attributes
    ----------
    order : (P,) which of the given clips is first, second, ... along the axis.
    axis : how their windows lie.
    windows : (R, D) as they are in the set.
    """

    order: np.ndarray
    axis: Axis
    windows: torch.Tensor


def pack(a: Sequences, clips: np.ndarray, device: str) -> Packed:
    """The clips at the given positions of `a`, on the device."""
    lengths = a.lengths[clips]
    order = np.argsort(-lengths, kind="stable")
    axis = Axis(lengths[order])
    rows = a.offsets[clips[order]][axis.clips] + axis.times
    windows = torch.empty((len(rows), a.features), dtype=_dtype(a), device=device)
    step = max(1, _STAGE // (a.features * a.windows.itemsize))
    stage = torch.empty((min(step, len(rows)), a.features), dtype=_dtype(a), pin_memory=device.startswith("cuda"))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        np.take(a.windows, part, axis=0, out=stage.numpy()[: len(part)], mode="clip")
        windows[start : start + step] = stage[: len(part)]
    return Packed(order, axis, windows)


def _dtype(a: Sequences) -> torch.dtype:
    return torch.float32 if a.windows.dtype == np.float32 else torch.float64


@dataclass(eq=False)
class Shelf:
    """Runs of clips that stay on the device while there is room.

    Attributes
    ----------
    a, clips : the set, and positions in it; a run is (start, stop) of them.
    room : bytes that may stay.
    """

    a: Sequences
    clips: np.ndarray
    device: str
    room: int
    _held: dict[Run, Packed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._edges = np.concatenate([[0], np.cumsum(self.a.lengths[self.clips])])

    def windows(self, run: Run) -> int:
        """Number of windows of a run."""
        return int(self._edges[run[1]] - self._edges[run[0]])

    def __getitem__(self, run: Run) -> Packed:
        if run in self._held:
            return self._held[run]
        packed = pack(self.a, self.clips[slice(*run)], self.device)
        if packed.windows.nbytes <= self.room:
            self._held[run] = packed
            self.room -= packed.windows.nbytes
        return packed

    def clear(self) -> None:
        """Let go of all, and hold nothing any more."""
        self._held.clear()
        self.room = 0

    def runs(self, most: int) -> list[Run]:
        """All clips in runs of at most `most` windows; a longer clip is a run of its own."""
        runs, start = [], 0
        while start < len(self.clips):
            stop = int(np.searchsorted(self._edges, self._edges[start] + most, side="right")) - 1
            stop = max(start + 1, stop)
            runs.append((start, stop))
            start = stop
        return runs
