"""Testing with several views of a clip, and scores of some classes."""

import json

import numpy as np
import pytest

from stgcn_lens.data.batches import batches
from stgcn_lens.data.transforms import Preprocessing, clean, prepare
from stgcn_lens.errors import DataError, LensError
from stgcn_lens.models.checkpoints import load
from stgcn_lens.training import TrainJob, predict, train
from stgcn_lens.training.answers import predict_views, seen
from stgcn_lens.training.metrics import chosen_classes, scores, subset_scores
from tests.data.people import clip
from tests.training.clips import CLASSES, clip_set, job, splits

FITS = ("resample", "crop", "replay")
BARE = {"rotate": False, "scale": False, "centre": "none", "drop_empty": False}


def ramp(frames: int):
    """A clip whose first joint's x is the number of the frame."""
    made = clip(frames)
    xyz = made.xyz.copy()
    xyz[0, :, 0, 0] = np.arange(frames)
    return made.replace(xyz=xyz)


def shown(frames: int, fit: str, views: int, t: int = 8) -> list[list[float]]:
    """Numbers of the frames that each view shows."""
    return [x[0, :, 0, 0].tolist() for x in seen(ramp(frames), Preprocessing(frames=t, fit=fit, **BARE), 1, views)]


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("stream", ["joint", "bone-motion"])
@pytest.mark.parametrize("frames", [1, 5, 8, 21])
def test_a_single_view_is_the_prepared_clip(fit, stream, frames):
    prep = Preprocessing(frames=8, fit=fit, stream=stream)
    only = seen(clip(frames, 2), prep, 2, 1)
    assert len(only) == 1
    assert np.array_equal(only[0], prepare(clip(frames, 2), prep, 2).x)


def test_views_of_a_resampled_clip_lie_between_its_frames_at_equal_distances():
    views = np.array(shown(29, "resample", 4))  # a step of 4 frames
    np.testing.assert_allclose(views[:, 1:-1].mean(axis=0), np.arange(4, 28, 4), atol=1e-5)
    np.testing.assert_allclose(np.diff(views[:, 1:-1], axis=0), 1, atol=1e-5)
    assert views.min() == 0
    assert views.max() == 28


def test_views_of_a_cropped_clip_go_from_its_start_to_its_end():
    assert shown(20, "crop", 4) == [list(range(begin, begin + 8)) for begin in (0, 4, 8, 12)]
    assert shown(20, "replay", 4) == shown(20, "crop", 4)


def test_views_of_a_repeated_clip_start_at_other_frames_and_of_a_short_crop_are_all_one():
    assert shown(5, "replay", 2, t=7) == [[0, 1, 2, 3, 4, 0, 1], [2, 3, 4, 0, 1, 2, 3]]
    crop = shown(5, "crop", 3)
    assert crop[0] == crop[1] == crop[2] == [0, 1, 2, 3, 4, 0, 0, 0]


@pytest.mark.parametrize("fit", FITS)
def test_views_of_motion_are_the_motion_of_the_views(fit):
    prep = Preprocessing(frames=8, fit=fit, stream="joint-motion", **BARE)
    place = seen(ramp(21), Preprocessing(frames=8, fit=fit, **BARE), 1, 3)
    for moved, still in zip(seen(ramp(21), prep, 1, 3), place, strict=True):
        np.testing.assert_allclose(moved[0, :-1, 0, 0], np.diff(still[0, :, 0, 0]), atol=1e-5)
    assert clean(ramp(21), prep).frames == 21


def test_an_answer_is_the_mean_of_the_views_answers(finished):
    loaded = load(finished.run.path)
    model, prep, rows = loaded.model, loaded.preprocessing, [3, 0, 7]
    got = predict_views(model, finished.clips, rows, prep, 1, 3, device="cpu", batch=4)
    each = [predict(model, np.stack(seen(finished.clips[i], prep, 1, 3)), device="cpu", batch=3) for i in rows]
    np.testing.assert_allclose(got, [views.mean(axis=0) for views in each], rtol=1e-5, atol=1e-6)
    x = next(batches(finished.clips, rows, prep, 1, 3)).x
    once = predict_views(model, finished.clips, rows, prep, 1, 1, device="cpu", batch=2)
    np.testing.assert_allclose(once, predict(model, x, device="cpu", batch=3), rtol=1e-5, atol=1e-6)


def test_clips_that_do_not_train_are_seen_several_times_and_it_is_recorded(run, finished):
    from dataclasses import replace

    clips = clip_set(20)
    metrics = train(run, clips, splits(clips), replace(job(epochs=1), test_clips=3, only_classes=("step",)))
    assert metrics["test"]["test_clips"] == 3
    assert "test_clips" not in metrics["train"]
    assert json.loads((run / "model.json").read_text())["about"]["test_clips"] == 3
    assert metrics["test"]["only"]["classes"] == ["step"]
    assert metrics["test"]["only"]["among_these"]["top1"] == 1
    assert metrics["test"]["only"]["among_all"]["n"] == metrics["test"]["n"] // 2
    assert run.read_json("metrics.json") == metrics


def test_no_view_is_refused():
    with pytest.raises(LensError, match="got 0, expected --test-clips >= 1"):
        TrainJob(test_clips=0)


# some classes


def test_classes_are_chosen_by_name_and_by_number():
    assert chosen_classes(("duck", "0", "duck"), CLASSES) == [0, 2]
    assert chosen_classes(("1",), ("x", "y", "1")) == [2]  # a name comes before a number
    assert chosen_classes((), CLASSES) == []
    for wrong in ("jump", "3", "-1"):
        with pytest.raises(DataError, match=rf"got '{wrong}', expected 0 to 2, or of raise left, hand, step, duck"):
            chosen_classes((wrong,), CLASSES)


def test_some_classes_are_scored_among_all_and_among_themselves(rng):
    labels = rng.integers(-1, 5, 60)
    logits, sides = rng.normal(size=(60, 5)), np.where(np.arange(60) % 3, "test", "train")
    got, only = subset_scores(logits, labels, sides, [1, 4]), np.isin(labels, [1, 4])
    for side in ("train", "test"):
        here = only & (sides == side)
        assert got[side]["among_all"] == scores(logits[here], labels[here])
        assert got[side]["among_these"] == scores(logits[here][:, [1, 4]], (labels[here] == 4).astype(int))
        assert got[side]["among_these"]["top1"] > got[side]["among_all"]["top1"]


def test_a_side_without_a_clip_of_these_classes_has_no_score():
    sides = np.array(["train", "test"])
    assert set(subset_scores(np.eye(2), np.array([0, 1]), sides, [0])) == {"train"}
