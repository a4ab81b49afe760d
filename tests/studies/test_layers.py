import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.distances import Sequences
from stgcn_lens.embeddings import EmbedConfig, embed
from stgcn_lens.errors import DataError, LensError, RunError, WorkError
from stgcn_lens.graphs import GraphConfig, linear_cka
from stgcn_lens.parts import Parts
from stgcn_lens.runs import Run, stage_key
from stgcn_lens.skeleton import get_layout
from stgcn_lens.studies import layers
from stgcn_lens.studies.layers import GeometryConfig, graph
from tests import tiny
from tests.reference.dtw import window_dtw

CONFIG = GeometryConfig(graph=GraphConfig(k=4), resamples=200, permutations=30)
LAYERS = ["input", *(f"block_{i}" for i in range(1, 7)), "logits"]
# What docs and readers of the run folder rely on, layer by layer.
VALUES = {"knn_label_error", "nnk_label_error", "laplacian_label_error", "knn_accuracy"}
FIELDS = {
    *VALUES,
    *("layer", "channels", "stride", "n", "k", "laplacian_raw", "mean_nnk_neighbours", "indefinite_share", "sigma"),
    *("cka_input", "cka_previous", "cka_clips", "refined_share"),
    *("overlap_input", "overlap_previous", "seconds", "knn_label_error_per_class", "nnk_label_error_per_class"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = tiny.run(tmp_path_factory.mktemp("geometry"), tiny.clips(16), tiny.model())
    embed(run, EmbedConfig())
    graph(run, CONFIG)
    return run


@pytest.fixture
def embedded(tmp_path) -> Run:
    """A run of its own, without graphs: seven clips under analysis."""
    run = tiny.run(tmp_path, tiny.clips(9), tiny.model(width=1))
    embed(run, EmbedConfig())
    return run


def test_layers_are_listed_in_depth_order_with_the_fields_of_the_contract(made) -> None:
    table = made.read_json("layers.json")
    assert [row["layer"] for row in table] == LAYERS
    assert [row["channels"] for row in table] == [3, 3, 3, 6, 6, 12, 12, 4]
    assert [row["stride"] for row in table] == [1, 1, 1, 2, 2, 4, 4, None]
    for row in table:
        assert set(row) >= FIELDS
        assert (row["n"], row["k"]) == (14, 4)
        assert row["sigma"] > 0
        assert 0 < row["mean_nnk_neighbours"] <= 4
        assert row["seconds"] > 0
        assert 0 < row["refined_share"] <= 1


def test_every_value_lies_in_its_range_and_interval(made) -> None:
    for row in made.read_json("layers.json"):
        for name in VALUES:
            entry = row[name]
            assert 0 <= entry["ci_low"] <= entry["value"] <= entry["ci_high"] <= 1, (row["layer"], name)
            assert 0 < entry["chance"] < 1, (row["layer"], name)
        assert 0 <= row["indefinite_share"] <= 1
        for error in (*row["knn_label_error_per_class"], *row["nnk_label_error_per_class"]):
            assert error is None or 0 <= error <= 1


def test_layers_overlap_with_themselves_and_the_input_has_none_before_it(made) -> None:
    table = made.read_json("layers.json")
    assert table[0]["overlap_input"]["value"] == 1.0
    assert table[0]["overlap_previous"] is None
    assert table[1]["overlap_previous"]["value"] == table[1]["overlap_input"]["value"] < 1.0
    for i, row in enumerate(table[1:], start=1):
        a, b = (np.load(made / f"graphs/{table[j]['layer']}.npz")["indices"] for j in (i - 1, i))
        shared = [len(set(x) & set(y)) / len(set(x) | set(y)) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
        assert row["overlap_previous"]["value"] == pytest.approx(np.mean(shared))


def test_layers_are_aligned_with_the_input_and_the_one_before_by_their_mean_windows(made) -> None:
    table = made.read_json("layers.json")
    means = []
    for row in table:
        values = np.load(made / f"embeddings/{row['layer']}/windows.npy").astype(np.float64)
        offsets = np.load(made / f"embeddings/{row['layer']}/offsets.npy")
        means.append(np.array([values[a:b].mean(axis=0) for a, b in pairwise(offsets)]))
    assert (table[0]["cka_input"], table[0]["cka_previous"]) == (pytest.approx(1.0), None)
    for row, here, before in zip(table[1:], means[1:], means, strict=False):
        assert row["cka_clips"] == 14
        assert row["cka_input"] == pytest.approx(linear_cka(means[0], here), rel=1e-9)
        assert row["cka_previous"] == pytest.approx(linear_cka(before, here), rel=1e-9)


def test_many_clips_are_aligned_by_some_of_them(monkeypatch, rng) -> None:
    monkeypatch.setattr(layers, "ALIGNED", 30)
    seqs = Sequences.of(list(rng.normal(size=(50, 2, 5))))
    few = layers.gram(seqs, 0)
    assert few.shape == (30, 30)
    assert np.array_equal(layers.gram(seqs, 0), few)
    assert not np.array_equal(layers.gram(seqs, 1), few)
    assert layers.alignment(few, few) == pytest.approx(1.0)
    assert np.isnan(layers.alignment(few, np.zeros((30, 30))))


def test_graphs_are_the_nearest_by_the_literal_distance(made) -> None:
    for layer in ("input", "block_4", "logits"):
        stored = np.load(made / f"graphs/{layer}.npz", allow_pickle=False)
        assert {name: (stored[name].dtype, stored[name].shape) for name in stored} == {
            "indices": (np.int32, (14, 4)),
            "distances": (np.float32, (14, 4)),
            "nnk_weights": (np.float32, (14, 4)),
            "nnk_errors": (np.float64, (14,)),
        }
        values = np.load(made / f"embeddings/{layer}/windows.npy")
        clips = [values[a:b] for a, b in pairwise(np.load(made / f"embeddings/{layer}/offsets.npy"))]
        for i in (0, 5, 13):
            all_others = [np.inf if j == i else window_dtw(clips[i], clips[j]) for j in range(14)]
            np.testing.assert_allclose(stored["distances"][i], np.sort(all_others)[:4], rtol=1e-5)
            assert stored["indices"][i].tolist() == np.argsort(all_others, kind="stable")[:4].tolist()


def test_label_errors_are_of_the_clips_under_analysis(made) -> None:
    chosen = np.load(made / "embeddings/clips.npy")
    labels = np.array([int(row["label"]) for row in tiny.table(made)])[chosen]
    assert chosen[0] == 2  # so positions are not clip numbers
    for row in made.read_json("layers.json"):
        stored = np.load(made / f"graphs/{row['layer']}.npz")
        other = labels[stored["indices"]] != labels[:, None]
        assert row["knn_label_error"]["value"] == pytest.approx(other.mean())
        weights = stored["nnk_weights"] / stored["nnk_weights"].sum(axis=1, keepdims=True)
        assert row["nnk_label_error"]["value"] == pytest.approx((weights * other).sum(axis=1).mean(), abs=1e-6)


def test_there_is_an_error_for_every_class_also_for_those_without_a_clip(made) -> None:
    for row in made.read_json("layers.json"):
        for name in ("knn_label_error_per_class", "nnk_label_error_per_class"):
            assert len(row[name]) == len(tiny.CLASSES)
            assert [error is None for error in row[name]] == [False, False, False, True]


def test_the_curve_falls_where_blocks_see_what_the_input_drowns_in_noise(tmp_path) -> None:
    # The class is where the hand is, but the clips differ far more in where the others of the 25 joints are; the
    # network is made to look at the hand alone.
    rng, layout = np.random.default_rng(0), get_layout("ntu25")
    hand, made = layout.index("left_hand"), []
    for i in range(26):
        xyz = np.repeat(rng.normal(0, 2, (3, 1, 25)), 12, axis=1)
        xyz[:, :, hand] = i % 2 + rng.normal(0, 0.05, (3, 12))
        valid = np.ones((12, 1), bool)
        made.append(Clip(xyz[..., None].astype(np.float32), valid, f"clip {i}", "ntu25", label=i % 2, subject=i % 4))
    clips, net = ClipSet.from_clips(made, tiny.CLASSES), tiny.model(width=2)
    net.entry.norm.weight.data.view(25, 3)[np.arange(25) != hand] = 0
    prep = type(tiny.PREP)(frames=12, centre="none", rotate=False, max_flatness=0)
    run = tiny.run(tmp_path, clips, net, prep)
    embed(run, EmbedConfig())
    errors = {row["layer"]: row["knn_label_error"]["value"] for row in graph(run, CONFIG)}
    assert errors["input"] > 0.3
    assert errors["block_1"] < 0.1
    assert errors["block_6"] < 0.1


def test_too_few_clips_for_k_are_refused_before_anything_is_written(embedded) -> None:
    before = embedded.manifest()
    wanted = r"run: too few clips for 7 neighbours: got 7 clips .* expected at least 8; choose a k of at most 6"
    with pytest.raises(LensError, match=wanted):
        graph(embedded, GeometryConfig(graph=GraphConfig(k=7)))
    assert embedded.manifest() == before
    assert not (embedded / "graphs").exists()
    assert not (embedded / "layers.json").exists()


def test_a_refused_k_leaves_the_graphs_that_are_there(made) -> None:
    key = made.key("graph")
    with pytest.raises(LensError, match="too few clips"):
        graph(made, GeometryConfig(graph=GraphConfig(k=14)))
    assert made.key("graph") == key


def test_graphs_that_break_off_leave_the_old_ones(embedded) -> None:
    config = GeometryConfig(graph=GraphConfig(k=3), resamples=10, permutations=5)
    graph(embedded, config)
    before = {path.name: path.read_bytes() for path in (embedded / "graphs").iterdir()}

    def stop(done: int, total: int) -> None:
        if done > 300:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        graph(embedded, GeometryConfig(graph=GraphConfig(k=2), resamples=10, permutations=5), progress=stop)
    assert {path.name: path.read_bytes() for path in (embedded / "graphs").iterdir()} == before
    with pytest.raises(RunError, match="'graph' was interrupted; run: stgcn-lens graph"):
        embedded.key("graph")


def test_graphs_that_are_up_to_date_are_left_alone(embedded) -> None:
    config = GeometryConfig(graph=GraphConfig(k=3), resamples=10, permutations=5)
    shown: list[tuple[int, int]] = []
    first = graph(embedded, config, progress=lambda done, total: shown.append((done, total)))
    assert shown == sorted(shown)
    assert {(100 * layer, 800) for layer in range(1, 9)} <= set(shown)
    many = len(shown)
    before = (embedded / "graphs").stat().st_ino, embedded.manifest()
    assert graph(embedded, config, progress=lambda done, total: shown.append((done, total))) == first
    assert ((embedded / "graphs").stat().st_ino, embedded.manifest(), len(shown)) == (*before, many)


@pytest.mark.parametrize("change", ["force", "k", "missing file"])
def test_graphs_are_made_again_when(embedded, change) -> None:
    quick = {"resamples": 10, "permutations": 5}
    graph(embedded, GeometryConfig(graph=GraphConfig(k=3), **quick))
    before = (embedded / "graphs").stat().st_ino
    if change == "missing file":
        (embedded / "layers.json").unlink()
    config = GeometryConfig(graph=GraphConfig(k=2 if change == "k" else 3), **quick)
    graph(embedded, config, force=change == "force")
    assert (embedded / "graphs").stat().st_ino != before
    record = embedded.manifest()["stages"]["graph"]
    assert record["key"] == stage_key(config, {"embed": embedded.key("embed")})


def test_torch_keeps_its_number_of_threads(embedded) -> None:
    # In a process of its own: numba meddles with OpenMP's threads once, when its first parallel loop starts.
    code = """
import sys, torch
from stgcn_lens.runs import Run
from stgcn_lens.studies.layers import GeometryConfig, GraphConfig, graph
torch.set_num_threads(1)
graph(Run.open(sys.argv[1]), GeometryConfig(graph=GraphConfig(k=3), resamples=10, permutations=5))
print(torch.get_num_threads())
"""
    command = [sys.executable, "-c", code, str(embedded.path)]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "1\n"


def test_float16_embeddings_give_the_graphs_of_the_same_numbers_in_float32(embedded) -> None:
    config = GeometryConfig(graph=GraphConfig(k=3), resamples=10, permutations=5)
    embed(embedded, EmbedConfig(storage="float16"))
    graph(embedded, config)
    found = {layer: dict(np.load(embedded / f"graphs/{layer}.npz")) for layer in LAYERS}
    for layer in LAYERS:
        path = embedded / f"embeddings/{layer}/windows.npy"
        half = np.load(path)
        assert half.dtype == np.float16
        np.save(path, half.astype(np.float32))
    graph(embedded, config, force=True)
    for layer in LAYERS:
        for name, array in dict(np.load(embedded / f"graphs/{layer}.npz")).items():
            np.testing.assert_array_equal(found[layer][name], array)
    assert not (embedded / "cache").exists()


@pytest.mark.parametrize("distance", ["window_dtw", "pooled"])
def test_torch_and_exhaustive_search_find_the_same_graphs(embedded, distance) -> None:
    # "cpu:0" is to torch what "cpu" is, and to us a device that torch computes on, as a GPU.
    config = GeometryConfig(graph=GraphConfig(k=3, distance=distance), resamples=10, permutations=5)
    table = graph(embedded, config)
    found = {layer: dict(np.load(embedded / f"graphs/{layer}.npz")) for layer in LAYERS}
    other = replace(config, method="exhaustive")
    for device, again in (("cpu:0", config), ("cpu", other), ("cpu:0", other)):
        for row, wanted in zip(graph(embedded, again, device=device, force=True), table, strict=True):
            assert row["knn_label_error"] == wanted["knn_label_error"]
            stored = dict(np.load(embedded / f"graphs/{row['layer']}.npz"))
            np.testing.assert_array_equal(stored["indices"], found[row["layer"]]["indices"])
            np.testing.assert_allclose(stored["nnk_weights"], found[row["layer"]]["nnk_weights"], atol=1e-6)


def test_a_disk_that_is_full_loses_nothing(embedded, monkeypatch) -> None:
    config = GeometryConfig(graph=GraphConfig(k=3, tile_bytes=60), resamples=10, permutations=5)
    sync, synced, kept = os.fsync, [], []
    write = Parts.write

    def full(number: int) -> None:
        synced.append(number)
        if len(synced) == 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(number)

    def noted(self: Parts, name: str, **arrays: np.ndarray) -> None:
        write(self, name, **arrays)
        kept.append((self.folder.name, name))

    monkeypatch.setattr(Parts, "write", noted)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WorkError, match=r"cache/graph-.*\.part: cannot write \(No space left on device\); free"):
        graph(embedded, config)
    before = len(kept)
    assert before > 10
    table = graph(embedded, config)
    assert len(set(kept)) == len(kept) > before  # nothing was made twice
    again = graph(embedded, config, force=True)
    for row in (*table, *again):
        del row["seconds"]
    assert table == again


@pytest.mark.parametrize("storage", ["float32", "float16"])
def test_a_number_in_an_embedding_that_is_none_names_clip_and_layer(embedded, storage) -> None:
    embed(embedded, EmbedConfig(storage=storage))
    path = embedded / "embeddings/block_3/windows.npy"
    spoilt, offsets = np.load(path), np.load(embedded / "embeddings/block_3/offsets.npy")
    spoilt[offsets[5] : offsets[6], 7] = np.nan
    np.save(path, spoilt)
    wanted = (
        r"clip 7: features at layer 'block_3' are not finite: got 1 of \d+ numbers .* run: stgcn-lens embed .* --force"
    )
    with pytest.raises(DataError, match=wanted):
        graph(embedded, GeometryConfig(graph=GraphConfig(k=3), resamples=10, permutations=5))
    assert not (embedded / "graphs").exists()


def test_the_summary_returned_is_the_one_on_disk(made) -> None:
    assert graph(made, CONFIG) == json.loads((made / "layers.json").read_text())


def test_a_run_that_was_not_embedded_says_what_to_run(tmp_path) -> None:
    run = tiny.run(tmp_path, tiny.clips(6), tiny.model(width=1))
    with pytest.raises(RunError, match=r"'embed' has not been run; run: stgcn-lens embed .*run"):
        graph(run, CONFIG)
