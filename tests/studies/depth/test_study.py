import csv
import json
import shutil

import numpy as np
import pytest
from scipy.stats import spearmanr

from stgcn_lens.cli import main
from stgcn_lens.distances import Sequences
from stgcn_lens.embeddings import EmbedConfig, embed
from stgcn_lens.errors import LensError, RunError
from stgcn_lens.graphs import GraphConfig, linear_cka, mean_windows
from stgcn_lens.runs import Run
from stgcn_lens.studies.depth import DepthConfig, sensitivity, study
from stgcn_lens.studies.layers import GeometryConfig, graph
from tests import tiny
from tests.studies.depth.conftest import CONFIG, EMBED, GEOMETRY, copied

LAYERS = ["input", *(f"block_{i}" for i in range(1, 7)), "logits"]


@pytest.fixture(scope="module")
def result(studied: Run) -> dict:
    return json.loads((studied / "studies/layers.json").read_text())


def test_every_network_has_the_numbers_of_its_own_layers(studied: Run, result: dict) -> None:
    assert list(result["networks"]) == ["trained", "untrained", "shuffled"]
    for network in result["networks"].values():
        table = Run.open(studied / network["run"]).read_json("layers.json")
        assert [row["layer"] for row in network["rows"]] == LAYERS
        for row, own in zip(network["rows"], table, strict=True):
            for measure in ("knn_label_error", "nnk_label_error", "laplacian_label_error", "overlap_input"):
                assert row[measure] == own[measure]
            assert row["local_dimension"]["value"] == pytest.approx(own["mean_nnk_neighbours"])
            below = table[0]["knn_label_error"]["value"]
            assert row["ratio_to_input"]["value"] == pytest.approx(own["knn_label_error"]["value"] / below, abs=1e-6)
        assert [row["depth"] for row in network["rows"]] == [*np.arange(7) / 6, None]


def test_all_networks_see_the_same_clips(studied: Run, result: dict) -> None:
    inputs = [network["rows"][0]["knn_label_error"]["value"] for network in result["networks"].values()]
    assert inputs == [inputs[0]] * 3
    assert result["n"] == sum(row["split"] == "test" for row in tiny.table(studied))


def test_layers_are_compared_two_by_two(studied: Run, result: dict) -> None:
    between = result["networks"]["trained"]["between_layers"]
    assert between["layers"] == LAYERS
    lists = {layer: np.load(studied / f"graphs/{layer}.npz")["indices"] for layer in LAYERS}
    means = {
        layer: mean_windows(
            Sequences(*(np.load(studied / f"embeddings/{layer}/{name}.npy") for name in ("windows", "offsets")))
        )
        for layer in LAYERS
    }
    for a, one in enumerate(LAYERS):
        for b, other in enumerate(LAYERS):
            shares = [
                len({*x} & {*y}) / len({*x} | {*y})
                for x, y in zip(lists[one].tolist(), lists[other].tolist(), strict=True)
            ]
            assert between["overlap"][a][b] == pytest.approx(np.mean(shares))
            assert between["cka"][a][b] == pytest.approx(linear_cka(means[one], means[other]), abs=1e-5)
            assert between["overlap_ci_low"][a][b] <= between["overlap"][a][b] <= between["overlap_ci_high"][a][b]


def test_the_verdict_is_that_of_the_ratios_on_file(result: dict) -> None:
    found = result["findings"]["finding_1"]
    assert found["ratio"] == result["networks"]["trained"]["ratio"]
    assert found["untrained_ratio"] == result["networks"]["untrained"]["ratio"]
    assert found["verdict"] in ("confirmed", "refuted", "undecided")


@pytest.mark.parametrize("setting", [(4, 2, 3, "gaussian"), (2, 2, 4, "self-tuning")])
def test_a_row_of_the_sensitivity_table_is_what_the_stages_give(trained, result, tmp_path, setting) -> None:
    window, stride, k, kernel = setting
    run = copied(trained, tmp_path / "run")
    embed(run, EmbedConfig(window=window, stride=stride))
    table = graph(run, GeometryConfig(graph=GraphConfig(k=k, kernel=kernel), resamples=5, permutations=5))
    rows = [
        row
        for row in result["sensitivity"]["rows"]
        if (row["window"], row["stride"], row["k"], row["kernel"]) == setting
    ]
    assert len(rows) == 1
    for own in table[:-1]:
        for kind in ("knn", "nnk"):
            value = own[f"{kind}_label_error"]["value"]
            assert rows[0][f"{kind}_label_error"][own["layer"]] == pytest.approx(value, abs=1e-6)
    errors = list(rows[0]["knn_label_error"].values())
    assert rows[0]["knn_spearman"] == pytest.approx(spearmanr(errors, np.arange(7)).statistic)
    assert rows[0]["knn_floor"] == pytest.approx(table[0]["knn_floor"])


def test_the_table_has_every_setting_once_and_says_which_k_is_too_large(result: dict) -> None:
    table = result["sensitivity"]
    settings = [(row["window"], row["stride"], row["k"], row["kernel"]) for row in table["rows"]]
    assert len(settings) == len(set(settings)) == 4 * 2 * 2
    assert table["left_out_ks"] == [99]


def test_rank_correlation_is_that_of_scipy_and_nothing_where_nothing_varies(rng) -> None:
    a, b = rng.integers(0, 4, 12), rng.random(12)
    assert sensitivity.spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert np.isnan(sensitivity.spearman(np.ones(4), np.arange(4)))


def test_the_order_survives_only_if_it_does_in_every_setting() -> None:
    def row(spearman: float) -> dict:
        return {"knn_spearman": spearman, "nnk_spearman": -1.0, "knn_ratio": 0.5, "k": 3, "knn_floor": 0.0}

    assert sensitivity._survives([row(-0.9), row(-0.8)])["survives"]
    broken = sensitivity._survives([row(-0.9), row(-0.7), row(float("nan"))])
    assert not broken["survives"]
    assert "in 1 of 3 settings" in broken["sentence"]
    assert "between -0.90 and -0.70" in broken["sentence"]


def test_ends_are_input_middle_and_last(copy: Run) -> None:
    config = DepthConfig(shuffled=False, untrained=False, sensitivity="ends", windows=(4,), strides=("whole",), ks=(4,))
    found = study(copy, config)
    assert found["sensitivity"]["layers"] == ["input", "block_3", "block_6"]
    assert list(found["networks"]) == ["trained"]
    assert found["findings"]["finding_1"]["verdict"] != "confirmed"


def test_the_runs_own_embeddings_stay(trained: Run, studied: Run) -> None:
    for layer in LAYERS:
        name = f"embeddings/{layer}/windows.npy"
        assert (studied / name).read_bytes() == (trained / name).read_bytes()
    assert studied.manifest()["stages"]["embed"] == trained.manifest()["stages"]["embed"]
    assert not (studied / "cache").exists()


def test_every_number_is_a_row_of_the_table(studied: Run, result: dict) -> None:
    with (studied / "studies/layers.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))

    def one(**wanted: str) -> dict[str, str]:
        found = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
        assert len(found) == 1
        return found[0]

    for name, network in result["networks"].items():
        for entry in network["rows"]:
            row = one(part="layers", network=name, layer=entry["layer"], measure="knn_label_error")
            assert float(row["value"]) == entry["knn_label_error"]["value"]
            assert float(row["ci_high"]) == entry["knn_label_error"]["ci_high"]
    last = result["sensitivity"]["rows"][-1]
    row = one(**{name: str(last[name]) for name in ("window", "stride", "k", "kernel")}, measure="nnk_spearman")
    assert float(row["value"]) == last["nnk_spearman"]


def test_a_study_that_was_stopped_goes_on_and_comes_to_the_same(copy: Run, result: dict, monkeypatch) -> None:
    def stop(what: str, done: int, total: int) -> None:
        if what == "sensitivity" and done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study(copy, CONFIG, progress=stop)
    assert not (copy / "studies/layers.json").exists()
    assert copy.manifest()["stages"]["study-layers"]["status"] == "failed"
    measured, once = [], sensitivity._errors
    monkeypatch.setattr(sensitivity, "_errors", lambda *given: measured.append(given[1]) or once(*given))
    again = study(copy, CONFIG)
    assert len(measured) == 4 * 7 - 9
    for part in ("networks", "sensitivity", "findings"):
        assert again[part] == result[part]


def test_nothing_is_done_again_unless_something_changed_or_it_is_asked_for(studied: Run, tmp_path, capsys) -> None:
    run = copied(studied, tmp_path / "run")
    flags = ["--windows", "4", "2", "--ks", "3", "4", "99", "--resamples", "200", "--json"]
    before = run.manifest()
    assert main(["study", "layers", str(run.path), *flags]) == 0
    assert json.loads(capsys.readouterr().out)["skipped"] is True
    assert run.manifest() == before
    assert main(["study", "layers", str(run.path), *flags, "--force"]) == 0
    assert json.loads(capsys.readouterr().out)["skipped"] is False
    graph(run, GeometryConfig(graph=GraphConfig(k=3), resamples=50, permutations=20))
    assert run.manifest()["stages"]["study-layers"]["status"] == "stale"


def test_a_run_that_is_only_trained_is_embedded_and_graphed_first(trained: Run, tmp_path) -> None:
    run = copied(trained, tmp_path / "run")
    manifest = run.manifest()
    for stage in ("embed", "graph"):
        manifest["stages"][stage]["status"] = "failed"
    run.write_json("manifest.json", manifest)
    shutil.rmtree(run / "embeddings")
    study(run, DepthConfig(untrained=False, shuffled=False, sensitivity="none"))
    assert run.manifest()["stages"]["embed"]["config"]["window"] == EMBED.window
    assert run.manifest()["stages"]["graph"]["config"]["graph"]["k"] == GEOMETRY.graph.k


def test_bad_input_is_told_before_anything_is_written(trained: Run, tmp_path) -> None:
    empty = Run.create(tmp_path / "empty")
    with pytest.raises(RunError, match="stage 'train' has not been run"):
        study(empty, DepthConfig())
    few = tiny.run(tmp_path, tiny.clips(12), tiny.model())  # ten clips under analysis, 15 neighbours asked for
    with pytest.raises(LensError, match="too few clips for 15 neighbours"):
        study(few, DepthConfig(shuffled=False))
    assert not (few / "studies").exists()
    for wrong in ({"separable": 1.0}, {"epochs": 0}, {"ks": ()}, {"windows": (0,)}, {"kernels": ("cosine",)}):
        with pytest.raises(LensError):
            DepthConfig(**wrong)
