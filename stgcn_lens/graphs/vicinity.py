"""What lies round a clip in a layer's NNK graph, few steps away, and how that changes from layer to layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx
import numpy as np

MOST = 60
"""Clips of a drawing (ours): more hide one another."""


@dataclass(frozen=True, eq=False)
class Vicinity:
    """The clips round one.

    Attributes
    ----------
    clips : (P,) positions, the clip itself first. hops : (P,) steps from it along the heaviest path that was found.
    edges : (E, 2) places in `clips`, the first described by the second or the other way round; weights : (E,), the
        larger of the two.
    left_out : clips within reach that are not among them.
    """

    clips: np.ndarray
    hops: np.ndarray
    edges: np.ndarray
    weights: np.ndarray
    left_out: int

    def places(self, seed: int = 0) -> np.ndarray:
        """Where to draw them, (P, 2) that fill [-1, 1] on both axes: heavy edges are short."""
        graph = nx.Graph()
        graph.add_nodes_from(range(len(self.clips)))
        graph.add_weighted_edges_from(
            (int(a), int(b), float(w)) for (a, b), w in zip(self.edges, self.weights, strict=True)
        )
        if len(graph) == 1:
            return np.zeros((1, 2))
        # Its first places are at random, by the seed. Light edges pull too: an edge of weight 0.01 is an edge.
        for _, _, about in graph.edges(data=True):
            about["pull"] = 0.2 + about["weight"]
        found = nx.spring_layout(graph, weight="pull", seed=seed, iterations=150)
        at = np.array([found[place] for place in range(len(self.clips))])
        low, high = at.min(axis=0), at.max(axis=0)
        return np.asarray(2 * (at - low) / np.maximum(high - low, 1e-9) - 1)


def vicinity(indices: np.ndarray, weights: np.ndarray, clip: int, *, hops: int = 2, most: int = MOST) -> Vicinity:
    """The clips that are at most so many edges from one, heaviest paths first; edges run both ways.

    A path weighs the product of its edges' weights. From a clip edges lead to those that it is described by; the edges
    drawn are all between clips that are shown.

    Parameters
    ----------
    indices, weights : (N, k) of the NNK graph; a weight of zero is no edge.
    """
    reached, hop = {clip: 1.0}, {clip: 0}
    front = [clip]
    for step in range(1, hops + 1):
        found: dict[int, float] = {}
        for i in front:
            for j, weight in zip(indices[i].tolist(), weights[i].tolist(), strict=True):
                if weight > 0 and j not in reached:
                    found[j] = max(found.get(j, 0.0), reached[i] * weight)
        reached |= found
        hop |= dict.fromkeys(found, step)
        front = list(found)
    order = sorted(reached, key=lambda i: (hop[i] > 1, -reached[i], i))  # the clip, those beside it, then by their path
    order.remove(clip)
    shown = np.array([clip, *order[: most - 1]], dtype=np.int64)
    place = {int(i): p for p, i in enumerate(shown)}
    heaviest: dict[tuple[int, int], float] = {}
    for i, p in place.items():
        for j, weight in zip(indices[i].tolist(), weights[i].tolist(), strict=True):
            if weight > 0 and j in place:
                pair = (min(p, place[j]), max(p, place[j]))
                heaviest[pair] = max(heaviest.get(pair, 0.0), weight)
    return Vicinity(
        clips=shown,
        hops=np.array([hop[int(i)] for i in shown]),
        edges=np.array(sorted(heaviest), dtype=np.int64).reshape(-1, 2),
        weights=np.array([heaviest[pair] for pair in sorted(heaviest)]),
        left_out=len(reached) - len(shown),
    )


@dataclass(frozen=True)
class Change:
    """Neighbours of a clip at a layer that were already its neighbours at the layer before, new ones, and lost ones."""

    stay: frozenset[int]
    come: frozenset[int]
    go: frozenset[int]


def changes(by_layer: Sequence[frozenset[int]]) -> list[Change]:
    """From each layer's set of neighbours to the next: one less than there are layers."""
    return [Change(stay=before & after, come=after - before, go=before - after) for before, after in pairwise(by_layer)]
