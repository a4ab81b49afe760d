"""`train --leave-out-classes` and `study transfer`: from recordings to a table and a verdict, on the command line."""

import json
import shutil
from pathlib import Path

import pytest

from stgcn_lens.cli import main
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.embeddings import open_clips
from stgcn_lens.models.checkpoints import load
from stgcn_lens.runs import Run
from tests.commands.conftest import SMALL
from tests.data import people
from tests.training.clips import clip_set

LEFT_OUT = ("sit down", "throw", "check watch")
FAST = ("--cuts", "input", "block_6", "--shots", "2", "full", "--seeds", "0", "--epochs", "1", "--least-steps", "1")
QUICK = (*FAST, "--scratch-epochs", "1", "--copies", "1", "--resamples", "20")


@pytest.fixture(scope="module")
def source(recordings, tmp_path_factory) -> Path:
    """A run that was trained without three classes."""
    out = tmp_path_factory.mktemp("source") / "run"
    assert main(["train", "--data", str(recordings), "--out", str(out), "--leave-out-classes", *LEFT_OUT, *SMALL]) == 0
    return out


@pytest.fixture
def run(source, tmp_path) -> Path:
    return shutil.copytree(source, tmp_path / "run")


def test_a_network_never_knows_the_classes_that_are_left_out(source, recordings):
    run = Run.open(source)
    clips = open_clips(run)
    assert not set(LEFT_OUT) & set(clips.classes)
    assert load(source).classes == clips.classes
    assert len(clips) == 3 * 8  # of six acted classes by eight people
    assert {clips.classes[row.label] for row in clips.rows} == {"wave left", "clap", "handshake"}
    assert run.manifest()["source"]["leave_out_classes"] == list(LEFT_OUT)


def test_the_same_training_is_not_done_again_and_another_choice_is_refused(run, recordings, capsys):
    words = ["train", "--data", str(recordings), "--out", str(run), *SMALL, "--leave-out-classes"]
    assert main([*words, *LEFT_OUT]) == 0
    assert "(unchanged, skipped)" in capsys.readouterr().out
    assert main([*words, "sit down"]) == 2
    assert "the run was made from other clips" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "message"), [(["fly"], "no such class: got 'fly'"), (None, "too few classes to tell apart: got 1 of")]
)
def test_classes_that_cannot_be_left_out_make_no_run(recordings, tmp_path, capsys, source, names, message):
    if names is None:
        from stgcn_lens.data.readers import recognise

        names = list(recognise(recordings).classes[1:])
    out = tmp_path / "new"
    assert main(["train", "--data", str(recordings), "--out", str(out), *SMALL, "--leave-out-classes", *names]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_native_set_without_some_classes_is_packed_into_the_run_and_stays_as_it_is(tmp_path, capsys):
    data = clip_set(24, classes=3).save(tmp_path / "data")
    before = data.fingerprint()
    out = tmp_path / "run"
    small = ["--width", "4", "--configuration", "compact", "--frames", "12", "--epochs", "1"]
    assert main(["train", "--data", str(data.folder), "--out", str(out), *small, "--leave-out-classes", "step"]) == 0
    assert ClipSet.open(tmp_path / "data").fingerprint() == before
    clips = open_clips(Run.open(out))
    assert clips.classes == ("raise left, hand", "duck")
    assert {row.name for row in clips.rows} == {row.name for row in data.rows if row.label != 1}


def test_the_classes_left_out_are_the_target_by_default(run, capsys):
    assert main(["study", "transfer", str(run), *QUICK]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    lines = shown.out.splitlines()
    assert lines[0] == f"{run}: 5 tunings on 3 classes of ntu, 12 training and 12 test clips"
    assert [line.split()[0] for line in lines[1:5]] == ["frozen", "input", "block_6", "from"]
    assert lines[5].startswith("Smoothness alone predicts the cut ")
    assert lines[6].startswith("Finding 3 is not judged: not run on all training clips: cut block_3")
    found = json.loads((run / "studies/transfer.json").read_text())
    assert set(found["target"]["classes"]) == set(LEFT_OUT)
    assert main(["study", "transfer", str(run), *QUICK, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["skipped"]
    assert again["accuracy"] == found["accuracy"]


def test_another_set_of_another_layout_is_put_onto_the_networks(run, tmp_path, capsys):
    clip_set(24, classes=3, layout="kinect20").save(tmp_path / "other")
    assert main(["study", "transfer", str(run), "--data", str(tmp_path / "other"), *QUICK, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["target"]["layout"] == found["source"]["layout"] == "ntu25"
    assert "left_thumb: left_hand stands in" in found["target"]["notes"][0]
    assert found["target"]["classes"] == ["raise left, hand", "step", "duck"]


def test_a_layout_that_cannot_become_the_networks_is_one_line(run, tmp_path, capsys):
    flat = [people.clip(9, layout="coco17", name=f"clip {i}", label=i % 2, subject=i) for i in range(6)]
    ClipSet.from_clips(flat, ("a", "b")).save(tmp_path / "flat")
    assert main(["study", "transfer", str(run), "--data", str(tmp_path / "flat"), *QUICK]) == 2
    told = capsys.readouterr().err
    assert "layout 'coco17' cannot become 'ntu25'" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--target-classes", "sit down", "handshake"],
            "target classes that the network was trained on: got 'handshake'",
        ),
        (["--target-classes", "sit down"], "too few classes in the target"),
        (["--cuts", "block_77"], "unknown layer: got 'block_77'"),
        (["--k", "9"], "fewer training clips than k in a class: got 4 of"),
        (["--shots", "none"], "impossible number of shots"),
        (["--to-layout", "ntu25"], "are about --data"),
    ],
)
def test_what_cannot_be_studied_is_one_line_and_writes_nothing(run, capsys, words, message):
    assert main(["study", "transfer", str(run), *words]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert not (run / "studies").exists()
    assert not (run / "cache").exists()
    assert "study-transfer" not in Run.open(run).manifest()["stages"]


def test_a_run_without_a_model_says_how_to_make_one(tmp_path, capsys):
    run = Run.create(tmp_path / "empty")
    assert main(["study", "transfer", str(run.path)]) == 2
    assert "stage 'train' has not been run" in capsys.readouterr().err


def test_a_run_whose_recordings_are_gone_asks_for_data(run, capsys):
    manifest = Run.open(run).manifest()
    manifest["source"]["path"] = str(run / "gone")
    Run.open(run).write_json("manifest.json", manifest)
    assert main(["study", "transfer", str(run), *QUICK]) == 2
    assert "no target" in capsys.readouterr().err
