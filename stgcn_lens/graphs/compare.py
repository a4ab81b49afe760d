"""How alike two layers are: overlap of neighbourhoods, alignment of features."""

from collections.abc import Iterator

import numpy as np

from stgcn_lens import intervals
from stgcn_lens.distances import Sequences
from stgcn_lens.errors import LensError
from stgcn_lens.graphs.knn import Neighbours
from stgcn_lens.intervals import Value

_BLOCK_BYTES = 64 << 20  # of one block of features, in float64


def jaccard(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Shared over all neighbours of every clip, (N,) in [0, 1], for lists (N, ka) and (N, kb) without repeats.

    Raises
    ------
    LensError
        If the lists are not of the same number of clips.
    """
    if len(a) != len(b):
        raise LensError("neighbour lists of two sets", got=f"{len(a)} and {len(b)} clips", expected="the same clips")
    shared = np.empty(len(a), dtype=np.int64)
    step = max(1, _BLOCK_BYTES // max(1, a.shape[1] * b.shape[1]))
    for start in range(0, len(a), step):
        rows = slice(start, start + step)
        shared[rows] = (a[rows, :, None] == b[rows, None, :]).any(axis=2).sum(axis=1)
    return shared / (a.shape[1] + b.shape[1] - shared)


def overlap(a: Neighbours, b: Neighbours, *, seed: int, resamples: int = 1000) -> Value:
    """Mean Jaccard overlap of two neighbour lists of the same clips, in [0, 1], with its interval over clips."""
    return intervals.of_mean(jaccard(a.indices, b.indices), seed=seed, resamples=resamples)


def mean_windows(seqs: Sequences) -> np.ndarray:
    """One feature vector a clip, the mean of its windows, (N, D) float32: what `linear_cka` compares."""
    out = np.empty((len(seqs), seqs.features), dtype=np.float32)
    for clip in range(len(seqs)):
        out[clip] = seqs[clip].mean(axis=0, dtype=np.float64)
    return out


def linear_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Linear centred kernel alignment of features (N, D) and (N, E) of the same clips, in [0, 1].

    ||Y'X||_F^2 / (||X'X||_F ||Y'Y||_F) with centred columns; NaN if one of them does not vary at all.
    Source: Kornblith et al., "Similarity of neural network representations revisited", ICML 2019, eq. (3).

    Raises
    ------
    LensError
        If the two are not features of the same number of clips.
    """
    shared = hsic(x, y)
    norm = np.sqrt(hsic(x, x) * hsic(y, y))
    return float(shared / norm) if norm > 0 else float("nan")


def hsic(x: np.ndarray, y: np.ndarray) -> float:
    """||Y'X||_F^2 of features (N, D) and (N, E) with centred columns, in float64.

    For the alignment of many layers, `hsic(x, x)` is worked out once a layer. Neither N x N nor D x E numbers are held,
    but some blocks of features; where there are fewer clips than features, both sets of these.

    Raises
    ------
    LensError
        If the two are not features of the same number of clips.
    """
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise LensError("features of two sets", got=f"{x.shape} and {y.shape}", expected="(N, D) and (N, E)")
    same, total = x is y, 0.0
    if x.shape[1] * y.shape[1] <= len(x) ** 2:
        for first, a in _columns(x):
            for second, b in _columns(y, first if same else 0):
                # Of X'X both halves are alike.
                total += (2.0 if same and second > first else 1.0) * float(np.square(a.T @ b).sum())
        return total
    # ||Y'X||^2 = sum of XX' * YY': the smaller of the two.
    p = _centred(x)
    q = p if same else _centred(y)
    step = max(1, _BLOCK_BYTES // (8 * len(x)))
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        total += float(((p[rows] @ p.T) * (q[rows] @ q.T)).sum())
    return total


def _columns(x: np.ndarray, start: int = 0) -> Iterator[tuple[int, np.ndarray]]:
    step = max(1, _BLOCK_BYTES // (8 * len(x)))
    for first in range(start, x.shape[1], step):
        yield first, _centred(x[:, first : first + step])


def _centred(x: np.ndarray) -> np.ndarray:
    return np.asarray(x - x.mean(axis=0, dtype=np.float64), dtype=np.float64)
