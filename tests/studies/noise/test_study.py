"""The study of noise: every number is that of the stages run one by one on clips that were disturbed beforehand."""

import csv
import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.noise import disturb
from stgcn_lens.data.transforms import prepare
from stgcn_lens.embeddings import EmbedConfig, embed
from stgcn_lens.errors import LensError, RunError
from stgcn_lens.explain.gradcam import grad_cam
from stgcn_lens.graphs import GraphConfig
from stgcn_lens.runs import Run
from stgcn_lens.studies import noise
from stgcn_lens.studies.layers import GeometryConfig, graph
from stgcn_lens.studies.noise import NoiseConfig, study
from tests import tiny

ERRORS = ("knn_label_error", "nnk_label_error", "laplacian_label_error")
EMBED, GEOMETRY = EmbedConfig(window=4), GeometryConfig(graph=GraphConfig(k=3), resamples=40, permutations=5)
CONFIG = NoiseConfig(kinds=("gaussian",), levels=(20.0, 3.0), seeds=(0, 1), resamples=40)
N = 14


def graphed(folder: Path, clips: ClipSet, seed: int = 0) -> Run:
    folder.mkdir(parents=True)
    run = tiny.run(folder, clips, tiny.model(width=2, seed=seed))
    embed(run, EMBED)
    graph(run, GEOMETRY)
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    torch.set_num_threads(1)
    return graphed(tmp_path_factory.mktemp("noise") / "clean", tiny.clips(N))


@pytest.fixture(scope="module")
def studied(run, tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("noise") / "studied"
    shutil.copytree(run.path, folder)
    study(Run.open(folder), CONFIG)
    return Run.open(folder)


@pytest.fixture(scope="module")
def result(studied) -> dict:
    return studied.read_json("studies/noise.json")


@pytest.fixture
def copy(run, tmp_path) -> Run:
    shutil.copytree(run.path, tmp_path / "copy")
    return Run.open(tmp_path / "copy")


def condition(result: dict, kind: str, level: float | None, network: int = 0) -> dict:
    found = result["networks"][network]["conditions"]
    return next(each for each in found if (each["kind"], each["level"]) == (kind, level))


def test_clean_numbers_are_those_of_the_graph_stage(run, result) -> None:
    clean = result["networks"][0]["clean"]
    table = run.read_json("layers.json")
    assert [row["layer"] for row in clean["layers"]] == [row["layer"] for row in table]
    for mine, theirs in zip(clean["layers"], table, strict=True):
        for name in ERRORS:
            for part in ("value", "ci_low", "ci_high"):
                assert mine[name][part] == pytest.approx(theirs[name][part], abs=1e-5), (mine["layer"], name)
    right = [row["label"] == row["predicted"] for row in tiny.table(run)[2:]]
    assert clean["accuracy"]["value"] == pytest.approx(np.mean(right))
    chance = np.mean([row["knn_label_error"]["chance"] for row in table])  # of a few permutations
    assert result["chance_label_error"] == pytest.approx(chance, abs=0.05)


def test_noisy_numbers_are_those_of_the_stages_on_clips_disturbed_beforehand(run, result, tmp_path) -> None:
    clips = tiny.clips(N)
    for place, seed in enumerate(CONFIG.seeds):
        noisy = [disturb(clip, "gaussian", 3.0, seed=seed) for clip in clips]
        other = graphed(tmp_path / str(seed), ClipSet.from_clips(noisy, clips.classes))
        mine = condition(result, "gaussian", 3.0)
        right = [row["label"] == row["predicted"] for row in tiny.table(other)[2:]]
        assert mine["accuracy"]["per_seed"][place] == pytest.approx(np.mean(right))
        for row, theirs in zip(mine["layers"], other.read_json("layers.json"), strict=True):
            for name in ERRORS:
                assert row[name]["per_seed"][place] == pytest.approx(theirs[name]["value"], abs=1e-4)
            before, after = (
                np.load(each / "graphs" / f"{row['layer']}.npz")["indices"].tolist() for each in (run, other)
            )
            shared = [len(set(a) & set(b)) / len(set(a) | set(b)) for a, b in zip(before, after, strict=True)]
            assert row["overlap"]["per_seed"][place] == pytest.approx(np.mean(shared))


def test_rank_correlations_are_those_of_maps_made_one_by_one(run, result) -> None:
    net, clips = tiny.model(width=2), tiny.clips(N)
    found: dict[str, list[list[float]]] = {}
    for seed in CONFIG.seeds:
        values: dict[str, list[float]] = {}
        for clip in list(clips)[2:]:
            samples = [prepare(each, tiny.PREP, 2) for each in (clip, disturb(clip, "gaussian", 3.0, seed=seed))]
            x = [torch.from_numpy(sample.x)[None] for sample in samples]
            target = grad_cam(net, x[0]).logits.argmax(axis=1)
            maps = [grad_cam(net, each, torch.from_numpy(target)).maps for each in x]
            for layer in maps[0]:
                stride = net.strides[layer]
                cells = [
                    (t, v, m)
                    for t in range(-(-samples[0].frames // stride))
                    for m in range(2)
                    if samples[0].present[t * stride : (t + 1) * stride, m].any()
                    for v in range(25)
                ]
                a, b = (np.array([each[layer][0][cell] for cell in cells]) for each in maps)
                flat = [np.ptp(part) == 0 for part in (a, b)]
                rho = (np.nan if all(flat) else 0.0) if any(flat) else spearmanr(a, b).statistic
                values.setdefault(layer, []).append(rho)
        for layer, rho in values.items():
            found.setdefault(layer, []).append(rho)
    for row in condition(result, "gaussian", 3.0)["layers"]:
        if row["layer"] in ("input", "logits"):
            assert row["rank_correlation"] is None
            continue
        by_clip = [[rho for rho in each if np.isfinite(rho)] for each in zip(*found[row["layer"]], strict=True)]
        assert row["rank_correlation"]["n"] == sum(map(bool, by_clip))
        mean = np.mean([np.mean(each) for each in by_clip if each])
        assert row["rank_correlation"]["value"] == pytest.approx(mean, abs=2e-3)


def test_values_are_means_over_seeds_and_changes_are_against_clean(result) -> None:
    network = result["networks"][0]
    clean = {row["layer"]: row for row in network["clean"]["layers"]}
    for each in network["conditions"]:
        numbers = [(each["accuracy"], network["clean"]["accuracy"])]
        numbers += [(row[name], clean[row["layer"]][name]) for row in each["layers"] for name in ERRORS]
        for number, before in numbers:
            assert number["value"] == pytest.approx(np.mean(number["per_seed"]))
            assert number["spread"] == pytest.approx(np.std(number["per_seed"], ddof=1))
            assert number["change"]["value"] == pytest.approx(number["value"] - before["value"], abs=1e-9)
            assert number["ci_low"] <= number["value"] + 1e-9
            assert number["change"]["ci_low"] <= number["change"]["ci_high"]
    assert any(each["accuracy"]["change"]["value"] for each in network["conditions"])


def test_the_csv_has_every_number_once(studied, result) -> None:
    rows = list(csv.DictReader(io.StringIO((studied / "studies/noise.csv").read_text())))
    layers, blocks = 8, 6
    assert len(rows) == 1 + 3 * layers + 2 * (1 + 4 * layers + blocks)
    assert len({(r["kind"], r["level"], r["layer"], r["measure"]) for r in rows}) == len(rows)
    row = next(r for r in rows if (r["level"], r["layer"], r["measure"]) == ("3.0", "block_2", "overlap"))
    mine = next(each for each in condition(result, "gaussian", 3.0)["layers"] if each["layer"] == "block_2")
    assert float(row["value"]) == mine["overlap"]["value"]
    assert row["unit"] == "dB"


def test_what_is_left_in_the_run_is_whole_and_a_second_time_nothing_is_done(copy) -> None:
    first = study(copy, CONFIG)
    assert {path.name for path in (copy / "studies").iterdir()} == {"noise.json", "noise.csv", "noise_gaussian.svg"}
    assert first["figures"][0]["file"] == "studies/noise_gaussian.svg"
    assert not (copy / "cache").exists()
    stage = copy.manifest()["stages"]["study-noise"]
    assert study(copy, CONFIG, progress=lambda *_: pytest.fail("nothing has changed")) == first
    assert copy.manifest()["stages"]["study-noise"] == stage
    again = study(copy, CONFIG, force=True)
    assert numbers(again) == numbers(first)
    graph(copy, replace(GEOMETRY, graph=GraphConfig(k=4)))
    assert study(copy, CONFIG)["settings"]["graph"]["k"] == 4  # other graphs: another study


def numbers(result: dict) -> list:
    """What does not depend on the folder and the hour."""
    networks = [{k: v for k, v in each.items() if k not in ("run", "name")} for each in result["networks"]]
    return [{k: v for k, v in result.items() if k not in ("seconds", "run", "networks")}, networks]


def stop_after(conditions: int):
    def progress(done: int, total: int) -> None:
        if done == conditions:
            raise KeyboardInterrupt

    return progress


def test_an_interrupted_study_goes_on_where_it_was(copy, result, monkeypatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        study(copy, CONFIG, progress=stop_after(3))
    assert copy.manifest()["stages"]["study-noise"]["status"] == "failed"
    assert not (copy / "studies").exists()
    looked, look = [], noise.work.look
    monkeypatch.setattr(noise.work, "look", lambda *given, **how: (looked.append(1), look(*given, **how))[1])
    with pytest.raises(KeyboardInterrupt):
        study(copy, replace(CONFIG, seeds=(0, 1, 5), levels=(3.0, 20.0)), progress=stop_after(4))
    assert len(looked) == 1 + 1  # the clean clips, and seed 5: the others serve another choice of seeds, too
    assert numbers(study(copy, CONFIG)) == numbers(result)
    assert len(looked) == 2 + 1 + 2  # the clean clips, and the two conditions that were left
    assert not (copy / "cache").exists()


def test_results_do_not_depend_on_the_batch_or_on_which_layers_are_asked_for(copy, result) -> None:
    few = study(copy, replace(CONFIG, batch=5, layers=("block_3", "logits"), levels=(3.0,)))
    network = few["networks"][0]
    assert network["layers"] == ["block_3", "logits"]
    assert network["last_block"] == "block_3"
    whole = condition(result, "gaussian", 3.0)
    for row in condition(few, "gaussian", 3.0)["layers"]:
        theirs = next(each for each in whole["layers"] if each["layer"] == row["layer"])
        assert row["knn_label_error"]["value"] == pytest.approx(theirs["knn_label_error"]["value"], abs=1e-6)
        assert row["overlap"]["value"] == pytest.approx(theirs["overlap"]["value"], abs=1e-6)


def test_cleaning_does_not_see_noise_that_comes_after_it(copy) -> None:
    """Turning people to the front undoes another viewpoint, unless the viewpoint changes afterwards."""
    config = NoiseConfig(kinds=("viewpoint",), levels=(90.0,), seeds=(0,), layers=("input",), resamples=10)
    seen = {}
    for applied in ("recorded", "cleaned"):
        found = study(copy, replace(config, applied=applied))
        seen[applied] = condition(found, "viewpoint", 90.0)["layers"][0]["overlap"]["value"]
    assert seen["recorded"] == pytest.approx(1.0)
    assert seen["cleaned"] < 0.9


def test_a_network_beside_itself_does_not_differ_and_another_one_does(copy, tmp_path) -> None:
    shutil.copytree(copy.path, tmp_path / "twin")
    twin, config = Run.open(tmp_path / "twin"), replace(CONFIG, layers=("block_6",), seeds=(0,))
    same = study(copy, config, beside=twin)
    assert [network["name"] for network in same["networks"]] == ["copy", "twin"]
    for row in same["beside"]["differences"]:
        assert row["accuracy"] == row["knn_label_error"] == {"value": 0.0, "ci_low": 0.0, "ci_high": 0.0}
    assert "0 of 2 conditions and less often under 0" in same["beside"]["text"]
    other = study(copy, config, beside=graphed(tmp_path / "other", tiny.clips(N), seed=5))
    for row in other["beside"]["differences"]:
        first, second = (condition(other, row["kind"], row["level"], number) for number in (0, 1))
        for name in ("accuracy", "knn_label_error"):
            a, b = (each[name] if name == "accuracy" else each["layers"][0][name] for each in (first, second))
            assert row[name]["value"] == pytest.approx(b["value"] - a["value"], abs=1e-9)
    assert any(row["knn_label_error"]["value"] for row in other["beside"]["differences"])
    assert (copy / "studies/noise_gaussian.svg").read_text().count("run block_6")


def test_kinds_that_the_clips_do_not_allow_are_told_and_not_run(tmp_path) -> None:
    alone = [clip for clip in tiny.clips(28) if clip.bodies == 1]
    run = graphed(tmp_path / "alone", ClipSet.from_clips(alone, tiny.CLASSES))
    config = NoiseConfig(kinds=("second_body", "joint_dropout"), seeds=(0,), layers=("block_1",), resamples=10)
    found = study(run, config)
    assert found["not_run"] == [{"kind": "second_body", "why": "there is one body only"}]
    assert {each["kind"] for each in found["networks"][0]["conditions"]} == {"joint_dropout"}
    assert "second_body was not run: there is one body only." in found["networks"][0]["sentences"][-1]["text"]
    with pytest.raises(LensError, match="no clip that this noise could change"):
        study(run, NoiseConfig(kinds=("second_body",)))


def test_a_missing_body_has_no_level_and_changes_only_clips_that_have_two(copy) -> None:
    found = study(copy, NoiseConfig(kinds=("second_body",), layers=("input", "block_6"), resamples=10))
    assert found["kinds"][0]["levels"] == []
    assert found["kinds"][0]["affected"] == sum(clip.valid.any(axis=0).sum() > 1 for clip in list(tiny.clips(N))[2:])
    only = condition(found, "second_body", None)
    assert len(only["accuracy"]["per_seed"]) == 1
    assert only["layers"][1]["overlap"]["value"] < 1
    assert (copy / "studies/noise_second_body.svg").is_file()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layers": ("block_99",)}, "unknown layer.*block_99"),
        ({"layers": ("logits",)}, "no layer to study"),
    ],
)
def test_layers_that_are_not_there_are_refused_before_anything_is_written(copy, change, said) -> None:
    before = sorted(path.name for path in copy.path.iterdir())
    with pytest.raises(LensError, match=said):
        study(copy, replace(CONFIG, **change))
    assert sorted(path.name for path in copy.path.iterdir()) == before
    assert "study-noise" not in copy.manifest()["stages"]


def test_runs_that_cannot_be_studied_are_refused_before_anything_is_written(copy, tmp_path) -> None:
    small = tiny.run(tmp_path, tiny.clips(N), tiny.model(width=2))
    with pytest.raises(LensError, match="too few clips for 15 neighbours"):
        study(small, CONFIG)
    with pytest.raises(RunError, match="a run beside itself"):
        study(copy, CONFIG, beside=Run.open(copy.path))
    other = graphed(tmp_path / "fewer", tiny.clips(N - 2))
    with pytest.raises(RunError, match="a run of other clips"):
        study(copy, CONFIG, beside=other)
    with pytest.raises(RunError, match="stage 'train' has not been run"):
        study(Run.create(tmp_path / "empty"), CONFIG)
    assert not (copy / "studies").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kinds": ("fog",)}, "no such noise"),
        ({"levels": (1.0,)}, "unit of one kind"),
        ({"kinds": ("second_body",), "levels": (1.0,)}, "unit of one kind"),
        ({"kinds": ("joint_dropout",), "levels": (2.0,)}, "impossible level"),
        ({"seeds": ()}, "impossible seeds"),
        ({"seeds": (1, 1)}, "impossible seeds"),
        ({"applied": "later"}, "no such place"),
        ({"batch": 0}, "impossible study"),
    ],
)
def test_impossible_settings_are_refused(settings, said) -> None:
    with pytest.raises(LensError, match=said):
        NoiseConfig(**settings)


def test_doses_begin_with_the_mild_ones() -> None:
    rows = {row.name: row for row in NoiseConfig().rows}
    assert NoiseConfig(kinds=("gaussian",), levels=(0.0, 20.0, 10.0)).doses(rows["gaussian"]) == (20.0, 10.0, 0.0)
    assert NoiseConfig(kinds=("jitter",), levels=(4.0, 1.0)).doses(rows["jitter"]) == (1.0, 4.0)
    assert NoiseConfig().doses(rows["second_body"]) == (None,)
    assert NoiseConfig(seeds=(3, 4)).draws(rows["second_body"]) == (3,)
