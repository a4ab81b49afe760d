"""What a training does with sides other than train and test, and keeps of how its clips were chosen and cleaned."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.embeddings import EmbedConfig
from stgcn_lens.errors import LensError
from stgcn_lens.models.checkpoints import load
from stgcn_lens.runs import Run
from stgcn_lens.training import TrainJob, train
from tests.training.clips import clip_set, job, splits


def four_sides(clips):
    """Subject 4 tests, 3 validates, 2 is on no side."""
    return np.array([{4: "test", 3: "val", 2: "none"}.get(row.subject, "train") for row in clips.rows])


def test_every_side_has_its_scores_and_only_training_clips_have_a_say(tmp_path):
    clips = clip_set(40)
    sides = four_sides(clips)
    first, second = Run.create(tmp_path / "a"), Run.create(tmp_path / "b")
    metrics = train(first, clips, sides, job(epochs=2))
    assert {side: scores["n"] for side, scores in metrics.items()} == {"train": 10, "val": 10, "test": 10}
    with (first / "clips.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["split"] for row in rows] == sides.tolist()
    for side, scores in metrics.items():
        hits = [row["predicted"] == row["label"] for row in rows if row["split"] == side]
        assert np.mean(hits) == pytest.approx(scores["top1"])
    with (first / "confusion.csv").open(newline="") as stream:
        assert sum(int(n) for line in list(csv.reader(stream))[1:] for n in line[1:]) == 10
    train(second, clips, np.where(sides == "train", sides, "test"), job(epochs=2))
    assert (first / "model.safetensors").read_bytes() == (second / "model.safetensors").read_bytes()


def test_what_the_clips_were_chosen_by_is_among_the_inputs_and_decides(run):
    clips = clip_set(16)
    train(run, clips, splits(clips), job(epochs=1), files={"split file": "abc"})
    assert run.manifest()["stages"]["train"]["inputs"]["split file"] == "abc"
    steps = []
    train(run, clips, splits(clips), job(epochs=1), files={"split file": "abc"}, progress=steps.append)
    assert steps == []
    with pytest.raises(LensError, match="another configuration"):
        train(run, clips, splits(clips), job(epochs=1), files={"split file": "abd"})


def test_the_switches_of_gaps_are_kept_with_the_weights(run):
    clips = clip_set(16)
    prep = Preprocessing(frames=12, scale=False, long_gaps="cut", joint_gap=3, max_gap=4)
    train(run, clips, splits(clips), replace(job(epochs=1), preprocessing=prep))
    kept = json.loads((run / "model.json").read_text())["preprocessing"]
    assert (kept["long_gaps"], kept["joint_gap"], kept["max_gap"]) == ("cut", 3, 4)
    assert load(run.path).preprocessing == prep


def test_weights_from_before_these_switches_are_used_as_they_were_trained(copy):
    about = json.loads((copy / "model.json").read_text())
    assert about["preprocessing"].pop("long_gaps") == "refuse"
    assert about["preprocessing"].pop("joint_gap") == 0
    (copy / "model.json").write_text(json.dumps(about))
    assert load(copy.path).preprocessing.long_gaps == "cut"


def test_a_pause_that_is_too_long_drops_the_clip_and_says_so(run):
    def pausing(clip):
        xyz, valid = np.repeat(clip.xyz, 3, axis=1), np.repeat(clip.valid, 3, axis=0)
        xyz[:, 5:17], valid[5:17] = 0, False
        return clip.replace(xyz=xyz, valid=valid)

    clips = ClipSet.from_clips([pausing(c) if i == 3 else c for i, c in enumerate(clip_set(16))], clip_set(1).classes)
    train(run, clips, splits(clips), job(epochs=1))
    (dropped,) = run.manifest()["stages"]["train"]["dropped"]
    assert dropped["clip"] == "clip 03"
    assert "frame 5: nobody is there for too long: got 12 frames" in dropped["reason"]


@pytest.mark.parametrize(("change", "message"), [({"split": " "}, "no split"), ({"validation": 1.0}, "share")])
def test_an_impossible_division_is_refused(change, message):
    with pytest.raises(LensError, match=message):
        TrainJob(**change)


def test_the_validation_side_can_be_analysed():
    assert EmbedConfig(split="val").split == "val"
