import csv
import json
import re

import numpy as np
import pytest

from stgcn_lens.cli import main
from stgcn_lens.errors import LensError, RunError
from stgcn_lens.report import comparison, several
from stgcn_lens.runs import Run
from tests.report import studied
from tests.report.conftest import KNN, write_run
from tests.report.test_page import LOADING, Page, strange_numbers

STAGES = ("train", "embed", "graph")


def changed(run: Run, *, seed: int = 3, width: int = 8, shift: float = 0.0, blocks: int = 3, top1: float = 0.75) -> Run:
    """The run with another seed, width, depth, accuracy, and label errors moved from the first block on."""
    manifest = run.manifest()
    manifest["stages"]["train"]["seed"] = manifest["stages"]["train"]["config"]["training"]["seed"] = seed
    run.write_json("manifest.json", manifest)
    model = run.read_json("model.json")
    model["architecture"]["config"]["width"] = width
    run.write_json("model.json", model)
    table = [row for row in run.read_json("layers.json") if row["layer"] != "block_3" or blocks == 3]
    for row in table[1:]:
        for end in ("value", "ci_low", "ci_high"):
            row["knn_label_error"][end] += shift
    run.write_json("layers.json", table)
    metrics = run.read_json("metrics.json")
    metrics["test"]["top1"] = top1
    run.write_json("metrics.json", metrics)
    return run


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> list[Run]:
    """Three runs that differ by their seed only, and a shallower, wider one."""
    folder = tmp_path_factory.mktemp("runs")
    seeds = [(3, 0.0, 0.75), (4, 0.05, 0.8), (5, -0.02, 0.7)]
    made = [
        changed(write_run(folder / f"seed_{seed}", stages=STAGES), seed=seed, shift=shift, top1=top1)
        for seed, shift, top1 in seeds
    ]
    return [*made, changed(write_run(folder / "wide", stages=STAGES), width=16, blocks=2, shift=0.1, top1=0.5)]


@pytest.fixture(scope="module")
def found(runs) -> dict:
    return comparison.compare(runs)


def test_every_run_keeps_its_own_layers_at_their_relative_depth(found: dict) -> None:
    deep, shallow = found["runs"][0], found["runs"][-1]
    assert [row["depth"] for row in deep["rows"]] == pytest.approx([0, 1 / 3, 2 / 3, 1, None])
    assert [row["depth"] for row in shallow["rows"]] == [0, 0.5, 1, None]
    assert (deep["last_block"], shallow["last_block"]) == ("block_3", "block_2")
    assert found["layers"] is None  # no names that all share
    assert comparison.compare([*map(Run.open, [run["path"] for run in found["runs"][:2]])])["layers"] is not None


def test_runs_that_differ_by_their_seed_are_also_one_with_mean_and_spread(found: dict) -> None:
    assert len(found["groups"]) == 1
    group = found["groups"][0]
    assert group["runs"] == ["seed_3", "seed_4", "seed_5"]
    assert group["seeds"] == [3, 4, 5]
    errors = KNN["block_3"] + np.array([0.0, 0.05, -0.02])
    last = group["rows"][3]["knn_label_error"]
    assert last["value"] == pytest.approx(errors.mean())
    assert last["sd"] == pytest.approx(errors.std(ddof=1))
    assert (last["least"], last["most"]) == pytest.approx((errors.min(), errors.max()))
    assert group["top1"]["value"] == pytest.approx(0.75)
    assert group["top1"]["sd"] == pytest.approx(0.05)


def test_what_differs_is_told_and_nothing_else(found: dict) -> None:
    assert found["differing"] == ["model.width", "training.seed"]
    assert [run["differs"]["model.width"] for run in found["runs"]] == [8, 8, 8, 16]
    assert found["warnings"] == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("clips", "on different clips (seed_3 on 12, other on 8; 8 in all of them)"),
        ("k", "different numbers of neighbours k"),
        ("window", "different windows"),
        ("frames", "different preprocessing"),
    ],
)
def test_what_makes_numbers_answers_to_different_questions_is_said(runs, tmp_path, change: str, words: str) -> None:
    other = write_run(tmp_path / "other", stages=STAGES)
    if change == "clips":
        other.write_array("embeddings/clips.npy", other.read_array("embeddings/clips.npy")[:8])
    elif change == "k":
        other.write_json("layers.json", [{**row, "k": 7} for row in other.read_json("layers.json")])
    elif change == "window":
        manifest = other.manifest()
        manifest["stages"]["embed"]["config"]["window"] = 16
        other.write_json("manifest.json", manifest)
    else:
        model = other.read_json("model.json")
        model["preprocessing"]["frames"] = 99
        other.write_json("model.json", model)
    warnings = comparison.compare([runs[0], other])["warnings"]
    assert len(warnings) == 1
    assert words in warnings[0]


def test_other_clips_or_other_settings_make_no_group(runs, tmp_path) -> None:
    other = changed(write_run(tmp_path / "other", stages=STAGES), seed=9)
    assert len(comparison.compare([runs[0], other])["groups"]) == 1
    other.write_array("embeddings/clips.npy", other.read_array("embeddings/clips.npy")[:8])
    assert comparison.compare([runs[0], other])["groups"] == []
    assert comparison.compare([runs[0], runs[3]])["groups"] == []


def test_runs_of_one_name_are_told_apart_by_the_folders_above(runs, tmp_path) -> None:
    other = write_run(tmp_path / "seed_3", stages=STAGES)
    above = [run.path.parent.name for run in (runs[0], other)]
    assert comparison.names([runs[0], other, runs[1]]) == [f"{above[0]}/seed_3", f"{above[1]}/seed_3", "seed_4"]


def test_the_page_and_what_goes_with_it(runs, tmp_path) -> None:
    gathered = several(runs, tmp_path / "four.html", sections=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [*(f"four.{kind}" for kind in ("html", "json", "csv", "md")), "four_figures"]
    )
    assert json.loads((tmp_path / "four.json").read_text()) == gathered
    assert {path.stem for path in (tmp_path / "four_figures").iterdir()} == set(gathered["figures"])
    page = Page((tmp_path / "four.html").read_text())
    words = "".join(page.words)
    for figure in gathered["figures"].values():
        assert figure["sentence"] in words
    count, strange = strange_numbers(page, gathered)
    assert count > 100
    assert strange == []
    loads = [value for _, name, value in page.attributes if name in LOADING]
    assert all(value.startswith(("#", "data:")) for value in loads)
    best, errors = gathered["headline"]
    assert "seed_4 recognises most test clips (80.0 % [51.7 %, 93.7 %]), wide fewest (50.0 %" in best
    assert (
        "lowest in seed_5 (0.13 [0.10, 0.17] at block_3) and highest in wide (0.50 [0.47, 0.54] at block_2)" in errors
    )
    assert errors.endswith("their intervals do not overlap.")
    drawn = (tmp_path / "four_figures/knn_label_error.svg").read_text()
    assert all(f">{run.path.name}<" in drawn for run in runs)


def test_the_table_has_every_number(runs, found, tmp_path) -> None:
    several(runs, tmp_path / "four.html", sections=False)
    with (tmp_path / "four.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for run in found["runs"]:
        for row in run["rows"]:
            one = [
                line
                for line in rows
                if (line["name"], line["layer"], line["measure"]) == (run["name"], row["layer"], "nnk_label_error")
            ]
            assert len(one) == 1
            assert float(one[0]["ci_low"]) == row["nnk_label_error"]["ci_low"]
            assert one[0]["depth"] == ("" if row["depth"] is None else str(row["depth"]))
    spread = [line for line in rows if line["kind"] == "seeds" and line["measure"] == "test top1"]
    assert float(spread[0]["sd"]) == pytest.approx(0.05)


def test_the_report_of_several_runs_has_a_section_for_each(runs, tmp_path, capsys) -> None:
    run = write_run(tmp_path / "studied", stages=STAGES)
    studied.write(run, "layers", "noise")
    out = tmp_path / "report.html"
    assert main(["report", str(runs[3].path), str(run.path), "--out", str(out)]) == 0
    assert capsys.readouterr().out.startswith(f"{out}: Of 2 runs")
    gathered = json.loads((tmp_path / "report.json").read_text())
    assert [one["name"] for one in gathered["sections"]] == ["wide", "studied"]
    text = out.read_text()
    page = Page(text)
    words = re.sub(r"\s+", " ", "".join(page.words))
    assert words.count("Finding 1: confirmed") == 1
    assert "stgcn-lens study layers wide" in words
    assert "stgcn-lens study layers studied" not in words
    assert strange_numbers(page, gathered)[1] == []
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert (tmp_path / "report_figures/run_2_study_knn_label_error.svg").is_file()
    assert "## studied" in (tmp_path / "report.md").read_text()
    assert not (run / "report.html").exists()


def test_bad_input_is_one_line_and_writes_nothing(runs, tmp_path, capsys) -> None:
    out, untouched = str(tmp_path / "c.html"), write_run(tmp_path / "trained", stages=("train",))
    first = str(runs[0].path)
    cases = {
        (first,): "nothing to compare: got 1 of 1 run, expected two runs or more",
        (first, first): "nothing to compare: got 2 of 1 run",
        (first, str(untouched.path)): f"stage 'graph' has not been run; run: stgcn-lens graph {untouched.path}",
        (first, str(tmp_path / "nowhere")): "not a run folder",
    }
    for given, words in cases.items():
        assert main(["compare", *given, "--out", out]) == 2
        line = capsys.readouterr().err
        assert words in line
        assert line.count("\n") == 1
    assert main(["report"]) == 2
    assert "no run to report on" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trained"]
    with pytest.raises(RunError, match="stgcn-lens graph"):
        several([runs[0], untouched], tmp_path / "c.html", sections=True)


def test_a_file_that_is_no_page_of_ours_stays(runs, tmp_path) -> None:
    out = tmp_path / "thesis.html"
    out.write_text("my own words")
    with pytest.raises(LensError, match="something else is there"):
        several(runs[:2], out, sections=False)
    assert out.read_text() == "my own words"
    several(runs[:2], out, sections=False, force=True)
    several(runs[:2], out, sections=False)  # ours: it may be replaced
    with pytest.raises(LensError, match=r"ends in \.html"):
        several(runs[:2], tmp_path / "page.pdf", sections=False)
