from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from scipy import sparse

from stgcn_lens.errors import LensError
from stgcn_lens.graphs.export import to_csr, to_networkx, write_graphml

INDICES = np.array([[1, 2], [0, 2], [3, 0], [2, 1]], np.int32)


def test_rows_of_a_knn_graph_hold_one_over_k_at_the_neighbours() -> None:
    expected = np.array([[0, 0.5, 0.5, 0], [0.5, 0, 0.5, 0], [0.5, 0, 0, 0.5], [0, 0.5, 0.5, 0]])
    np.testing.assert_array_equal(to_csr(INDICES).toarray(), expected)


def test_weights_of_zero_are_no_edges() -> None:
    weights = np.array([[0.25, 0], [0, 0], [1, 2], [0, 3]], np.float32)
    graph = to_csr(INDICES, weights)
    assert graph.nnz == 4
    np.testing.assert_array_equal(graph.toarray()[2], [2, 0, 0, 1])
    with pytest.raises(LensError, match=r"got \(4, 3\), expected \(4, 2\)"):
        to_csr(INDICES, np.ones((4, 3)))


def test_a_directed_graph_keeps_directions_and_an_undirected_one_must_be_symmetric() -> None:
    graph = to_csr(INDICES)
    directed = to_networkx(graph, directed=True)
    assert directed.has_edge(0, 2)
    assert directed.has_edge(3, 1)
    assert not directed.has_edge(1, 3)
    with pytest.raises(LensError, match="not symmetric"):
        to_networkx(graph, directed=False)
    both = to_networkx(sparse.csr_array(graph.maximum(graph.T)), directed=False)
    assert both.number_of_edges() == 5
    assert both[1][3]["weight"] == 0.5


def test_graphml_gives_back_nodes_weights_and_attributes(tmp_path: Path) -> None:
    attributes = {
        "class_name": ["wave", "clap", "wave", "sit & stand"],
        "label": np.array([0, 1, 0, 2]),
        "view": [1, None, 2, 3],
    }
    graph = to_networkx(to_csr(INDICES, np.arange(1, 9).reshape(4, 2) / 8), directed=True, attributes=attributes)
    write_graphml(tmp_path / "layer.graphml", graph)
    back = nx.read_graphml(tmp_path / "layer.graphml", node_type=int)
    assert sorted(back.edges(data="weight")) == sorted(graph.edges(data="weight"))
    assert [back.nodes[i]["class_name"] for i in range(4)] == attributes["class_name"]
    assert [back.nodes[i]["label"] for i in range(4)] == [0, 1, 0, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["layer.graphml"]


def test_attributes_of_other_nodes_are_refused() -> None:
    with pytest.raises(LensError, match="'label' of other nodes: got 3, expected 4"):
        to_networkx(to_csr(INDICES), directed=True, attributes={"label": [0, 1, 2]})
