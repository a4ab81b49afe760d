"""Euclidean distance of mean windows: what is left of a clip when time is forgotten."""

from dataclasses import dataclass

import numpy as np

from stgcn_lens.distances import window_dtw
from stgcn_lens.distances.sequences import Sequences, checked_pairs

# Warping one window onto one window is the Euclidean distance: the compiled code serves twice.
_PLAIN = window_dtw.WindowDTW(normalise=False)


@dataclass(frozen=True)
class Pooled:
    """Nothing to choose: d(X, Y) = ||mean of X's windows - mean of Y's windows||."""


def means(a: Sequences) -> Sequences:
    """Clips of one window each, the mean of the clip's windows, in float64."""
    return Sequences.of([a[clip].mean(axis=0, dtype=np.float64)[None] for clip in range(len(a))])


def as_windows(a: Sequences, config: Pooled) -> tuple[Sequences, window_dtw.WindowDTW]:
    """The mean windows, and the config with which their window DTW is this distance."""
    return means(a), _PLAIN


def cdist(a: Sequences, b: Sequences | None, config: Pooled) -> np.ndarray:
    """Distances of every clip of `a` to every clip of `b`, (Na, Nb) float64; `b` None means `a` itself.

    Raises
    ------
    LensError
        If the two have different numbers of features.
    """
    return window_dtw.cdist(means(a), None if b is None else means(b), _PLAIN)


def pairs(a: Sequences, i: np.ndarray, j: np.ndarray, config: Pooled) -> np.ndarray:
    """Distances between clips i[p] and j[p] of `a`, (P,) float64.

    Raises
    ------
    LensError
        If i and j differ in length or point outside the set.
    """
    i, j = checked_pairs(a, i, j)
    return window_dtw.pairs(means(a), i, j, _PLAIN)
