"""Windows on the principal directions of a sample of them, in float64."""

import numpy as np
from numba import njit
from threadpoolctl import threadpool_limits

from stgcn_lens.distances.sequences import Sequences
from stgcn_lens.distances.threads import in_threads
from stgcn_lens.distances.window_dtw import readable

DIRECTIONS = 63  # ours: with the length of the rest 64 numbers; more refine fewer pairs and take longer to compare
_SAMPLE = 256  # windows that the directions are found from (ours): any directions are right, these are good
_CHUNK = 512  # features (ours) of windows and directions that are multiplied at a time


def directions(a: Sequences) -> tuple[np.ndarray, np.ndarray]:
    """Centre (D,) and orthonormal columns (D, at most `DIRECTIONS`), the principal directions of a sample."""
    # Evenly spread: whole classes often lie one after the other.
    places = np.unique(np.linspace(0, len(a.windows) - 1, _SAMPLE).astype(np.int64))
    sample = a.windows[places].astype(np.float64)
    centre = sample.mean(axis=0)
    if a.features <= DIRECTIONS + 1:
        return centre, np.eye(a.features)
    sample -= centre
    largest = np.abs(sample).max()
    if not 0 < largest < np.inf:
        return centre, np.eye(a.features, DIRECTIONS)
    sample /= largest
    # Of matrices so small, threads that wait for each other take longer than one.
    with threadpool_limits(1, user_api="blas"):
        _, vectors = np.linalg.eigh(sample @ sample.T)
        basis, _ = np.linalg.qr(sample.T @ vectors[:, : -DIRECTIONS - 1 : -1])
    return centre, basis


def projected(a: Sequences, centre: np.ndarray, basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (R, p) of the centred windows and their squared lengths before (R,), float64."""
    # Not by the libraries' products, whose threads wait for each other at every block.
    kept = basis.shape[1]
    lines = np.zeros((-(-kept // 3) * 3, a.features))
    lines[:kept] = basis.T
    exact, squared = np.zeros((len(a.windows), len(lines))), np.zeros(len(a.windows))
    windows = readable(a.windows)
    in_threads(lambda first, last: _project(windows, centre, lines, first, last, exact, squared), len(a.windows))
    return exact[:, :kept], squared


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _products(x, lines, start, stop, d, out):  # type: ignore[no-untyped-def]
    # Four windows times three lines.
    a0 = a1 = a2 = b0 = b1 = b2 = c0 = c1 = c2 = d0 = d1 = d2 = 0.0
    first, last = np.uint64(start), np.uint64(stop)
    for f in range(first, last):
        u, v, w = lines[d, f], lines[d + 1, f], lines[d + 2, f]
        a, b, c, e = x[0, f - first], x[1, f - first], x[2, f - first], x[3, f - first]
        a0, a1, a2 = a0 + a * u, a1 + a * v, a2 + a * w
        b0, b1, b2 = b0 + b * u, b1 + b * v, b2 + b * w
        c0, c1, c2 = c0 + c * u, c1 + c * v, c2 + c * w
        d0, d1, d2 = d0 + e * u, d1 + e * v, d2 + e * w
    out[0, d], out[0, d + 1], out[0, d + 2] = out[0, d] + a0, out[0, d + 1] + a1, out[0, d + 2] + a2
    out[1, d], out[1, d + 1], out[1, d + 2] = out[1, d] + b0, out[1, d + 1] + b1, out[1, d + 2] + b2
    out[2, d], out[2, d + 1], out[2, d + 2] = out[2, d] + c0, out[2, d + 1] + c1, out[2, d + 2] + c2
    out[3, d], out[3, d + 1], out[3, d + 2] = out[3, d] + d0, out[3, d + 1] + d1, out[3, d + 2] + d2


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _centred(x, row, centre, start, stop, out, r):  # type: ignore[no-untyped-def]
    # Unsigned, so that compilers need not think of places counted from the end.
    total, first, last = 0.0, np.uint64(start), np.uint64(stop)
    for f in range(first, last):
        value = x[row, f] - centre[f]
        out[r, f - first] = value
        total += value * value
    return total


@njit(nogil=True, cache=True)
def _project(x, centre, lines, first, last, out, squared):  # type: ignore[no-untyped-def]
    windows, found = np.zeros((4, _CHUNK)), np.empty((4, len(lines)))
    # A chunk of all lines stays in the second cache.
    for start in range(0, x.shape[1], _CHUNK):
        stop = min(start + _CHUNK, x.shape[1])
        for row in range(first, last, 4):
            rows = min(4, last - row)
            for r in range(rows):
                squared[row + r] += _centred(x, row + r, centre, start, stop, windows, r)
            found[:] = 0.0
            for d in range(0, len(lines), 3):
                _products(windows, lines, start, stop, d, found)
            for r in range(rows):
                for d in range(len(lines)):
                    out[row + r, d] += found[r, d]
