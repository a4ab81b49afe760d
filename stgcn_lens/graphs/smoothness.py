"""How well the neighbours in a layer agree on the class: 0 is a graph on which labels are perfectly smooth.

Source: Das, Shekkizhar, Ortega, arXiv 2312.07777, section III (label smoothness over NNK graphs); the intervals,
the chance level and the normalisation of rows are this project's.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from stgcn_lens import intervals
from stgcn_lens.errors import LensError
from stgcn_lens.graphs import sums
from stgcn_lens.graphs.knn import Neighbours
from stgcn_lens.graphs.nnk import SMALLEST, NNKGraph
from stgcn_lens.graphs.sums import Edges
from stgcn_lens.intervals import Value

Interval = tuple[float, float]


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
    laplacian_label_error_per_class : share of the weight at the clips of each class that goes to other classes; None
        for a class without edges.
    knn_interval_per_class, nnk_interval_per_class, laplacian_interval_per_class : ends of their 95 % intervals over
        resampled clips; resamples without a clip (without an edge) of the class are left out.
    chance_per_class : what all three are for permuted labels on average, 1 - (n_c - 1) / (N - 1).
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
    laplacian_label_error_per_class: tuple[float | None, ...]
    knn_interval_per_class: tuple[Interval | None, ...]
    nnk_interval_per_class: tuple[Interval | None, ...]
    laplacian_interval_per_class: tuple[Interval | None, ...]
    chance_per_class: tuple[float | None, ...]
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
    n = len(labels)
    if len(nnk_graph) != n:
        raise LensError("graphs of two sets", got=f"{len(nnk_graph)} clips", expected=n)
    classes = max(int(labels.max()) + 1, classes or 0)
    lists = {
        "knn": (neighbours.indices, row_normalised(np.ones_like(neighbours.distances))),
        "nnk": (nnk_graph.indices, row_normalised(nnk_graph.weights)),
    }
    undirected = nnk_graph.undirected()
    edges = Edges.of_graph(undirected)
    chance = _chance(
        {name: Edges.of_lists(*given).share_between for name, given in lists.items()}
        | {
            "laplacian": edges.share_between,
            "accuracy": lambda labelings: sums.right_votes(neighbours.indices, labelings) / n,
        },
        labels,
        permutations,
        seed,
    )
    per_clip = {name: label_errors(*given, labels) for name, given in lists.items()}
    per_clip["accuracy"] = right_votes(neighbours, labels)
    ratios = _of_clips(per_clip, labels, classes, resamples, seed)
    ratios["laplacian"] = _of_edges(edges, labels, classes, resamples, seed)
    value = {name: ratio.value(chance[name]) for name, ratio in ratios.items()}
    size = np.bincount(labels, minlength=classes).tolist()
    return LayerGeometry(
        n=n,
        k=neighbours.k,
        knn_label_error=value["knn"],
        nnk_label_error=value["nnk"],
        knn_floor=knn_floor(labels, neighbours.k),
        laplacian_label_error=value["laplacian"],
        laplacian_raw=laplacian_raw(undirected, labels),
        knn_accuracy=value["accuracy"],
        mean_nnk_neighbours=float((nnk_graph.weights > SMALLEST).sum(axis=1).mean()),
        isolated=int((nnk_graph.weights == 0).all(axis=1).sum()),
        indefinite_share=nnk_graph.indefinite_share,
        sigma=nnk_graph.kernel.sigma,
        knn_label_error_per_class=ratios["knn"].per_class(),
        nnk_label_error_per_class=ratios["nnk"].per_class(),
        laplacian_label_error_per_class=ratios["laplacian"].per_class(),
        knn_interval_per_class=ratios["knn"].intervals(),
        nnk_interval_per_class=ratios["nnk"].intervals(),
        laplacian_interval_per_class=ratios["laplacian"].intervals(),
        chance_per_class=tuple(1 - (members - 1) / (n - 1) if members else None for members in size),
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
    edges = Edges.of_graph(graph)
    chance = _chance({"laplacian": edges.share_between}, labels, permutations, seed)
    return _of_edges(edges, labels, int(labels.max()) + 1, resamples, seed).value(chance["laplacian"])


def laplacian_draws(
    graph: sparse.csr_array, labels: np.ndarray, *, seed: int, resamples: int = 1000
) -> tuple[float, np.ndarray]:
    """The value of `laplacian_label_error`, and that of every resample, (R,): what two graphs of clips differ by."""
    ratio = _of_edges(Edges.of_graph(graph), labels, int(labels.max()) + 1, resamples, seed)
    drawn = _divided(ratio.drawn_above.sum(axis=1), ratio.drawn_below.sum(axis=1))
    return float(_divided(ratio.above.sum(), ratio.below.sum())), drawn


def right_votes(neighbours: Neighbours, labels: np.ndarray) -> np.ndarray:
    """Whether each clip's class wins the vote of its k neighbours, (N,) of 0.0 or 1.0.

    Of classes with equally many votes the one whose member is first in the list (nearest, then lowest position) wins.
    """
    near = labels[neighbours.indices]
    # Votes for the class of each neighbour; argmax takes the first, that is the nearest.
    votes = (near[:, :, None] == near[:, None, :]).sum(axis=2)
    winner = np.take_along_axis(near, votes.argmax(axis=1)[:, None], axis=1)[:, 0]
    return (winner == labels).astype(np.float64)


@dataclass(frozen=True, eq=False)
class _Ratio:
    """A statistic that is one sum over clips divided by another, by the class of the clip.

    `above` and `below` (classes,) are of the clips as they are, `drawn_above` and `drawn_below` (R, classes) of every
    resample.
    """

    above: np.ndarray
    below: np.ndarray
    drawn_above: np.ndarray
    drawn_below: np.ndarray

    def value(self, permuted: np.ndarray) -> Value:
        total = float(self.below.sum())
        if total <= 0:
            return Value(float("nan"), float("nan"), float("nan"))
        resampled = _divided(self.drawn_above.sum(axis=1), self.drawn_below.sum(axis=1))
        return intervals.of_statistics(float(self.above.sum()) / total, resampled, permuted)

    def per_class(self) -> tuple[float | None, ...]:
        there = (self.below > 0).tolist()
        return tuple(v if t else None for v, t in zip(_divided(self.above, self.below).tolist(), there, strict=True))

    def intervals(self) -> tuple[Interval | None, ...]:
        found: list[Interval | None] = []
        for c, value in enumerate(self.per_class()):
            if value is None:
                found.append(None)
                continue
            made = intervals.of_statistics(value, _divided(self.drawn_above[:, c], self.drawn_below[:, c]))
            found.append((made.ci_low, made.ci_high))
        return tuple(found)


def _divided(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def _of_clips(
    values: dict[str, np.ndarray], labels: np.ndarray, classes: int, resamples: int, seed: int
) -> dict[str, _Ratio]:
    n = len(labels)
    stacked = np.stack([np.ones(n), *values.values()])
    each = sums.of_classes(stacked, labels, classes, np.ones((1, n), np.uint16))[:, 0]
    drawn = np.concatenate(
        [sums.of_classes(stacked, labels, classes, block) for block in intervals.draws(n, resamples, seed)], axis=1
    )
    return {name: _Ratio(each[s], each[0], drawn[s], drawn[0]) for s, name in enumerate(values, start=1)}


def _of_edges(edges: Edges, labels: np.ndarray, classes: int, resamples: int, seed: int) -> _Ratio:
    n = len(labels)
    each = edges.resampled(labels, classes, np.ones((1, n), np.uint16))
    drawn = [edges.resampled(labels, classes, block) for block in intervals.draws(n, resamples, seed)]
    above, below = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
    return _Ratio(each[0][0], each[1][0], above, below)


def _chance(
    statistics: dict[str, Callable[[np.ndarray], np.ndarray]], labels: np.ndarray, permutations: int, seed: int
) -> dict[str, np.ndarray]:
    """What the statistics, of labelings (P, N), are for permuted labels."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in statistics}
    for block in intervals.permutations(labels, permutations, seed):
        for name, statistic in statistics.items():
            found[name].append(statistic(block))
    return {name: np.concatenate(parts) for name, parts in found.items()}
