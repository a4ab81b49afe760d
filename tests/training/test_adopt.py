"""A network that is already trained looks at clips, if they fit it."""

import csv

import numpy as np
import pytest

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.errors import CheckpointError, DataError, RunError
from stgcn_lens.models.checkpoints import load
from stgcn_lens.training.adopt import adopt
from tests.training.clips import absent, clip_set, with_clip
from tests.training.conftest import content


def table(run) -> list[dict[str, str]]:
    with (run / "clips.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_run_has_the_checkpoint_and_every_clip_as_a_test_clip(run, finished):
    seen = []
    metrics = adopt(run, finished.run.path, finished.clips, progress=lambda *at: seen.append(at))
    assert set(metrics) == {"test"}
    both = finished.metrics["train"]["top1"] * 30 + finished.metrics["test"]["top1"] * 10
    assert metrics["test"]["top1"] == pytest.approx(both / 40)
    assert (run / "model.safetensors").read_bytes() == (finished.run / "model.safetensors").read_bytes()
    assert load(run.path).preprocessing == load(finished.run.path).preprocessing
    mine, theirs = table(run), table(finished.run)
    assert {row["split"] for row in mine} == {"test"}
    assert [row["predicted"] for row in mine] == [row["predicted"] for row in theirs]
    expected = {"manifest.json", "clips.csv", "model.safetensors", "model.json", "metrics.json", "confusion.csv"}
    assert set(content(run.path)) == expected
    assert seen[-1] == (40, 40)
    record = run.manifest()["stages"]["train"]
    assert (record["status"], record["weights"]) == ("done", load(finished.run.path).hash)


def test_the_same_call_again_does_nothing(run, finished):
    first = adopt(run, finished.run.path, finished.clips)
    before, seen = {path: path.stat().st_mtime_ns for path in run.path.iterdir()}, []
    assert adopt(run, finished.run.path, finished.clips, progress=lambda *at: seen.append(at)) == first
    assert seen == []
    assert {path: path.stat().st_mtime_ns for path in run.path.iterdir()} == before


def test_other_clips_take_the_place_of_the_first_ones(run, finished):
    adopt(run, finished.run.path, finished.clips)
    adopt(run, finished.run.path, finished.clips.subset([3, 4]))
    assert [row["name"] for row in table(run)] == ["clip 03", "clip 04"]


def test_a_training_is_not_replaced_unasked(copy, finished):
    before = content(copy.path)
    with pytest.raises(RunError, match="holds a training") as caught:
        adopt(copy, finished.run.path, finished.clips)
    assert "--force" in caught.value.fix
    assert content(copy.path) == before
    assert adopt(copy, finished.run.path, finished.clips, force=True)["test"]["n"] == 40


@pytest.mark.parametrize(
    ("kind", "told", "clips"),
    [
        (
            DataError,
            r"got layout 'ntu25-hand', .* expected layout 'ntu25', .* --to-layout ntu25",
            lambda: ClipSet.from_clips([c.replace(layout="ntu25-hand") for c in clip_set(4)], clip_set(4).classes),
        ),
        (
            DataError,
            "got layout 'coco17', 3 channels x 17 joints = 51 numbers a frame, "
            "expected layout 'ntu25', 3 channels x 25 joints = 75 numbers a frame; clips in 2-D cannot become 3-D ones",
            lambda: clip_set(4, classes=1, layout="coco17"),
        ),
        (
            DataError,
            "2 channels x 25 joints = 50 numbers a frame, expected .* 3 channels x 25 .*; make clips of 3 channels",
            lambda: ClipSet.from_clips([c.replace(xyz=c.xyz[:2]) for c in clip_set(4)], clip_set(4).classes),
        ),
        (CheckpointError, "other classes", lambda: ClipSet.from_clips(clip_set(4), clip_set(4).classes[::-1])),
    ],
    ids=["bones", "joints", "channels", "classes"],
)
def test_clips_that_do_not_fit_are_refused_with_both_sides_and_nothing_is_written(run, finished, kind, told, clips):
    before = content(run.path)
    with pytest.raises(kind, match=told) as caught:
        adopt(run, finished.run.path, clips())
    assert caught.value.file == str(finished.run.path)
    assert caught.value.got != caught.value.expected
    assert content(run.path) == before


def test_a_clip_that_cannot_be_prepared_is_listed_and_the_others_kept(run, finished):
    faulty = with_clip(finished.clips, 2, absent)
    assert adopt(run, finished.run.path, faulty)["test"]["n"] == 39
    rows = table(run)
    assert [row["name"] for row in rows if row["split"] == "dropped"] == ["clip 02"]
    assert [each["clip"] for each in run.manifest()["stages"]["train"]["dropped"]] == ["clip 02"]
    others = [row["predicted"] for row in rows if row["split"] == "test"]
    assert others == [row["predicted"] for i, row in enumerate(table(finished.run)) if i != 2]


def test_clips_of_which_none_can_be_prepared_are_told(run, finished):
    with pytest.raises(DataError, match="no body in any frame"):
        adopt(run, finished.run.path, ClipSet.from_clips([absent(c) for c in clip_set(3)], finished.clips.classes))


def test_clips_without_labels_are_classified_and_not_scored(run, finished):
    nameless = ClipSet.from_clips([c.replace(label=None) for c in clip_set(6)], finished.clips.classes)
    assert adopt(run, finished.run.path, nameless) == {}
    assert [row["label"] for row in table(run)] == [""] * 6
    assert [row["predicted"] for row in table(run)] == [row["predicted"] for row in table(finished.run)[:6]]


def test_clips_with_more_bodies_than_the_network_has_slots_are_cut_to_the_main_one(run, finished):
    def doubled(clip):
        xyz = np.concatenate([clip.xyz * 0.5, clip.xyz], axis=3)
        return clip.replace(xyz=xyz, valid=np.repeat(clip.valid, 2, axis=1))

    two = ClipSet.from_clips([doubled(c) for c in finished.clips], finished.clips.classes)
    adopt(run, finished.run.path, two)
    assert [row["predicted"] for row in table(run)] == [row["predicted"] for row in table(finished.run)]
    assert {row["bodies"] for row in table(run)} == {"2"}
