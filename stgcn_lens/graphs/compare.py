"""How alike two layers are: overlap of neighbourhoods, alignment of features."""

import numpy as np

from stgcn_lens import intervals
from stgcn_lens.errors import LensError
from stgcn_lens.graphs.knn import Neighbours
from stgcn_lens.intervals import Value


def jaccard(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Shared over all neighbours of every clip, (N,) in [0, 1], for lists (N, ka) and (N, kb) without repeats.

    Raises
    ------
    LensError
        If the lists are not of the same number of clips.
    """
    if len(a) != len(b):
        raise LensError("neighbour lists of two sets", got=f"{len(a)} and {len(b)} clips", expected="the same clips")
    shared = (a[:, :, None] == b[:, None, :]).any(axis=2).sum(axis=1)
    return shared / (a.shape[1] + b.shape[1] - shared)


def overlap(a: Neighbours, b: Neighbours, *, seed: int, resamples: int = 1000) -> Value:
    """Mean Jaccard overlap of two neighbour lists of the same clips, in [0, 1], with its interval over clips."""
    return intervals.of_mean(jaccard(a.indices, b.indices), seed=seed, resamples=resamples)


def linear_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Linear centred kernel alignment of features (N, D) and (N, E) of the same clips, in [0, 1].

    ||Y'X||_F^2 / (||X'X||_F ||Y'Y||_F) with centred columns; NaN if one of them does not vary at all.
    Source: Kornblith et al., "Similarity of neural network representations revisited", ICML 2019, eq. (3).

    Raises
    ------
    LensError
        If the two are not features of the same number of clips.
    """
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise LensError("features of two sets", got=f"{x.shape} and {y.shape}", expected="(N, D) and (N, E)")
    x = np.asarray(x - x.mean(axis=0, dtype=np.float64))
    y = np.asarray(y - y.mean(axis=0, dtype=np.float64))
    norm = np.sqrt(_hsic(x, x) * _hsic(y, y))
    return float(_hsic(x, y) / norm) if norm > 0 else float("nan")


def _hsic(x: np.ndarray, y: np.ndarray) -> float:
    # ||Y'X||^2 = sum of XX' * YY': through whichever of the two is smaller.
    if x.shape[1] * y.shape[1] <= len(x) ** 2:
        return float(((x.T @ y) ** 2).sum())
    return float(((x @ x.T) * (y @ y.T)).sum())
