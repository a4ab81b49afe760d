"""From recordings in files to the report, by commands alone."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from stgcn_lens.cli import main
from tests.commands.conftest import ACTIONS

BLOCKS = [f"block_{i}" for i in range(1, 7)]
LAYERS = ["input", *BLOCKS, "logits"]


def files(run: Path) -> dict[str, int]:
    """Every file of a run with the time of its last change; the lock is touched by whoever asks."""
    return {
        path.relative_to(run).as_posix(): path.stat().st_mtime_ns
        for path in run.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


@pytest.fixture
def copy(analysed: Path, tmp_path: Path) -> Path:
    """An analysed run that may be changed."""
    shutil.copytree(analysed, tmp_path / "run")
    return tmp_path / "run"


def test_training_says_what_came_of_it(recordings, trained, capsys) -> None:
    assert main(["train", "--data", str(recordings), "--out", str(trained), "--json"]) == 2  # other configuration
    assert "another configuration" in capsys.readouterr().err
    metrics = json.loads((trained / "metrics.json").read_text())
    assert {side: scores["n"] for side, scores in metrics.items()} == {"train": 24, "test": 24}
    with (trained / "clips.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == [
        *("clip", "name", "label", "class_name", "subject", "view", "split", "frames", "bodies"),
        *("predicted", "confidence"),
    ]
    assert [int(row["clip"]) for row in rows] == list(range(48))
    assert {row["class_name"] for row in rows} == set(ACTIONS)
    assert {row["subject"] for row in rows if row["split"] == "train"} == {"1", "2", "3", "4"}
    hits = [row["predicted"] == row["label"] for row in rows if row["split"] == "test"]
    assert np.mean(hits) == pytest.approx(metrics["test"]["top1"])
    assert not {"cache", "train_state.pt"} & {path.name for path in trained.iterdir()}


def test_all_files_of_the_contract_are_there(analysed) -> None:
    wanted = ["manifest.json", "clips.csv", "model.safetensors", "model.json", "metrics.json", "confusion.csv"]
    wanted += ["train_log.jsonl", "embeddings/clips.npy", "layers.json", "report.html", "results.json"]
    wanted += [f"embeddings/{layer}/{name}.npy" for layer in LAYERS for name in ("windows", "offsets")]
    wanted += [f"graphs/{layer}.npz" for layer in LAYERS]
    names = ("maps", "offsets", "class_by_joint")
    wanted += ["saliency/saliency.json", *(f"saliency/{layer}/{name}.npy" for layer in BLOCKS for name in names)]
    there = files(analysed)
    assert [name for name in wanted if name not in there] == []
    assert [name for name in there if ".tmp" in name or ".old" in name] == []
    assert any(name.startswith("figures/") and name.endswith(".svg") for name in there)
    stages = json.loads((analysed / "manifest.json").read_text())["stages"]
    assert {name: record["status"] for name, record in stages.items()} == dict.fromkeys(
        ("train", "embed", "graph", "explain", "report"), "done"
    )


def test_the_stages_agree_on_clips_layers_and_shapes(analysed) -> None:
    chosen = np.load(analysed / "embeddings/clips.npy")
    assert len(chosen) == 24
    for layer in LAYERS:
        indices = np.load(analysed / f"graphs/{layer}.npz")["indices"]
        assert indices.shape == (24, 15)
        assert not (indices == np.arange(24)[:, None]).any()
    model = json.loads((analysed / "model.json").read_text())
    for layer, stride in zip(BLOCKS, (1, 1, 2, 2, 4, 4), strict=True):
        maps = np.load(analysed / f"saliency/{layer}/maps.npy")
        assert maps.shape == (24 * 32 // stride, 25, model["bodies"])
        assert np.load(analysed / f"saliency/{layer}/class_by_joint.npy").shape == (len(model["classes"]), 25)
    assert [row["layer"] for row in json.loads((analysed / "layers.json").read_text())] == LAYERS


def test_the_report_needs_no_network_and_names_the_classes(analysed) -> None:
    page = (analysed / "report.html").read_text()
    assert all(action in page for action in ACTIONS)
    for remote in ('src="http', "src='http", 'href="http', "@import", "url(http"):
        assert remote not in page


def test_a_second_analysis_skips_everything_and_says_so(copy, capsys) -> None:
    before = files(copy)
    assert main(["analyse", str(copy), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert {stage: data[stage]["skipped"] for stage in ("embed", "graph", "explain", "report")} == dict.fromkeys(
        ("embed", "graph", "explain", "report"), True
    )
    assert files(copy) == before
    assert main(["analyse", str(copy)]) == 0
    assert capsys.readouterr().out.count("(unchanged, skipped)") == 4


def test_another_k_makes_graphs_and_report_again_and_nothing_else(copy, capsys) -> None:
    before = files(copy)
    assert main(["analyse", str(copy), "--geometry.graph.k", "5", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    skipped = {stage: data[stage]["skipped"] for stage in ("embed", "graph", "explain", "report")}
    assert skipped == {"embed": True, "graph": False, "explain": True, "report": False}
    after = files(copy)
    changed = {name.split("/")[0] for name in after if after[name] != before.get(name)}
    report = {"report.html", "results.json", "results.csv", "summary.md", "figures"}
    assert changed == {"graphs", "layers.json", "manifest.json"} | report


@pytest.mark.parametrize("verb", ["embed", "graph", "explain", "report"])
def test_each_verb_runs_its_stage_alone_and_force_redoes_it(verb, copy, capsys) -> None:
    before = files(copy)
    assert main([verb, str(copy)]) == 0
    assert "(unchanged, skipped)" in capsys.readouterr().out
    assert files(copy) == before
    assert main([verb, str(copy), "--force", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["skipped"] is False
    place = {"embed": "embeddings", "graph": "graphs", "explain": "saliency", "report": "report.html"}[verb]
    after = files(copy)
    made = {name for name in after if name.split("/")[0] == place}
    assert made
    assert all(after[name] != before[name] for name in made)


def test_signed_saliency_goes_through_to_the_report(copy) -> None:
    assert main(["analyse", str(copy), "--explain.signed"]) == 0
    assert min(np.load(copy / f"saliency/{block}/maps.npy").min() for block in BLOCKS) < 0
    assert (copy / "report.html").is_file()


@pytest.mark.parametrize(("verb", "needs"), [("graph", "embed"), ("explain", "embed")])
def test_a_stage_without_its_input_says_what_to_run(verb, needs, trained, capsys) -> None:
    assert main([verb, str(trained)]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert f"{trained}: stage '{needs}' has not been run; run: stgcn-lens {needs} {trained}" in line


def test_a_new_training_makes_the_old_analysis_stale(copy, recordings, capsys) -> None:
    train = ["train", "--data", str(recordings), "--out", str(copy), "--width", "4", "--configuration", "compact"]
    assert main([*train, "--frames", "16", "--epochs", "1", "--force"]) == 0
    stages = json.loads((copy / "manifest.json").read_text())["stages"]
    assert [stages[name]["status"] for name in ("train", "embed", "graph", "explain")] == ["done", *["stale"] * 3]
    capsys.readouterr()
    assert main(["explain", str(copy)]) == 2
    assert "'embed' was made from what has since been replaced; run: stgcn-lens embed" in capsys.readouterr().err
    assert main(["analyse", str(copy)]) == 0
    assert np.load(copy / "embeddings/block_1/windows.npy").shape[1] == 4 * 25


def test_other_recordings_do_not_replace_those_of_a_run(copy, tmp_path, recordings, capsys) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for subject in (1, 2):
        shutil.copy(next(recordings.glob(f"*P00{subject}*.skeleton")), other)
    before = files(copy)
    assert main(["train", "--data", str(other), "--out", str(copy)]) == 2
    line = capsys.readouterr().err
    assert "the run was made from other clips" in line
    assert str(other) in line
    assert str(recordings) in line
    assert "--force" in line
    assert files(copy) == before


@pytest.mark.long
def test_utd_mhad_goes_through(shared, tmp_path, capsys) -> None:
    run = tmp_path / "run"
    train = ["train", "--data", str(shared / "utd_mhad/raw"), "--split", "subject", "--out", str(run), "--json"]
    assert main([*train, "--width", "4", "--configuration", "compact", "--frames", "32", "--epochs", "1"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert {side: scores["n"] for side, scores in data["metrics"].items()} == {"train": 431, "test": 430}
    assert main(["analyse", str(run), "--json"]) == 0
    layers = json.loads(capsys.readouterr().out)["graph"]["layers"]
    assert [row["n"] for row in layers] == [430] * 8
    # 15 neighbours among 430 clips of 27 classes: far from chance at the input already.
    assert layers[0]["knn_label_error"]["value"] < 0.7 < layers[0]["knn_label_error"]["chance"]
