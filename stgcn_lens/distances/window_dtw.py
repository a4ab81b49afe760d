"""Dynamic time warping of windowed features.

Not the *weighted* DTW that other libraries call WDTW: the steps are plain, the elements are windows.

`pairs` is exact: float64 sums of squared differences, the same number whatever else is computed. `cdist` takes its
costs in the windows' own precision, a tile of many at a time, and warps many pairs side by side; its distances of
float32 windows are good to `RELATIVE`, and to about 1e-7 as a rule.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from stgcn_lens.distances.costs import COLUMNS, ERROR, ROWS, fill, padded, windows_of
from stgcn_lens.distances.recursion import LARGEST, SMALLEST, along, forward, in_full, side_by_side
from stgcn_lens.distances.sequences import Sequences, checked_pairs, same_features
from stgcn_lens.distances.threads import each_in_threads, in_threads
from stgcn_lens.errors import LensError

RELATIVE = ERROR / 2
"""Largest relative error of a distance of `cdist`, half of that of its sum of costs."""

_LANES = 16  # pairs warped side by side (ours): two vectors of eight float64 numbers
_TABLE_BYTES = 32 << 20  # of their local costs (ours); very long clips are warped by fewer at a time
_SIDE = 96  # windows against which all others are set at a time (ours): they fit into the second cache
_FEW = 256  # features (ours) under which all exact costs are cheaper than finding out which are needed
_ROWS = 256  # of the result that are looked through at a time (ours)
_WINDOWS = 512  # of the partners of a clip that are looked at together (ours)


@dataclass(frozen=True)
class WindowDTW:
    """How windows are warped.

    d(X, Y) = sqrt(min over warping paths of the summed squared Euclidean costs / (n + m)), n and m windows long.

    Parameters
    ----------
    normalise : divide by n + m inside the root; without it d is tslearn's `dtw`.
    band : half-width of a Sakoe-Chiba band in windows, or None for none. With n <= m the path keeps to
        i - band <= j <= i + (m - n) + band (and likewise for n > m): the band is widened by the difference in
        length on the longer side, so that a path always exists. This is tslearn's `sakoe_chiba_radius`.
    """

    normalise: bool = True  # ours: long clips are not farther from everything than short ones
    band: int | None = None  # ours: clips have few windows, so the full matrix is cheap

    def __post_init__(self) -> None:
        if self.band is not None and self.band < 0:
            raise LensError("a band of negative width", got=self.band, expected="0 or more windows, or none")

    @property
    def radius(self) -> int:
        """The band as the compiled functions take it: -1 for none."""
        return -1 if self.band is None else self.band

    def margins(self, n: int, m: int) -> tuple[int, int]:
        """How far j may fall below and rise above i on a path between n and m windows."""
        radius = n + m if self.band is None else self.band
        return radius + max(0, n - m), radius + max(0, m - n)


def cdist(a: Sequences, b: Sequences | None, config: WindowDTW) -> np.ndarray:
    """Distances of every clip of `a` to every clip of `b`, (Na, Nb) float64; `b` None means `a` itself.

    Of float32 windows a distance is wrong by at most its `RELATIVE` part; equal clips are at exactly zero. Of float64
    windows it is as exact as that of `pairs`, but for the last digits.

    Raises
    ------
    LensError
        If the two have different numbers of features.
    """
    other = a if b is None else b
    same_features(a, other)
    out = np.zeros((len(a), len(other)))
    x, y = readable(a.windows), readable(other.windows)
    xs, ys = by_length(a), by_length(other)
    lists, single = _sides(a.lengths[xs]), a.windows.dtype == np.float32
    side = max(int(a.lengths.max()), _SIDE) * int(other.lengths.max())
    lanes = max(1, min(_LANES, _TABLE_BYTES // (8 * side)))

    def work(item: int) -> None:
        _block(
            x,
            a.offsets,
            xs,
            *lists[item],
            y,
            other.offsets,
            ys,
            b is None,  # each pair is computed once: with the clips that come after
            lanes,
            config.radius,
            config.normalise,
            single,
            out,
        )

    each_in_threads(work, len(lists))
    for start in range(0, len(a), _ROWS):
        i, j = np.nonzero(np.isnan(out[start : start + _ROWS]))
        out[start + i, j] = _between(a, other, start + i, j, config)
    return out


def pairs(a: Sequences, i: np.ndarray, j: np.ndarray, config: WindowDTW) -> np.ndarray:
    """Distances between clips i[p] and j[p] of `a`, (P,) float64.

    Raises
    ------
    LensError
        If i and j differ in length or point outside the set.
    """
    i, j = checked_pairs(a, i, j)
    return _between(a, a, i, j, config)


def as_windows(a: Sequences, config: WindowDTW) -> tuple[Sequences, WindowDTW]:
    """The windows and the config as they are; see `Distance`."""
    return a, config


def path(x: np.ndarray, y: np.ndarray, config: WindowDTW) -> tuple[list[tuple[int, int]], float]:
    """The best alignment of two clips and its distance.

    Parameters
    ----------
    x, y : (n, D) and (m, D) windows.

    Returns
    -------
    Pairs (window of x, window of y) from (0, 0) to (n - 1, m - 1), and d(x, y). Of equally good steps backwards the
    diagonal is taken first, then the step in x.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    n, m = len(x), len(y)
    lower, upper = config.margins(n, m)
    total = np.full((n + 1, m + 1), np.inf)
    total[0, 0] = 0.0
    for i in range(n):
        start, stop = max(0, i - lower), min(m, i + upper + 1)
        cost = ((x[i] - y[start:stop]) ** 2).sum(axis=1)
        for j in range(start, stop):
            total[i + 1, j + 1] = cost[j - start] + min(total[i, j], total[i, j + 1], total[i + 1, j])
    i, j = n, m
    steps = [(n - 1, m - 1)]
    while (i, j) != (1, 1):
        i, j = min(((i - 1, j - 1), (i - 1, j), (i, j - 1)), key=lambda cell: total[cell])
        steps.append((i - 1, j - 1))
    return steps[::-1], float(np.sqrt(total[n, m] / (n + m if config.normalise else 1)))


def readable(windows: np.ndarray) -> np.ndarray:
    """The windows as compiled functions take them: one type for memory and memory maps, so that they compile once."""
    view = np.asarray(windows).view()
    view.flags.writeable = False
    return view


def by_length(a: Sequences) -> np.ndarray:
    """Positions of the clips, the longest first."""
    return np.argsort(-a.lengths, kind="stable")


def _sides(lengths: np.ndarray) -> list[tuple[int, int]]:
    """Runs (start, stop) of clips with about `_SIDE` windows together, at least one clip."""
    runs, start, windows = [], 0, 0
    for clip, length in enumerate(lengths.tolist()):
        if windows and windows + length > _SIDE:
            runs.append((start, clip))
            start, windows = clip, 0
        windows += length
    return [*runs, (start, len(lengths))]


def _between(a: Sequences, b: Sequences, i: np.ndarray, j: np.ndarray, config: WindowDTW) -> np.ndarray:
    out = np.empty(len(i))
    x, y = readable(a.windows), readable(b.windows)
    if not len(i):
        return out
    order = np.lexsort((j, i))  # the pairs of one clip one after the other
    left, right = i[order], j[order]
    sure = a.windows.dtype == np.float32 and a.features >= _FEW
    found = np.empty(len(i))

    def work(first: int, last: int) -> None:
        _pairs(x, a.offsets, y, b.offsets, left, right, first, last, config.radius, config.normalise, sure, found)

    in_threads(work, len(i))
    out[order] = found
    return out


@njit(nogil=True, cache=True)
def _block(  # type: ignore[no-untyped-def]
    x, x_offsets, xs, start, stop, y, y_offsets, ys, once, abreast, radius, normalise, single, out
):
    # Clips xs[start:stop] against all ys, or those that come after them. Not a number: the sum is not to be trusted.
    height = 0
    for place in range(start, stop):
        height += x_offsets[xs[place] + 1] - x_offsets[xs[place]]
    rows = np.empty(height + ROWS, dtype=np.int64)
    at = 0
    for place in range(start, stop):
        at = windows_of(x_offsets, xs[place], rows, at)
    height = padded(rows, height, ROWS)
    begin = start if once else 0
    longest = y_offsets[ys[begin] + 1] - y_offsets[ys[begin]]
    columns = np.empty(abreast * longest + COLUMNS, dtype=np.int64)
    cost = np.empty((height, len(columns)))
    room = np.empty((longest, abreast))
    corner, left, lengths = np.empty(abreast), np.empty(abreast), np.empty(abreast, dtype=np.int64)
    for first in range(begin, len(ys), abreast):
        lanes = min(abreast, len(ys) - first)
        most = 0
        for lane in range(lanes):
            clip = ys[first + lane]
            lengths[lane] = y_offsets[clip + 1] - y_offsets[clip]
            most = max(most, lengths[lane])
        for lane in range(lanes):
            for j in range(most):  # a shorter clip repeats its last window, which does not change its sums
                columns[j * lanes + lane] = y_offsets[ys[first + lane]] + min(j, lengths[lane] - 1)
        fill(x, rows, height, y, columns, padded(columns, most * lanes, COLUMNS), cost)
        at = 0
        for place in range(start, stop):
            clip = xs[place]
            n = x_offsets[clip + 1] - x_offsets[clip]
            side_by_side(cost, at, n, lengths[:lanes], most, radius, room, corner, left)
            at += n
            for lane in range(lanes):
                if once and first + lane <= place:
                    continue
                total = room[lengths[lane] - 1, lane]
                if single and not SMALLEST < total < LARGEST:
                    total = np.nan
                distance = np.sqrt(total / (n + lengths[lane]) if normalise else total)
                out[clip, ys[first + lane]] = distance
                if once:
                    out[ys[first + lane], clip] = distance


@njit(nogil=True, cache=True)
def _pairs(x, x_offsets, y, y_offsets, left, right, first, last, radius, normalise, sure, out):  # type: ignore[no-untyped-def]
    longest, widest = 1, 1
    for pair in range(first, last):
        longest = max(longest, x_offsets[left[pair] + 1] - x_offsets[left[pair]])
        widest = max(widest, y_offsets[right[pair] + 1] - y_offsets[right[pair]])
    rows = np.empty(longest + ROWS, dtype=np.int64)
    columns = np.empty(max(_WINDOWS, widest) + COLUMNS, dtype=np.int64)
    cost = np.empty((len(rows), len(columns)))
    one, two, three = np.empty((longest, widest)), np.empty((longest, widest)), np.empty((longest, widest))
    pair = first
    while pair < last:
        clip = left[pair]
        x0 = x_offsets[clip]
        n = x_offsets[clip + 1] - x0
        stop, width = pair, 0
        while stop < last and left[stop] == clip:
            m = y_offsets[right[stop] + 1] - y_offsets[right[stop]]
            if width > 0 and width + m > _WINDOWS:
                break
            width = windows_of(y_offsets, right[stop], columns, width)
            stop += 1
        if sure:
            windows_of(x_offsets, clip, rows, 0)
            fill(x, rows, padded(rows, n, ROWS), y, columns, padded(columns, width, COLUMNS), cost)
        at = 0
        for this in range(pair, stop):
            y0 = y_offsets[right[this]]
            m = y_offsets[right[this] + 1] - y0
            total = forward(cost, 0, at, n, m, radius, one) if sure else 0.0
            if SMALLEST < total < LARGEST:
                total = along(x, x0, n, y, y0, m, cost, 0, at, radius, one, two, three)
            else:
                total = in_full(x, x0, n, y, y0, m, radius, two, one)
            out[this] = np.sqrt(total / (n + m) if normalise else total)
            at += m
        pair = stop
