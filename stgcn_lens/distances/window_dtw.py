"""Dynamic time warping of windowed features.

Not the *weighted* DTW that other libraries call WDTW: the steps are plain, the elements are windows.

Local costs are sums of squared differences in float64, two windows of one clip against two of the other at a time.
The usual way, ||x||^2 + ||y||^2 - 2 x.y by matrix products, was measured and left: in float64 it is no faster, in
float32 it loses about 1e-7 of the norms, more than the gap between successive neighbours of a few thousand clips. Sums
of differences make equal windows equal exactly, and a distance the same whatever tile or order it is computed in.

The work runs in threads over compiled code that does not hold the interpreter's lock. numba's own parallel loops
would do the same, but their fallback threading layer ends the process when two threads (two users of the app) enter.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numba import get_num_threads, njit

from stgcn_lens.distances.sequences import Sequences, checked_pairs, same_features
from stgcn_lens.errors import LensError


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

    def margins(self, n: int, m: int) -> tuple[int, int]:
        """How far j may fall below and rise above i on a path between n and m windows."""
        radius = n + m if self.band is None else self.band
        return radius + max(0, n - m), radius + max(0, m - n)


def cdist(a: Sequences, b: Sequences | None, config: WindowDTW) -> np.ndarray:
    """Distances of every clip of `a` to every clip of `b`, (Na, Nb) float64; `b` None means `a` itself.

    Raises
    ------
    LensError
        If the two have different numbers of features.
    """
    other = a if b is None else b
    same_features(a, other)
    out = np.zeros((len(a), len(other)))
    every = np.arange(len(other))
    # By runs of rows, so that the lists of pairs stay small beside the result.
    for start, stop in a.tiles():
        i = np.repeat(np.arange(start, stop), len(other))
        j = np.tile(every, stop - start)
        wanted = slice(None) if b is not None else i < j
        out[i[wanted], j[wanted]] = _between(a, other, i[wanted], j[wanted], config)
    return out + out.T if b is None else out


def pairs(a: Sequences, i: np.ndarray, j: np.ndarray, config: WindowDTW) -> np.ndarray:
    """Distances between clips i[p] and j[p] of `a`, (P,) float64.

    Raises
    ------
    LensError
        If i and j differ in length or point outside the set.
    """
    i, j = checked_pairs(a, i, j)
    return _between(a, a, i, j, config)


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


def _between(a: Sequences, b: Sequences, i: np.ndarray, j: np.ndarray, config: WindowDTW) -> np.ndarray:
    out = np.empty(len(i))
    x, y = _readable(a.windows), _readable(b.windows)
    longest = int(b.lengths.max())
    radius = -1 if config.band is None else config.band

    def work(first: int, last: int) -> None:
        _kernel(x, a.offsets, y, b.offsets, i, j, first, last, longest, radius, config.normalise, out)

    _in_threads(work, len(i))
    return out


def _readable(windows: np.ndarray) -> np.ndarray:
    # Memory maps are read-only arrays, another type to the compiler: with all of them so, it compiles once.
    view = np.asarray(windows).view()
    view.flags.writeable = False
    return view


def _in_threads(work: Callable[[int, int], None], count: int) -> None:
    threads = min(get_num_threads(), count)
    if threads <= 1:
        work(0, count)
        return
    # Four pieces a thread, since clips differ in length.
    edges = np.linspace(0, count, 4 * threads + 1).astype(int).tolist()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, edges[:-1], edges[1:]))


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _costs(x0, x1, y0, y1):  # type: ignore[no-untyped-def]
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for f in range(len(x0)):
        u0, u1, v0, v1 = np.float64(x0[f]), np.float64(x1[f]), np.float64(y0[f]), np.float64(y1[f])
        a += (u0 - v0) * (u0 - v0)
        b += (u0 - v1) * (u0 - v1)
        c += (u1 - v0) * (u1 - v0)
        d += (u1 - v1) * (u1 - v1)
    return a, b, c, d


@njit(nogil=True, cache=True)
def _kernel(x, x_offsets, y, y_offsets, left, right, first, last, longest, radius, normalise, out):  # type: ignore[no-untyped-def]
    above, here = np.empty(longest + 1), np.empty(longest + 1)
    cost = np.empty((2, longest))
    for pair in range(first, last):
        clip = x[x_offsets[left[pair]] : x_offsets[left[pair] + 1]]
        other = y[y_offsets[right[pair]] : y_offsets[right[pair] + 1]]
        n, m = len(clip), len(other)
        lower, upper = n, m
        if radius >= 0:
            lower, upper = radius + max(0, n - m), radius + max(0, m - n)
        above[: m + 1] = np.inf
        above[0] = 0.0
        for p in range(0, n, 2):
            # An odd last window is its own partner: every cost then comes from the same instructions.
            p1 = min(p + 1, n - 1)
            for q in range(max(0, p - lower), min(m, p1 + upper + 1), 2):
                q1 = min(q + 1, m - 1)
                a, b, c, d = _costs(clip[p], clip[p1], other[q], other[q1])
                cost[0, q], cost[0, q1], cost[1, q], cost[1, q1] = a, b, c, d
            for i in range(p, p1 + 1):
                here[: m + 1] = np.inf
                for j in range(max(0, i - lower), min(m, i + upper + 1)):
                    here[j + 1] = cost[i - p, j] + min(min(above[j], above[j + 1]), here[j])
                above, here = here, above
        total = above[m] / (n + m) if normalise else above[m]
        out[pair] = np.sqrt(total)
