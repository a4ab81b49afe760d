"""The target's label errors at the layers of the source network: those of the stages `embed` and `graph`."""

from dataclasses import replace

import numpy as np
import pytest

from stgcn_lens.embeddings import EmbedConfig, embed
from stgcn_lens.graphs import GraphConfig
from stgcn_lens.studies.layers import GeometryConfig, graph
from stgcn_lens.studies.transfer import label_errors
from stgcn_lens.studies.transfer.label_errors import chance, errors_of_layers
from stgcn_lens.studies.transfer.tables import error_rows
from tests import tiny
from tests.studies.transfer import made

K, LAYERS = 4, ["input", *(f"block_{i}" for i in range(1, 7))]


def test_they_are_what_embed_and_graph_find_with_intervals(source, tmp_path):
    work, said = made.work(source), []
    chosen, room = work.sides.test, work.parts.inside("errors")
    found = errors_of_layers(work.loaded, work.clips, chosen, K, 8, "cpu", room, said.append)
    assert said == list(range(1, 8))
    subset = made.TARGET.subset(chosen)
    # The same clips under the names of classes that the network knows, through the stages.
    run = tiny.run(tmp_path, replace(subset, classes=tiny.CLASSES), tiny.model())
    embed(run, EmbedConfig(window=8, split="all"))
    other = graph(run, GeometryConfig(graph=GraphConfig(k=K), resamples=50, permutations=200))
    rows = error_rows({"test": found}, {"test": subset.labels}, {"test": K}, LAYERS, seed=0, resamples=50)
    assert [(row["measure"], row["layer"]) for row in rows] == [(m, layer) for m in ("knn", "nnk") for layer in LAYERS]
    for row in rows:
        expected = other[LAYERS.index(row["layer"])][f"{row['measure']}_label_error"]
        for end in ("value", "ci_low", "ci_high"):
            assert row[end] == pytest.approx(expected[end], abs=1e-6), (row["layer"], row["measure"], end)
        assert row["chance"] == pytest.approx(expected["chance"], abs=0.03)
        assert (row["n"], row["k"], row["side"]) == (len(subset), K, "test")


def test_layers_that_are_done_are_not_done_again(source, monkeypatch):
    work = made.work(source)
    room = work.parts.inside("again")
    asked = work.loaded, work.clips, work.sides.train, 3, 8, "cpu", room

    def stop(layers: int) -> None:
        if layers == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        errors_of_layers(*asked, stop)
    made_again: list[int] = []
    true = label_errors.layer_graph

    def counted(*args):
        made_again.append(1)
        return true(*args)

    monkeypatch.setattr(label_errors, "layer_graph", counted)
    monkeypatch.setattr(label_errors, "_embed", None)
    found = errors_of_layers(*asked, lambda layers: None)
    assert len(made_again) == 4  # of seven
    monkeypatch.undo()
    whole = errors_of_layers(*asked[:-1], work.parts.inside("whole"), lambda layers: None)
    assert all(np.array_equal(found[name], whole[name]) for name in ("knn", "nnk"))


def test_chance_is_the_mean_over_permuted_labels():
    labels = np.array([0] * 5 + [1] * 3 + [2] * 9)
    rng, n = np.random.default_rng(0), 17
    indices = np.stack([rng.permutation([j for j in range(n) if j != i])[:4] for i in range(n)])
    drawn = []
    for _ in range(4000):
        permuted = rng.permutation(labels)
        drawn.append((permuted[indices] != permuted[:, None]).mean())
    assert chance(labels) == pytest.approx(np.mean(drawn), abs=0.005)
    assert chance(np.array([0, 0, 0])) == 0
    assert chance(np.array([0, 1, 2])) == 1
