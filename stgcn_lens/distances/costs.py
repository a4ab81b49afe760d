"""Local costs of many windows against many: sums of squared differences, compiled.

||x||^2 + ||y||^2 - 2 x.y by matrix products, the usual way, was measured beside it on two cores: the products of
OpenBLAS are no faster than the tiles below, and in single precision they lose about 1e-7 of the *norms*, which is much
of the cost where windows are alike. A sum of squared differences loses about 1e-7 of *itself*: equal windows are at
exactly zero, and nothing needs centring.
"""

import numpy as np
from numba import njit

_CHUNK = 1088  # features (ours): ten rows of so many fit beside each other into the first cache
ERROR = (_CHUNK + 8) * 2.0**-24
"""Largest relative error of a cost from single precision, in whatever order a chunk is summed; 1e-7 as a rule."""

ROWS, COLUMNS = 4, 6
"""Shape of the tiles of `fill`: its lists have a multiple of so many places."""


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _tile(x, rows, p, y, columns, q, start, stop, zero, out):  # type: ignore[no-untyped-def]
    # By hand, so that all 24 sums stay in registers. No slices: each would count a reference, which threads share.
    i0, i1, i2, i3 = rows[p], rows[p + 1], rows[p + 2], rows[p + 3]
    j0, j1, j2, j3, j4, j5 = columns[q], columns[q + 1], columns[q + 2], columns[q + 3], columns[q + 4], columns[q + 5]
    a0 = a1 = a2 = a3 = a4 = a5 = zero
    b0 = b1 = b2 = b3 = b4 = b5 = zero
    c0 = c1 = c2 = c3 = c4 = c5 = zero
    d0 = d1 = d2 = d3 = d4 = d5 = zero
    for f in range(np.uint64(start), np.uint64(stop)):
        a, b, c, d = x[i0, f], x[i1, f], x[i2, f], x[i3, f]
        v = y[j0, f]
        a0 += (a - v) * (a - v)
        b0 += (b - v) * (b - v)
        c0 += (c - v) * (c - v)
        d0 += (d - v) * (d - v)
        v = y[j1, f]
        a1 += (a - v) * (a - v)
        b1 += (b - v) * (b - v)
        c1 += (c - v) * (c - v)
        d1 += (d - v) * (d - v)
        v = y[j2, f]
        a2 += (a - v) * (a - v)
        b2 += (b - v) * (b - v)
        c2 += (c - v) * (c - v)
        d2 += (d - v) * (d - v)
        v = y[j3, f]
        a3 += (a - v) * (a - v)
        b3 += (b - v) * (b - v)
        c3 += (c - v) * (c - v)
        d3 += (d - v) * (d - v)
        v = y[j4, f]
        a4 += (a - v) * (a - v)
        b4 += (b - v) * (b - v)
        c4 += (c - v) * (c - v)
        d4 += (d - v) * (d - v)
        v = y[j5, f]
        a5 += (a - v) * (a - v)
        b5 += (b - v) * (b - v)
        c5 += (c - v) * (c - v)
        d5 += (d - v) * (d - v)
    out[p, q] += a0
    out[p, q + 1] += a1
    out[p, q + 2] += a2
    out[p, q + 3] += a3
    out[p, q + 4] += a4
    out[p, q + 5] += a5
    out[p + 1, q] += b0
    out[p + 1, q + 1] += b1
    out[p + 1, q + 2] += b2
    out[p + 1, q + 3] += b3
    out[p + 1, q + 4] += b4
    out[p + 1, q + 5] += b5
    out[p + 2, q] += c0
    out[p + 2, q + 1] += c1
    out[p + 2, q + 2] += c2
    out[p + 2, q + 3] += c3
    out[p + 2, q + 4] += c4
    out[p + 2, q + 5] += c5
    out[p + 3, q] += d0
    out[p + 3, q + 1] += d1
    out[p + 3, q + 2] += d2
    out[p + 3, q + 3] += d3
    out[p + 3, q + 4] += d4
    out[p + 3, q + 5] += d5


@njit(nogil=True, cache=True)
def fill(x, rows, height, y, columns, width, out):  # type: ignore[no-untyped-def]
    """out[p, q] = ||x[rows[p]] - y[columns[q]]||^2 for p < height and q < width.

    Height and width are multiples of `ROWS` and `COLUMNS`. Sums are of the windows' own type within a chunk, then
    float64.
    """
    features = x.shape[1]
    pieces = max(1, -(-features // _CHUNK))
    step = -(-features // (16 * pieces)) * 16
    zero = x.dtype.type(0)
    for p in range(height):
        for q in range(width):
            out[p, q] = 0.0
    for start in range(0, features, step):
        stop = min(start + step, features)
        # Six windows of y stay in the first cache, those of x in the second.
        for q in range(0, width, COLUMNS):
            for p in range(0, height, ROWS):
                _tile(x, rows, p, y, columns, q, start, stop, zero, out)


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def exact(x, i0, i1, y, j0, j1):  # type: ignore[no-untyped-def]
    """Costs of windows x[i0] and x[i1] against y[j0] and y[j1], in float64.

    A cost is the same whatever it is computed beside.
    """
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for f in range(x.shape[1]):
        u0, u1, v0, v1 = np.float64(x[i0, f]), np.float64(x[i1, f]), np.float64(y[j0, f]), np.float64(y[j1, f])
        a += (u0 - v0) * (u0 - v0)
        b += (u0 - v1) * (u0 - v1)
        c += (u1 - v0) * (u1 - v0)
        d += (u1 - v1) * (u1 - v1)
    return a, b, c, d


@njit(nogil=True, cache=True)
def windows_of(offsets, clip, out, at):  # type: ignore[no-untyped-def]
    """Write the rows of a clip's windows to `out` from place `at`; the place after them."""
    for row in range(offsets[clip], offsets[clip + 1]):
        out[at] = row
        at += 1
    return at


@njit(nogil=True, cache=True)
def padded(out, count, multiple):  # type: ignore[no-untyped-def]
    """Repeat the last of the first `count` places up to a multiple; how many there are then."""
    upto = -(-count // multiple) * multiple
    for place in range(count, upto):
        out[place] = out[count - 1]
    return upto
