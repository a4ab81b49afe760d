"""The Confusions page: the matrix is that of clips.csv, the explanation that of the study, made on a click or read."""

import csv
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from app import contrasts, sources, state
from stgcn_lens.errors import RunError
from stgcn_lens.runs import Run
from stgcn_lens.studies.confusions import ConfusionsConfig, confusions
from tests.app.test_pages import TRAINED, _without, errors, words


def answers(run: Path) -> Counter:
    """(true, predicted) -> clips of the test split."""
    classes = json.loads((run / "model.json").read_text())["classes"]
    with (run / "clips.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "test"]
    return Counter((classes[int(row["label"])], classes[int(row["predicted"])]) for row in rows)


def told(run: Path, changes: dict[int, int]) -> Path:
    """The run with other answers of its clips: the n-th test clip of a class -> number of the class it is taken for."""
    with (run / "clips.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    test = [row for row in rows if row["split"] == "test"]
    for row in test:
        row["predicted"] = row["label"]
    for i, predicted in changes.items():
        test[i]["predicted"] = str(predicted)
    with (run / "clips.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return run


@pytest.fixture
def mixed(copy) -> tuple[Path, str, str]:
    """A run of which two clips of one class are taken for another, and the two classes."""
    classes = json.loads((copy / "model.json").read_text())["classes"]
    with (copy / "clips.csv").open(newline="") as stream:
        test = [int(row["label"]) for row in csv.DictReader(stream) if row["split"] == "test"]
    true, predicted = sorted(set(test))[:2]
    told(copy, dict.fromkeys([i for i, label in enumerate(test) if label == true][:2], predicted))
    return copy, classes[true], classes[predicted]


def explain(app):
    return next(button for button in app.button if button.key == "explain").click().run()


def cells(app) -> list[dict]:
    """What the matrix is drawn from."""
    spec = json.loads(app.get("vega_lite_chart")[0].proto.spec)
    names = {layer.get("data", spec.get("data", {})).get("name") for layer in spec["layer"]}
    for dataset in app.get("vega_lite_chart")[0].proto.datasets:
        if dataset.name in names:
            import pyarrow as pa

            return pa.ipc.open_stream(dataset.data.data).read_all().to_pylist()
    raise AssertionError("no data")


def test_the_matrix_holds_the_answers_of_the_run_and_nothing_else(open_app, whole):
    app = open_app(whole, "confusions")
    assert errors(app) == []
    expected = answers(whole)
    shown = {(cell["true"], cell["predicted"]): cell["clips"] for cell in cells(app)}
    assert shown == expected
    for cell in cells(app):
        of = sum(n for (true, _), n in expected.items() if true == cell["true"])
        assert cell["share"] == pytest.approx(cell["clips"] / of)
    wrong = sum(n for (true, predicted), n in expected.items() if true != predicted)
    assert f"**{wrong} of 12** clips are taken for another class" in words(app)


def test_it_opens_on_the_most_frequent_confusion_and_lists_its_clips(open_app, mixed):
    run, true, predicted = mixed
    app = open_app(run, "confusions")
    assert (app.selectbox("true").value, app.selectbox("predicted").value) == (true, predicted)
    assert f"most often **{true}** for **{predicted}** (2 of 3)" in words(app)
    classes = json.loads((run / "model.json").read_text())["classes"]
    with (run / "clips.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "test" and row["label"] != row["predicted"]]
    table = app.dataframe[0].value
    assert set(table["clip"]) == {row["name"] for row in rows}
    assert {classes[int(row["label"])] for row in rows} == {true}
    assert table["confidence"].is_monotonic_decreasing


def test_the_url_chooses_the_cell_and_one_without_a_clip_says_so(open_app, mixed):
    run, true, predicted = mixed
    app = open_app(run, "confusions", true=predicted, predicted=true)
    assert errors(app) == []
    assert app.info[0].value == f"No clip of {predicted} is taken for {true}."
    same = open_app(run, "confusions", true=true, predicted=true)
    assert "1 clip recognised" in words(same)
    assert "**Why" not in words(same)


def test_the_explanation_is_made_on_a_click_kept_in_the_run_and_read_again(open_app, mixed, tmp_path):
    run, true, predicted = mixed
    app = open_app(run, "confusions", layer="block_4")
    assert not (run / "confusions").exists()
    app = explain(app)
    assert errors(app) == []
    (file,) = (run / "confusions").glob("*--*.json")
    stored = json.loads(file.read_text())
    about = confusions(Run(run), (true, predicted), ConfusionsConfig())
    assert stored["text"] == about["text"]
    row = next(row for row in stored["layers"] if row["layer"] == "block_4")
    text = words(app)
    assert stored["text"] in text
    assert row["from_true"]["text"] in text
    layers = next(element.value for element in app.dataframe if "layer" in element.value)
    assert list(layers["layer"]) == [row["layer"] for row in stored["layers"]]
    again = open_app(run, "confusions", layer="block_4")
    assert stored["text"] in words(again)
    assert not [button for button in again.button if button.key == "explain"]


def test_an_explanation_of_other_weights_or_a_damaged_one_is_not_shown(open_app, mixed):
    run, true, predicted = mixed
    source = sources.open_source(str(run), sources.stamp(run))
    about = confusions(Run(run), (true, predicted), ConfusionsConfig(permutations=5, resamples=5))
    assert contrasts.stored(source, true, predicted, "test") is not None
    assert contrasts.stored(source, true, predicted, "train") is None
    (run / about["arrays"]).write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(RunError, match="damaged"):
        contrasts.stored(source, true, predicted, "test")
    app = open_app(run, "confusions")
    assert errors(app) == []
    assert "damaged" in app.warning[0].value
    assert "stgcn-lens confusions" in app.warning[0].value.replace("\\", "")
    assert errors(explain(app)) == []
    stale = {**json.loads((run / about["file"]).read_text()), "made_from": {"train": "another"}}
    (run / about["file"]).write_text(json.dumps(stale))
    assert contrasts.stored(source, true, predicted, "test") is None


def test_many_clips_are_left_to_the_command(open_app, mixed, monkeypatch):
    run, true, predicted = mixed
    monkeypatch.setattr(contrasts, "FEW", 3)
    app = open_app(run, "confusions")
    assert not [button for button in app.button if button.key == "explain"]
    assert "clips take a while" in app.info[0].value
    quoted = [f"'{name}'" if " " in name else name for name in (true, predicted)]
    assert app.code[0].value == f"stgcn-lens confusions {run} --pair {' '.join(quoted)}"


def test_a_run_that_is_being_written_is_an_error_in_words(open_app, mixed):
    run = mixed[0]
    app = open_app(run, "confusions")
    code = (
        "import sys, time; from stgcn_lens.runs import Run\n"
        "with Run.open(sys.argv[1]).lock(): print('held', flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code, str(run)], **pipes) as other:
        other.stdout.readline()
        found = errors(explain(app))
        other.stdin.close()
    assert "is being written by process" in found[0]


def test_evidence_is_the_difference_of_the_classes_either_way(open_app, mixed):
    app = open_app(mixed[0], "confusions")
    assert app.segmented_control("speaks").value == "wrong_class"
    app.segmented_control("speaks").set_value("true_class").run()
    assert errors(app) == []
    assert app.selectbox("confused").options
    assert len(app.selectbox("recognised").options) == 1 + 3


def test_the_demo_model_explains_its_own_confusions_in_memory(open_app, mixed, monkeypatch):
    run = mixed[0]
    monkeypatch.setattr(sources, "CHECKPOINT", run)
    app = open_app(None, "confusions")
    assert errors(app) == []
    assert app.selectbox("run").value == state.DEMO
    assert re.search(r"\*\*\d+ of 24\*\* clips are taken for another class", words(app))
    app = explain(app)
    assert errors(app) == []
    assert "taken for" in words(app)
    assert not (run / "confusions").exists()
    table = next(element.value for element in app.dataframe if "layer" in element.value)
    assert list(table["layer"]) == [f"block_{i}" for i in range(1, 11)]


def test_when_all_are_right_it_says_so(open_app, copy):
    app = open_app(told(copy, {}), "confusions")
    assert errors(app) == []
    assert "All **12** clips are recognised" in words(app)


def test_a_run_that_is_only_trained_has_a_matrix_and_one_that_is_not_says_what_to_do(open_app, copy):
    app = open_app(_without(copy, *TRAINED["stages"], files=TRAINED["files"]), "confusions")
    assert errors(app) == []
    assert {(cell["true"], cell["predicted"]): cell["clips"] for cell in cells(app)} == answers(copy)
    bare = _without(copy, "train", files=("model.json", "model.safetensors", "clips.csv"))
    app = open_app(bare, "confusions")
    assert errors(app) == []
    assert f"`stgcn-lens train --data DATA --out {copy}`" in app.info[0].value


def test_groups_are_told_apart_by_class_and_answer(whole):
    source = sources.open_source(str(whole), sources.stamp(whole))
    (side, rows), *others = contrasts.told_rows(source).items()
    assert (side, others) == ("test", [])
    group = contrasts.Group.of(rows, 0, 1)
    assert {(row.label, row.predicted) for row in group.confused} <= {(0, 1)}
    assert all(row.right for row in (*group.true, *group.predicted))
    assert group.size == len({row.number for row in (*group.confused, *group.true, *group.predicted)})
    assert np.all([row.label == 1 for row in group.predicted])


def test_a_class_that_is_markup_stays_a_name(open_app, mixed):
    run, _, predicted = mixed
    evil = "<script>alert(1)</script> ![x](http://y)"
    for file in ("model.json", "data/clipset.json", "clips.csv", "data/clips.csv"):
        if (run / file).is_file():
            (run / file).write_text((run / file).read_text().replace(predicted, evil))
    app = open_app(run, "confusions")
    assert errors(app) == []
    text = "\n".join(element.value for element in (*app.markdown, *app.caption))
    assert state.plain(evil) in text
    assert evil not in text
