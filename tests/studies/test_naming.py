import itertools

import pytest

from stgcn_lens.errors import LensError
from stgcn_lens.studies.naming import alike, file_name, found

NAMES = [
    *(
        "catch",
        "two hand catch",
        "two  hand catch",
        "two_hand_catch",
        "two+hand+catch",
        "a/b",
        "a_b",
        "a\\b",
        "a--b",
        "a-b",
    ),
    *(
        "",
        " ",
        ".",
        "..",
        "-",
        "--",
        "../../etc/passwd",
        "a\nb",
        "a\x00b",
        "con:",
        "x" * 300,
        "x" * 301,
        "é" * 100,
        "拍手",
    ),
    *("kick ", " kick", "kick", "Kick", ".hidden", "-rf", "100 %", "a~b", "a~1234abcd"),
]


def test_different_names_are_different_file_names_that_any_file_system_takes() -> None:
    made = [file_name(name) for name in NAMES]
    assert len(set(made)) == len(NAMES)
    for name in made:
        assert 0 < len(name.encode()) <= 89
        assert not set('/\\:*?"<>|\n\x00 ') & set(name)
        assert name[0] not in ".-"
        assert name[-1] != "-"
        assert "--" not in name


def test_names_that_may_stand_stay_readable() -> None:
    assert file_name("jogging in place") == "jogging+in+place"
    assert file_name("S001C002P003R002A007") == "S001C002P003R002A007"
    assert file_name("拍手") == "拍手"
    assert file_name("bowling (right hand)").startswith("bowling+_right+hand_~")


def test_two_names_joined_stay_two(tmp_path) -> None:
    pairs = {f"{file_name(a)}--{file_name(b)}" for a, b in itertools.product(NAMES, NAMES)}
    assert len(pairs) == len(NAMES) ** 2
    for name in itertools.islice(sorted(pairs), 0, None, 97):
        (tmp_path / f"{name}.json").write_text("")
    assert all(path.parent == tmp_path for path in tmp_path.rglob("*"))


def test_a_name_is_found_before_a_number() -> None:
    known = ["7", "wave", "0"]
    assert found("class", "0", known, numbers=True) == 2
    assert found("class", "1", known, numbers=True) == 1
    with pytest.raises(LensError, match=r"no such class: got '1', expected one of '7', 'wave', '0'$"):
        found("class", "1", known)


def test_the_most_alike_come_first_of_many_and_all_of_few() -> None:
    many = [f"action {i}" for i in range(40)] + ["two hand catch", "knock"]
    assert alike("catch", many).startswith("'two hand catch', ")
    assert alike("knok", many).startswith("'knock', ")
    assert alike("knok", many).endswith(" and 30 more")
    assert alike("x", ["a", "b"]) == "'a', 'b'"
    assert alike("x", []) == "none"
