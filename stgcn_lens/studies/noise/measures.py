"""What noise does to a network, clip by clip: answers, label errors, neighbourhoods and maps of one condition."""

import time
from dataclasses import dataclass

import numpy as np

from stgcn_lens.explain.randomisation import rank_correlation
from stgcn_lens.graphs import GraphConfig, Neighbours, jaccard, layer_graph
from stgcn_lens.graphs.smoothness import label_errors, laplacian_draws, row_normalised
from stgcn_lens.studies.layers import same_torch_threads
from stgcn_lens.studies.noise.passes import Seen


@dataclass(frozen=True, eq=False)
class Measured:
    """One condition: N clips, L layers, B blocks, R resamples.

    Attributes
    ----------
    right : (N,) 1.0 where the answer is the clip's class.
    knn, nnk : (L, N) weight of each clip on neighbours of another class.
    laplacian, laplacian_draws : (L,) and (L, R) label error of the undirected graph, and that of every resample.
    overlap : (L, N) Jaccard overlap of each clip's neighbours with the clean ones.
    correlation : (B, N) Spearman correlation of each clip's map with the clean one; NaN where both are constant.
    seconds : (3,) spent on the network, the graphs and the comparison of maps.
    """

    right: np.ndarray
    knn: np.ndarray
    nnk: np.ndarray
    laplacian: np.ndarray
    laplacian_draws: np.ndarray
    overlap: np.ndarray
    correlation: np.ndarray
    seconds: np.ndarray


def measure(
    seen: Seen,
    labels: np.ndarray,
    graph: GraphConfig,
    *,
    seconds: float,
    clean: Seen | None = None,
    neighbours: list[Neighbours] | None = None,
    seed: int,
    resamples: int,
) -> tuple[Measured, list[Neighbours]]:
    """The numbers of a condition, and the neighbours of every layer.

    Parameters
    ----------
    labels : (N,) classes of the clips.
    seconds : that the network took.
    clean, neighbours : what the clean clips gave; None where these are they.
    seed, resamples : of the bootstrap, the same for every condition, so that they can be compared draw by draw.
    """
    began = time.perf_counter()
    knn, nnk, laplacian, drawn, found = [], [], [], [], []
    with same_torch_threads():
        for seqs in seen.windows.values():
            near, weighed = layer_graph(seqs, graph)
            knn.append(label_errors(near.indices, row_normalised(np.ones_like(near.distances)), labels))
            nnk.append(label_errors(near.indices, row_normalised(weighed.weights), labels))
            value, draws = laplacian_draws(weighed.undirected(), labels, seed=seed, resamples=resamples)
            laplacian.append(value)
            drawn.append(draws)
            found.append(near)
    graphs = time.perf_counter()
    overlap = [jaccard(near.indices, was.indices) for near, was in zip(found, neighbours or found, strict=True)]
    maps = [correlations(clean or seen, seen, block) for block in seen.maps]
    spent = np.array([seconds, graphs - began, time.perf_counter() - graphs])
    made = Measured(
        right=(seen.predicted == labels).astype(np.float64),
        knn=np.stack(knn),
        nnk=np.stack(nnk),
        laplacian=np.array(laplacian),
        laplacian_draws=np.stack(drawn),
        overlap=np.stack(overlap),
        correlation=np.array(maps).reshape(len(maps), len(labels)),
        seconds=spent,
    )
    return made, found


def correlations(clean: Seen, noisy: Seen, block: str) -> np.ndarray:
    """Spearman correlation of each clip's two maps, (N,), over the cells in which a clean body is.

    Where noise changed the number of rows (frames without anybody were cut off), over the rows that both have. Bodies
    are compared slot by slot: main body with main body.
    """
    found = []
    for a, b, there in zip(clean.maps[block], noisy.maps[block], clean.there[block], strict=True):
        common = min(len(a), len(b))
        cells = np.broadcast_to(there[:common, None], a[:common].shape)
        found.append(rank_correlation(a[:common][cells], b[:common][cells]))
    return np.array(found)
