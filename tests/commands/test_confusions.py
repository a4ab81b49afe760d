import json
from pathlib import Path

import pytest

from stgcn_lens.cli import main
from tests.studies import planted

QUICK = ["--resamples", "100", "--permutations", "200"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted.run(tmp_path_factory.mktemp("command"), planted.clips(confused=5, recognised=6)).path


def test_pairs_are_listed(run, capsys) -> None:
    assert main(["confusions", str(run)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "5 of 17 clips of split 'test' are mistaken.",
        "  5 of 11 'wave' taken for 'kick'",
        str(run / "confusions/pairs.json"),
    ]


def test_a_pair_is_told_in_words(run, capsys) -> None:
    assert main(["confusions", str(run), "--pair", "wave", "kick", "--layer", "block_2", *QUICK]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("5 clips of 5 people in class 'wave' were taken for 'kick'")
    assert lines[1].startswith(
        "At block_2, against the recognised clips of 'wave', the confused ones differ most at the left"
    )
    assert lines[2].startswith("At block_2, against the recognised clips of 'kick': not shown; ")
    assert lines[4:10] == [f"  block_{i}: left_hand" for i in range(1, 7)]
    assert lines[-1] == str(run / "confusions/wave--kick.json")


def test_json_is_the_file(run, capsys) -> None:
    assert main(["confusions", str(run), "--pair", "0", "1", "--json", *QUICK]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said.pop("run") == str(run)
    assert said == json.loads((run / said["file"]).read_text())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--pair", "wav", "kick"], "no such class: got 'wav', expected one of 'wave', 'kick', 'sit', 'never seen'"),
        (
            ["--pair", "kick", "wave"],
            "no clip of 'kick' was taken for 'wave' in split 'test': expected one of 'wave' for ",
        ),
        (["--pair", "kick", "kick"], "twice the same class: got 'kick'"),
        (["--pair", "wave", "kick", "--layer", "input"], "no such layer: got 'input', expected one of 'block_1', "),
        (["--layer", "block_2"], "--layer is about one pair of classes; say which --pair"),
        (["--split", "val"], "no labelled clip in split 'val'"),
        (["--pair", "wave", "kick", "--parts", "0"], "impossible settings"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(run, words, message, capsys) -> None:
    assert main(["confusions", str(run), *words]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert message in shown.err
