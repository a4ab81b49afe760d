"""Published protocols as they are published, and clear words where a set cannot be split."""

import numpy as np
import pytest

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.splits import PROTOCOLS, describe, split
from stgcn_lens.errors import DataError
from tests.data import people


def made(protocol="generic", **ids):
    """A set with one clip for each of the given ids, e.g. subject=[1, 2, None]."""
    n = len(next(iter(ids.values())))
    blank = {"subject": None, "view": None, "setup": None}
    clips = [
        people.clip(2, name=f"clip {i}", **{**blank, **{key: values[i] for key, values in ids.items()}})
        for i in range(n)
    ]
    return ClipSet.from_clips(clips, ["a", "b", "c", "d"], protocol=protocol)


def training(protocol, by, ids):
    side = split(made(protocol, **{by: ids}), by)
    return [i for i, where in zip(ids, side, strict=True) if where == "train"]


def test_ntu60_cross_subject_trains_on_the_twenty_published_subjects():
    published = [1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38]
    assert training("ntu60", "subject", list(range(1, 41))) == published


def test_ntu120_cross_subject_adds_the_published_ones_to_53_of_106():
    added = [45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89]
    added += [91, 92, 93, 94, 95, 97, 98, 100, 103]
    assert training("ntu120", "subject", list(range(41, 107))) == added
    assert len(training("ntu120", "subject", list(range(1, 107)))) == 53


def test_ntu_cross_view_trains_on_cameras_two_and_three():
    assert training("ntu60", "view", [1, 2, 3]) == [2, 3]


def test_ntu120_cross_setup_trains_on_even_setups():
    assert training("ntu120", "setup", list(range(1, 33))) == list(range(2, 33, 2))


@pytest.mark.parametrize(("protocol", "train"), [("utd-mhad", [1, 3, 5, 7]), ("msr-action3d", [1, 3, 5, 7, 9])])
def test_kinect_sets_train_on_odd_subjects(protocol, train):
    assert training(protocol, "subject", list(range(1, 11))) == train


def test_synthetic_people_one_to_twenty_train():
    assert training("synthetic", "subject", list(range(1, 41))) == list(range(1, 21))


def test_sets_without_a_protocol_train_on_odd_subjects():
    assert training("generic", "subject", [4, 7, 8, 21]) == [7, 21]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_splits_by_subject_and_is_described(protocol):
    side = split(made(protocol, subject=list(range(1, 41))))
    assert set(side) == {"train", "test"}
    assert describe(protocol, "subject").startswith("subjects that train: ")


def test_runs_of_ids_are_shortened():
    assert describe("ntu60", "subject").endswith(": 1, 2, 4, 5, 8, 9, 13-19, 25, 27, 28, 31, 34, 35, 38")
    assert describe("generic", "setup") == "setups that train: even"
    assert describe("ntu60", "setup") == "no split by setup"


def test_given_ids_train_and_all_others_test():
    clips = made("utd-mhad", subject=[1, 2, 3, 2])
    assert split(clips, train_ids=[2]).tolist() == ["test", "train", "test", "train"]


def test_clips_of_unknown_subject_are_on_neither_side():
    assert split(made(subject=[1, None, 2])).tolist() == ["train", "none", "test"]


def test_nobody_is_on_both_sides(rng):
    clips = made(subject=rng.integers(1, 9, 60).tolist())
    side = split(clips)
    subjects = np.array([row.subject for row in clips.rows])
    assert not set(subjects[side == "train"]) & set(subjects[side == "test"])


@pytest.mark.parametrize(
    ("clips", "arguments", "message"),
    [
        (made(view=[1, 2]), {}, "cannot split by subject: no clip says its subject: got 2 clips, e.g. 'clip 0'"),
        (made(subject=[1, 2]), {"by": "view"}, "cannot split by view"),
        (made(subject=[1, 3]), {}, "leaves no clip to test: got subject 1, 3, of which 1, 3 train, expected at least"),
        (made(subject=[2, 4]), {}, "leaves no clip to train: got subject 2, 4, of which none train"),
        (made(subject=[2, 4]), {"train_ids": [2, 4]}, "leaves no clip to test"),
        (made(subject=[2, 4]), {"train_ids": [2, 5, 6]}, "no clip has this subject: got 5, 6, expected some of 2, 4"),
        (
            made("ntu60", setup=[1, 2]),
            {"by": "setup"},
            "'ntu60' has no split by setup: .* expected one of subject, view",
        ),
        (made("ntu600", subject=[1, 2]), {}, "unknown protocol: got 'ntu600', expected one of ntu60, ntu120"),
    ],
)
def test_a_set_that_cannot_be_split_is_told_why(clips, arguments, message):
    with pytest.raises(DataError, match=message):
        split(clips, **arguments)
