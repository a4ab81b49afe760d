"""Lower bounds of window DTW from a few numbers per window.

An orthogonal projection Q never lengthens a difference, and what it leaves out, x - Q'Qx, differs between two windows
by at least the difference of its lengths: that length is one more coordinate. No local cost of the projected windows
exceeds the real one, so neither does the sum along the best path, with a band or without. All rounding is bounded and
taken off.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from stgcn_lens.distances.projection import directions, projected
from stgcn_lens.distances.recursion import side_by_side
from stgcn_lens.distances.sequences import Sequences
from stgcn_lens.distances.threads import in_threads
from stgcn_lens.distances.window_dtw import WindowDTW

_LANES = 32  # clips side by side (ours): two vectors of sixteen float32 numbers
_TABLE_BYTES = 32 << 20  # of their local costs (ours); very long clips are warped by fewer at a time
_TOGETHER = 4  # coordinates that are added up at once: `_add` names them
_COLUMNS = 256  # windows of other clips that a clip's are set against at a time (ours)
_UNIT = 2.0**-24


@dataclass(frozen=True, eq=False)
class Sketch:
    """The windows of a set in few coordinates.

    Attributes
    ----------
    coordinates : (R, P) float32, P a multiple of four; the windows' differences from a common centre, times `scale`.
    offsets : (N + 1,) as in `Sequences`.
    errors : (N,) float64, the largest Euclidean error of the coordinates of a window of each clip.
    scale : a power of two.
    """

    coordinates: np.ndarray
    offsets: np.ndarray
    errors: np.ndarray
    scale: float

    @classmethod
    def of(cls, a: Sequences) -> "Sketch":
        """The sketch on the first `DIRECTIONS` principal directions of a sample of the windows."""
        centre, basis = directions(a)
        kept = basis.shape[1]
        if kept == a.features:
            exact = a.windows - centre
            squared = np.einsum("rd,rd->r", exact, exact)
        else:
            exact, squared = projected(a, centre, basis)
        length = np.sqrt(squared)
        wrong = 2 * _UNIT * length  # rounding to single precision, and far less from products in double
        if kept < a.features:
            rest = np.sqrt(np.maximum(squared - np.einsum("rp,rp->r", exact, exact), 0.0))
            exact = np.column_stack([exact, rest])
            # |sqrt(s + e) - sqrt(s)| <= min(sqrt(e), e / sqrt(s))
            error = 20 * a.features * np.finfo(np.float64).epsneg * squared
            wrong += np.minimum(np.sqrt(error), np.divide(error, rest, out=np.full_like(rest, np.inf), where=rest > 0))
        longest = float(length.max())
        scale = 2.0 ** -np.frexp(longest)[1] if np.isfinite(longest) else 1.0
        coordinates = aligned((len(exact), -(-exact.shape[1] // _TOGETHER) * _TOGETHER))
        with np.errstate(over="ignore"):  # where squares overflow, there will be no bound
            np.multiply(exact, scale, out=coordinates[:, : exact.shape[1]], casting="same_kind")
        wrong = wrong * scale + np.finfo(np.float32).tiny * coordinates.shape[1]
        return cls(coordinates, a.offsets, np.maximum.reduceat(wrong, a.offsets[:-1]), scale)


def lower_bounds(sketch: Sketch, rows: tuple[int, int], config: WindowDTW) -> np.ndarray:
    """Numbers that the distances from clips rows[0] to rows[1] - 1 to all clips do not fall below.

    Returns
    -------
    (rows, N) float32, infinite for a clip and itself.
    """
    lengths = np.diff(sketch.offsets)
    start, stop = rows
    mine = start + np.argsort(-lengths[start:stop], kind="stable")
    others = np.concatenate([np.arange(start), np.arange(stop, len(lengths))])
    others = others[np.argsort(-lengths[others], kind="stable")]
    out = np.empty((stop - start, len(lengths)), dtype=np.float32)
    for ys in (mine, others):
        if len(ys):
            panels = _Panels.of(sketch, ys, int(lengths.max()))

            def work(first: int, last: int, ys: np.ndarray = ys, panels: _Panels = panels) -> None:
                _bound(
                    sketch.coordinates,
                    sketch.offsets,
                    sketch.errors,
                    mine,
                    first,
                    last,
                    start,
                    ys,
                    ys is mine,
                    panels.lanes,
                    panels.coordinates,
                    panels.starts,
                    config.radius,
                    config.normalise,
                    1 / sketch.scale,
                    out,
                )

            in_threads(work, len(mine))
    out[np.arange(stop - start), np.arange(start, stop)] = np.inf
    return out


@dataclass(frozen=True, eq=False)
class _Panels:
    """Clips in groups, their coordinates side by side.

    Attributes
    ----------
    lanes : clips of a group; the last may have fewer.
    coordinates : (number of all coordinates,) float32; a group's are (P, longest * lanes), [p, j * lanes + lane] that
        of window j of clip lane, whose last window is repeated.
    starts : (groups + 1,) places where the groups begin.
    """

    lanes: int
    coordinates: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, sketch: Sketch, clips: np.ndarray, longest: int) -> "_Panels":
        lengths = np.diff(sketch.offsets)[clips]
        lanes = max(1, min(_LANES, _TABLE_BYTES // (4 * longest * int(lengths[0]))))
        size = sketch.coordinates.shape[1]
        groups = [slice(first, first + lanes) for first in range(0, len(clips), lanes)]
        sizes = [size * len(lengths[group]) * int(lengths[group].max()) for group in groups]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        coordinates = aligned((int(starts[-1]),))
        for group, at, end in zip(groups, starts[:-1], starts[1:], strict=True):
            times = np.minimum(np.arange(lengths[group].max())[:, None], lengths[group] - 1)
            rows = (sketch.offsets[clips[group]] + times).ravel()
            coordinates[at:end] = sketch.coordinates[rows].T.ravel()
        return cls(lanes, coordinates, starts)


def aligned(shape: tuple[int, ...]) -> np.ndarray:
    """Zeros, float32, that begin where a vector register can be loaded at once."""
    size = int(np.prod(shape))
    raw = np.zeros(4 * size + 64, dtype=np.uint8)
    skip = -raw.ctypes.data % 64
    return raw[skip : skip + 4 * size].view(np.float32).reshape(shape)


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _add(coordinates, row, n, panel, width, cost):  # type: ignore[no-untyped-def]
    # cost[i, q] = sum over p of (coordinates[row + i, p] - panel[p, q])^2. Two windows at a time: row n is for the
    # partner that an odd last one lacks.
    for begin in range(0, width, _COLUMNS):  # so many of all windows stay in the first cache
        # Unsigned: compilers take many columns at once only where no place can count from the end; six times the speed.
        first, last = np.uint64(begin), np.uint64(min(begin + _COLUMNS, width))
        for i in range(n):
            for q in range(first, last):
                cost[i, q] = 0.0
        for p in range(0, len(panel), _TOGETHER):
            for i in range(0, n, 2):
                x, y = row + i, row + min(i + 1, n - 1)
                x0, x1, x2, x3 = coordinates[x, p], coordinates[x, p + 1], coordinates[x, p + 2], coordinates[x, p + 3]
                y0, y1, y2, y3 = coordinates[y, p], coordinates[y, p + 1], coordinates[y, p + 2], coordinates[y, p + 3]
                for q in range(first, last):
                    v0, v1, v2, v3 = panel[p, q], panel[p + 1, q], panel[p + 2, q], panel[p + 3, q]
                    a0, a1, a2, a3 = x0 - v0, x1 - v1, x2 - v2, x3 - v3
                    b0, b1, b2, b3 = y0 - v0, y1 - v1, y2 - v2, y3 - v3
                    cost[i, q] += a0 * a0 + a1 * a1 + a2 * a2 + a3 * a3
                    cost[i + 1, q] += b0 * b0 + b1 * b1 + b2 * b2 + b3 * b3


@njit(nogil=True, cache=True)
def _bound(  # type: ignore[no-untyped-def]
    coordinates,
    offsets,
    errors,
    xs,
    first,
    last,
    start,
    ys,
    once,
    abreast,
    panels,
    starts,
    radius,
    normalise,
    unscale,
    out,
):
    size = coordinates.shape[1]
    longest, widest = 0, offsets[ys[0] + 1] - offsets[ys[0]]
    for place in range(first, last):
        longest = max(longest, offsets[xs[place] + 1] - offsets[xs[place]])
    cost = np.zeros((longest + 1, widest * abreast), dtype=np.float32)
    room = np.empty((widest, abreast), dtype=np.float32)
    corner, left = np.empty(abreast, dtype=np.float32), np.empty(abreast, dtype=np.float32)
    lengths = np.empty(abreast, dtype=np.int64)
    for group in range(len(starts) - 1):
        begin = group * abreast
        lanes = min(abreast, len(ys) - begin)
        for lane in range(lanes):
            lengths[lane] = offsets[ys[begin + lane] + 1] - offsets[ys[begin + lane]]
        most = lengths[0]
        panel = panels[starts[group] : starts[group + 1]].reshape((size, most * lanes))
        for place in range(first, last):
            if once and begin + lanes <= place:
                continue
            clip = xs[place]
            n = offsets[clip + 1] - offsets[clip]
            _add(coordinates, offsets[clip], n, panel, most * lanes, cost)
            side_by_side(cost, 0, n, lengths[:lanes], most, radius, room, corner, left)
            for lane in range(lanes):
                other = ys[begin + lane]
                if once and begin + lane < place:
                    continue
                steps = n + lengths[lane]
                total = np.sqrt(np.float64(room[lengths[lane] - 1, lane]))
                total *= 1.0 - (size + steps + 16) * _UNIT
                # Every window of a path may be wrong by so much; paths have at most n + m - 1 steps.
                total -= np.sqrt(steps - 1.0) * (errors[clip] + errors[other])
                total *= unscale * (1.0 - 4 * _UNIT)
                if normalise:
                    total /= np.sqrt(np.float64(steps))
                bound = np.float32(min(total, 3e38)) if total > 0.0 else np.float32(0.0)  # not a number is no bound
                out[clip - start, other] = bound
                if once:
                    out[other - start, clip] = bound
