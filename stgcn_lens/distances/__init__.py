"""Distances between clips as ragged sequences of windows.

To add one: a file with a frozen config, `cdist` and `pairs` like those of `window_dtw`, and a row in `DISTANCES`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stgcn_lens.distances import pooled, window_dtw
from stgcn_lens.distances.pooled import Pooled
from stgcn_lens.distances.sequences import TILE_BYTES, Sequences
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
    cdist : (a, b or None, config) -> (Na, Nb) float64.
    pairs : (a, i (P,), j (P,), config) -> (P,) float64.
    ordered : whether the order of the windows matters.
    metric : whether the triangle inequality holds.
    """

    name: str
    what: str
    config: type
    cdist: Callable[[Sequences, Sequences | None, Any], np.ndarray]
    pairs: Callable[[Sequences, np.ndarray, np.ndarray, Any], np.ndarray]
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
        ordered=True,
        metric=False,
    ),
    "pooled": Distance(
        "pooled",
        "Euclidean distance of mean windows",
        Pooled,
        pooled.cdist,
        pooled.pairs,
        ordered=False,
        metric=True,
    ),
}
