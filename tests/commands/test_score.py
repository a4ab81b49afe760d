"""`stgcn-lens score`: one table, one verdict a method and layer, and every number in the run folder."""

import json
import shutil

import pytest

from stgcn_lens.cli import main
from tests import tiny

FEW = ("--clips", "3", "--remade", "2", "--steps", "2", "--draws", "1", "--removals", "2", "--disturbed", "1")
FAST = (*FEW, "--networks", "1", "--random-maps", "1", "--resamples", "20")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return tiny.run(tmp_path_factory.mktemp("score"), tiny.clips(6), tiny.model(width=1)).path


@pytest.fixture
def run(made, tmp_path):
    return shutil.copytree(made, tmp_path / "run")


def test_the_whole_evaluation_is_one_table_and_a_verdict_in_words(run, capsys) -> None:
    words = ["score", str(run), "--methods", "gradcam", "saliency", "--layers", "block_6", *FAST]
    assert main(words) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    lines = shown.out.splitlines()
    assert lines[0].startswith(f"{run}: 2 explanations scored on 3 clips (2 for stability")
    assert [line.split()[:2] for line in lines[2:6]] == [
        ["random", "input"],
        ["motion", "input"],
        ["gradcam", "block_6"],
        ["saliency", "input"],
    ]
    assert lines[-2].startswith("gradcam at block_6: better than motion magnitude: not shown (deletion 0.")
    assert lines[-1].startswith("saliency at input: better than motion magnitude: not shown (")
    assert {path.name for path in (run / "scores").iterdir()} == {"parts", "scores.json", "scores.csv"}
    assert main(words) == 0
    assert "(unchanged, skipped)" in capsys.readouterr().out.splitlines()[0]


def test_the_same_as_json_with_configuration_and_clips(run, capsys) -> None:
    metrics = ("--metrics", "sparsity", "tables")
    assert main(["score", str(run), "--methods", "gradcam", *metrics, "--json", "--seed", "3", *FAST]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["config"]["seed"], found["n"], len(found["clips"])) == (3, 3, 3)
    assert found["methods"] == ["gradcam"]
    assert found["layers"] == [f"block_{i}" for i in range(1, 7)]
    assert {row["metric"] for row in found["rows"]} == {"sparsity", "tables"}
    assert not found["skipped"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--methods", "magic"], "unknown method: got 'magic'"),
        (["--metrics", "beauty"], "unknown metric: got 'beauty'"),
        (["--layers", "block_77"], "unknown layer: got 'block_77'"),
        (["--metrics", "localisation"], "no clip of the sample carries evidence"),
        (["--split", "val"], "no clip in split 'val'"),
        (["--steps", "1"], "steps too small"),
    ],
)
def test_what_cannot_be_scored_is_one_line_and_status_two(run, capsys, words, message) -> None:
    assert main(["score", str(run), *words]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert message in shown.err
