import csv
import json
import re

import pytest

from stgcn_lens import report
from stgcn_lens.errors import RunError
from stgcn_lens.report import studies
from stgcn_lens.runs import Run
from tests.report import studied
from tests.report.conftest import write_run
from tests.report.test_page import Page, strange_numbers

NAMES = ("layers", "noise", "transfer", "scores")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    run = write_run(tmp_path_factory.mktemp("studied") / "run", stages=("train", "embed", "graph"))
    studied.write(run, *NAMES)
    (run.path.parent.parent / "outside.svg").write_text("<svg></svg>")
    report.build(run, report.ReportConfig(clips=0))
    return run


@pytest.fixture(scope="module")
def text(run: Run) -> str:
    return (run / "report.html").read_text()


@pytest.fixture(scope="module")
def results(run: Run) -> dict:
    return json.loads((run / "results.json").read_text())


def test_every_study_is_on_the_page_with_its_verdict(text: str) -> None:
    words = re.sub(r"\s+", " ", "".join(Page(text).words))
    assert "Finding 1: confirmed. It falls." in words
    assert "Finding 2: undecided. The interval is wide." in words
    assert "Finding 3: confirmed. It reaches it." in words
    assert "Gaussian noise hardly moves it." in words
    assert "joint dropout: accuracy halves nowhere" in words
    assert "The predicted cut is the best one." in words
    assert "1 of 2 maps" in words
    assert "What was not run explain" in words  # of the stages, and of no study
    assert "study noise run" not in words


def test_controls_are_in_the_same_picture_and_sentence_as_the_run(run: Run, results: dict) -> None:
    drawn = (run / "figures/study_knn_label_error.svg").read_text()
    for name in ("trained", "untrained control", "shuffled labels", "chance"):
        assert f">{name}<" in drawn
    sentence = results["figures"]["study_knn_label_error"]["sentence"]
    assert "trained: 0.60 [0.58, 0.62] at the input, 0.15 [0.13, 0.17] at block_3" in sentence
    assert "untrained control: 0.60 [0.58, 0.62] at the input, 0.19 [0.17, 0.21] at block_3" in sentence
    assert (
        "trained: 0 of 4 classes from the input on, 3 at the last block"
        in results["figures"]["study_separable"]["sentence"]
    )
    assert "Never separable: sit & rest." in results["figures"]["study_classes"]["sentence"]
    assert "input and block_1 are least alike (0.50)" in results["figures"]["study_cka"]["sentence"]


def test_every_number_of_the_studies_is_in_the_results(text: str, results: dict) -> None:
    count, strange = strange_numbers(Page(text), results)
    assert count > 150
    assert strange == []


def test_every_number_of_the_results_is_in_the_table(run: Run, results: dict) -> None:
    with (run / "results.csv").open(newline="") as stream:
        rows = {row["place"]: row["value"] for row in csv.DictReader(stream)}
    first = results["studies"]["layers"]["networks"]["shuffled"]["rows"][1]["knn_label_error"]["ci_high"]
    assert float(rows["studies.layers.networks.shuffled.rows.1.knn_label_error.ci_high"]) == first
    assert float(rows["metrics.test.top1"]) == 0.75


def test_pictures_that_studies_drew_are_images_and_none_is_taken_from_elsewhere(run: Run, text: str) -> None:
    images = re.findall(r'<img src="data:image/svg\+xml;base64,[^"]+" alt="([^"]+)"', text)
    assert images == ["dose", "Cut against accuracy"]
    assert "Cut against accuracy</figcaption>" in text
    assert len(studies.pictures(run, studied.noise())) == 1


def test_the_summary_has_the_verdicts(run: Run) -> None:
    assert "- Finding 1 **confirmed**: It falls" in (run / "summary.md").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_a_study_of_which_little_is_known_costs_nothing_else(tmp_path, name: str) -> None:
    run = write_run(tmp_path / "run", stages=("train",))
    if name != "layers":
        run.write_json(studies.STUDIES[name].file, {"format": 7})
    page = report.build(run, report.ReportConfig(clips=0)).read_text()
    commands = {item["command"] for item in run.read_json("results.json")["missing"]}
    said = f"stgcn-lens {studies.STUDIES[name].command.replace('RUN', 'run')}"
    assert (said in commands) == (name == "layers")
    assert (f"<code>{said}</code>" in page) == (name == "layers")


def test_a_study_of_an_older_network_is_not_shown_as_of_this_one(tmp_path) -> None:
    run = write_run(tmp_path / "run", stages=("train", "embed", "graph"))
    studied.write(run, "layers")
    manifest = run.manifest()
    manifest["stages"]["study-layers"] = {**manifest["stages"]["graph"], "status": "stale"}
    run.write_json("manifest.json", manifest)
    report.build(run, report.ReportConfig(clips=0))
    results = run.read_json("results.json")
    assert results["studies"]["layers"] is None
    why = {item["part"].partition(":")[0]: item["why"] for item in results["missing"]}["layers"]
    assert "made from what has since been replaced" in why


def test_a_broken_file_of_a_study_is_named(tmp_path) -> None:
    run = write_run(tmp_path / "run", stages=("train",))
    run.write_text("studies/noise.json", "{")
    with pytest.raises(RunError, match=r"studies/noise\.json: not JSON"):
        report.build(run, report.ReportConfig(clips=0))
