"""Ragged windowed features of a set of clips: what every distance takes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stgcn_lens.errors import DataError, LensError

_CHECK_BYTES = 32 << 20


@dataclass(frozen=True, eq=False)
class Sequences:
    """The windows of N clips, one after the other.

    Attributes
    ----------
    windows : (R, D) float32 or float64, R windows in all; may be a memory map, which is then read piece by piece.
    offsets : (N + 1,) int64; clip i owns the rows offsets[i] to offsets[i + 1]. Every clip has at least one.

    Raises
    ------
    DataError
        Naming the clip (its position, from 0) that has no window or a value that is not finite; or the arrays
        do not fit each other.
    """

    windows: np.ndarray
    offsets: np.ndarray
    _sound: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        if self._sound:
            return
        object.__setattr__(self, "offsets", np.array(self.offsets, dtype=np.int64))
        if self.windows.ndim != 2 or self.windows.dtype not in (np.float32, np.float64):
            raise DataError(
                "windows of another kind",
                got=f"{self.windows.dtype} of shape {self.windows.shape}",
                expected="float32 or float64 of shape (windows, features)",
            )
        if not self.windows.flags.c_contiguous:
            object.__setattr__(self, "windows", np.ascontiguousarray(self.windows))
        self._check_offsets()
        self._check_finite()

    def _check_offsets(self) -> None:
        if self.offsets.ndim != 1 or len(self.offsets) < 2:
            raise DataError("a set without clips", got=f"offsets of shape {self.offsets.shape}", expected="(N + 1,)")
        if self.offsets[0] != 0 or self.offsets[-1] != len(self.windows):
            raise DataError(
                "offsets that do not cover the windows",
                got=f"{self.offsets[0]} to {self.offsets[-1]}",
                expected=f"0 to {len(self.windows)}",
            )
        empty = np.flatnonzero(np.diff(self.offsets) < 1)
        if len(empty):
            raise DataError(f"clip {empty[0]} has no window", got=0, expected="at least 1", fix="leave the clip out")

    def _check_finite(self) -> None:
        step = max(1, _CHECK_BYTES // max(1, self.windows.shape[1] * self.windows.itemsize))
        for start in range(0, len(self.windows), step):
            finite = np.isfinite(self.windows[start : start + step])
            if not finite.all():
                row = start + int(np.flatnonzero(~finite.all(axis=1))[0])
                clip = int(np.searchsorted(self.offsets, row, side="right")) - 1
                feature = int(np.flatnonzero(~np.isfinite(self.windows[row]))[0])
                raise DataError(
                    f"a feature of clip {clip} is not a finite number (window {row - self.offsets[clip]}, "
                    f"feature {feature})",
                    got=float(self.windows[row, feature]),
                    expected="finite numbers",
                    fix="look at that clip's input and at the network's weights",
                )

    @classmethod
    def of(cls, clips: Sequence[np.ndarray]) -> "Sequences":
        """The set of the given clips, each (windows of the clip, D)."""
        if not clips:
            raise DataError("a set without clips", got=0, expected="at least 1")
        offsets = np.concatenate([[0], np.cumsum([len(clip) for clip in clips])]).astype(np.int64)
        return cls(np.concatenate(list(clips)), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, clip: int) -> np.ndarray:
        """Windows of one clip, (n, D)."""
        return self.windows[self.offsets[clip] : self.offsets[clip + 1]]

    @property
    def features(self) -> int:
        """Number of features of a window, D."""
        return self.windows.shape[1]

    @property
    def lengths(self) -> np.ndarray:
        """Number of windows of every clip, (N,)."""
        return np.diff(self.offsets)

    def between(self, start: int, stop: int) -> "Sequences":
        """Clips start to stop - 1 without copying them."""
        rows = self.windows[self.offsets[start] : self.offsets[stop]]
        return Sequences(rows, self.offsets[start : stop + 1] - self.offsets[start], _sound=True)

    def take(self, clips: np.ndarray) -> "Sequences":
        """The clips of the given positions, in that order (a copy)."""
        return Sequences.of([self[int(clip)] for clip in clips])


def same_features(a: Sequences, b: Sequences) -> None:
    """Refuse two sets whose windows have different numbers of features."""
    if a.features != b.features:
        raise LensError(
            "windows of two different layers",
            got=f"{a.features} and {b.features} features",
            expected="the same number",
        )


def checked_pairs(a: Sequences, i: np.ndarray, j: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two lists of clip positions as int64; refused if they differ in length or point outside the set."""
    i, j = np.ascontiguousarray(i, dtype=np.int64), np.ascontiguousarray(j, dtype=np.int64)
    if i.ndim != 1 or i.shape != j.shape:
        raise LensError("lists of pairs that do not match", got=f"{i.shape} and {j.shape}", expected="two of (P,)")
    for side in (i, j):
        outside = side[(side < 0) | (side >= len(a))]
        if len(outside):
            raise LensError("a pair outside the set", got=f"clip {outside[0]}", expected=f"0 to {len(a) - 1}")
    return i, j
