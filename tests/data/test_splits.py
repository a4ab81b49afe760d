"""Published protocols as they are published, and clear words where a set cannot be split."""

import numpy as np
import pytest

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.readers import read
from stgcn_lens.data.splits import PROTOCOLS, describe, families, split
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


def sided(*sides, protocol="generic"):
    """A set with one clip for each list of sides, as its source gives them; they are called "clip 0" and on."""
    blank = {"subject": None, "view": None, "setup": None}
    clips = [people.clip(2, name=f"clip {i}", splits=tuple(names), **blank) for i, names in enumerate(sides)]
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


def test_nw_ucla_trains_on_views_one_and_two():
    assert training("nw-ucla", "view", [1, 2, 3]) == [1, 2]


@pytest.mark.parametrize(("protocol", "by"), [(name, by) for name, rules in PROTOCOLS.items() for by in rules])
def test_every_protocol_divides_by_what_it_names_and_is_described(protocol, by):
    if by == "file":
        side = split(sided(["train"], ["val"], protocol=protocol), by)
    else:
        side = split(made(protocol, **{by: list(range(1, 41))}), by)
        assert describe(protocol, by).startswith(f"{by}s that train: ")
    assert set(side) == {"train", "test"}


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


# the sides that a source gives


def test_where_the_source_has_no_test_side_its_validation_tests():
    clips = sided(["train"], ["val"], [], ["train"])
    assert split(clips, "file").tolist() == ["train", "test", "none", "train"]
    assert split(sided(["train"], ["val"], ["test"]), "file").tolist() == ["train", "val", "test"]


@pytest.mark.parametrize(("name", "side"), [("Training", "train"), ("validation", "val"), ("valid", "val")])
def test_sides_are_known_under_their_common_names(name, side):
    assert families(sided([name]).rows) == {"": {side}}


def test_one_of_several_families_is_chosen_by_name():
    clips = sided(["xsub_train", "xview_val"], ["xsub_val", "xview_train"], ["xsub_train", "xview_train"])
    assert families(clips.rows) == {"xsub": {"train", "val"}, "xview": {"train", "val"}}
    assert split(clips, "xsub").tolist() == ["train", "test", "train"]
    assert split(clips, "XView").tolist() == ["test", "train", "train"]
    with pytest.raises(DataError, match="divides its clips in several ways: got xsub, xview, expected one"):
        split(clips, "file")


def test_numbered_families_are_told_apart():
    clips = sided(["train1", "test2"], ["test1", "train2"])
    assert split(clips, "1").tolist() == ["train", "test"]
    assert split(clips, "2").tolist() == ["test", "train"]


def test_the_only_family_need_not_be_named():
    assert split(sided(["sub_train"], ["sub_test"]), "file").tolist() == ["train", "test"]


def test_a_clip_that_the_source_puts_on_two_sides_is_on_none_and_told():
    told = []
    side = split(sided(["train"], ["val"], ["train", "val"], ["val", "train"]), "file", on_fault=told.append)
    assert side.tolist() == ["train", "test", "none", "none"]
    assert [(fault.file, fault.dropped) for fault in told] == [("clip 2", "nothing")]
    assert "2 clips, this one first, on two sides" in told[0].reason


@pytest.mark.parametrize(
    ("clips", "by", "message"),
    [
        (sided(["train"], []), "file", "leaves no clip to test: got 1 train, 0 val, 0 test, 1 none"),
        (sided(["val"], []), "file", "leaves no clip to train"),
        (sided([], []), "file", "the source puts no clip on a side: got native clips without sides"),
        (sided(["trainval"], ["all"]), "file", "no clip on a side: got sides all, trainval, expected sides such as"),
        (
            sided(["x_train"], ["x_val"]),
            "subjet",
            "unknown split: got 'subjet', expected one of subject, view, .* x, or",
        ),
        (sided(["train"], ["val"]), "subject", "split by another of subject, view, setup or by file"),
        (sided(["train"], ["val"], protocol="kinetics"), "view", "cannot split by view"),
    ],
)
def test_sides_that_do_not_divide_are_told(clips, by, message):
    with pytest.raises(DataError, match=message):
        split(clips, by)


def test_ids_that_train_belong_to_an_axis():
    with pytest.raises(DataError, match="need an axis: got split by 'file', expected one of subject, view, setup"):
        split(sided(["train"], ["val"]), "file", train_ids=[1])


# a CSV of the user's own


def test_a_csv_divides_and_tells_what_does_not_fit(tmp_path):
    file = tmp_path / "mine.CSV"
    file.write_text("name,split\nclip 0,train\nclip 1,test\nclip 2,val\nclip 3,none\nelse,train\nmore,test\n")
    told = []
    side = split(made(subject=[1] * 6), str(file), on_fault=told.append)
    assert side.tolist() == ["train", "test", "val", "none", "none", "none"]
    assert [fault.reason for fault in told] == [
        "names that are no clip's: 2, e.g. 'else'",
        "clips that are not listed and on no side: 2, e.g. 'clip 4'",
    ]
    assert {(fault.file, fault.dropped) for fault in told} == {(str(file), "nothing")}


def test_a_csv_of_other_names_or_without_a_side_is_refused(tmp_path):
    file = tmp_path / "mine.csv"
    file.write_text("name,split\nCLIP0,train\nCLIP1,test\n")
    with pytest.raises(
        DataError, match=r"mine\.csv: none of the names is a clip's: got 2 names, e\.g\. 'CLIP0', .*'clip 0'"
    ):
        split(made(subject=[1, 2]), str(file))
    file.write_text("name,split\nclip 0,train\nclip 1,val\n")
    with pytest.raises(DataError, match="leaves no clip to test: got 1 train, 1 val, 0 test, 0 none"):
        split(made(subject=[1, 2]), str(file))
    with pytest.raises(DataError, match=r"nowhere\.csv: no such file"):
        split(made(subject=[1, 2]), str(tmp_path / "nowhere.csv"))


# what is left out


def test_clips_that_are_left_out_are_on_no_side_and_do_not_validate():
    clips = made(subject=[1, 1, 2, 3, 3, 5, 5])
    out = {"clip 0", "clip 3", "clip 4"}
    assert split(clips, leave_out=out).tolist() == ["none", "train", "test", "none", "none", "train", "train"]
    for seed in range(5):
        side = split(clips, leave_out=out, validation=0.4, seed=seed)
        assert side[[0, 3, 4]].tolist() == ["none"] * 3
        assert (side == "val").any()


def test_leaving_out_a_whole_side_is_told():
    with pytest.raises(DataError, match="leaves no clip to test"):
        split(made(subject=[1, 2]), leave_out=["clip 1"])


def test_real_utd_mhad_has_its_published_sides(shared):
    clips = read(shared / "utd_mhad")
    side = split(clips)
    assert ((side == "train").sum(), (side == "test").sum()) == (431, 430)
    held = split(clips, validation=0.2, seed=3)
    subjects = np.array([row.subject for row in clips.rows])
    assert set(subjects[held == "val"]) < {1, 3, 5, 7}
    assert len(set(subjects[held == "val"])) == 1
