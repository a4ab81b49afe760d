import json
from pathlib import Path

import pytest

from stgcn_lens.cli import main
from stgcn_lens.embeddings import EmbedConfig, embed
from stgcn_lens.graphs import GraphConfig
from stgcn_lens.studies.layers import GeometryConfig, graph
from tests import tiny


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tiny.run(tmp_path_factory.mktemp("command"), tiny.clips(14), tiny.model(width=1))
    embed(made, EmbedConfig())
    graph(made, GeometryConfig(graph=GraphConfig(k=4), resamples=10, permutations=5))
    return made.path


def test_a_clip_is_told_as_a_table(run, capsys) -> None:
    assert main(["neighbours", str(run), "--clip", "clip 5", "--layer", "block_2", "--k", "2"]) == 0
    text = capsys.readouterr().out
    about = json.loads((run / "neighbours/clip+5--block_2.json").read_text())
    lines = text.splitlines()
    assert lines[0].startswith(f"clip 5 (split 'test'): '{about['clip']['class_name']}', taken for ")
    assert "of all embedded clips; embedded: 12 of split 'test'." in text
    assert "No training clip can be among them: embed with --split all." in text
    assert lines[-1] == str(run / "neighbours/clip+5--block_2.json")
    head = next(i for i, line in enumerate(lines) if line.startswith("weight "))
    for line, row in zip(lines[head + 1 : head + 3], about["neighbours"], strict=True):
        assert row["name"] in line
        assert f"{row['weight']:.3g}" in line
        assert f"{row['share']:.3f}" in line
    paths = [line for line in lines if line.strip().startswith("path ")]
    assert paths == [f"    path {' '.join(f'{a}-{b}' for a, b in row['path'])}" for row in about["neighbours"]]
    assert "more have weight; show more with --k." in text
    assert "Is the vote of labels the prediction? input " in text
    # Every column begins under its head.
    place = lines[head].index("clip")
    assert all(line[place:].startswith("clip ") for line in lines[head + 1 : head + 3])


def test_without_a_clip_the_layers_are_told(run, capsys) -> None:
    assert main(["neighbours", str(run), "--resamples", "50", "--permutations", "5"]) == 0
    text = capsys.readouterr().out
    about = json.loads((run / "neighbours/agreement.json").read_text())
    assert about["config"]["resamples"] == 50
    for row in about["layers"]:
        line = next(line for line in text.splitlines() if line.startswith(f"{row['layer']} "))
        assert f"{row['agreement']['value']:.3f} [{row['agreement']['ci_low']:.3f}, " in line
    assert (
        f"At {about['already_there']} the vote of the neighbours already is the prediction as often as at block_6"
        in text
    )


def test_json_is_the_file(run, capsys) -> None:
    assert main(["neighbours", str(run), "--clip", "7", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said.pop("run") == str(run)
    assert said == json.loads((run / said["file"]).read_text())
    assert said["clip"]["number"] == 7


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--clip", "clip 1"], "clip 'clip 1' is not embedded: it is in split 'train'"),
        (["--clip", "clip"], "no such clip: got 'clip', expected one of "),
        (["--clip", "clip 5", "--layer", "block"], "no such layer: got 'block', expected one of 'input', 'block_1', "),
        (["--clip", "clip 5", "--among", "train"], "no clip of split 'train' is embedded"),
        (["--layer", "block_2"], "--layer and --k are about one clip; say which --clip"),
        (["--clip", "clip 5", "--k", "0"], "no neighbours to tell: got k = 0"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(run, words, message, capsys) -> None:
    assert main(["neighbours", str(run), *words]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert message in shown.err


def test_a_run_without_graphs_says_which_command_makes_them(tmp_path, capsys) -> None:
    made = tiny.run(tmp_path, tiny.clips(6), tiny.model(width=1))
    assert main(["neighbours", str(made.path)]) == 2
    assert f"stage 'graph' has not been run; run: stgcn-lens graph {made.path}" in capsys.readouterr().err


def test_a_run_that_is_being_written_is_left_alone(run, capsys) -> None:
    from stgcn_lens.runs import Run

    with Run.open(run).lock():
        assert main(["neighbours", str(run), "--clip", "clip 5"]) == 2
    assert "the run is being written by" in capsys.readouterr().err
