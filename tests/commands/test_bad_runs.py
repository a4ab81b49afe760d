"""Run folders and recordings that are not as they should be: one line with file, got, expected and what to do."""

import json
import re
import shutil
from pathlib import Path

import pytest

from stgcn_lens.cli import main
from tests import tiny


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    """A trained run that may be spoilt."""
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def told(capsys):
    """A function that runs a command which must fail, and gives its exit status and its one line."""

    def run(*words: object) -> tuple[int, str]:
        status = main([str(word) for word in words])
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.count("\n") == 1
        assert "Traceback" not in shown.err
        assert shown.err.startswith("stgcn-lens: ")
        return status, shown.err.strip()

    return run


@pytest.mark.parametrize("verb", ["embed", "graph", "explain", "report", "analyse", "app"])
def test_a_folder_that_is_no_run(verb, tmp_path, told) -> None:
    (tmp_path / "notes.txt").write_text("not a run")
    status, line = told(verb, tmp_path)
    assert status == 2
    assert f"{tmp_path}: not a run folder: expected a folder that holds manifest.json; make one: stgcn-lens" in line


def test_an_empty_folder(tmp_path, told) -> None:
    assert told("analyse", tmp_path)[0] == 2
    status, line = told("data", "info", tmp_path)
    assert status == 2
    assert f"{tmp_path}: no skeletons that a reader knows: got an empty folder, expected one of" in line
    assert told("train", "--data", tmp_path, "--out", tmp_path / "run")[0] == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}'])
def test_a_broken_manifest(text, copy, told) -> None:
    (copy / "manifest.json").write_text(text)
    status, line = told("embed", copy)
    assert status == 2
    assert f"{copy}/manifest.json: not " in line


def test_a_run_whose_clips_are_of_another_layout(copy, told) -> None:
    tiny.clips(8, layout="kinect20").save(copy / "data")
    status, line = told("analyse", copy)
    assert status == 2
    assert f"{copy}/data: the clips do not fit the model: got layout 'kinect20', 3 channels x 20 joints" in line
    assert "expected layout 'ntu25'" in line
    assert "--to-layout ntu25" in line
    assert "stgcn-lens train" in line


def spoil_byte(run: Path) -> None:
    weights = bytearray((run / "model.safetensors").read_bytes())
    weights[-5] ^= 1
    (run / "model.safetensors").write_bytes(weights)


def cut_weights(run: Path) -> None:
    (run / "model.safetensors").write_bytes((run / "model.safetensors").read_bytes()[:1000])


def cut_json(run: Path) -> None:
    (run / "model.json").write_text((run / "model.json").read_text()[:200])


def other_bones(run: Path) -> None:
    about = json.loads((run / "model.json").read_text())
    about["bones"][-1] = [0, 24]
    (run / "model.json").write_text(json.dumps(about))


@pytest.mark.parametrize(
    ("spoil", "file", "expected"),
    [
        (spoil_byte, "model.safetensors", "got sha256 .*expected "),
        (cut_weights, "model.safetensors", "got sha256 .*expected "),
        (cut_json, "model.json", "cannot be read .*restore"),
        (other_bones, "model.json", "other bones .*expected the same bones"),
        (lambda run: (run / "model.safetensors").unlink(), "model.safetensors", "no checkpoint here"),
        (lambda run: (run / "clips.csv").unlink(), "clips.csv", "missing from the run.*stgcn-lens train"),
        (lambda run: (run / "data/xyz.npy").unlink(), "data/xyz.npy", "no such file"),
    ],
)
def test_a_checkpoint_or_table_that_is_damaged(spoil, file, expected, copy, told) -> None:
    spoil(copy)
    status, line = told("embed", copy)
    assert status == 2
    assert f"{copy}/{file}: " in line
    assert re.search(expected, line), line
    assert not (copy / "embeddings").exists()


def test_too_few_clips_for_the_neighbours(copy, told, capsys) -> None:
    assert main(["embed", str(copy)]) == 0
    capsys.readouterr()
    status, line = told("graph", copy, "--k", 24)
    assert status == 2
    assert "too few clips for 24 neighbours: got 24 clips under analysis, expected at least 25; choose a k of" in line


@pytest.fixture
def spoilt(recordings: Path, tmp_path: Path) -> Path:
    """The recordings with faults of many kinds among them."""
    folder = tmp_path / "spoilt"
    shutil.copytree(recordings, folder)
    names = sorted(folder.glob("*P001*.skeleton"))
    whole = names[0].read_text()
    lines = whole.splitlines()
    for file, text in zip(
        names,
        (
            "\n".join(lines[:70]),
            "3\n0\n0\n0\n",
            whole.replace("\n25\n", "\n24\n", 1),
            "\n".join("nan nan nan" + " 0" * 9 if lines[i - 1] == "25" else line for i, line in enumerate(lines)),
        ),
        strict=False,
    ):
        file.write_text(text)
    (folder / "a clip without a code.skeleton").write_text(whole)
    return folder


def test_data_info_lists_what_it_leaves_out_and_says_so_with_its_status(spoilt, capsys) -> None:
    assert main(["data", "info", str(spoilt)]) == 3
    text = capsys.readouterr().out
    assert main(["data", "info", str(spoilt), "--json"]) == 3
    info = json.loads(capsys.readouterr().out)
    assert info["clips"] == 45
    faults = {fault["file"]: fault for fault in info["faults"] if fault["dropped"] == "clip"}
    names = sorted(file.name for file in spoilt.glob("*P001*.skeleton"))[:4]
    assert sorted(faults) == names
    reasons = [faults[name]["reason"] for name in names]
    for name, reason, part in zip(
        names, reasons, ("cut mid-frame", "no body in any frame", "got 24, expected 25", "not a finite"), strict=True
    ):
        assert part in reason
        assert f"{name}: {reason}" in text
    assert info["unlabelled"] == 1


def test_training_goes_on_without_the_bad_files_and_mentions_them(spoilt, tmp_path, capsys) -> None:
    train = ["train", "--data", str(spoilt), "--out", str(tmp_path / "run"), "--width", "4", "--epochs", "1"]
    train += ["--configuration", "compact", "--frames", "16"]
    assert main(train) == 0
    line = capsys.readouterr().out.strip()
    assert "45 clips" in line
    assert line.endswith(f"; 4 clips left out or kept in part, each listed by: stgcn-lens data info {spoilt}")
    assert main([*train, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert len(shown["faults"]) == 4
    assert {side: scores["n"] for side, scores in shown["metrics"].items()} == {"train": 20, "test": 24}
