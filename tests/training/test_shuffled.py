from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from stgcn_lens.cli import main
from stgcn_lens.errors import RunError
from stgcn_lens.runs import Run, plain
from stgcn_lens.training import TrainConfig, TrainJob, train
from stgcn_lens.training.shuffled import taught
from tests.training.clips import clip_set, job, splits


def test_labels_are_dealt_out_anew_among_the_clips_that_train_alone(rng) -> None:
    labels = rng.integers(-1, 4, 60)
    trains = rng.random(60) < 0.7
    mixed = taught(labels, trains, TrainConfig(shuffle_labels=True, seed=1))
    chosen = trains & (labels >= 0)
    assert (mixed[~chosen] == labels[~chosen]).all()
    assert (np.bincount(mixed[chosen]) == np.bincount(labels[chosen])).all()
    assert (mixed[chosen] != labels[chosen]).mean() > 0.5
    assert (mixed == taught(labels, trains, TrainConfig(shuffle_labels=True, seed=1))).all()
    assert (mixed != taught(labels, trains, TrainConfig(shuffle_labels=True, seed=2))).any()
    assert taught(labels, trains, TrainConfig(seed=1)) is labels


def test_it_is_the_same_as_training_on_clips_that_bear_these_labels(tmp_path) -> None:
    clips, wish = clip_set(24, classes=3), job(shuffle_labels=True, seed=4)
    mixed = taught(clips.labels, splits(clips) == "train", wish.training)
    rows = [replace(row, label=int(label)) for row, label in zip(clips.rows, mixed, strict=True)]
    runs = [Run.create(tmp_path / name) for name in ("flag", "labels")]
    metrics = train(runs[0], clips, splits(clips), wish)
    train(runs[1], replace(clips, rows=tuple(rows)), splits(clips), job(seed=4))
    one, other = (load_file(run / "model.safetensors") for run in runs)
    assert all(torch.equal(one[name], other[name]) for name in one)
    # What is scored are the clips' own labels.
    assert metrics["test"]["n"] == sum(splits(clips) == "test")


def test_a_training_without_it_is_told_as_before() -> None:
    assert "shuffle_labels" not in TrainConfig().told()
    assert TrainConfig(shuffle_labels=True).told()["shuffle_labels"] is True


@pytest.mark.parametrize(
    "wish",
    [
        TrainJob(),
        TrainJob(architecture="stgat", train_ids=(1, 3), only_classes=("wave", "2"), test_clips=3),
        TrainJob(training=TrainConfig(milestones=(3,), init=Path("runs/other"), new_head=True, freeze_below="block_2")),
    ],
)
def test_a_job_can_be_read_back_from_what_is_told_of_it(wish) -> None:
    told = plain(wish.told())
    again = TrainJob.read(told)
    assert again == wish
    assert plain(again.told()) == told


@pytest.mark.parametrize("broken", [{"architecture": "none"}, {"training": {"epoch": 3}}, {"model": {"depth": 1}}])
def test_a_job_of_another_version_is_refused_in_one_line(broken, tmp_path) -> None:
    with pytest.raises(RunError, match="not one that this version can repeat"):
        TrainJob.read({**plain(TrainJob().told()), **broken}, file=tmp_path)


def test_the_command_has_the_flag(tmp_path, capsys) -> None:
    assert main(["train", "--data", "x", "--out", "y", "--shuffle-labels", "--dry-run"]) == 0
    assert '"shuffle_labels": true' in capsys.readouterr().out
