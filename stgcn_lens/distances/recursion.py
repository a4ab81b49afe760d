"""The warping recursion over tables of local costs, compiled: many pairs side by side, or one pair with its best path.

total[i, j] = cost[i, j] + min(total[i - 1, j - 1], total[i - 1, j], total[i, j - 1]), the band as in `WindowDTW`.
"""

import numpy as np
from numba import njit

from stgcn_lens.distances.costs import ERROR, exact

SMALLEST, LARGEST = 1e-25, 1e37
"""Sums outside are not trusted in single precision: squares of differences vanish or overflow there."""

_SLACK = 3 * ERROR  # what a path may seem worse than the best one and be it


@njit(nogil=True, cache=True)
def reach(n, m, radius):  # type: ignore[no-untyped-def]
    """How far j may fall below and rise above i on a path between n and m windows; radius -1: no band."""
    if radius < 0:
        return n, m
    return radius + max(0, n - m), radius + max(0, m - n)


@njit(nogil=True, cache=True, fastmath={"nnan", "nsz"})
def side_by_side(cost, first, n, lengths, longest, radius, row, corner, left):  # type: ignore[no-untyped-def]
    """Warp one clip of n windows onto several: row[lengths[lane] - 1, lane] becomes the sum along the best path.

    Parameters
    ----------
    cost : cost[first + i, j * lanes + lane] of window i and window j of clip lane.
    lengths : (lanes,) windows of those clips; `longest` is the largest.
    row, corner, left : room, (longest, lanes) and twice (lanes,).
    """
    # One row in place and the diagonal put aside: nothing is both read and written out of step, so that compilers
    # take many lanes at once.
    lanes = len(lengths)
    for j in range(longest):
        for lane in range(lanes):
            row[j, lane] = np.inf
    for i in range(n):
        for lane in range(lanes):
            left[lane] = np.inf
            corner[lane] = np.inf if i > 0 else 0.0
        for j in range(longest):
            for lane in range(lanes):
                above = row[j, lane]
                best = cost[first + i, j * lanes + lane] + min(min(corner[lane], above), left[lane])
                corner[lane] = above
                left[lane] = best
                row[j, lane] = best
            if radius >= 0:
                for lane in range(lanes):
                    lower, upper = reach(n, lengths[lane], radius)
                    if j < i - lower or j > i + upper:
                        left[lane] = np.inf
                        row[j, lane] = np.inf


@njit(nogil=True, cache=True)
def forward(cost, p, q, n, m, radius, total):  # type: ignore[no-untyped-def]
    """Fill total[:n, :m] from cost[p:, q:]; the sum along the best path."""
    lower, upper = reach(n, m, radius)
    for i in range(n):
        for j in range(m):
            best = np.inf
            if i == 0 and j == 0:
                best = 0.0
            if i > 0:
                best = total[i - 1, j]
                if j > 0:
                    best = min(best, total[i - 1, j - 1])
            if j > 0:
                best = min(best, total[i, j - 1])
            total[i, j] = cost[p + i, q + j] + best if i - lower <= j <= i + upper else np.inf
    return total[n - 1, m - 1]


@njit(nogil=True, cache=True)
def along(x, x0, n, y, y0, m, cost, p, q, radius, total, after, sure):  # type: ignore[no-untyped-def]
    """The exact sum along the best path, given approximate costs: exact costs where that path can run, no others.

    The sum is bit for bit the one over all exact costs, since the best path and every step on it are the same.

    Parameters
    ----------
    x, x0, n, y, y0, m : the windows x[x0 : x0 + n] and y[y0 : y0 + m].
    cost, p, q : their costs cost[p:, q:] with a relative error of at most `ERROR`.
    total, after, sure : room for (n, m) numbers each; `total` as `forward` left it.
    """
    lower, upper = reach(n, m, radius)
    limit = total[n - 1, m - 1] * (1.0 + _SLACK)
    for i in range(n - 1, -1, -1):
        for j in range(m - 1, -1, -1):
            best = np.inf
            if i == n - 1 and j == m - 1:
                best = 0.0
            if i < n - 1:
                best = after[i + 1, j]
                if j < m - 1:
                    best = min(best, after[i + 1, j + 1])
            if j < m - 1:
                best = min(best, after[i, j + 1])
            after[i, j] = cost[p + i, q + j] + best if i - lower <= j <= i + upper else np.inf
    # total + after counts the cell twice.
    for i in range(0, n, 2):
        i1 = min(i + 1, n - 1)
        for j in range(0, m, 2):
            j1 = min(j + 1, m - 1)
            wanted = False
            for r in range(i, i1 + 1):
                for s in range(j, j1 + 1):
                    wanted = wanted or total[r, s] + after[r, s] - cost[p + r, q + s] <= limit
            if wanted:
                a, b, c, d = exact(x, x0 + i, x0 + i1, y, y0 + j, y0 + j1)
                sure[i, j], sure[i, j1], sure[i1, j], sure[i1, j1] = a, b, c, d
            else:
                sure[i, j] = sure[i, j1] = sure[i1, j] = sure[i1, j1] = np.inf
    return forward(sure, 0, 0, n, m, radius, total)


@njit(nogil=True, cache=True)
def in_full(x, x0, n, y, y0, m, radius, sure, total):  # type: ignore[no-untyped-def]
    """The exact sum along the best path, from all exact costs in the band."""
    lower, upper = reach(n, m, radius)
    for i in range(0, n, 2):
        # An odd last window is its own partner: every cost then comes from the same instructions.
        i1 = min(i + 1, n - 1)
        for j in range(0, m, 2):
            j1 = min(j + 1, m - 1)
            if j1 >= i - lower and j <= i1 + upper:
                a, b, c, d = exact(x, x0 + i, x0 + i1, y, y0 + j, y0 + j1)
                sure[i, j], sure[i, j1], sure[i1, j], sure[i1, j1] = a, b, c, d
    return forward(sure, 0, 0, n, m, radius, total)
