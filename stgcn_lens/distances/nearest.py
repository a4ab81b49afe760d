"""The nearest clips of clips, exactly, given lower bounds of the distances to all others.

The clips with the smallest bounds come first, k and a few more: their distances are worked out in single precision,
with a worst case of its error. Whatever has a bound above the k-th smallest of these cannot be among the k nearest; the
rest is worked out too, and those that still can be are compared by their exact distances. Each pair is worked out once
for both of its clips.
"""

import numpy as np
from numba import njit

from stgcn_lens.distances.costs import COLUMNS, ERROR, ROWS, fill, padded, windows_of
from stgcn_lens.distances.recursion import LARGEST, SMALLEST, along, forward, in_full
from stgcn_lens.distances.sequences import Sequences
from stgcn_lens.distances.threads import in_threads
from stgcn_lens.distances.window_dtw import WindowDTW, readable

_WINDOWS = 512  # of the partners of a clip that are looked at together (ours)
_KEPT_BYTES = 128 << 20  # of local costs that are kept for the exact distances (ours); the others are made again
_GUIDES = 64  # clips that tell which others are alike (ours)
_ENTRIES = 1 << 20  # candidates of all clips together that are looked at at a time (ours)


def nearest(
    a: Sequences, start: int, bounds: np.ndarray, k: int, config: WindowDTW, *, others: int = 0, more: int = 0
) -> tuple[np.ndarray, np.ndarray, int]:
    """The k nearest other clips of clips start, start + 1, ..., nearest first, ties by position.

    Parameters
    ----------
    bounds : (rows, clips) float32, at most the distances to clips others, others + 1, ...; infinite where a clip is not
        to be taken, as for itself.
    k : at most the number of clips that may be taken.
    more : clips beside k that are worked out before it is asked who else can be near; no more than may be taken. The
        looser the bounds, the more of the others these few leave out.

    Returns
    -------
    Positions (rows, k) int64, distances (rows, k) float64 as `window_dtw.pairs` has them, and the number of pairs
    (clip, other) whose distance was worked out.
    """
    rows = len(bounds)
    table = _Table(a, config, start, _alike(bounds))
    first = np.empty((rows, k + more), dtype=np.int64)

    def smallest(begin: int, end: int) -> None:
        # By numpy, whose partition takes many numbers at once.
        last = np.partition(bounds[begin:end], k + more - 1, axis=1)[:, k + more - 1]
        _up_to(bounds[begin:end], last, first[begin:end])

    in_threads(smallest, rows)
    places = table.measured(np.repeat(start + np.arange(rows), k + more), others + first.ravel())
    limit = np.partition(table.high[places.reshape(rows, -1)], k - 1, axis=1)[:, k - 1]
    counts = np.empty(rows, dtype=np.int64)
    in_threads(lambda begin, end: _count(bounds, limit, k + more, begin, end, counts), rows)
    positions, distances = np.empty((rows, k), dtype=np.int64), np.empty((rows, k))
    begin = 0
    for end in _edges(counts, _ENTRIES):
        starts = np.concatenate([[0], np.cumsum(counts[begin:end])])
        row, other = np.repeat(np.arange(end - begin), counts[begin:end]), np.empty(starts[-1], dtype=np.int64)
        part = slice(begin, end)
        _list(bounds[part], limit[part], first[part], starts, other)
        other += others
        pair = table.measured(start + begin + row, other)
        # The k-th smallest upper end of each clip, and who is not above it.
        able = table.low[pair] <= _kth(table.high[pair], starts, k)[row]
        row, other, pair = row[able], other[able], pair[able]
        exact = table.settled(pair)
        order = np.lexsort((other, exact, row))
        chosen = order[np.searchsorted(row[order], np.arange(end - begin))[:, None] + np.arange(k)]
        positions[begin:end], distances[begin:end] = other[chosen], exact[chosen]
        begin = end
    return positions, distances, int(np.maximum(counts, k + more).sum())


def _edges(counts: np.ndarray, most: int) -> list[int]:
    """Ends of runs of rows whose counts together are at most that, at least one row each."""
    total, edges = np.cumsum(counts), []
    at = 0
    while at < len(counts):
        done = total[at - 1] if at else 0
        at = max(at + 1, int(np.searchsorted(total, done + most, side="right")))
        edges.append(at)
    return edges


def _alike(bounds: np.ndarray) -> np.ndarray:
    """An order of the rows in which those follow each other that are near the same one of a few clips."""
    few = bounds[:, :: max(1, bounds.shape[1] // _GUIDES)]
    return np.argsort(few.argmin(axis=1), kind="stable")


class _Table:
    """What is known of pairs of clips: between what their distances lie, and their exact distances.

    Attributes
    ----------
    low, high : ends of the distances of the pairs so far.
    """

    def __init__(self, a: Sequences, config: WindowDTW, start: int, order: np.ndarray) -> None:
        self.a, self.config, self.start, self.clips = a, config, start, start + order
        self.turn = np.empty(len(order), dtype=np.int64)  # of each clip from `start` on
        self.turn[order] = np.arange(len(order))
        self.x, self.single = readable(a.windows), a.windows.dtype == np.float32
        self.keys = np.empty(0, dtype=np.int64)  # of all pairs so far, increasing
        self.order = np.empty(0, dtype=np.int64)  # their places in the arrays below
        self.left = self.right = np.empty(0, dtype=np.int64)
        self.low, self.high, self.exact = np.empty(0), np.empty(0), np.empty(0)
        self.at = np.empty(0, dtype=np.int64)  # where their costs begin among those that are kept, or -1
        self.costs = np.empty(0, dtype=np.float32)

    def measured(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Places of the pairs in our arrays; those that are new are worked out."""
        n, many = len(self.a), len(self.turn)
        turn = self.turn[i - self.start]
        inside = (j >= self.start) & (j < self.start + many)
        other = np.where(inside, self.turn[np.where(inside, j - self.start, 0)], many)
        # Clips that share their partners come one after the other: these are then still in a cache.
        keys = np.where(other < turn, other * n + i, turn * n + j)
        wanted, back = np.unique(keys, return_inverse=True)
        new = wanted[~np.isin(wanted, self.keys, assume_unique=True)]
        if len(new):
            self._measure(self.clips[new // n], new % n)
            keys = np.concatenate([self.keys, new])
            places = np.concatenate([self.order, np.arange(len(self.low) - len(new), len(self.low))])
            order = np.argsort(keys)
            self.keys, self.order = keys[order], places[order]
        return np.asarray(self.order[np.searchsorted(self.keys, wanted)][back])

    def settled(self, places: np.ndarray) -> np.ndarray:
        """Exact distances of the pairs at these places."""
        todo = np.unique(places[np.isnan(self.exact[places])])
        if len(todo):
            todo = todo[np.lexsort((self.right[todo], self.turn[self.left[todo] - self.start]))]
            arguments = self.x, self.a.offsets, self.left, self.right, self.at, self.costs, todo
            longest = int(self.a.lengths.max())

            def work(first: int, last: int) -> None:
                _settle(*arguments, first, last, longest, self.config.radius, self.config.normalise, self.exact)

            in_threads(work, len(todo))
        return self.exact[places]

    def _measure(self, left: np.ndarray, right: np.ndarray) -> None:
        """Append pairs; those of one left clip follow each other."""
        lengths = self.a.lengths
        cells = np.cumsum(lengths[left] * lengths[right])
        room = _KEPT_BYTES // 4 - len(self.costs)
        keep = int(np.searchsorted(cells, room, side="right"))
        at = np.full(len(left), -1, dtype=np.int64)
        at[:keep] = len(self.costs) + np.concatenate([[0], cells])[:keep]
        costs = np.concatenate([self.costs, np.empty(cells[keep - 1] if keep else 0, dtype=np.float32)])
        low, high, exact = np.empty(len(left)), np.empty(len(left)), np.full(len(left), np.nan)
        longest = int(lengths.max())

        def work(first: int, last: int) -> None:
            _measure(
                self.x,
                self.a.offsets,
                left,
                right,
                at,
                first,
                last,
                longest,
                self.config.radius,
                self.config.normalise,
                self.single,
                costs,
                low,
                high,
                exact,
            )

        in_threads(work, len(left))
        self.costs = costs
        self.left, self.right = np.concatenate([self.left, left]), np.concatenate([self.right, right])
        self.low, self.high = np.concatenate([self.low, low]), np.concatenate([self.high, high])
        self.exact, self.at = np.concatenate([self.exact, exact]), np.concatenate([self.at, at])


@njit(nogil=True, cache=True)
def _up_to(bounds, last, out):  # type: ignore[no-untyped-def]
    # Places of the k smallest of each row, whose k-th smallest is known; of equal ones at the end the first.
    k = out.shape[1]
    for row in range(len(bounds)):
        bound, limit, count = bounds[row], last[row], 0
        for place in range(len(bound)):
            if bound[place] < limit:
                out[row, count] = place
                count += 1
        place = 0
        while count < k:
            if bound[place] == limit:
                out[row, count] = place
                count += 1
            place += 1


@njit(nogil=True, cache=True)
def _kth(values, starts, k):  # type: ignore[no-untyped-def]
    # The k-th smallest of each run of values.
    out = np.empty(len(starts) - 1)
    for run in range(len(out)):
        out[run] = np.partition(values[starts[run] : starts[run + 1]], k - 1)[k - 1]
    return out


@njit(nogil=True, cache=True)
def _count(bounds, limit, taken, first, last, counts):  # type: ignore[no-untyped-def]
    # How many clips can be nearer than the limit. At distance zero the lowest positions are among those taken already.
    for row in range(first, last):
        count = 0
        for place in range(bounds.shape[1]):
            count += bounds[row, place] <= limit[row] and bounds[row, place] < np.inf
        counts[row] = count if limit[row] > 0 else taken


@njit(nogil=True, cache=True)
def _list(bounds, limit, smallest, starts, out):  # type: ignore[no-untyped-def]
    # The places of these clips.
    for row in range(len(bounds)):
        at = starts[row]
        if limit[row] > 0:
            for place in range(bounds.shape[1]):
                if bounds[row, place] <= limit[row] and bounds[row, place] < np.inf:
                    out[at] = place
                    at += 1
        else:
            out[at : starts[row + 1]] = smallest[row]


@njit(nogil=True, cache=True)
def _measure(  # type: ignore[no-untyped-def]
    x, offsets, left, right, at, first, last, longest, radius, normalise, single, costs, low, high, exact
):
    rows = np.empty(longest + ROWS, dtype=np.int64)
    columns = np.empty(max(_WINDOWS, longest) + COLUMNS, dtype=np.int64)
    cost = np.empty((len(rows), len(columns)))
    one, two = np.empty((longest, longest)), np.empty((longest, longest))
    pair = first
    while pair < last:
        clip = left[pair]
        x0, n = offsets[clip], offsets[clip + 1] - offsets[clip]
        windows_of(offsets, clip, rows, 0)
        stop, width = pair, 0
        while stop < last and left[stop] == clip:
            m = offsets[right[stop] + 1] - offsets[right[stop]]
            if width > 0 and width + m > _WINDOWS:
                break
            width = windows_of(offsets, right[stop], columns, width)
            stop += 1
        fill(x, rows, padded(rows, n, ROWS), x, columns, padded(columns, width, COLUMNS), cost)
        q = 0
        for this in range(pair, stop):
            y0, m = offsets[right[this]], offsets[right[this] + 1] - offsets[right[this]]
            total = forward(cost, 0, q, n, m, radius, one)
            steps = n + m if normalise else 1
            if single and not SMALLEST < total < LARGEST:
                total = in_full(x, x0, n, x, y0, m, radius, two, one)
                low[this] = high[this] = exact[this] = np.sqrt(total / steps)
                at[this] = -1
            else:
                low[this] = np.sqrt(total * (1.0 - ERROR) / steps)
                high[this] = np.sqrt(total * (1.0 + 2.0 * ERROR) / steps)
            if at[this] >= 0:
                for i in range(n):
                    for j in range(m):
                        costs[at[this] + i * m + j] = cost[i, q + j]
            q += m
        pair = stop


@njit(nogil=True, cache=True)
def _settle(  # type: ignore[no-untyped-def]
    x, offsets, left, right, at, costs, todo, first, last, longest, radius, normalise, exact
):
    rows, columns = np.empty(longest + ROWS, dtype=np.int64), np.empty(longest + COLUMNS, dtype=np.int64)
    cost = np.empty((len(rows), len(columns)))
    one, two, three = np.empty((longest, longest)), np.empty((longest, longest)), np.empty((longest, longest))
    for place in range(first, last):
        pair = todo[place]
        clip, other = left[pair], right[pair]
        x0, n = offsets[clip], offsets[clip + 1] - offsets[clip]
        y0, m = offsets[other], offsets[other + 1] - offsets[other]
        if at[pair] >= 0:
            for i in range(n):
                for j in range(m):
                    cost[i, j] = costs[at[pair] + i * m + j]
        else:
            windows_of(offsets, clip, rows, 0)
            windows_of(offsets, other, columns, 0)
            fill(x, rows, padded(rows, n, ROWS), x, columns, padded(columns, m, COLUMNS), cost)
        total = forward(cost, 0, 0, n, m, radius, one)
        if SMALLEST < total < LARGEST:
            total = along(x, x0, n, x, y0, m, cost, 0, 0, radius, one, two, three)
        else:
            total = in_full(x, x0, n, x, y0, m, radius, two, one)
        exact[pair] = np.sqrt(total / (n + m) if normalise else total)
