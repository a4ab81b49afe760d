"""Sums over edges, votes and clips for many labelings or resamples at once: compiled, shared by threads."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy import sparse

from stgcn_lens.graphs.threads import in_threads

_RUN = 256  # edges are summed in runs: one long sum of 1/k would lose four digits


@dataclass(frozen=True, eq=False)
class Edges:
    """The edges of a graph whose weight is not zero.

    Attributes
    ----------
    rows, columns : (E,) clips at both ends; an undirected edge is there twice.
    weights : (E,) float64.
    """

    rows: np.ndarray
    columns: np.ndarray
    weights: np.ndarray

    @classmethod
    def of_lists(cls, indices: np.ndarray, weights: np.ndarray) -> "Edges":
        """From each clip to its neighbours, both (N, k)."""
        there = weights > 0
        rows = np.broadcast_to(np.arange(len(indices))[:, None], indices.shape)[there]
        return cls(rows, indices[there].astype(np.int64), weights[there].astype(np.float64))

    @classmethod
    def of_graph(cls, graph: sparse.csr_array) -> "Edges":
        """Those of an (N, N) matrix."""
        entries = graph.tocoo()
        return cls(entries.row.astype(np.int64), entries.col.astype(np.int64), entries.data.astype(np.float64))

    def share_between(self, labelings: np.ndarray) -> np.ndarray:
        """Share of the weight on edges whose ends differ in label, (P,), for labelings (P, N); NaN without edges."""
        out = np.empty(len(labelings))

        def work(first: int, last: int) -> None:
            _between(self.rows, self.columns, self.weights, labelings, first, last, out)

        in_threads(work, len(labelings))
        total = self.weights.sum()
        return out / total if total > 0 else np.full(len(out), np.nan)

    def resampled(self, labels: np.ndarray, classes: int, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weight to other classes and weight in all of the edges at each class, (R, classes), for draws (R, N).

        An edge counts as often as both its ends were drawn, c_i c_j; it is at the class of its row.
        """
        other, total = np.zeros((len(drawn), classes)), np.zeros((len(drawn), classes))

        def work(first: int, last: int) -> None:
            _resampled(self.rows, self.columns, self.weights, labels, drawn, first, last, other, total)

        in_threads(work, len(drawn))
        return other, total


def right_votes(indices: np.ndarray, labelings: np.ndarray) -> np.ndarray:
    """Clips whose label wins the vote of their neighbours (N, k), (P,) counts, for labelings (P, N).

    Of labels with equally many votes that of the neighbour that comes first in the list wins.
    """
    out = np.empty(len(labelings), dtype=np.int64)
    classes = int(labelings.max()) + 1
    in_threads(lambda first, last: _votes(indices, labelings, classes, first, last, out), len(labelings))
    return out


def of_classes(values: np.ndarray, labels: np.ndarray, classes: int, drawn: np.ndarray) -> np.ndarray:
    """Sums of values (S, N) over the clips of each class, (S, R, classes), for draws (R, N)."""
    out = np.zeros((len(values), len(drawn), classes))
    in_threads(lambda first, last: _clips(values, labels, drawn, first, last, out), len(drawn))
    return out


@njit(nogil=True, cache=True)
def _between(rows, columns, weights, labels, first, last, out):  # type: ignore[no-untyped-def]
    for p in range(first, last):
        y = labels[p]
        total = 0.0
        for start in range(0, len(rows), _RUN):
            part = 0.0
            for e in range(start, min(start + _RUN, len(rows))):
                if y[rows[e]] != y[columns[e]]:
                    part += weights[e]
            total += part
        out[p] = total


@njit(nogil=True, cache=True)
def _votes(indices, labels, classes, first, last, out):  # type: ignore[no-untyped-def]
    n, k = indices.shape
    votes = np.zeros(classes, dtype=np.int64)
    for p in range(first, last):
        y = labels[p]
        right = 0
        for i in range(n):
            for j in range(k):
                votes[y[indices[i, j]]] += 1
            winner, most = -1, 0
            for j in range(k):
                label = y[indices[i, j]]
                if votes[label] > most:
                    winner, most = label, votes[label]
                votes[label] = 0  # its later neighbours have nothing to add
            right += winner == y[i]
        out[p] = right


@njit(nogil=True, cache=True)
def _resampled(rows, columns, weights, labels, drawn, first, last, other, total):  # type: ignore[no-untyped-def]
    for r in range(first, last):
        times = drawn[r]
        for e in range(len(rows)):
            i, j = rows[e], columns[e]
            weight = weights[e] * (times[i] * times[j])
            total[r, labels[i]] += weight
            if labels[i] != labels[j]:
                other[r, labels[i]] += weight


@njit(nogil=True, cache=True)
def _clips(values, labels, drawn, first, last, out):  # type: ignore[no-untyped-def]
    for r in range(first, last):
        times = drawn[r]
        for s in range(len(values)):
            for i in range(len(times)):
                out[s, r, labels[i]] += times[i] * values[s, i]
