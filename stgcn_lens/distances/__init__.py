"""Distances between clips as ragged sequences of windows.

To add one: a file with a frozen config, `cdist`, `pairs` and `as_windows` like those of `pooled`, and a row in
`DISTANCES`. The search for neighbours is that of window DTW, so every distance has to be one, of windows of its own.

`window_dtw` is what others call; `costs` and `recursion` are its compiled parts. `bounds` and `nearest` find neighbours
without all distances. `on_gpu` is the same on a GPU.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stgcn_lens.distances import pooled, window_dtw
from stgcn_lens.distances.memory import TILE_BYTES
from stgcn_lens.distances.pooled import Pooled
from stgcn_lens.distances.sequences import Sequences
from stgcn_lens.distances.window_dtw import WindowDTW
from stgcn_lens.errors import LensError

__all__ = ["DISTANCES", "TILE_BYTES", "Distance", "Pooled", "Sequences", "WindowDTW", "get_distance"]


@dataclass(frozen=True)
class Distance:
    """Facts about a distance and the functions that compute it.

    All distances are symmetric, zero between a clip and itself, and take clips of different lengths.

    Attributes
    ----------
    name, what : key of `DISTANCES`, and one sentence.
    config : the frozen dataclass that the functions take.
    cdist : (a, b or None, config) -> (Na, Nb) float64, with a relative error of at most `window_dtw.RELATIVE`.
    pairs : (a, i (P,), j (P,), config) -> (P,) float64, exact: the same number whatever pairs it comes with.
    as_windows : (a, config) -> windows and a config of window DTW that have the same distances.
    ordered : whether the order of the windows matters.
    metric : whether the triangle inequality holds.
    """

    name: str
    what: str
    config: type
    cdist: Callable[[Sequences, Sequences | None, Any], np.ndarray]
    pairs: Callable[[Sequences, np.ndarray, np.ndarray, Any], np.ndarray]
    as_windows: Callable[[Sequences, Any], tuple[Sequences, WindowDTW]]
    ordered: bool
    metric: bool


def get_distance(config: object) -> Distance:
    """The row of `DISTANCES` that a config belongs to; `LensError` if there is none."""
    for row in DISTANCES.values():
        if isinstance(config, row.config):
            return row
    raise LensError("no such distance", got=type(config).__name__, expected=_known())


def _known() -> str:
    return " or ".join(row.config.__name__ for row in DISTANCES.values())


DISTANCES = {
    "window_dtw": Distance(
        "window_dtw",
        "dynamic time warping of windows with squared Euclidean cost",
        WindowDTW,
        window_dtw.cdist,
        window_dtw.pairs,
        window_dtw.as_windows,
        ordered=True,
        metric=False,
    ),
    "pooled": Distance(
        "pooled",
        "Euclidean distance of mean windows",
        Pooled,
        pooled.cdist,
        pooled.pairs,
        pooled.as_windows,
        ordered=False,
        metric=True,
    ),
}
