import csv
import json

import networkx as nx
import numpy as np
import pytest
from scipy import sparse

from stgcn_lens.cli import main
from stgcn_lens.embeddings import EmbedConfig, embed
from stgcn_lens.errors import RunError
from stgcn_lens.graphs import GraphConfig
from stgcn_lens.runs import Run
from stgcn_lens.studies.graph_files import export
from stgcn_lens.studies.layers import GeometryConfig, graph
from tests import tiny

CONFIG = GeometryConfig(graph=GraphConfig(k=3), resamples=10, permutations=5)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Run:
    run = tiny.run(tmp_path_factory.mktemp("files"), tiny.clips(9), tiny.model(width=1))
    embed(run, EmbedConfig())
    graph(run, CONFIG)
    return run


def test_every_layer_has_its_graphs_with_the_clips_names(made, tmp_path) -> None:
    written = export(made, CONFIG.graph, tmp_path / "out")
    layers = [row["layer"] for row in made.read_json("layers.json")]
    assert {path.parent.name for path in written} == set(layers)
    assert all(path.is_file() for path in written)
    rows = tiny.table(made)[2:]
    for layer in ("input", "block_6", "logits"):
        stored = np.load(made / f"graphs/{layer}.npz")
        nnk = sparse.load_npz(tmp_path / f"out/{layer}/nnk.npz")
        np.testing.assert_array_equal(nnk.toarray()[np.arange(7)[:, None], stored["indices"]], stored["nnk_weights"])
        with (tmp_path / f"out/{layer}/nodes.csv").open(newline="") as stream:
            nodes = list(csv.DictReader(stream))
        assert [node["name"] for node in nodes] == [row["name"] for row in rows]
        assert [node["class_name"] for node in nodes] == [row["class_name"] for row in rows]
        drawn = nx.read_graphml(tmp_path / f"out/{layer}/nnk_undirected.graphml")
        assert [name for _, name in drawn.nodes(data="name")] == [row["name"] for row in rows]


def test_the_undirected_graph_is_the_one_that_its_error_was_measured_on(made, tmp_path) -> None:
    export(made, CONFIG.graph, tmp_path)
    labels = np.array([int(row["label"]) for row in tiny.table(made)[2:]])
    for row in made.read_json("layers.json"):
        edges = sparse.load_npz(tmp_path / row["layer"] / "nnk_undirected.npz").tocoo()
        between = edges.data[labels[edges.row] != labels[edges.col]].sum()
        assert between == pytest.approx(row["laplacian_raw"])


def test_a_run_without_graphs_or_with_older_ones_says_what_to_run(made, tmp_path) -> None:
    bare = tiny.run(tmp_path / "bare", tiny.clips(6), tiny.model(width=1))
    with pytest.raises(RunError, match="'graph' has not been run; run: stgcn-lens graph"):
        export(bare, CONFIG.graph, tmp_path / "out")
    old = tiny.run(tmp_path / "old", tiny.clips(9), tiny.model(width=1))
    embed(old, EmbedConfig())
    graph(old, CONFIG)
    stored = dict(np.load(old / "graphs/block_2.npz"))
    del stored["nnk_errors"]
    np.savez(old / "graphs/block_2.npz", **stored)
    with pytest.raises(RunError, match=r"block_2\.npz: not a graph file of this version .* graph .* --force"):
        export(old, CONFIG.graph, tmp_path / "out")


def test_the_command_writes_them_also_where_nothing_else_is_to_do(made, tmp_path, capsys) -> None:
    line = ["graph", str(made.path), "--k", "3", "--resamples", "10", "--permutations", "5", "--json"]
    assert main([*line, "--export", str(tmp_path / "out")]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["skipped"]
    assert len(shown["files"]) == 8 * 7
    assert main(line) == 0
    assert "files" not in json.loads(capsys.readouterr().out)
