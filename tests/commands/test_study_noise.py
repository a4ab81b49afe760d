"""`stgcn-lens study noise` on a run made by the commands."""

import json
import shutil

from stgcn_lens.cli import main

FEW = ("--kinds", "gaussian", "--levels", "20", "--seeds", "0", "--resamples", "20", "--layers", "input", "block_2")


def test_a_run_that_was_only_trained_is_studied_and_told(trained, tmp_path, capsys) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    assert main(["study", "noise", str(run), *FEW]) == 0
    said = capsys.readouterr().out
    assert f"{run}: noise on 24 clips; {run}/studies/noise.json" in said
    assert "finding 2, noise hardly moves label smoothness: " in said
    assert main(["study", "noise", str(run), *FEW, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["skipped"]
    assert told["findings"] == json.loads((run / "studies/noise.json").read_text())["findings"]
    stages = json.loads((run / "manifest.json").read_text())["stages"]
    assert set(stages) == {"train", "study-noise"}  # nothing of 105 embeddings on the disk
    assert not (run / "embeddings").exists()


def test_what_cannot_be_studied_is_told_in_one_line(trained, tmp_path, capsys) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    assert main(["study", "noise", str(run), "--kinds", "second-body", "--seeds", "0"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["study", "noise", str(run), "--layers", "block_77"]) == 2
    assert "unknown layer: got 'block_77'" in capsys.readouterr().err
    assert not (run / "studies").exists()
