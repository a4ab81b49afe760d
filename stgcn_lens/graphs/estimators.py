"""The graphs in the manner of scikit-learn: from arrays to a graph, without a run folder.

>>> import numpy as np
>>> from stgcn_lens.graphs import summary
>>> from stgcn_lens.graphs.estimators import NNK
>>> rng = np.random.default_rng(0)
>>> labels = np.repeat([0, 1], 10)
>>> clips = [rng.normal(size=(rng.integers(2, 6), 4)) + 3 * y for y in labels]  # (windows, features) each
>>> nnk = NNK(n_neighbors=5).fit(clips)
>>> nnk.kneighbors_graph(mode="weights").shape
(20, 20)
>>> summary(nnk.neighbours_, nnk.graph_, labels, seed=0).nnk_label_error.value
0.0
"""

from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from stgcn_lens.distances import Sequences
from stgcn_lens.distances.sequences import same_features
from stgcn_lens.errors import DataError, LensError
from stgcn_lens.graphs.candidates import distances_of
from stgcn_lens.graphs.kernel import Kernel
from stgcn_lens.graphs.knn import Neighbours, knn
from stgcn_lens.graphs.layer import GraphConfig, layer_graph
from stgcn_lens.graphs.nnk import nnk, weigh

MODES = ("connectivity", "distance", "weights")
_PAIRS = 1 << 20  # distances of clips to all others that are held at once

# What `fit` takes: Sequences, a list of (windows, D) arrays, an array (N, windows, D), or a plain matrix (N, D).
Clips = Any


class _Neighbourhoods(BaseEstimator):
    """What both estimators share: the fitted clips and their nearest neighbours."""

    n_neighbors: int

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "neighbours_")

    def kneighbors(
        self, X: Clips | None = None, n_neighbors: int | None = None, return_distance: bool = True
    ) -> tuple[np.ndarray, np.ndarray] | np.ndarray:
        """The nearest fitted clips of each clip, nearest first, ties by position.

        Parameters
        ----------
        X : clips to look from, as in `fit`; without them the fitted ones, none of which is its own neighbour.
        n_neighbors : by default as many as in the constructor.
        return_distance : False: only the positions.

        Returns
        -------
        Distances (N, k) float64, and positions (N, k).
        """
        check_is_fitted(self)
        near = self._near(n_neighbors) if X is None else self._near_to(_sequences(self, X), n_neighbors)
        return (near.distances.astype(np.float64), near.indices) if return_distance else near.indices

    def _graph_config(self, k: int) -> GraphConfig:
        settings = {name: value for name, value in self.get_params(deep=False).items() if name != "n_neighbors"}
        return GraphConfig(k=k, **settings)

    def _remember(self, seqs: Sequences, near: Neighbours) -> None:
        # Only when all went well: a second fit that fails leaves the first one whole.
        self.sequences_, self.neighbours_ = seqs, near
        self.n_samples_fit_, self.n_features_in_ = len(seqs), seqs.features

    def _near(self, k: int | None) -> Neighbours:
        k = self.neighbours_.k if k is None else k
        if 1 <= k <= self.neighbours_.k:
            return Neighbours(self.neighbours_.indices[:, :k], self.neighbours_.distances[:, :k])
        return knn(self.sequences_, k, self._graph_config(k).distance_config())

    def _near_to(self, seqs: Sequences, k: int | None) -> Neighbours:
        k = self.neighbours_.k if k is None else k
        config = self._graph_config(k)
        fitted = len(self.sequences_)
        if fitted < k:
            raise LensError(f"too few fitted clips for {k} neighbours", got=fitted, expected=f"at least {k}")
        measure = distances_of(self._with(seqs), config.distance_config())
        indices, distances = np.empty((len(seqs), k), np.int32), np.empty((len(seqs), k), np.float32)
        every, step = np.arange(fitted), max(1, _PAIRS // fitted)
        for start in range(0, len(seqs), step):
            clips = np.arange(start, min(start + step, len(seqs)))
            found = measure(np.repeat(fitted + clips, fitted), np.tile(every, len(clips))).reshape(len(clips), fitted)
            nearest = np.argsort(found, axis=1, kind="stable")[:, :k]
            indices[clips], distances[clips] = nearest, np.take_along_axis(found, nearest, axis=1)
        return Neighbours(indices, distances)

    def _with(self, seqs: Sequences) -> Sequences:
        """The fitted clips and, after them, those."""
        same_features(self.sequences_, seqs)
        mine = self.sequences_
        windows = np.concatenate([mine.windows, seqs.windows])
        return Sequences(windows, np.concatenate([mine.offsets, mine.offsets[-1] + seqs.offsets[1:]]))

    def _matrix(self, mode: str, near: Neighbours, weights: np.ndarray, keep: np.ndarray) -> sparse.csr_array:
        if mode not in MODES:
            raise LensError("no such kind of graph", got=mode, expected=" or ".join(MODES))
        values = {"connectivity": np.ones(keep.shape), "distance": near.distances, "weights": weights}[mode]
        ends = np.concatenate([[0], np.cumsum(keep.sum(axis=1))])
        data = values[keep].astype(np.float64)
        return sparse.csr_array((data, near.indices[keep], ends), shape=(len(keep), self.n_samples_fit_))


class KNN(_Neighbourhoods):
    """The k nearest neighbours of every clip, exact.

    Parameters
    ----------
    n_neighbors : neighbours of a clip, itself left out.
    distance, normalise, band : see `GraphConfig`.

    Attributes
    ----------
    sequences_ : the fitted clips. With them come `n_samples_fit_` and `n_features_in_`.
    neighbours_ : their `Neighbours`.
    """

    def __init__(
        self,
        n_neighbors: int = 15,
        *,
        distance: str = "window_dtw",
        normalise: bool = True,
        band: int | None = None,
    ) -> None:
        self.n_neighbors, self.distance, self.normalise, self.band = n_neighbors, distance, normalise, band

    def fit(self, X: Clips, y: object = None) -> Self:
        """Find the neighbours.

        Parameters
        ----------
        X : the N clips: `Sequences`, a list of (windows, D) arrays, one array (N, windows, D), or a matrix (N, D) of
            clips of one window.
        y : not used.

        Raises
        ------
        LensError
            If there are too few clips, or a setting is impossible.
        DataError
            If a clip has no window, another number of features or a value that is not finite.
        """
        config, seqs = self._graph_config(self.n_neighbors), _sequences(self, X, reset=True)
        self._remember(seqs, knn(seqs, config.k, config.distance_config()))
        return self

    def kneighbors_graph(
        self, X: Clips | None = None, n_neighbors: int | None = None, mode: str = "connectivity"
    ) -> sparse.csr_array:
        """The graph as a matrix (clips, fitted clips): row i holds the edges to i's neighbours.

        `mode` "connectivity": ones; "distance": the distances, those of zero too; "weights": 1/k.
        """
        check_is_fitted(self)
        near = self._near(n_neighbors) if X is None else self._near_to(_sequences(self, X), n_neighbors)
        shape = near.indices.shape
        return self._matrix(mode, near, np.full(shape, 1 / near.k), np.ones(shape, dtype=bool))


class NNK(_Neighbourhoods):
    """Non-negative kernel regression: of the k nearest clips those that are needed, and how much.

    Parameters
    ----------
    n_neighbors : candidates of a clip.
    kernel, distance, normalise, band : see `GraphConfig`.

    Attributes
    ----------
    sequences_ : the fitted clips. With them come `n_samples_fit_` and `n_features_in_`.
    neighbours_ : their `Neighbours`, the candidates.
    graph_ : their `NNKGraph`; `graph_.undirected()` is the symmetric one.
    """

    def __init__(
        self,
        n_neighbors: int = 15,
        *,
        kernel: str = "gaussian",
        distance: str = "window_dtw",
        normalise: bool = True,
        band: int | None = None,
    ) -> None:
        self.n_neighbors, self.kernel = n_neighbors, kernel
        self.distance, self.normalise, self.band = distance, normalise, band

    def fit(self, X: Clips, y: object = None) -> Self:
        """Find the candidates and their weights; parameters and errors as those of `KNN.fit`."""
        config, seqs = self._graph_config(self.n_neighbors), _sequences(self, X, reset=True)
        near, graph = layer_graph(seqs, config)
        self._remember(seqs, near)
        self.graph_ = graph
        return self

    def kneighbors_graph(
        self, X: Clips | None = None, n_neighbors: int | None = None, mode: str = "connectivity"
    ) -> sparse.csr_array:
        """The graph as a matrix (clips, fitted clips): row i holds the edges to the candidates that i needs.

        `mode` "connectivity": ones; "distance": the distances; "weights": theta. New clips X are rebuilt from fitted
        ones, with the fitted kernel.
        """
        check_is_fitted(self)
        if X is not None:
            seqs = _sequences(self, X)
            near = self._near_to(seqs, n_neighbors)
            weights = self._weights_of(seqs, near)
        elif n_neighbors in (None, self.neighbours_.k):
            near, weights = self.neighbours_, self.graph_.weights
        else:
            near = self._near(n_neighbors)
            weights = nnk(self.sequences_, near, self._distance(), kernel=self.kernel).weights
        return self._matrix(mode, near, weights, weights > 0)

    def _distance(self) -> Any:
        return self._graph_config(self.n_neighbors).distance_config()

    def _weights_of(self, seqs: Sequences, near: Neighbours) -> np.ndarray:
        fitted = self.graph_.kernel
        # A self-tuning kernel has a width of its own for every new clip; the gaussian one has the fitted width.
        own = Kernel.fit(self.kernel, near).widths if self.kernel == "self-tuning" else fitted.sigma
        kernel = Kernel(self.kernel, np.append(fitted.widths, np.broadcast_to(own, len(seqs))))
        candidates, nodes = near.indices.astype(np.int64), self.n_samples_fit_ + np.arange(len(seqs))
        p, q = np.triu_indices(near.k, 1)
        between = np.zeros((len(seqs), near.k, near.k))
        found = distances_of(self.sequences_, self._distance())(candidates[:, p].ravel(), candidates[:, q].ravel())
        between[:, p, q] = between[:, q, p] = found.reshape(len(seqs), len(p))
        return weigh(kernel, nodes, candidates, near.distances, between)[0].astype(np.float32)


def _sequences(estimator: BaseEstimator, X: Clips, reset: bool = False) -> Sequences:
    """The clips however they came; `reset`: they are to be fitted, otherwise they must fit those that were."""
    if isinstance(X, Sequences):
        return X
    if isinstance(X, np.ndarray) and X.ndim == 3:
        X = list(X)
    if isinstance(X, (list, tuple)) and any(np.ndim(clip) == 2 for clip in X):
        return _of_list([np.asarray(clip) for clip in X])
    least = 2 if reset else 1
    matrix = validate_data(estimator, X, dtype=[np.float64, np.float32], reset=reset, ensure_min_samples=least)
    return Sequences(matrix, np.arange(len(matrix) + 1))


def _of_list(clips: list[np.ndarray]) -> Sequences:
    for number, clip in enumerate(clips):
        if clip.ndim != 2 or clip.dtype.kind not in "fiu":
            raise DataError(
                f"clip {number} is no array of windows",
                got=f"{clip.dtype} of shape {clip.shape}",
                expected="numbers of shape (windows, features)",
            )
        if clip.shape[1] != clips[0].shape[1]:
            raise DataError(
                f"clip {number} has another number of features", got=clip.shape[1], expected=clips[0].shape[1]
            )
    kind = np.float32 if all(clip.dtype in (np.float16, np.float32) for clip in clips) else np.float64
    return Sequences.of([clip.astype(kind, copy=False) for clip in clips])
