"""A CSV of sides: what it may look like, and what is said of one that cannot be understood."""

import pytest

from stgcn_lens.data.sides import read_sides
from stgcn_lens.errors import DataError


def written(tmp_path, text, encoding="utf-8"):
    file = tmp_path / "sides.csv"
    file.write_bytes(text.encode(encoding))
    return file


def test_names_and_sides_are_found_among_other_columns(tmp_path):
    file = written(tmp_path, "\ufeffwhen, Split ,Name\r\nmonday,Train,a b\r\n\r\ntuesday, test ,c\r\n,,d\r\n")
    assert read_sides(file) == {"a b": "train", "c": "test", "d": "none"}


def test_the_table_of_another_run_can_be_used(tmp_path):
    # Its column "clip" holds numbers, and "dropped" is one of its sides.
    text = 'clip,name,label,split\n0,"wave, left",1,train\n1,kick,2,dropped\n2,sit,0,val\n'
    assert read_sides(written(tmp_path, text)) == {"wave, left": "train", "kick": "none", "sit": "val"}


def test_the_names_may_be_in_a_column_clip(tmp_path):
    assert read_sides(written(tmp_path, "clip,split\na,train\n")) == {"a": "train"}


def test_the_same_side_twice_is_no_fault(tmp_path):
    assert read_sides(written(tmp_path, "name,split\na,train\na,TRAIN\n")) == {"a": "train"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"sides\.csv, line 1: not a list of sides: got an empty file, expected a CSV with the columns name and"),
        ("name;split\na;train\n", "line 1: not a list of sides: got columns name;split"),
        ("name,side\na,train\n", "line 1: not a list of sides: got columns name, side"),
        (
            "name,split\na,train\nb,tset\n",
            r"sides\.csv, line 3: unknown side: got 'tset', expected train, val, test or",
        ),
        ("name,split\na,train\nb\n", "line 3: a line that is too short: got 1 columns"),
        ("name,split\na,train\nb,val\na,test\n", "line 4: a clip on two sides: got 'a' train above and test here"),
        ('name,split\n"a,train\n', "cannot be read as a CSV"),
        ("name,split\n" + "x" * 200_000 + ",train\n", "cannot be read as a CSV .*field larger than"),
    ],
)
def test_a_table_that_cannot_be_understood_is_told_with_its_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_sides(written(tmp_path, text))


def test_other_encodings_folders_and_missing_files_are_told(tmp_path):
    with pytest.raises(DataError, match=r"cannot be read as a CSV .*expected UTF-8 text"):
        read_sides(written(tmp_path, "name,split\nGr\u00fc\u00df,train\n", "utf-16"))
    with pytest.raises(DataError, match=r"gone\.csv: no such file"):
        read_sides(tmp_path / "gone.csv")
    with pytest.raises(DataError, match="cannot be read as a CSV"):
        read_sides(tmp_path)
