"""What a training leaves in the run folder, and that the same job always ends in the same weights."""

import csv
import json

import numpy as np
import pytest
import torch

from stgcn_lens.data.batches import batches
from stgcn_lens.errors import LensError, RunError
from stgcn_lens.models.checkpoints import load
from stgcn_lens.runs import Run
from stgcn_lens.training import TrainConfig, TrainJob, choose, predict, train
from stgcn_lens.training.state import STATE
from tests.training.clips import CLASSES, clip_set, job, splits
from tests.training.conftest import EPOCHS, content

COLUMNS = "clip,name,label,class_name,subject,view,split,frames,bodies,predicted,confidence"


def table(run: Run) -> list[dict[str, str]]:
    with (run / "clips.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def log(run: Run) -> list[dict]:
    return [json.loads(line) for line in (run / "train_log.jsonl").read_text().splitlines()]


def weights(run: Run) -> bytes:
    return (run / "model.safetensors").read_bytes()


# what is left


def test_classes_that_are_easily_told_apart_are_learned(finished):
    assert finished.metrics["train"]["top1"] > 0.9
    assert finished.metrics["test"]["top1"] > 0.9
    assert (finished.metrics["train"]["n"], finished.metrics["test"]["n"]) == (30, 10)


def test_the_run_holds_the_files_of_the_contract_and_no_other(finished):
    assert set(content(finished.run.path)) == {
        *("manifest.json", "clips.csv", "model.safetensors", "model.json", "metrics.json", "confusion.csv"),
        *("train_log.jsonl", ".lock"),
    }
    assert not [path for path in finished.run.path.iterdir() if path.is_dir()]


def test_clips_csv_has_a_row_for_every_clip_with_its_prediction(finished):
    assert (finished.run / "clips.csv").read_text().splitlines()[0] == COLUMNS
    rows, sides = table(finished.run), splits(finished.clips)
    assert [row["clip"] for row in rows] == [str(i) for i in range(40)]
    model = load(finished.run.path)
    for i, (row, known) in enumerate(zip(rows, finished.clips.rows, strict=True)):
        assert row["name"] == known.name
        assert row["label"] == str(known.label)
        assert row["class_name"] == CLASSES[known.label]
        assert (row["subject"], row["view"], row["split"]) == (str(known.subject), "", sides[i])
        assert (row["frames"], row["bodies"]) == (str(known.frames), "1")
    chosen = next(batches(finished.clips, range(40), model.preprocessing, model.bodies, 40))
    with torch.no_grad():
        probability = model.model(torch.from_numpy(chosen.x)).softmax(dim=1)
    best = probability.max(dim=1)
    assert [int(row["predicted"]) for row in rows] == best.indices.tolist()
    np.testing.assert_allclose([float(row["confidence"]) for row in rows], best.values.numpy(), atol=2e-6)


def test_metrics_and_confusion_agree_with_clips_csv(finished):
    metrics = finished.run.read_json("metrics.json")
    assert metrics == finished.metrics
    rows = table(finished.run)
    for side in ("train", "test"):
        of_side = [row for row in rows if row["split"] == side]
        hits = [row["predicted"] == row["label"] for row in of_side]
        assert metrics[side]["top1"] == pytest.approx(np.mean(hits))
        assert metrics[side]["n"] == len(of_side)
        assert set(metrics[side]) == {"top1", "top5", "mean_class_accuracy", "n"}
    with (finished.run / "confusion.csv").open(newline="") as stream:
        header, *lines = csv.reader(stream)
    assert header[1:] == list(CLASSES[:2]) == [line[0] for line in lines]
    for label, line in enumerate(lines):
        for guess, count in enumerate(map(int, line[1:])):
            same = [r for r in rows if (r["split"], r["label"], r["predicted"]) == ("test", str(label), str(guess))]
            assert count == len(same)


def test_the_log_has_a_line_for_each_epoch(finished):
    lines = log(finished.run)
    assert [line["epoch"] for line in lines] == list(range(1, EPOCHS + 1))
    assert all(set(line) == {"epoch", "loss", "top1", "lr", "seconds", "waited"} for line in lines)
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert lines[-1]["lr"] < 0.1 * max(line["lr"] for line in lines)


def test_progress_counts_every_step_and_ends_at_the_logs_numbers(finished):
    steps = finished.steps
    assert [(s.epoch, s.step) for s in steps] == [(e, s) for e in range(1, EPOCHS + 1) for s in range(1, 5)]
    assert {(s.epochs, s.steps) for s in steps} == {(EPOCHS, 4)}
    for line, last in zip(log(finished.run), steps[3::4], strict=True):
        assert (last.loss, last.top1) == pytest.approx((line["loss"], line["top1"]))


def test_the_manifest_says_how_the_weights_came_about(finished):
    record = finished.run.manifest()["stages"]["train"]
    assert record["status"] == "done"
    assert record["seed"] == 0
    assert record["config"]["training"]["epochs"] == EPOCHS
    assert record["inputs"]["clips"] == finished.clips.fingerprint()
    assert record["weights"] == load(finished.run.path).hash
    assert record["dropped"] == []


def test_the_checkpoint_has_the_classes_and_preprocessing_of_the_job(finished):
    loaded = load(finished.run.path)
    assert loaded.classes == CLASSES[:2]
    assert loaded.preprocessing == job().preprocessing
    assert loaded.bodies == 1  # no clip has two
    assert loaded.layout.name == "ntu25"


# the same again


def test_the_same_call_again_does_nothing(copy, finished):
    before = {path: path.stat().st_mtime_ns for path in copy.path.iterdir()}
    steps = []
    again = train(copy, finished.clips, splits(finished.clips), job(epochs=EPOCHS), progress=steps.append)
    assert steps == []
    assert again == finished.metrics
    assert {path: path.stat().st_mtime_ns for path in copy.path.iterdir()} == before


def test_what_a_kill_after_the_last_file_left_is_removed_by_the_next_call(copy, finished):
    (copy / STATE).write_text("x")
    (copy / "cache" / "deep").mkdir(parents=True)
    train(copy, finished.clips, splits(finished.clips), job(epochs=EPOCHS))
    assert set(content(copy.path)) == set(content(finished.run.path))
    assert not (copy / "cache").exists()


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """Weights of a short training by what is different about it."""
    clips, folder, known = clip_set(16), tmp_path_factory.mktemp("short"), {}

    def weights_of(**training: object) -> bytes:
        key = repr(training)
        if key not in known:
            run = Run.create(folder / str(len(known)))
            train(run, clips, splits(clips), job(**training))
            known[key] = weights(run)
        return known[key]

    return weights_of


def test_the_same_seed_gives_the_same_weights_bit_for_bit_whatever_was_drawn_before(short, tmp_path):
    torch.manual_seed(1234)
    clips, run = clip_set(16), Run.create(tmp_path / "again")
    outside = torch.get_rng_state()
    train(run, clips, splits(clips), job())
    assert weights(run) == short()
    assert torch.equal(torch.get_rng_state(), outside)


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"augment": False}, {"flip": True}, {"batch": 4}, {"label_smoothing": 0.3}], ids=str
)
def test_seed_and_every_switch_change_the_weights(short, change):
    assert short(**change) != short()


def test_every_epoch_sees_each_training_clip_once_in_an_order_of_its_own(run, monkeypatch):
    clips, seen = clip_set(16), []

    def spy(x, *_: object):
        seen.extend(x.sum(dim=(1, 2, 3, 4)).tolist())
        return x

    monkeypatch.setattr("stgcn_lens.training.loop.augment", spy)
    train(run, clips, splits(clips), job(epochs=3))
    preprocessing = load(run.path).preprocessing
    pool = next(batches(clips, np.flatnonzero(splits(clips) == "train"), preprocessing, 1, 16)).x.sum(axis=(1, 2, 3, 4))
    epochs = np.array(seen).reshape(3, len(pool))
    np.testing.assert_allclose(np.sort(epochs), np.broadcast_to(np.sort(pool), epochs.shape), rtol=1e-4, atol=1e-3)
    assert len({tuple(order) for order in epochs.tolist()}) == 3


def test_test_clips_do_not_touch_the_weights(short, tmp_path):
    clips, run = clip_set(16), Run.create(tmp_path / "other")
    other = [c.replace(xyz=c.xyz[:, ::-1] + 1) if c.subject == 4 else c for c in clips]
    changed = type(clips).from_clips(other, clips.classes)
    assert any((splits(clips) == "test") & (clips.labels >= 0))
    train(run, changed, splits(changed), job())
    assert weights(run) == short()


# another job on the run


@pytest.mark.parametrize("what", ["config", "clips", "splits"])
def test_another_job_on_a_trained_run_is_refused_unless_forced(copy, finished, what):
    clips, sides, task, before = finished.clips, splits(finished.clips), job(epochs=EPOCHS), content(copy.path)
    if what == "config":
        task = job(epochs=1)
    elif what == "clips":
        clips, sides = clip_set(16), splits(clip_set(16))
        task = job(epochs=1)
    else:
        sides = np.where(sides == "test", "train", sides)
    with pytest.raises(RunError, match="another configuration or other clips") as caught:
        train(copy, clips, sides, task)
    assert "--force" in caught.value.fix
    assert content(copy.path) == before
    if what != "splits":
        train(copy, clips, sides, task, force=True)
        assert len(log(copy)) == 1
        assert copy.manifest()["stages"]["train"]["config"]["training"]["epochs"] == 1
        assert set(content(copy.path)) == set(before)


def test_a_job_that_failed_before_it_had_weights_does_not_stand_in_the_way(run):
    clips = clip_set(16)
    with pytest.raises(LensError):
        train(run, clips, np.full(16, "test"), job(epochs=1))
    train(run, clips, splits(clips), job(epochs=1))
    assert run.manifest()["stages"]["train"]["status"] == "done"


def test_force_trains_again_to_the_same_weights(copy, finished):
    before, steps = weights(copy), []
    train(copy, finished.clips, splits(finished.clips), job(epochs=EPOCHS), force=True, progress=steps.append)
    assert len(steps) == len(finished.steps)
    assert weights(copy) == before


# devices and names


def test_devices():
    assert choose("cpu") == "cpu"
    assert choose("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(LensError, match="got 'tpu', expected auto, cpu or cuda"):
        choose("tpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_told():
    with pytest.raises(LensError, match="no CUDA device") as caught:
        choose("cuda")
    assert caught.value.fix == "use --device cpu"


def test_an_unknown_architecture_is_refused_with_those_there_are():
    with pytest.raises(LensError, match="got 'stgnc', expected one of stgcn"):
        TrainJob(architecture="stgnc", training=TrainConfig())


def test_predictions_do_not_depend_on_the_batch_and_leave_the_model_as_it_was(finished):
    loaded = load(finished.run.path)
    x = next(batches(finished.clips, range(10), loaded.preprocessing, 1, 10)).x
    model, seen = loaded.model.train(), []
    whole = predict(model, x, device="cpu", batch=10)
    parts = predict(model, x, device="cpu", batch=3, progress=lambda *at: seen.append(at))
    np.testing.assert_allclose(whole, parts, rtol=1e-4, atol=1e-5)
    assert model.training
    assert seen == [(3, 10), (6, 10), (9, 10), (10, 10)]
