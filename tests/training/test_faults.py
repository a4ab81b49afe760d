"""Trainings that go wrong: interrupted, damaged, diverging, without disk, or with clips that cannot be used."""

import csv
import json
import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.errors import CheckpointError, DataError, RunError, WorkError
from stgcn_lens.models.checkpoints import load, save
from stgcn_lens.runs import Run
from stgcn_lens.training import loop, train
from stgcn_lens.training.state import STATE
from tests.disk import no_file_above, no_right_to_write
from tests.training.clips import absent, clip_set, job, splits, with_clip
from tests.training.conftest import content


def at_epoch(number: int, act):
    """A progress callback that acts in the first step of that epoch."""

    def progress(step):
        if (step.epoch, step.step) == (number, 1):
            act()

    return progress


def interrupt():
    raise KeyboardInterrupt


def table(run: Run) -> dict[str, dict[str, str]]:
    with (run / "clips.csv").open(newline="") as stream:
        return {row["name"]: row for row in csv.DictReader(stream)}


def epochs_logged(run: Run) -> int:
    return len((run / "train_log.jsonl").read_text().splitlines())


@pytest.fixture(scope="module")
def clips() -> ClipSet:
    return clip_set(24)


@pytest.fixture(scope="module")
def whole(clips, tmp_path_factory) -> Run:
    """The uninterrupted training of `job(epochs=4)`."""
    run = Run.create(tmp_path_factory.mktemp("whole") / "run")
    train(run, clips, splits(clips), job(epochs=4))
    return run


@pytest.fixture
def interrupted(run, clips) -> Run:
    with pytest.raises(KeyboardInterrupt):
        train(run, clips, splits(clips), job(epochs=4), progress=at_epoch(3, interrupt))
    return run


# interrupted


def test_an_interrupted_training_keeps_its_finished_epochs_and_goes_on_from_them(interrupted, clips, whole):
    assert interrupted.manifest()["stages"]["train"]["status"] == "failed"
    assert torch.load(interrupted / STATE, weights_only=True)["epoch"] == 2
    assert epochs_logged(interrupted) == 2
    steps = []
    train(interrupted, clips, splits(clips), job(epochs=4), progress=steps.append)
    assert {step.epoch for step in steps} == {3, 4}
    assert (interrupted / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert epochs_logged(interrupted) == 4
    assert set(content(interrupted.path)) == set(content(whole.path))


def test_an_interrupted_training_does_not_prepare_its_clips_again(interrupted, clips, monkeypatch):
    def refuse(*_: object):
        raise AssertionError("prepared again")

    monkeypatch.setattr("stgcn_lens.training.prepared.prepare", refuse)
    train(interrupted, clips, splits(clips), job(epochs=4))


def test_another_job_does_not_take_over_an_interrupted_one(interrupted, clips):
    state = (interrupted / STATE).read_bytes()
    with pytest.raises(RunError):
        train(interrupted, clips, splits(clips), job(epochs=5))
    assert (interrupted / STATE).read_bytes() == state
    train(interrupted, clips, splits(clips), job(epochs=1), force=True)
    assert epochs_logged(interrupted) == 1
    assert not (interrupted / "cache").exists()


def test_force_starts_an_interrupted_training_over(interrupted, clips, whole):
    steps = []
    train(interrupted, clips, splits(clips), job(epochs=4), force=True, progress=steps.append)
    assert steps[0].epoch == 1
    assert (interrupted / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


class Trap:
    def __reduce__(self):
        return (Path.touch, (Path("ran"),))


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other", "pickle", "partial"])
def test_a_damaged_state_is_told_and_replaced_only_when_forced(interrupted, clips, damage, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    file = interrupted / STATE
    good = file.read_bytes()
    if damage == "other":
        torch.save([1, 2], file)
    elif damage == "partial":
        state = torch.load(file, weights_only=True)
        del state["model"]["head.bias"]
        torch.save(state, file)
    else:
        flipped = bytearray(good)
        flipped[len(good) // 2 : len(good) // 2 + 64] = bytes(64)
        flipped[:200] = bytes(200)
        contents = {"cut": good[:-1000], "flipped": flipped, "empty": b"", "pickle": pickle.dumps(Trap())}
        file.write_bytes(contents[damage])
    bad = file.read_bytes()
    with pytest.raises(CheckpointError, match="training state cannot be read") as caught:
        train(interrupted, clips, splits(clips), job(epochs=4))
    assert caught.value.file == str(file)
    assert "--force" in caught.value.fix
    assert file.read_bytes() == bad
    assert not Path("ran").exists()
    train(interrupted, clips, splits(clips), job(epochs=4), force=True)
    assert epochs_logged(interrupted) == 4


# diverging


@pytest.mark.parametrize("moment", ["first step", "third epoch"])
def test_weights_that_leave_the_finite_numbers_stop_the_training_and_keep_the_last_epoch(
    run, clips, whole, monkeypatch, moment
):
    first = {"first step": 0.0, "third epoch": 2.0}[moment]
    right = loop.learning_rate
    monkeypatch.setattr(loop, "learning_rate", lambda c, at: 1e38 if at >= first else right(c, at))
    with pytest.raises(WorkError) as caught:
        train(run, clips, splits(clips), job(epochs=4))
    epoch, message = int(first) + 1, str(caught.value)
    assert f"epoch {epoch}, step 1," in message or f"epoch {epoch}, step 2," in message
    assert "learning rate 1e+38" in message
    assert any(f"'{row.name}'" in message for row in clips.rows)
    assert "--lr" in caught.value.fix
    assert run.manifest()["stages"]["train"]["status"] == "failed"
    assert not (run / "model.safetensors").exists()
    assert (run / STATE).exists() == (epoch > 1)
    if epoch > 1:
        assert epochs_logged(run) == epoch - 1
        monkeypatch.undo()
        train(run, clips, splits(clips), job(epochs=4))
        assert (run / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_weights_that_are_finite_and_still_too_large_to_compute_with_are_not_kept(run, clips, monkeypatch):
    right = loop.learning_rate
    monkeypatch.setattr(loop, "learning_rate", lambda c, at: 1e35 if at > 2.6 else right(c, at))
    with pytest.raises(WorkError, match="not finite") as caught:
        train(run, clips, splits(clips), job(epochs=3))
    assert "24 clips" in str(caught.value)
    assert not (run / "model.safetensors").exists()


def test_the_clip_of_the_largest_coordinates_is_named(run, clips, monkeypatch):
    monkeypatch.setattr(loop, "learning_rate", lambda *_: 1e38)
    huge = with_clip(clips, 5, lambda c: c.replace(xyz=c.xyz * np.float32(1e12)))
    with pytest.raises(WorkError, match=r"epoch \d, step 1, learning rate .*'clip 05' with a value of \d.*e\+12"):
        train(run, huge, splits(huge), job(augment=False, batch=24))


# no room


def test_a_full_disk_in_the_middle_keeps_the_last_epoch(run, clips, whole):
    limit = no_file_above(8192)
    with pytest.raises(WorkError, match="cannot write") as caught:  # noqa: PT012
        try:
            train(run, clips, splits(clips), job(epochs=4), progress=at_epoch(3, limit.__enter__))
        finally:
            limit.__exit__(None, None, None)
    assert caught.value.file == str(run / STATE)
    assert torch.load(run / STATE, weights_only=True)["epoch"] == 2
    assert not [path for path in run.path.rglob("*.tmp")]
    train(run, clips, splits(clips), job(epochs=4))
    assert (run / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_a_folder_that_may_no_longer_be_written_keeps_the_last_epoch(clips, whole):
    with tempfile.TemporaryDirectory() as folder:  # not below pytest's own, which only root may enter
        Path(folder).chmod(0o755)
        run = Run.create(Path(folder) / "run")
        rights = no_right_to_write(run.path)
        with pytest.raises(WorkError, match=r"cannot write.*Permission denied") as caught:  # noqa: PT012
            try:
                train(run, clips, splits(clips), job(epochs=4), progress=at_epoch(3, rights.__enter__))
            finally:
                rights.__exit__(None, None, None)
        assert caught.value.file == str(run / STATE)
        assert torch.load(run / STATE, weights_only=True)["epoch"] == 2
        assert not [path for path in run.path.rglob("*.tmp")]
        train(run, clips, splits(clips), job(epochs=4))
        assert (run / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_a_disk_too_small_for_the_prepared_clips_is_told_and_left_clean(run, clips):
    with no_file_above(8192), pytest.raises(WorkError, match="cannot write"):
        train(run, clips, splits(clips), job())
    assert set(content(run.path)) == {"manifest.json"}
    assert run.manifest()["stages"]["train"]["status"] == "failed"


def test_a_disk_too_small_for_the_weights_leaves_the_old_ones(copy, finished):
    loaded = load(copy.path)
    before = content(copy.path)
    about = {"architecture": "stgcn", "classes": "ab", "preprocessing": loaded.preprocessing, "bodies": 1, "about": {}}
    with no_file_above(8192), pytest.raises(WorkError) as caught:
        save(copy.path, loaded.model, **about)
    assert caught.value.file == str(copy / "model.safetensors")
    assert content(copy.path) == before


# clips that cannot be used


def unknown(clip):
    xyz = clip.xyz.copy()
    xyz[1, 2, 3, 0] = np.nan
    return clip.replace(xyz=xyz)


def test_clips_that_cannot_be_prepared_are_listed_and_the_others_kept(run, clips):
    faulty = with_clip(with_clip(clips, 0, absent), 9, unknown)
    metrics = train(run, faulty, splits(faulty), job())
    record = run.manifest()["stages"]["train"]
    assert [each["clip"] for each in record["dropped"]] == ["clip 00", "clip 09"]
    assert "no body in any frame" in record["dropped"][0]["reason"]
    assert "frame 2" in record["dropped"][1]["reason"]
    rows = table(run)
    assert len(rows) == 24
    for name, row in rows.items():
        if name in ("clip 00", "clip 09"):
            assert (row["split"], row["predicted"], row["confidence"]) == ("dropped", "", "")
            assert row["label"] != ""
        else:
            assert row["split"] in ("train", "test")
            assert 0.5 <= float(row["confidence"]) <= 1
    assert sum(side["n"] for side in metrics.values()) == 22


def test_a_dropped_clip_stays_dropped_when_the_training_goes_on(run, clips):
    faulty = with_clip(clips, 0, absent)
    with pytest.raises(KeyboardInterrupt):
        train(run, faulty, splits(faulty), job(), progress=at_epoch(2, interrupt))
    train(run, faulty, splits(faulty), job())
    assert [each["clip"] for each in run.manifest()["stages"]["train"]["dropped"]] == ["clip 00"]


def test_only_the_clip_itself_is_dropped_where_names_repeat_or_hold_strange_signs(run, clips):
    named = ClipSet.from_clips([each.replace(name="a\tb\nc") for each in clips], clips.classes)
    faulty = with_clip(named, 3, absent)
    metrics = train(run, faulty, splits(faulty), job(epochs=1))
    assert sum(side["n"] for side in metrics.values()) == 23
    with (run / "clips.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [i for i, row in enumerate(rows) if row["split"] == "dropped"] == [3]
    assert {row["name"] for row in rows} == {"a\tb\nc"}


def test_nothing_to_train_on_is_told(run, clips):
    with pytest.raises(DataError, match="no usable training clip"):
        train(run, clips, np.full(24, "test"), job())


def test_a_label_without_a_class_is_told_before_anything_is_done(run, clips):
    for label in (2, -1):
        wrong = with_clip(clips, 7, lambda c, label=label: c.replace(label=label))
        with pytest.raises(DataError, match=rf"clip 07: label out of range: got {label}, expected 0 to 1"):
            train(run, wrong, splits(wrong), job())
    assert set(content(run.path)) == {"manifest.json"}


def test_one_class_alone_can_be_trained(run):
    alone = clip_set(12, classes=1)
    metrics = train(run, alone, splits(alone), job(epochs=1))
    assert metrics["test"] == {"top1": 1, "top5": 1, "mean_class_accuracy": 1, "n": 2}


def test_a_class_with_a_single_clip_can_be_trained(run, clips):
    rare = ClipSet.from_clips([c.replace(label=2) if i == 0 else c for i, c in enumerate(clips)], ["a", "b", "c"])
    train(run, rare, splits(rare), job(epochs=1))
    assert table(run)["clip 00"]["class_name"] == "c"


def test_a_set_without_test_clips_has_no_test_scores(run, clips):
    metrics = train(run, clips, np.full(24, "train"), job(epochs=1))
    assert set(metrics) == {"train"}
    assert {row["split"] for row in table(run).values()} == {"train"}
    with (run / "confusion.csv").open(newline="") as stream:
        assert [line[1:] for line in csv.reader(stream)][1:] == [["0", "0"], ["0", "0"]]


def test_unlabelled_clips_are_classified_but_neither_learned_nor_scored(run, clips):
    some = ClipSet.from_clips([c.replace(label=None) if i < 8 else c for i, c in enumerate(clips)], clips.classes)
    metrics = train(run, some, splits(some), job(epochs=1))
    labelled = splits(some)[8:]
    assert {side: metrics[side]["n"] for side in metrics} == {
        "train": int((labelled == "train").sum()),
        "test": int((labelled == "test").sum()),
    }
    row = table(run)["clip 00"]
    assert (row["label"], row["class_name"]) == ("", "")
    assert row["predicted"] in ("0", "1")
    with (run / "confusion.csv").open(newline="") as stream:
        counts = [int(count) for line in list(csv.reader(stream))[1:] for count in line[1:]]
    assert sum(counts) == metrics["test"]["n"]


def test_clips_of_one_frame_can_be_trained(run, clips):
    frames = [c.replace(xyz=c.xyz[:, :1], valid=c.valid[:1]) for c in clips]
    short = ClipSet.from_clips(frames, clips.classes)
    train(run, short, splits(short), job(epochs=1))
    assert {row["frames"] for row in table(run).values()} == {"1"}


def test_clips_of_two_dimensions_can_be_trained(run):
    flat = clip_set(16, classes=1, layout="openpose18")
    train(run, flat, splits(flat), job(epochs=1, random_moving=True, flip=True))
    assert json.loads((run / "model.json").read_text())["layout"] == "openpose18"
