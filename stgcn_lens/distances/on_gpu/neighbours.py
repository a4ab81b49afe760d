"""Exact nearest neighbours without leaving the device.

Every sum along a path comes with a bound of its error (`Measure.block`), so every distance lies between two numbers.
Candidates are the clips whose lower number is at most the k-th smallest upper one: no other can be among the k nearest.
Their distances are computed again in float64, and only those are compared. The bounds are worst cases, so the result
does not depend on the products: those with fewer bits only leave more candidates.
"""

from dataclasses import dataclass

import numpy as np
import torch

from stgcn_lens.distances.on_gpu.blocks import Measure, Products, Scale
from stgcn_lens.distances.on_gpu.clips import Packed, Run, Shelf
from stgcn_lens.distances.on_gpu.exact import refined
from stgcn_lens.distances.on_gpu.recursion import on
from stgcn_lens.distances.on_gpu.room import each, room, windows_in
from stgcn_lens.distances.sequences import Sequences
from stgcn_lens.distances.window_dtw import WindowDTW
from stgcn_lens.errors import LensError

_KEPT = 1 << 24  # ours: candidates of all clips together that are kept on the device at a time


@dataclass(frozen=True, eq=False)
class Nearest:
    """The k nearest other clips of some clips of a set, nearest first, ties by position.

    Attributes
    ----------
    indices : (rows, k) int64 positions.
    distances : (rows, k) float64.
    refined : number of pairs whose distance was computed in float64.
    """

    indices: np.ndarray
    distances: np.ndarray
    refined: int


def nearest(
    a: Sequences,
    k: int,
    config: WindowDTW,
    *,
    device: str,
    rows: tuple[int, int] | None = None,
    products: Products = "fp32",
) -> Nearest:
    """The k nearest neighbours of every clip, or of clips rows[0] to rows[1] - 1, among all others.

    Parameters
    ----------
    device, products : as in `cdist`. Any products give the same result.
    rows : taken by themselves, each pair is computed in both directions; all clips together need half of the work.

    Raises
    ------
    LensError
        If k is not between 1 and N - 1, the rows are outside the set, or there is no such device.
    WorkError
        If the device's memory does not hold two clips.
    """
    start, stop = rows or (0, len(a))
    if not 1 <= k < len(a):
        raise LensError("no such number of neighbours", got=f"k = {k} of {len(a)} clips", expected="1 to N - 1")
    if not 0 <= start < stop <= len(a):
        raise LensError("rows outside the set", got=f"{start} to {stop}", expected=f"within 0 to {len(a)}")
    left = np.arange(start, stop)
    indices, distances = np.empty((len(left), k), np.int64), np.empty((len(left), k))
    width = min(len(a) - 1, 2 * k + 16)
    step, count = len(left), 0
    while len(left):
        again = []
        for first in range(0, len(left), step):
            some = left[first : first + step]
            i, j, exact, done = _candidates(a, some, k, width, config, device, products)
            order = np.lexsort((j, exact, i))
            chosen = order[np.searchsorted(i[order], np.flatnonzero(done))[:, None] + np.arange(k)]
            indices[some[done] - start], distances[some[done] - start] = j[chosen], exact[chosen]
            again.append(some[~done])
            count += len(i)
        # Seldom: where more clips than these are about as near as the k-th.
        left, width = np.concatenate(again), min(len(a) - 1, 8 * width)
        step = max(1, _KEPT // width)
    return Nearest(indices, distances, count)


@dataclass(eq=False)
class _Best:
    """For some clips, those others whose distance may be smallest."""

    lower: torch.Tensor  # (rows, width), not decreasing along a row
    upper: torch.Tensor
    clips: torch.Tensor

    def joined(self, places: torch.Tensor, low: torch.Tensor, high: torch.Tensor, clips: torch.Tensor) -> "_Best":
        """The best of rows `places` and of new columns."""
        width = self.lower.shape[1]
        lower, taken = torch.cat([self.lower[places], low], 1).topk(width, largest=False)
        upper = torch.cat([self.upper[places], high], 1).gather(1, taken)
        old = self.clips[places].gather(1, taken.clamp(max=width - 1))
        return _Best(lower, upper, torch.where(taken < width, old, clips[(taken - width).clamp(min=0)]))

    def put(self, places: torch.Tensor, rows: "_Best") -> None:
        self.lower[places], self.upper[places], self.clips[places] = rows.lower, rows.upper, rows.clips


def _candidates(
    a: Sequences, mine: np.ndarray, k: int, width: int, config: WindowDTW, device: str, products: Products
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pairs (place i in `mine`, clip j) that hold the k nearest of every i, and their distances in float64.

    With them which places they were found for: of the others, `width` are not enough.
    """
    free = room(device)
    measure = Measure(config, Scale.of([a], device), products, certain=True, room=free // 8)
    everyone = len(mine) == len(a)
    y = Shelf(a, np.arange(len(a)), device, free // 4)
    x = y if everyone else Shelf(a, mine, device, free // 16)
    most = windows_in(free // 2, a, measure.dtype.itemsize)
    shape = (len(mine), width)
    best = _Best(
        torch.full(shape, torch.inf, dtype=measure.dtype, device=device),
        torch.full(shape, torch.inf, dtype=measure.dtype, device=device),
        torch.zeros(shape, dtype=torch.int64, device=device),
    )

    def work(rows: Run, cols: Run) -> None:
        u, v = x[rows], y[cols]
        low, high = _between(measure, u, v)
        i, j = on(rows[0] + u.order, low), on(cols[0] + v.order, low)
        itself = on(x.clips[rows[0] + u.order], low)[:, None] == j
        low.masked_fill_(itself, torch.inf)
        high.masked_fill_(itself, torch.inf)
        found = [(i, best.joined(i, low, high, j))]
        if everyone and rows != cols:
            found.append((j, best.joined(j, low.T, high.T, i)))
        for places, better in found:
            best.put(places, better)

    tiles = [(rows, cols) for rows in x.runs(most) for cols in y.runs(most) if not everyone or rows <= cols]
    each(tiles, work, x, y)
    enough = best.upper.kthvalue(k, dim=1).values
    done = best.lower[:, -1] > enough if width < len(a) - 1 else torch.ones_like(enough, dtype=torch.bool)
    wanted = (best.lower <= enough[:, None]) & done[:, None]
    i, j = wanted.nonzero()[:, 0].cpu().numpy(), best.clips[wanted].cpu().numpy()
    return i, j, refined(x, y, i, j, most, measure), done.cpu().numpy()


def _between(measure: Measure, x: Packed, y: Packed) -> tuple[torch.Tensor, torch.Tensor]:
    """Two numbers that every squared distance lies between, (P, Q) each."""
    total, error = measure.block(x, y)
    # More than what rounding takes from the two sums and the division.
    error = 1.01 * error + 4 * torch.finfo(total.dtype).eps * total
    low = (total - error).clamp_(min=0).nan_to_num_(nan=0.0, posinf=torch.inf)
    high = (total + error).nan_to_num_(nan=torch.inf, posinf=torch.inf)
    if measure.config.normalise:
        steps = on(x.axis.lengths, total)[:, None] + on(y.axis.lengths, total)
        return low / steps, high / steps
    return low, high
