"""Published numbers that agree with each other, and a sentence that tells a whole set from a part of it."""

import pytest

from stgcn_lens.data.dataset import Row
from stgcn_lens.data.protocols import EXPECTED, PROTOCOLS, complete, describe, listed
from stgcn_lens.data.readers import read


def rows(protocol, **changes):
    """As many rows as the protocol has, divided over both sides of each axis as published."""
    expected = EXPECTED[protocol]
    ids = {axis: [0] * expected.clips for axis in ("subject", "view", "setup")}
    for axis, (train, _) in expected.sides.items():
        rule = PROTOCOLS[protocol][axis]
        trains, tests = (2, 1) if rule == "even" else (rule[0], max(rule) + 1)
        ids[axis] = [trains] * train + [tests] * (expected.clips - train)
    return [
        Row(f"clip {i}", 0, subject, view, setup, 10, 1)
        for i, (subject, view, setup) in enumerate(zip(ids["subject"], ids["view"], ids["setup"], strict=True))
    ]


@pytest.mark.parametrize("protocol", EXPECTED)
def test_the_sides_of_every_axis_sum_to_the_clips_that_are_used(protocol):
    expected = EXPECTED[protocol]
    assert {sum(sides) for sides in expected.sides.values()} == {expected.clips}
    assert set(expected.sides) <= set(PROTOCOLS[protocol])


def test_the_published_counts():
    ntu60, ntu120 = EXPECTED["ntu60"], EXPECTED["ntu120"]
    assert (ntu60.files, ntu60.without_body, ntu60.clips) == (56880, 302, 56578)
    assert ntu60.sides == {"subject": (40091, 16487), "view": (37646, 18932)}
    assert (ntu120.files, ntu120.without_body, ntu120.clips) == (114480, 535, 113945)
    assert ntu120.sides == {"subject": (63026, 50919), "setup": (54468, 59477)}
    assert EXPECTED["utd-mhad"].sides == {"subject": (431, 430)}
    assert EXPECTED["msr-action3d"].files == 567


@pytest.mark.parametrize("protocol", ["ntu60", "utd-mhad", "msr-action3d"])
def test_a_whole_set_is_called_complete(protocol):
    told = complete(rows(protocol), protocol)
    assert told is not None
    assert told.startswith(f"complete: {EXPECTED[protocol].clips:,} clips of {protocol}")


def test_the_sentence_of_a_whole_set_names_both_sides_of_each_axis():
    assert complete(rows("ntu60"), "ntu60") == (
        "complete: 56,578 clips of ntu60, without the 302 of 56,880 files that show no body; "
        "train/test 40,091/16,487 by subject, 37,646/18,932 by view"
    )


def test_a_part_is_told_with_both_numbers():
    part = rows("utd-mhad")[1:]
    assert complete(part, "utd-mhad") == (
        "not the whole set: 860 clips, utd-mhad has 861; train/test 430/430 of 431/430 by subject"
    )
    assert complete([], "utd-mhad").startswith("not the whole set: 0 clips")


def test_as_many_clips_of_other_people_are_not_the_whole_set():
    wrong = rows("utd-mhad")
    wrong[0] = Row("another", 0, 2, 0, 0, 10, 1)
    assert complete(wrong, "utd-mhad").startswith(
        "not the whole set: 861 clips, utd-mhad has 861; train/test 430/431 of"
    )


def test_as_many_clips_that_do_not_say_whose_they_are_may_be_the_whole_set():
    silent = [Row(f"clip {i}", 0, None, None, None, 10, 1) for i in range(861)]
    assert complete(silent, "utd-mhad") == (
        "not known to be the whole set: 861 clips, as many as utd-mhad has; no clip says its subject"
    )
    assert complete(silent[1:], "utd-mhad") == (
        "not the whole set: 860 clips, utd-mhad has 861; no clip says its subject"
    )


def test_where_nothing_is_published_nothing_is_compared():
    assert complete(rows("utd-mhad"), "generic") is None
    assert complete(rows("utd-mhad"), "no protocol") is None


def test_runs_of_ids_are_shortened():
    assert listed([1, 2, 4, 5, 6, 9]) == "1, 2, 4-6, 9"
    assert describe("ntu60", "subject").endswith(": 1, 2, 4, 5, 8, 9, 13-19, 25, 27, 28, 31, 34, 35, 38")
    assert describe("generic", "setup") == "setups that train: even"
    assert describe("ntu60", "setup") == "no split by setup"
    assert describe("kinetics", "file") == "the sides that the source itself gives"


def test_the_real_sets_are_whole(shared):
    for folder in ("utd_mhad", "msr_action3d"):
        clips = read(shared / folder)
        assert complete(clips.rows, clips.protocol).startswith("complete: ")
