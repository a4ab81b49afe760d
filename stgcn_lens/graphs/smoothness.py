"""How well the neighbours in a layer agree on the class: 0 is a graph on which labels are perfectly smooth.

Source: Das, Shekkizhar, Ortega, arXiv 2312.07777, section III (label smoothness over NNK graphs); the intervals,
the chance level and the normalisation of rows are this project's.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from stgcn_lens import intervals
from stgcn_lens.errors import LensError
from stgcn_lens.graphs.knn import Neighbours
from stgcn_lens.graphs.nnk import SMALLEST, NNKGraph
from stgcn_lens.intervals import Value


@dataclass(frozen=True)
class LayerGeometry:
    """What the graphs of one layer say.

    Attributes
    ----------
    n, k : clips and neighbours.
    knn_label_error, nnk_label_error : mean over clips of the weight on neighbours of another class, in [0, 1].
    knn_floor : the least kNN label error that the sizes of the classes allow; above 0 where one has k clips or fewer.
    laplacian_label_error : tr(Y'LY) / sum of weights on the undirected NNK graph, in [0, 1].
    laplacian_raw : tr(Y'LY).
    knn_accuracy : share of clips whose k neighbours vote for their class.
    mean_nnk_neighbours : mean number of weights above `nnk.SMALLEST`.
    isolated : clips without any NNK weight (out of the kernel's reach); their candidates count equally.
    indefinite_share : see `NNKGraph`.
    sigma : mean width of the kernel, in units of the distance.
    knn_label_error_per_class, nnk_label_error_per_class : mean over the clips of each class; None for a class
        without clips.
    overlap_input, overlap_previous : mean Jaccard overlap with the neighbours at the input and at the layer before;
        filled in by whoever has those layers.
    """

    n: int
    k: int
    knn_label_error: Value
    nnk_label_error: Value
    knn_floor: float
    laplacian_label_error: Value
    laplacian_raw: float
    knn_accuracy: Value
    mean_nnk_neighbours: float
    isolated: int
    indefinite_share: float
    sigma: float
    knn_label_error_per_class: tuple[float | None, ...]
    nnk_label_error_per_class: tuple[float | None, ...]
    overlap_input: Value | None = None
    overlap_previous: Value | None = None


def summary(
    neighbours: Neighbours,
    nnk_graph: NNKGraph,
    labels: np.ndarray,
    *,
    seed: int,
    resamples: int = 1000,
    permutations: int = 200,
    classes: int | None = None,
) -> LayerGeometry:
    """All numbers of one layer.

    Parameters
    ----------
    neighbours, nnk_graph : of the same N clips.
    labels : (N,) class numbers from 0.
    seed : of resamples and permutations; the same for all layers, so that they are compared on the same draws.
    resamples : bootstrap resamples of the clips.
    permutations : label permutations for the chance level.
    classes : number of classes; by default as many as occur.

    Raises
    ------
    LensError
        If labels are missing (negative), not whole numbers, or not one a clip.
    """
    labels = checked_labels(labels, len(neighbours))
    if len(nnk_graph) != len(neighbours):
        raise LensError("graphs of two sets", got=f"{len(nnk_graph)} clips", expected=len(neighbours))
    classes = int(labels.max()) + 1 if classes is None else classes
    theta = nnk_graph.weights
    weights = {"knn": np.ones_like(neighbours.distances), "nnk": theta}
    lists = {"knn": neighbours.indices, "nnk": nnk_graph.indices}
    errors, values = {}, {}
    for name, indices in lists.items():
        rows = row_normalised(weights[name])
        errors[name] = label_errors(indices, rows, labels)
        chance = intervals.chance_level(
            lambda y, i=indices, w=rows: float(label_errors(i, w, y).mean()),  # type: ignore[misc]
            labels,
            seed=seed,
            permutations=permutations,
        )
        values[name] = intervals.of_mean(errors[name], seed=seed, resamples=resamples, chance=chance)
    undirected = nnk_graph.undirected()
    return LayerGeometry(
        n=len(neighbours),
        k=neighbours.k,
        knn_label_error=values["knn"],
        nnk_label_error=values["nnk"],
        knn_floor=knn_floor(labels, neighbours.k),
        laplacian_label_error=laplacian_label_error(
            undirected, labels, seed=seed, resamples=resamples, permutations=permutations
        ),
        laplacian_raw=laplacian_raw(undirected, labels),
        knn_accuracy=knn_accuracy(neighbours, labels, seed=seed, resamples=resamples, permutations=permutations),
        mean_nnk_neighbours=float((theta > SMALLEST).sum(axis=1).mean()),
        isolated=int((theta == 0).all(axis=1).sum()),
        indefinite_share=nnk_graph.indefinite_share,
        sigma=nnk_graph.kernel.sigma,
        knn_label_error_per_class=per_class(errors["knn"], labels, classes),
        nnk_label_error_per_class=per_class(errors["nnk"], labels, classes),
    )


def checked_labels(labels: np.ndarray, n: int) -> np.ndarray:
    """The labels as (N,) int64; refused unless there is one class number, from 0, for every clip."""
    labels = np.asarray(labels)
    if labels.shape != (n,) or labels.dtype.kind not in "iu":
        raise LensError("labels of another kind", got=f"{labels.dtype} {labels.shape}", expected=f"integers ({n},)")
    without = np.flatnonzero(labels < 0)
    if len(without):
        raise LensError(
            f"clip {without[0]} has no label", got=int(labels[without[0]]), expected="0 or more", fix="leave it out"
        )
    return labels.astype(np.int64)


def row_normalised(weights: np.ndarray) -> np.ndarray:
    """Rows summing to one, (N, k) float64; a row of zeros, where nothing tells the candidates apart, becomes 1/k."""
    weights = np.asarray(weights, dtype=np.float64)
    largest = weights.max(axis=1, keepdims=True)
    # By the largest first: the sum of weights near the smallest float would lose its digits.
    scaled = np.where(largest > 0, weights / np.where(largest > 0, largest, 1.0), 1.0)
    return np.asarray(scaled / scaled.sum(axis=1, keepdims=True))


def label_errors(indices: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Weight of each clip on neighbours of another class, (N,) in [0, 1].

    With one-hot y the mean is (1 / 2N) sum_ij w_ij ||y_i - y_j||^2.

    Parameters
    ----------
    indices, rows : (N, k) neighbours and their weights, each row summing to one.
    labels : (N,) class numbers.
    """
    return (rows * (labels[indices] != labels[:, None])).sum(axis=1)


def knn_floor(labels: np.ndarray, k: int) -> float:
    """Mean over clips of the share of k neighbours that no clip of their class is left for, in [0, 1]."""
    others = np.bincount(labels)[labels] - 1
    return float(np.maximum(0.0, 1 - others / k).mean())


def per_class(values: np.ndarray, labels: np.ndarray, classes: int) -> tuple[float | None, ...]:
    """Mean of one number a clip over the clips of each class; None for a class without clips."""
    size = np.bincount(labels, minlength=classes)
    total = np.bincount(labels, weights=values, minlength=classes)
    return tuple(float(t / s) if s else None for t, s in zip(total, size, strict=True))


def laplacian_raw(graph: sparse.csr_array, labels: np.ndarray) -> float:
    """tr(Y'LY) = 1/2 sum_ij w_ij ||y_i - y_j||^2 over ordered pairs: twice the weight of edges between classes."""
    edges = graph.tocoo()
    return float(edges.data[labels[edges.row] != labels[edges.col]].sum())


def laplacian_label_error(
    graph: sparse.csr_array, labels: np.ndarray, *, seed: int, resamples: int = 1000, permutations: int = 200
) -> Value:
    """tr(Y'LY) / sum_ij w_ij, the share of weight between classes, in [0, 1]; NaN for a graph without edges.

    The interval resamples clips with all their edges: an edge counts as often as both its ends were drawn, c_i c_j
    (vertex bootstrap; Snijders, Borgatti 1999). Resamples without an edge are left out.
    """
    edges = graph.tocoo()
    total = float(edges.data.sum())
    if total <= 0:
        return Value(float("nan"), float("nan"), float("nan"), None)
    other = sparse.csr_array(
        (edges.data * (labels[edges.row] != labels[edges.col]), (edges.row, edges.col)), shape=graph.shape
    )
    resampled = []
    for drawn in intervals.counts(len(labels), resamples, seed):
        above, below = ((drawn * (matrix @ drawn.T).T).sum(axis=1) for matrix in (other, graph))
        resampled.append(np.divide(above, below, out=np.full(len(drawn), np.nan), where=below > 0))
    chance = intervals.chance_level(
        lambda y: laplacian_raw(graph, y) / total, labels, seed=seed, permutations=permutations
    )
    return intervals.of_statistics(laplacian_raw(graph, labels) / total, np.concatenate(resampled), chance)


def knn_accuracy(
    neighbours: Neighbours, labels: np.ndarray, *, seed: int, resamples: int = 1000, permutations: int = 200
) -> Value:
    """Share of clips whose class wins the vote of their k neighbours, in [0, 1].

    Of classes with equally many votes the one whose member is first in the list (nearest, then lowest position) wins.
    """

    def right(y: np.ndarray) -> np.ndarray:
        near = y[neighbours.indices]
        # Votes for the class of each neighbour; argmax takes the first, that is the nearest.
        votes = (near[:, :, None] == near[:, None, :]).sum(axis=2)
        winner = np.take_along_axis(near, votes.argmax(axis=1)[:, None], axis=1)[:, 0]
        return (winner == y).astype(np.float64)

    chance = intervals.chance_level(lambda y: float(right(y).mean()), labels, seed=seed, permutations=permutations)
    return intervals.of_mean(right(labels), seed=seed, resamples=resamples, chance=chance)
