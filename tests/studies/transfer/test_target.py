"""Which clips are the target: classes that the network does not know, sides, and few clips of each class."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.errors import DataError, LensError
from stgcn_lens.studies.transfer.config import TransferConfig
from stgcn_lens.studies.transfer.target import draw, neighbours, short, sides, target_clips
from tests import tiny
from tests.studies.transfer import made

LABELS = np.array([0] * 7 + [1] * 3 + [2] * 12)


@pytest.mark.parametrize("seed", [0, 1])
def test_fewer_shots_are_among_more_and_every_class_gives_as_many_as_asked_or_all_it_has(seed):
    few = [draw(LABELS, shots, seed) for shots in ("1", "5", "10", "full")]
    for less, more in pairwise(few):
        assert set(less) < set(more)
    assert [np.bincount(LABELS[rows]).tolist() for rows in few] == [[1, 1, 1], [5, 3, 5], [7, 3, 10], [7, 3, 12]]
    assert all((np.diff(rows) > 0).all() for rows in few)


def test_seeds_draw_other_clips_and_one_seed_always_the_same():
    assert np.array_equal(draw(LABELS, "5", 3), draw(LABELS, "5", 3))
    assert len({tuple(draw(LABELS, "5", seed)) for seed in range(6)}) > 3


def test_classes_that_are_short_of_clips_are_told():
    found = made.divided()
    sizes = found.sizes().tolist()
    assert sum(sizes) == len(found.train)
    told = short(found, ("1", "5", "100", "full"))
    assert told["100"] == dict(zip(made.TARGET.classes, sizes, strict=True))
    assert "1" not in told
    assert "full" not in told


def test_the_target_divides_as_train_does():
    found = made.divided()
    subjects = [made.TARGET.rows[i].subject for i in found.train]
    assert set(subjects) == {1, 3}  # of a set without protocol, odd subjects train
    assert not set(found.train) & set(found.test)
    other = sides(made.TARGET, np.ones(28, bool), replace(made.FAST, train_ids=(2, 4)))
    assert np.array_equal(other.train, found.test)


def test_clips_that_cannot_be_prepared_are_on_no_side():
    whole = made.divided()
    usable = np.ones(28, bool)
    usable[whole.train[0]] = usable[whole.test[0]] = False
    found = sides(made.TARGET, usable, made.FAST)
    assert np.array_equal(found.train, whole.train[1:])
    assert np.array_equal(found.test, whole.test[1:])


def test_a_single_test_clip_is_too_few():
    usable = np.ones(28, bool)
    usable[made.divided().test[1:]] = False
    with pytest.raises(DataError, match="too few test clips of the target that can be prepared: got 1"):
        sides(made.TARGET, usable, made.FAST)


def test_k_is_what_every_class_allows():
    found = made.divided()
    assert neighbours(found, made.FAST) == found.sizes().min() - 1
    assert neighbours(found, replace(made.FAST, k=2)) == 2


def test_too_few_clips_for_k_is_one_line():
    smallest = made.divided().sizes().min()
    with pytest.raises(DataError, match=f"fewer training clips than k in a class: got {smallest} of .*at most"):
        made.divided(config=replace(made.FAST, k=int(smallest)))
    labels = made.TARGET.labels
    lonely = made.TARGET.subset([*np.flatnonzero(labels < 2), int(np.flatnonzero(labels == 2)[0])])
    with pytest.raises(DataError, match=r"too few training clips: got [01] of 'duck', expected at least 2"):
        made.divided(lonely)


def test_all_classes_of_another_set_are_the_target(source):
    found = target_clips(source, made.network(source), made.TARGET, made.FAST)
    assert found.classes == made.TARGET.classes
    assert np.array_equal(found.labels, made.TARGET.labels)


def test_chosen_classes_are_renumbered_and_keep_their_clips(source):
    config = replace(made.FAST, target_classes=("duck", "0"))
    found = target_clips(source, made.network(source), made.TARGET, config)
    assert found.classes == ("raise left, hand", "duck")
    before = {row.name: made.TARGET.classes[row.label] for row in made.TARGET.rows}
    assert {row.name: found.classes[row.label] for row in found.rows} == {
        name: of for name, of in before.items() if of != "step"
    }
    row = found.rows[-1]
    assert np.array_equal(found[len(found) - 1].xyz, made.TARGET[made.TARGET.index(row.name)].xyz)


def renamed(clips: ClipSet, *classes: str) -> ClipSet:
    return replace(clips, classes=classes)


def test_of_the_runs_own_set_the_classes_that_it_was_trained_without_are_the_target(source):
    own, clips = tiny.clips(), list(tiny.clips())
    more = [clip.replace(name=f"new {i}", label=4 + i % 2) for i, clip in enumerate(clips)]
    whole = ClipSet.from_clips([*clips, *more], (*own.classes, "jump", "fall"))
    found = target_clips(source, made.network(source), whole, TransferConfig())
    assert found.classes == ("jump", "fall")
    assert len(found) == len(more)
    with pytest.raises(DataError, match="target classes that the network was trained on: got 'kick', 'sit'"):
        target_clips(source, made.network(source), whole, TransferConfig(target_classes=("sit", "kick", "jump")))
    with pytest.raises(DataError, match="too few classes in the target: got 0, where the network was trained on 3"):
        target_clips(source, made.network(source), own, TransferConfig())


def test_the_same_name_in_another_set_is_not_the_same_class(source):
    other = renamed(made.TARGET, "wave", "kick", "duck")
    assert target_clips(source, made.network(source), other, TransferConfig()).classes == other.classes


def test_another_layout_is_refused(source):
    from tests.training.clips import clip_set

    with pytest.raises(DataError, match="the clips do not fit the model"):
        target_clips(source, made.network(source), clip_set(8, layout="kinect20"), TransferConfig())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"shots": ()}, "shots empty or double"),
        ({"shots": ("5", "5")}, "shots empty or double"),
        ({"shots": ("0",)}, "impossible number of shots: got '0'"),
        ({"shots": ("many",)}, "impossible number of shots"),
        ({"seeds": (1, 1)}, "seeds empty or double"),
        ({"epochs": 0}, "epochs too small"),
        ({"batch": 1}, "batch too small"),
        ({"copies": -1}, "copies too small"),
        ({"k": 0}, "no neighbours"),
        ({"warmup": 1.0}, "impossible share of warm-up"),
        ({"lr": 0.0}, "impossible training"),
        ({"precision": "fp8"}, "unknown precision"),
    ],
)
def test_impossible_settings_are_refused(wrong, message):
    with pytest.raises(LensError, match=message):
        TransferConfig(**wrong)
