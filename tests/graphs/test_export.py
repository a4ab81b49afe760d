from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from scipy import sparse

from stgcn_lens.distances import Sequences
from stgcn_lens.errors import LensError
from stgcn_lens.graphs import GraphConfig, Neighbours, NNKGraph, layer_graph
from stgcn_lens.graphs.export import to_csr, to_networkx, write_graphml, write_graphs

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


def layer() -> tuple[Neighbours, NNKGraph]:
    rng = np.random.default_rng(0)
    clips = [rng.normal(size=(n, 3)) for n in rng.integers(1, 5, 12)]
    return layer_graph(Sequences.of([*clips, clips[0]]), GraphConfig(k=4))


def test_written_graphs_come_back_whole(tmp_path: Path) -> None:
    near, nnk = layer()
    names = [f"S001C{i:03} <a&b>" for i in range(13)]
    attributes = {"name": names, "label": np.arange(13) % 3, "subject": [None, *range(12)]}
    written = write_graphs(tmp_path / "graphs", near, nnk, attributes)
    assert sorted(path.name for path in (tmp_path / "graphs").iterdir()) == sorted(path.name for path in written)
    expected = {
        "knn": to_csr(near.indices),
        "nnk": to_csr(nnk.indices, nnk.weights),
        "nnk_undirected": nnk.undirected(),
    }
    for name, matrix in expected.items():
        back = sparse.load_npz(tmp_path / "graphs" / f"{name}.npz")
        np.testing.assert_array_equal(back.toarray(), matrix.toarray())
        drawn = nx.read_graphml(tmp_path / "graphs" / f"{name}.graphml", node_type=int)
        assert drawn.is_directed() == (name != "nnk_undirected")
        np.testing.assert_array_equal(nx.to_scipy_sparse_array(drawn, nodelist=range(13)).toarray(), matrix.toarray())
        assert [drawn.nodes[i]["name"] for i in range(13)] == names
        assert [drawn.nodes[i]["label"] for i in range(13)] == (np.arange(13) % 3).tolist()
    far = dict(zip(near.indices[5].tolist(), near.distances[5].tolist(), strict=True))
    drawn = nx.read_graphml(tmp_path / "graphs/knn.graphml", node_type=int)
    assert {j: edge["distance"] for j, edge in drawn[5].items()} == pytest.approx(far)
    assert drawn[0][12]["distance"] == 0  # a copy
    lines = (tmp_path / "graphs/nodes.csv").read_text().splitlines()
    assert lines[0] == "node,name,label,subject"
    assert lines[1:3] == ["0,S001C000 <a&b>,0,", "1,S001C001 <a&b>,1,0"]
    assert len(lines) == 14


def test_a_knn_graph_alone_can_be_written_and_written_again(tmp_path: Path) -> None:
    near, nnk = layer()
    for _ in range(2):
        written = write_graphs(tmp_path, near)
        assert sorted(path.name for path in written) == ["knn.graphml", "knn.npz", "nodes.csv"]
    with pytest.raises(LensError, match="'label' of other nodes: got 2, expected 13"):
        write_graphs(tmp_path / "none", near, nnk, {"label": [0, 1]})
    assert not (tmp_path / "none").exists()
    few = Neighbours(near.indices[:5], near.distances[:5])
    with pytest.raises(LensError, match="graphs of two sets"):
        write_graphs(tmp_path / "none", few, nnk)


def test_names_that_xml_cannot_hold_are_still_readable(tmp_path: Path) -> None:
    graph = to_networkx(to_csr(INDICES), directed=True, attributes={"name": ["a\x00b", "ä\n", "😀", "\x1b[0m"]})
    write_graphml(tmp_path / "odd.graphml", graph)
    back = nx.read_graphml(tmp_path / "odd.graphml", node_type=int)
    assert [back.nodes[i]["name"] for i in range(4)] == ["a\ufffdb", "ä\n", "😀", "\ufffd[0m"]
