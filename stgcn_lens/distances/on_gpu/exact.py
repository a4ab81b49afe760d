"""Distances of single pairs of clips, from float64 sums of squared differences.

Whatever pairs they are computed together with, they are the same; they may differ from those of `window_dtw.pairs` in
the last digits, since sums run in another order.
"""

from collections.abc import Callable

import numpy as np
import torch

from stgcn_lens.distances.on_gpu.blocks import Measure, Scale
from stgcn_lens.distances.on_gpu.clips import Run, Shelf
from stgcn_lens.distances.on_gpu.room import each, room
from stgcn_lens.distances.sequences import Sequences, checked_pairs
from stgcn_lens.distances.window_dtw import WindowDTW

Pairs = Callable[[np.ndarray, np.ndarray], np.ndarray]


def pairs(a: Sequences, i: np.ndarray, j: np.ndarray, config: WindowDTW, *, device: str) -> np.ndarray:
    """Distances between clips i[p] and j[p] of `a`, (P,) float64.

    Raises
    ------
    LensError
        If i and j differ in length or point outside the set, or there is no such device.
    WorkError
        If the device's memory does not hold two clips.
    """
    i, j = checked_pairs(a, i, j)
    if not len(i):
        return np.zeros(0)
    clips = np.unique(np.concatenate([i, j]))
    return _between(a, clips, config, device)(np.searchsorted(clips, i), np.searchsorted(clips, j))


def pairs_of(a: Sequences, config: WindowDTW, *, device: str) -> Pairs:
    """The function (i (P,), j (P,)) -> (P,) of those distances, for many calls: clips stay on the device between them.

    It, and the function, raise what `pairs` does.
    """
    between = _between(a, np.arange(len(a)), config, device)
    return lambda i, j: between(*checked_pairs(a, i, j))


def _between(a: Sequences, clips: np.ndarray, config: WindowDTW, device: str) -> Pairs:
    free = room(device)
    shelf = Shelf(a, clips, device, free // 2)
    measure = Measure(config, Scale(torch.zeros(1), 1.0), "fp64", certain=True, room=free // 8)
    most = max(1, free // (8 * a.features * a.windows.itemsize))
    return lambda i, j: refined(shelf, shelf, i, j, most, measure)


def refined(x: Shelf, y: Shelf, i: np.ndarray, j: np.ndarray, most: int, measure: Measure) -> np.ndarray:
    """Distances between the i[p]-th clip of one shelf and the j[p]-th of the other, (P,).

    Parameters
    ----------
    most : windows of a run, of which two are on the device at a time.
    """
    if x is y:
        i, j = np.minimum(i, j), np.maximum(i, j)
    # A pair may be asked for from both sides.
    once, back = np.unique(i * len(y.clips) + j, return_inverse=True)
    i, j = np.divmod(once, len(y.clips))
    out = np.zeros(len(once))

    def work(rows: Run, cols: Run) -> None:
        mine = np.flatnonzero((i >= rows[0]) & (i < rows[1]) & (j >= cols[0]) & (j < cols[1]))
        if not len(mine):
            return
        u, v = x[rows], y[cols]
        p, q = np.argsort(u.order)[i[mine] - rows[0]], np.argsort(v.order)[j[mine] - cols[0]]
        steps = u.axis.lengths[p] + v.axis.lengths[q] if measure.config.normalise else 1
        out[mine] = np.sqrt(measure.exact(u, v, p, q).cpu().numpy() / steps)

    tiles = [(rows, cols) for rows in x.runs(most) for cols in y.runs(most) if x is not y or rows <= cols]
    each(tiles, work, x, y)
    return out[back]
