"""The description of a data set counts what is there."""

import json
from itertools import pairwise

import numpy as np
import pytest

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.info import histogram, inspect
from stgcn_lens.data.readers import ntu
from stgcn_lens.errors import DataError
from stgcn_lens.runs import plain
from tests.data import people


@pytest.fixture
def folder(tmp_path):
    """Four sound files, two of them equal, one without a code; one file cut; three class names, one unused."""
    clips = [
        people.clip(5, seed=1, name="S001C001P001R001A001"),
        people.clip(5, seed=1, name="S001C002P001R002A001"),
        people.without(people.clip(9, 2, seed=2, name="S001C001P002R001A003"), 1, [0, 1, 2]),
        people.clip(20, seed=3, name="free name"),
    ]
    made = ClipSet.from_clips(clips, ["wave", "bow", "kick"])
    ntu.write_set(made, tmp_path / "set")
    (tmp_path / "set" / "S001C001P001R001A002.skeleton").write_text("1\n1\n72 0 0 0 0\n")
    return tmp_path / "set"


def test_everything_is_counted(folder):
    info = inspect(folder)
    assert (info.format, info.layout, info.joints, info.channels, info.units) == ("ntu", "ntu25", 25, 3, "metres")
    assert (info.clips, info.frames, info.shortest, info.median, info.longest) == (4, 39, 5, 7.0, 20)
    assert info.classes == {"wave": 2, "bow": 0, "kick": 1}
    assert (info.unlabelled, info.subjects, info.views, info.setups) == (1, {1: 2, 2: 1}, {1: 2, 2: 1}, {1: 3})
    assert info.bodies == {1: 3, 2: 1}
    assert info.absent == pytest.approx(3 / (5 + 5 + 18 + 20))
    assert info.duplicates == (("S001C001P001R001A001", "S001C002P001R002A001"),)
    assert [fault.file for fault in info.faults] == ["S001C001P001R001A002.skeleton"]
    assert info.bytes == 48 * (25 * 3 * 4 + 1)


def test_extent_is_that_of_present_bodies(folder):
    clips = ClipSet.from_clips([people.without(people.clip(9, 2), 1, [3])], list("abcd")).save(folder.parent / "n")
    there = clips.xyz[clips.valid].reshape(-1, 3)
    info = inspect(folder.parent / "n")
    np.testing.assert_array_equal(info.extent, np.stack([there.min(axis=0), there.max(axis=0)], axis=1))
    assert info.extent[2][0] > 0  # absent bodies are zero there


def test_it_can_be_stored_as_json_and_printed(folder):
    info = inspect(folder)
    stored = json.loads(json.dumps(plain(info)))
    assert stored["classes"] == {"wave": 2, "bow": 0, "kick": 1}
    text = info.text()
    for fact in ("ntu, 4 clips, 39 frames", "5 to 20 frames", "3, of which 2 have clips", "clips without a label: 1"):
        assert fact in text
    for not_there in ("bow", "free name"):  # a class without clips; the name of a clip that nothing is wrong with
        assert not_there not in text
    assert "S001C001P001R001A001 = S001C002P001R002A001" in text
    assert "S001C001P001R001A002.skeleton: frame 0: cut mid-frame" in text
    assert "... and 1 more" in info.text(most=1)


def test_progress_counts_files(folder):
    seen = []
    inspect(folder, progress=lambda *at: seen.append(at))
    assert seen == [(i, 5) for i in range(1, 6)]


def test_a_folder_of_broken_files_only_is_an_error_with_the_first(tmp_path):
    (tmp_path / "a.skeleton").write_text("2\n1\n")
    with pytest.raises(DataError, match=r"no clip could be read: got 1 faults, first a.skeleton: "):
        inspect(tmp_path, format="ntu")


@pytest.mark.parametrize("lengths", [[7], [3, 3, 4], list(range(13, 256)), [1, 1000]])
def test_a_histogram_counts_everything_once_in_bins_that_touch(lengths):
    bins = histogram(lengths)
    assert len(bins) <= 10
    assert [sum(low <= n <= high for n in lengths) for low, high, _ in bins] == [count for *_, count in bins]
    assert sum(count for *_, count in bins) == len(lengths)
    assert all(after[0] == before[1] + 1 for before, after in pairwise(bins))


def test_real_sets_are_described(shared):
    info = inspect(shared / "utd_mhad")
    assert (info.clips, len(info.classes), sum(info.subjects.values()), info.duplicates, info.faults) == (
        861,
        27,
        861,
        (),
        (),
    )
    assert max(info.classes.values()) == 32
