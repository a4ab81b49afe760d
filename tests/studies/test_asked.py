"""What is asked in words: classes, differences of classes, clips."""

import numpy as np
import pytest

from stgcn_lens.errors import LensError, RunError
from stgcn_lens.studies.asked import Target, clips, resolved, target

CLASSES = ("wave", "cross-arms", "sit", "cross", "arms", "7", "wave-sit")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("predicted", Target("predicted")),
        ("true", Target("true")),
        ("sit", Target(2)),
        ("3", Target(3)),
        ("7", Target(5)),  # a name goes before a number
        ("cross-arms", Target(1)),  # and before a difference
        ("wave-sit", Target(6)),
        ("wave-cross-arms", Target(0, 1)),
        ("cross-arms-7", Target(1, 5)),
        ("0-2", Target(0, 2)),
        ("predicted-true", Target("predicted", "true")),
        ("true-sit", Target("true", 2)),
        ("2-predicted", Target(2, "predicted")),
    ],
)
def test_a_class_or_a_difference_of_two_is_understood(words: str, expected: Target) -> None:
    assert target(words, CLASSES) == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("run", "no such target: got 'run', expected predicted, true, a class, or a difference such as wave-wave-sit"),
        ("sti", "of 'wave', 'cross-arms', 'sit'"),
        ("8", "no such target"),
        ("-1", "no such target"),
        ("sit-", "no such target"),
        ("sit-2", "a class against itself: got 'sit-2'"),
        ("true-true", "a class against itself"),
        ("", "no such target"),
    ],
)
def test_what_is_no_class_is_refused(words: str, message: str) -> None:
    with pytest.raises(LensError, match=message):
        target(words, CLASSES)


def test_a_difference_with_two_readings_is_refused() -> None:
    with pytest.raises(LensError, match="can be read in several ways: got 'a-b-c'; give the classes by number"):
        target("a-b-c", ("a", "b-c", "a-b", "c"))


LABELS, PREDICTED = np.array([0, 1, 2, 2]), np.array([0, 2, 2, 1])


@pytest.mark.parametrize(
    ("aim", "of", "against", "apart"),
    [
        (Target("predicted"), None, None, [1, 1, 1, 1]),
        (Target("true"), [0, 1, 2, 2], None, [1, 1, 1, 1]),
        (Target(3), [3, 3, 3, 3], None, [1, 1, 1, 1]),
        (Target(3, 1), [3, 3, 3, 3], [1, 1, 1, 1], [1, 1, 1, 1]),
        (Target("predicted", "true"), [2, 1], [1, 2], [0, 1, 0, 1]),
        (Target("true", 2), [0, 1], [2, 2], [1, 1, 0, 0]),
        (Target(2, "predicted"), [2, 2], [0, 1], [1, 0, 0, 1]),
    ],
)
def test_clips_whose_two_sides_are_one_class_are_left_out(aim, of, against, apart) -> None:
    found = resolved(aim, LABELS, lambda: PREDICTED)
    for got, wanted in zip(found, (of, against, apart), strict=True):
        assert (got is None) == (wanted is None)
        assert wanted is None or got.tolist() == wanted


def test_predictions_are_asked_only_where_a_difference_needs_them() -> None:
    for aim in (Target("predicted"), Target("true", 1), Target(0)):
        resolved(aim, LABELS, lambda: pytest.fail("asked"))


def test_classes_that_are_not_known_or_always_the_same_are_refused() -> None:
    unknown = np.array([0, -1, 2, -1])
    with pytest.raises(LensError, match="the true class is not known: got 2 clips without a label"):
        resolved(Target("true"), unknown, lambda: PREDICTED)
    with pytest.raises(LensError, match="not known"):
        resolved(Target(1, "true"), unknown, lambda: PREDICTED)
    with pytest.raises(LensError, match="a class against itself: got the same one on both sides in each of 4 clips"):
        resolved(Target("predicted", "true"), LABELS, lambda: LABELS)


NAMES = ("a", "b", "b", "12", "gone", "c d")
TABLE = [{"name": name, "split": "dropped" if name == "gone" else "test"} for name in NAMES]
ANALYSED = np.array([0, 1, 3])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("all",), [0, 1, 3]),
        (("3",), [0, 1, 3]),
        (("2",), [0, 3]),
        (("1",), [0]),
        (("12",), [3]),  # a name goes before a number
        (("c d", "a", "a"), [5, 0]),
    ],
)
def test_clips_are_all_so_many_spread_evenly_or_by_name(words, expected) -> None:
    assert clips(words, TABLE, ANALYSED, file="clips.csv").tolist() == expected


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (("4",), LensError, "so many clips are not under analysis: got 4, expected 1 to 3"),
        (("0",), LensError, "got 0"),
        (("z",), LensError, "clips.csv: no such clip: got 'z', expected one of 'a', 'b', '12', 'gone', 'c d'"),
        (("a", "2"), LensError, "no such clip: got '2'"),
        (("b",), LensError, "several clips of one name: got 2 called 'b'"),
        (("gone",), RunError, "a clip that could not be prepared: got 'gone'"),
        ((), LensError, "no clip to explain"),
    ],
)
def test_clips_that_are_not_there_are_refused(words, error, message) -> None:
    with pytest.raises(error, match=message):
        clips(words, TABLE, ANALYSED, file="clips.csv")
