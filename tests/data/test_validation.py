"""What validates is held back as whole people, or by the same share of each class, and never more than asked of."""

import numpy as np
import pytest

from stgcn_lens.data.dataset import Row
from stgcn_lens.data.validation import carve
from stgcn_lens.errors import DataError


def rows(subject=None, setup=None, view=None, label=None):
    n = max(len(ids) for ids in (subject, setup, view, label) if ids is not None)
    blank = [None] * n
    given = zip(label or [0] * n, subject or blank, view or blank, setup or blank, strict=True)
    return [Row(f"clip {i}", *ids, 10, 1) for i, ids in enumerate(given)]


def sides(text):
    """ "ttx-" -> train, train, test, none."""
    return np.array([{"t": "train", "x": "test", "-": "none", "v": "val"}[letter] for letter in text])


@pytest.mark.parametrize("seed", range(8))
def test_nobody_trains_and_validates(seed, rng):
    subject = rng.integers(1, 13, 200).tolist()
    before = np.where(np.array(subject) > 9, "test", "train")
    after = carve(rows(subject, setup=[1, 2] * 100), before, 0.3, seed)
    ids = {side: {s for s, at in zip(subject, after, strict=True) if at == side} for side in ("train", "val", "test")}
    assert not ids["train"] & ids["val"]
    assert ids["test"] == {10, 11, 12}
    assert ids["train"] | ids["val"] == set(range(1, 10))
    assert 0.15 < (after == "val").sum() / (before == "train").sum() < 0.45
    assert set(after[before == "train"]) == {"train", "val"}
    np.testing.assert_array_equal(after[before == "test"], "test")


def test_the_draw_is_the_same_for_a_seed_and_another_for_others():
    people = rows([1, 2, 3, 4, 5, 6] * 5)
    draws = [carve(people, sides("t" * 30), 0.2, seed).tolist() for seed in range(12)]
    assert draws[3] == carve(people, sides("t" * 30), 0.2, 3).tolist()
    assert len({tuple(draw) for draw in draws}) > 3


def test_a_small_share_holds_back_one_whole_subject_at_least():
    after = carve(rows([1] * 10 + [2] * 10), sides("t" * 20), 0.01)
    assert sorted(after.tolist()) == ["train"] * 10 + ["val"] * 10


def test_without_subjects_whole_setups_or_views_are_held_back():
    setups = [1, 1, 2, 2, 3, 3]
    after = carve(rows(setup=setups, view=[1, 2] * 3), sides("tttttt"), 0.3)
    assert {s for s, at in zip(setups, after, strict=True) if at == "val"} in ({1}, {2}, {3})
    assert (after == "val").sum() == 2
    views = carve(rows(setup=[1] * 6, view=[2, 3, 3, 2, 3, 2]), sides("tttttt"), 0.3)
    assert {v for v, at in zip([2, 3, 3, 2, 3, 2], views, strict=True) if at == "val"} in ({2}, {3})
    assert (views == "val").sum() == 3


def test_where_nothing_is_known_every_class_gives_the_same_share():
    label = [0] * 40 + [1] * 20 + [2] * 10 + [None] * 5 + [3]
    after = carve(rows(label=label), sides("t" * 76), 0.2, seed=1)
    held = [sum(at == "val" for at, own in zip(after, label, strict=True) if own == c) for c in (0, 1, 2, None, 3)]
    assert held == [8, 4, 2, 0, 0]


def test_small_classes_share_what_rounding_leaves():
    after = carve(rows(label=[c for c in range(10) for _ in range(4)]), sides("t" * 40), 0.1)
    assert (after == "val").sum() == 4


def test_clips_that_do_not_say_who_acts_go_on_training():
    for seed in range(6):
        after = carve(rows([1, 2, None, None]), sides("tttt"), 0.5, seed)
        assert after[2:].tolist() == ["train", "train"]
        assert (after == "val").sum() == 1


def test_no_class_loses_its_last_training_clip():
    # Subject 3 alone does class 1, so that only 1 and 2 may go.
    for seed in range(8):
        after = carve(rows([1, 1, 2, 2, 3, 3], label=[0, 0, 0, 0, 1, 1]), sides("tttttt"), 0.4, seed)
        assert after[4:].tolist() == ["train", "train"]
        assert (after == "val").sum() == 2


@pytest.mark.parametrize(
    ("given", "at", "message"),
    [
        (rows([4, 4, 4]), "ttt", "got a single subject trains, number 4, expected more than one subject"),
        (rows([1, 2], label=[0, 1]), "tt", "got 2 training clips, of which no subject can go, expected every class"),
        (rows(label=[0, 1, 2]), "ttt", "got 3 training clips, of which no clip can go"),
        (rows([1, 2, 3]), "tvt", "have a validation side already: got 1 clips"),
    ],
)
def test_where_nothing_can_be_held_back_it_is_told(given, at, message):
    with pytest.raises(DataError, match=message) as caught:
        carve(given, sides(at), 0.3)
    assert "--validation" in caught.value.fix


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_a_share_is_between_nothing_and_all(share):
    with pytest.raises(DataError, match="impossible share"):
        carve(rows([1, 2]), sides("tt"), share)
