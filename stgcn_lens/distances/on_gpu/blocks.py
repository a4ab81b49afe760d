"""Distances of many clips at once: matrix products for the local costs, and what they cannot tell recomputed.

With x and y centred, a local cost is |x|^2 + |y|^2 - 2 x.y. Rounding leaves an error of a small part of the norms,
which is much of the cost where windows are alike. So every sum along a path comes with a bound of its error, and where
that is too large the pair is warped again on float64 sums of squared differences, which have no such error.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from stgcn_lens.distances.on_gpu.clips import Axis, Packed, Run, Shelf
from stgcn_lens.distances.on_gpu.recursion import on, totals
from stgcn_lens.distances.on_gpu.room import each, room, windows_in
from stgcn_lens.distances.sequences import Sequences, same_features
from stgcn_lens.distances.window_dtw import WindowDTW

Products = Literal["fp32", "tf32", "fp64"]
RELATIVE = {"fp32": 1e-4, "tf32": 1e-2, "fp64": 1e-9}
"""Largest relative error of a distance of `cdist`; a pair whose bound is above it is recomputed in float64."""

_SAMPLE = 512  # windows (ours): any centre is right, a good one keeps the norms small
_PART = 4096  # windows (ours)
_TOGETHER = {"fp32": 1024, "tf32": 1 << 30, "fp64": 1 << 30}  # features in one product (ours): fewer round better


@dataclass(frozen=True)
class Scale:
    """What is taken from every window, and what it is then multiplied by: a power of two, so without rounding."""

    centre: torch.Tensor
    factor: float

    @classmethod
    def of(cls, sets: list[Sequences], device: str) -> "Scale":
        """A scale on which the windows of the sets are around zero, and neither huge nor tiny."""
        rows = [a.windows[:: max(1, len(a.windows) // _SAMPLE)] for a in sets]
        sample = np.concatenate(rows).astype(np.float64)
        centre = sample.mean(axis=0).astype(rows[0].dtype)
        spread = float(np.abs(sample - centre).max())
        power = int(np.clip(np.frexp(spread)[1], -120, 120))
        return cls(torch.from_numpy(centre).to(device), 2.0**-power)


@dataclass(frozen=True)
class Measure:
    """How distances are computed.

    Attributes
    ----------
    certain : bound rounding errors by the worst case, else by what has a chance below 1e-12 for a sum of products
        (Higham and Mary, SIAM J. Sci. Comput. 41, 2019: errors that are independent and of mean zero).
    room : bytes for pairs that are recomputed at a time.
    """

    config: WindowDTW
    scale: Scale
    products: Products
    certain: bool
    room: int

    @property
    def dtype(self) -> torch.dtype:
        """Of the products."""
        return torch.float64 if self.products == "fp64" else torch.float32

    def rounding(self, features: int) -> float:
        """Largest error of a local cost, as a part of |x|^2 + |y|^2."""
        unit = torch.finfo(self.dtype).eps / 2
        if self.products == "tf32":
            # Of both factors 10 bits are kept, and sums are cut off instead of rounded.
            return 2**-9 + 2 * features * unit + 10 * unit
        together = min(features, _TOGETHER[self.products])
        grown = together if self.certain else min(together, 9 * together**0.5)
        # Three for every product that is added, ten for the centred windows (4), the norms, their sum and the last one.
        return (grown + 3 * -(-features // together) + 10) * unit

    def block(self, x: Packed, y: Packed) -> tuple[torch.Tensor, torch.Tensor]:
        """Sums along the best paths and how wrong they may be, both (P, Q) in the order of the axes and scaled."""
        u, v = self._centred(x), self._centred(y)
        uu, vv = _squares(u), _squares(v)
        with _tf32(self.products == "tf32", u):
            table = _product(u, v, vv, _TOGETHER[self.products])
        table += uu[:, None]
        table.clamp_(min=0)
        total = totals(table, x.axis, y.axis, self.config.band)
        # A path passes every window, and those it passes again are at most one less than the other clip has.
        n, m = on(x.axis.lengths, u)[:, None], on(y.axis.lengths, u)
        (all_x, most_x), (all_y, most_y) = _of_clips(uu, x.axis), _of_clips(vv, y.axis)
        norms = (all_x[:, None] + (m - 1) * most_x[:, None]) + (all_y + (n - 1) * most_y)
        return total, self.rounding(u.shape[1]) * norms + torch.finfo(self.dtype).eps / 2 * (n + m) * total

    def exact(self, x: Packed, y: Packed, p: np.ndarray, q: np.ndarray) -> torch.Tensor:
        """Float64 sums along the best paths of clips p[i] of x and q[i] of y (places along the axes), not scaled."""
        out = torch.empty(len(p), dtype=torch.float64, device=x.windows.device)
        n, m = x.axis.lengths[p], y.axis.lengths[q]
        order = np.lexsort((-m, n))
        start = 0
        while start < len(order):
            # One length in x, so that the pairs together look like one clip against many.
            height, width = int(n[order[start]]), int(m[order[start]])
            same = int(np.searchsorted(n[order], height, side="right"))
            bytes_each = 24 * height * width + 12 * (height + width) * x.windows.shape[1]
            some = order[start : min(same, start + max(1, self.room // bytes_each))]
            out[on(some, out)] = self._warped(x, y, p[some], q[some])
            start += len(some)
        return out

    def _warped(self, x: Packed, y: Packed, p: np.ndarray, q: np.ndarray) -> torch.Tensor:
        rows, columns = Axis(x.axis.lengths[p[:1]]), Axis(y.axis.lengths[q])
        height, width = len(rows.counts), len(columns.counts)
        u = x.windows[on(x.axis.starts[:height] + p[:, None], x.windows)]  # (B, height, D)
        times = np.where(np.arange(width) < columns.lengths[:, None], np.arange(width), 0)
        v = y.windows[on(y.axis.starts[times] + q[:, None], y.windows)]
        apart = torch.cdist(u.double(), v.double(), compute_mode="donot_use_mm_for_euclid_dist")
        table = (apart**2).permute(1, 2, 0).flatten(1)  # (height, width * B)
        places = on(columns.times * len(q) + columns.clips, table)
        return totals(table[:, places].contiguous(), rows, columns, self.config.band)[0]

    def distances(self, total: torch.Tensor, x: Axis, y: Axis) -> torch.Tensor:
        """From scaled sums, (P, Q) float64."""
        steps = on(x.lengths, total)[:, None] + on(y.lengths, total) if self.config.normalise else 1
        return (total.double() / steps).sqrt() / self.scale.factor

    def _centred(self, x: Packed) -> torch.Tensor:
        kind = torch.promote_types(x.windows.dtype, self.dtype)
        windows = x.windows.to(kind) - self.scale.centre.to(kind)
        return windows.mul_(self.scale.factor).to(self.dtype)


def cdist(
    a: Sequences, b: Sequences | None, config: WindowDTW, *, device: str, products: Products = "fp32"
) -> np.ndarray:
    """Distances of every clip of `a` to every clip of `b`, (Na, Nb) float64; `b` None means `a` itself.

    A distance is wrong by at most its `RELATIVE` part, of fp32 by 1e-6 and less as a rule; equal clips are at 0.

    Parameters
    ----------
    device : where to compute: cuda, cuda:0, ..., or cpu (for tests: `window_dtw` is faster there).
    products : fp32 keeps all bits. tf32 keeps 10 of each factor and is much faster on a GPU that has it; it costs
        accuracy, three digits instead of six as a rule, and more pairs are recomputed. fp64 costs little more than fp32
        on data centre GPUs and very much on others, and hardly any pair is recomputed.

    Raises
    ------
    LensError
        If the two have different numbers of features, or there is no such device.
    WorkError
        If the device's memory does not hold two clips.
    """
    other = a if b is None else b
    same_features(a, other)
    free = room(device)
    scale = Scale.of([a] if b is None else [a, other], device)
    measure = Measure(config, scale, products, certain=False, room=free // 8)
    x = Shelf(a, np.arange(len(a)), device, free // 8)
    y = x if b is None else Shelf(other, np.arange(len(other)), device, free // 8)
    most = windows_in(free // 2, a, measure.dtype.itemsize)
    out = np.zeros((len(a), len(other)))

    def work(rows: Run, cols: Run) -> None:
        found = _distances(x[rows], y[cols], measure, same=b is None and rows == cols)
        out[slice(*rows), slice(*cols)] = found
        if b is None and rows != cols:
            out[slice(*cols), slice(*rows)] = found.T

    tiles = [(rows, cols) for rows in x.runs(most) for cols in y.runs(most) if b is not None or rows <= cols]
    each(tiles, work, x, y)
    return out


def _distances(x: Packed, y: Packed, measure: Measure, same: bool) -> np.ndarray:
    """(P, Q) in the order of the set, recomputed where the bound is too large."""
    total, error = measure.block(x, y)
    distances = measure.distances(total, x.axis, y.axis)
    # Half of the sum's relative error is the root's. Not a number counts as too wrong.
    wrong = ~(error <= 2 * RELATIVE[measure.products] * (total - error))
    if same:
        wrong.triu_(diagonal=1)
    p, q = wrong.nonzero().cpu().numpy().T
    if len(p):
        steps = x.axis.lengths[p] + y.axis.lengths[q] if measure.config.normalise else np.ones(len(p), np.int64)
        distances[on(p, total), on(q, total)] = (measure.exact(x, y, p, q) / on(steps, total)).sqrt()
    if same:
        distances = distances.triu_(diagonal=1) + distances.T
    back = [on(np.argsort(side.order), total) for side in (x, y)]
    return distances[back[0][:, None], back[1]].cpu().numpy()


def _product(u: torch.Tensor, v: torch.Tensor, vv: torch.Tensor, together: int) -> torch.Tensor:
    """|v|^2 - 2 u.v of all windows against all, so many features at a time."""
    out = torch.addmm(vv.expand(len(u), -1), u[:, :together], v[:, :together].T, alpha=-2)
    for first in range(together, u.shape[1], together):
        out.addmm_(u[:, first : first + together], v[:, first : first + together].T, alpha=-2)
    return out


def _squares(windows: torch.Tensor) -> torch.Tensor:
    """(R,) squared norms, rounded once; by parts, for the float64 numbers are twice as large."""
    return torch.cat([part.double().square().sum(1) for part in windows.split(_PART)]).to(windows.dtype)


def _of_clips(values: torch.Tensor, axis: Axis) -> tuple[torch.Tensor, torch.Tensor]:
    """Sum of each clip's values, and the largest, (P,) both."""
    clips, out = on(axis.clips, values), torch.zeros(len(axis.lengths), dtype=values.dtype, device=values.device)
    # Sums on a GPU run in any order: in float64 that does not show.
    sums = out.double().index_add_(0, clips, values.double()).to(values.dtype)
    return sums, out.scatter_reduce(0, clips, values, "amax")


@contextmanager
def _tf32(wanted: bool, like: torch.Tensor) -> Iterator[None]:
    """Products with 10 of the 23 bits, or all of them, whatever the process is set to."""
    if not like.is_cuda:
        yield
        return
    place = torch.backends.cuda.matmul
    before = place.fp32_precision
    place.fp32_precision = "tf32" if wanted else "ieee"
    try:
        yield
    finally:
        place.fp32_precision = before
