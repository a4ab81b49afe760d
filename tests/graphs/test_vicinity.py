"""What lies round a clip: reached by edges, heaviest first, and who stays from layer to layer."""

import networkx as nx
import numpy as np
import pytest

from stgcn_lens.graphs.vicinity import changes, vicinity


@pytest.fixture
def graph(rng) -> tuple[np.ndarray, np.ndarray]:
    """40 clips with 5 candidates each, a third of which have no weight."""
    indices = np.array([rng.choice([j for j in range(40) if j != i], 5, replace=False) for i in range(40)])
    weights = rng.random((40, 5)).astype(np.float32) * (rng.random((40, 5)) > 1 / 3)
    return indices, weights


def directed(indices: np.ndarray, weights: np.ndarray) -> nx.DiGraph:
    out = nx.DiGraph()
    out.add_nodes_from(range(len(indices)))
    for i in range(len(indices)):
        for j, weight in zip(indices[i], weights[i], strict=True):
            if weight > 0:
                out.add_edge(i, int(j), weight=float(weight))
    return out


@pytest.mark.parametrize("clip", [0, 7, 39])
def test_all_clips_within_two_steps_and_all_edges_between_them_are_there(graph, clip):
    found = vicinity(*graph, clip, most=100)
    whole = directed(*graph)
    steps = nx.single_source_shortest_path_length(whole, clip, cutoff=2)
    assert found.clips[0] == clip
    assert dict(zip(found.clips.tolist(), found.hops.tolist(), strict=True)) == steps
    assert found.left_out == 0
    expected = {frozenset(pair) for pair in whole.subgraph(steps).edges}
    pairs = {frozenset(found.clips[list(edge)].tolist()) for edge in found.edges}
    assert pairs == expected
    assert len(found.edges) == len(pairs)
    for (a, b), weight in zip(found.edges, found.weights, strict=True):
        i, j = int(found.clips[a]), int(found.clips[b])
        both = [whole.edges[pair]["weight"] for pair in ((i, j), (j, i)) if whole.has_edge(*pair)]
        assert weight == pytest.approx(max(both))


def test_where_there_are_too_many_the_heaviest_paths_stay_and_the_rest_is_counted(graph):
    everything, some = vicinity(*graph, 3, most=100), vicinity(*graph, 3, most=9)
    assert len(some.clips) == 9
    assert some.left_out == len(everything.clips) - 9
    assert some.clips.tolist() == everything.clips[:9].tolist()
    assert (np.diff(some.hops) >= 0).all()
    whole = directed(*graph)
    beside = [int(i) for i, hop in zip(everything.clips, everything.hops, strict=True) if hop == 1]
    assert beside == sorted(beside, key=lambda j: -whole.edges[3, j]["weight"])


def test_a_clip_that_nothing_describes_is_alone(graph):
    indices, weights = graph
    weights = weights.copy()
    weights[5] = 0
    found = vicinity(indices, weights, 5)
    assert found.clips.tolist() == [5]
    assert found.edges.shape == (0, 2)
    assert found.places().tolist() == [[0.0, 0.0]]


def test_places_fill_the_square_are_repeatable_and_put_heavy_edges_nearer(graph):
    indices, weights = graph
    found = vicinity(indices, weights, 0)
    at = found.places()
    assert at.min(axis=0) == pytest.approx([-1, -1])
    assert at.max(axis=0) == pytest.approx([1, 1])
    assert np.array_equal(at, found.places())
    length = np.linalg.norm(at[found.edges[:, 0]] - at[found.edges[:, 1]], axis=1)
    everyone = np.linalg.norm(at[:, None] - at[None], axis=2)
    assert length.mean() < everyone[np.triu_indices(len(at), 1)].mean()


def test_who_stays_comes_and_goes():
    first, second = changes([frozenset({1, 2, 3}), frozenset({2, 3, 4}), frozenset()])
    assert (first.stay, first.come, first.go) == ({2, 3}, {4}, {1})
    assert (second.stay, second.come, second.go) == (set(), set(), {2, 3, 4})
    assert changes([frozenset({1})]) == []
