"""Which NTU files show no body, found by looking; and lists of names."""

import pytest

from stgcn_lens.data.missing import named, read_names, without_body, write_names
from stgcn_lens.data.readers import ntu, read
from stgcn_lens.errors import DataError
from tests.data import people


def folder(tmp_path, **texts):
    for name, text in texts.items():
        (tmp_path / f"{name}.skeleton").write_bytes(text.encode())
    return tmp_path


def test_files_without_a_body_are_found_and_others_are_not(tmp_path):
    clip = people.clip(6, name="whole")
    ntu.write(clip, tmp_path)
    ntu.write(people.without(people.clip(6, name="late"), 0, [0, 1, 2, 3, 4]), tmp_path / "below")
    empty = {"lines": "3\n0\n0\n0\n", "dos": "2\r\n0\r\n0\r\n", "bare": "2\n0\n0", "none": "0\n", "nothing": "0"}
    folder(tmp_path, **empty)
    folder(tmp_path, cut="3\n0\n0\n", longer="2\n0\n0\n0\n", blank="", words="three\n0\n0\n0\n", sign="2\n0\n-0\n")
    seen = []
    assert without_body(tmp_path, lambda *at: seen.append(at)) == sorted(empty)
    assert seen == [(i, 12) for i in range(1, 13)]


def test_the_rule_finds_the_clips_that_reading_leaves_out_for_it(tmp_path):
    for i in range(4):
        ntu.write(people.clip(5, name=f"S001C001P001R001A00{i + 1}"), tmp_path)
    folder(tmp_path, S001C002P001R001A001="5\n" + "0\n" * 5, S001C003P001R001A001="7\n" + "0\n" * 7)
    left = [fault.file.removesuffix(".skeleton") for fault in read(tmp_path).faults]
    assert without_body(tmp_path) == sorted(left)


def test_a_count_that_lies_across_two_blocks_is_one_count(tmp_path, monkeypatch):
    monkeypatch.setattr("stgcn_lens.data.missing.BLOCK", 3)
    folder(tmp_path, empty="11\n" + "0\n" * 11, body="11\n" + "0\n" * 10 + "10\n", long="9" * 40 + "\n")
    assert without_body(tmp_path) == ["empty"]


def test_one_file_can_be_looked_into_and_a_folder_of_other_things_is_told(tmp_path):
    folder(tmp_path, a="1\n0\n")
    assert without_body(tmp_path / "a.skeleton") == ["a"]
    (tmp_path / "b").mkdir()
    with pytest.raises(DataError, match=r"b: no files to look into: expected \.skeleton files"):
        without_body(tmp_path / "b")


def test_lists_are_read_back_and_file_names_lose_their_suffix(tmp_path):
    write_names(tmp_path / "list.txt", ["one", "two words"])
    assert read_names(tmp_path / "list.txt") == ["one", "two words"]
    (tmp_path / "list.txt").write_text("\ufeffone.skeleton\r\n\r\n  two.SKELETON \nthree\n")
    assert read_names(tmp_path / "list.txt") == ["one", "two", "three"]


def test_a_list_that_is_no_text_is_told(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataError, match=r"list\.txt: cannot be read as a list of names .*expected UTF-8"):
        read_names(tmp_path / "list.txt")
    with pytest.raises(DataError, match=r"gone\.txt: no such file"):
        read_names(tmp_path / "gone.txt")


def test_a_list_names_clips_by_their_whole_name_or_its_last_part():
    clips = ["monday/a", "tuesday/a", "b", "c/d"]
    assert named(["a", "b", "x", "c/d", "y"], clips) == ({"monday/a", "tuesday/a", "b", "c/d"}, ["x", "y"])
    assert named(["monday/a"], clips) == ({"monday/a"}, [])
