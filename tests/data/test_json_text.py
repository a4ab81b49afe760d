"""JSON read piece by piece equals JSON read whole; whatever is wrong with a file is said, and little memory is used."""

import json
import tracemalloc

import numpy as np
import pytest

from stgcn_lens.data.parsing.json_text import CHUNK, LIMIT, head, numbers, opened, whole
from stgcn_lens.errors import DataError


def walk(text):
    """What `json.loads` gives, through the methods of `Text`."""
    kind = text.peek()
    if kind == "{":
        return {key: walk(text) for key in text.members()}
    return [walk(text) for _ in text.items()] if kind == "[" else text.value()


def file(tmp_path, content):
    """A file of that content."""
    path = tmp_path / "a.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("indent", [None, 4])
def test_walking_through_a_file_finds_what_json_finds(tmp_path, indent):
    rng = np.random.default_rng(0)
    frame = lambda: {'é\\"': ["]", "}", {}, [], None, True, -1.5e-3], "p": rng.random(30).tolist(), "n": 12}  # noqa: E731
    content = {"a": [frame() for _ in range(200)], "b": {"c": "x" * (2 * CHUNK)}, "d": 123456789}
    text = json.dumps(content, indent=indent, ensure_ascii=False)
    assert len(text) > 3 * CHUNK  # the pieces lie across the bounds of what is read at once
    with opened(file(tmp_path, text)) as found:
        assert walk(found) == content


def test_a_value_that_is_not_asked_for_is_left_behind_however_long_it_is(tmp_path):
    big = {"deep": [[list(range(100))] * 1000], "wide": {str(i): "]}" for i in range(1000)}}
    path = file(tmp_path, json.dumps({"a": big, "b": 1, "c": ["]", big, 2]}))
    assert path.stat().st_size > 2 * LIMIT
    with opened(path) as text:
        found = {key: text.value() for key in text.members() if key == "b"}
    assert found == {"b": 1}


def test_a_number_at_the_end_of_what_was_read_is_read_whole(tmp_path):
    for shift in range(12):
        with opened(file(tmp_path, " " * (CHUNK - 6 - shift) + "[1234567890123]")) as text:
            assert walk(text) == [1234567890123]


def test_a_byte_order_mark_is_no_harm(tmp_path):
    path = file(tmp_path, b"\xef\xbb\xbf[1]")
    with opened(path) as text:
        assert walk(text) == [1]
    assert head(path) == "[1]"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "an object or a list"),
        ("[1, 2", "the file ends in the middle"),
        ('{"a": [1, 2', "the file ends in the middle"),
        ('{"a": "b', "the file ends in the middle"),
        ("[1, 2]]", "more after the end"),
        ("[1, 2,]", "Expecting value at character 6"),
        ("[1 2]", "Expecting ',' at character 3"),
        ('{"a": 1,}', "Expecting a key in double quotes at character 8"),
        ("{1: 2}", "Expecting a key in double quotes at character 1"),
        ('{"a" 2}', "Expecting ':' at character 5"),
        ('["\x01"]', "Invalid control character"),
        ("[1e5x]", "Expecting ',' at character 4"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("[" + "9" * 10_000 + "]", "a number cannot be read .Exceeds the limit"),
        ('["' + "x" * (LIMIT + 9) + '"]', "one value is too long"),
        ("[1]".encode("utf-16"), "another encoding: got UTF-16 or UTF-32, expected UTF-8"),
        ("[1]".encode("utf-16-le"), "another encoding: got UTF-16 or UTF-32, expected UTF-8"),
        ("[1]".encode("utf-32-be"), "another encoding: got UTF-16 or UTF-32, expected UTF-8"),
        ('["é"]'.encode("latin-1"), "another encoding: got byte 0xe9, as of latin-1, expected UTF-8"),
        ('["é'.encode()[:-1], "another encoding: got the end of the file inside a character"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, content, message):
    def read():
        with opened(file(tmp_path, content)) as text:
            if text.peek() not in ("[", "{"):
                raise DataError("an object or a list")
            walk(text)

    with pytest.raises(DataError, match=message) as caught:
        read()
    assert content == "" or caught.value.file == "a.json"


@pytest.mark.parametrize("content", ["[1]", '"text"', "12", "", "null"])
def test_another_container_than_expected_is_named(tmp_path, content):
    def read():
        with opened(file(tmp_path, content)) as text:
            list(text.members())

    with pytest.raises(DataError, match=r"an object is missing at character 0: got .*, expected an object"):
        read()


def test_a_long_file_takes_little_memory(tmp_path):
    path = file(tmp_path, json.dumps([[0.123456] * 51] * 3000))
    tracemalloc.start()
    with opened(path) as text:
        total = sum(len(text.value()) for _ in text.items())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 3000 * 51
    assert path.stat().st_size > 1_500_000
    assert peak < 600_000


def test_nested_pieces_that_are_too_long_are_left_behind_in_little_memory(tmp_path):
    path = file(tmp_path, '{"a":' + ('["' + "x" * 5000 + '",') * 200 + "1" + "]" * 200 + "}")
    assert path.stat().st_size > 3 * LIMIT
    tracemalloc.start()
    with opened(path) as text:
        assert list(text.members()) == ["a"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * LIMIT


def test_only_json_containers_have_a_head(tmp_path):
    assert head(file(tmp_path, ' \n{"a"')) == '{"a"'
    assert head(file(tmp_path, '{"a": 1}'.encode("utf-16"))) == '{"a": 1}'  # so that its encoding can be named
    for other in (b"12", b"\xff\x00[", b"", b"<xml>"):
        assert head(file(tmp_path, other)) == ""
    assert head(tmp_path / "nowhere") == ""


def test_numbers_are_taken_as_they_are():
    np.testing.assert_array_equal(numbers([1, -2.5, 1e-300], "x", file="f"), [1, -2.5, 1e-300])
    assert numbers([], "x", file="f").shape == (0,)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "f, frame 3: joints: no list: got None, expected 2 numbers"),
        ({"x": 1}, "joints: no list: got a dict"),
        ([1], "joints: another length: got 1, expected 2 numbers"),
        ([1, None], "joints: not a number: got None"),
        ([1, True], "joints: not a number: got True"),
        (["1", 2], "joints: not a number: got '1'"),
        ([[1], 2], "joints: not a number: got a list"),
        ([1, float("nan")], "joints: not a finite number: got nan, expected a float32"),
        ([float("-inf"), 1], "joints: not a finite number: got -inf"),
        ([1, 1e39], r"joints: not a finite number: got 1e\+39"),
        ([1, 10**400], r"joints: not a finite number: got 10000"),
    ],
)
def test_other_things_than_finite_numbers_are_refused_with_their_place(value, message):
    with pytest.raises(DataError, match=message):
        numbers(value, "joints", file="f", frame=3, count=2)


def test_whole_numbers_may_be_written_as_floats_and_nothing_else_may():
    assert (whole(3, "x", file="f"), whole(4.0, "x", file="f"), whole(0, "x", file="f")) == (3, 4, 0)
    for bad in (True, None, "3", 2.5, float("nan"), float("inf"), -1, 10**30, 1e300, [3], {}):
        with pytest.raises(DataError, match=r"f, frame 1: x: no such number: got .*, expected a whole number from 0"):
            whole(bad, "x", file="f", frame=1)
