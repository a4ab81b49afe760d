"""CSV: what docs/csv.md says holds; a clip with a fault is listed with its line, and the others are read."""

import random
import re
from pathlib import Path

import numpy as np
import pytest

from stgcn_lens.data import read
from stgcn_lens.data.readers import recognise
from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import get_layout
from tests.data import people
from tests.data.makers.csv import COLUMNS, make, table

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "csv.md"
# A layout of three joints, so that tables stay short.
THREE = """joints = ["hip", "neck", "hand"]
bones = ["neck-hip", "hand-neck"]
centre = "neck"
spine = ["hip", "neck"]
shoulders = ["neck", "hand"]
"""
HEAD = "clip,frame,joint,x,y,z\n"
SOUND = "b,0,0,1,2,3\nb,0,1,4,5,6\nb,0,2,7,8,9\n"


@pytest.fixture
def load(tmp_path):
    (tmp_path / "three.toml").write_text(THREE)

    def load(text, layout=str(tmp_path / "three.toml"), **more):
        file = tmp_path / "table.csv"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read(file, layout=layout, **more)

    return load


def test_the_example_of_the_document_is_read_as_it_says(load):
    (example,) = re.findall(r"```csv\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    clips = load(example, layout=None)
    assert (clips.layout, clips.fps, clips.units, clips.classes) == ("coco17", 25, "pixels", ("clap", "wave"))
    assert [(row.name, row.label, row.subject, row.splits) for row in clips.rows] == [
        ("greet_01", 1, 3, ("train",)),
        ("greet, 2nd", 0, 4, ("test",)),
    ]
    first, second = clips
    assert first.valid.tolist() == [[True, True], [True, False]]
    assert second.valid.tolist() == [[True], [False], [True]]
    joints = get_layout("coco17").joints
    shoulder, wrist = joints.index("left_shoulder"), joints.index("left_wrist")
    assert first.xyz[:, :, wrist, 0].T.tolist() == [[430, 95.5, np.float32(0.88)], [436, 97.25, np.float32(0.85)]]
    assert first.xyz[:, 0, shoulder, 1].tolist() == [102, 190, np.float32(0.91)]
    assert np.count_nonzero(first.xyz) == 15  # of joints without a line, x, y and score are 0
    assert second.xyz[:, 2, shoulder, 0].tolist() == [401.5, 182, np.float32(0.9)]
    assert clips.faults == ()


def test_a_table_of_a_clip_reads_back_to_the_last_bit(load):
    clip = people.clip(7, layout="ntu25", name="a")
    (back,) = load(f"{COLUMNS}\n{table(clip, 'x')}", layout=None)
    np.testing.assert_array_equal(back.xyz, clip.xyz)
    assert (back.layout, back.fps, back.units) == ("ntu25", 30, "unknown")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", "\t"),
        lambda text: text.replace(",", " , "),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text.rstrip("\n"),
        lambda text: text.replace("\n", "\n\n"),
        lambda text: text.upper().replace("B,", "b,"),
        lambda text: "# a note\n#fps : 30\n" + text,
        lambda text: re.sub("b", '"b"', text).replace('"b"ody', "body"),
        lambda text: "".join(",".join(line.split(",")[::-1]) + "\n" for line in text.splitlines()),
        lambda text: text.replace("\n", ",note\n"),
        lambda text: text.replace("\n", ",\n"),
        lambda text: text.replace("1,2,3", "1.0,+2e0,0.3E1"),
    ],
)
def test_the_look_of_the_table_does_not_matter(load, change):
    (clip,) = load(change(HEAD + SOUND))
    assert clip.name == "b"
    assert clip.xyz[..., 0].transpose(1, 2, 0).tolist() == [[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]


def test_lines_of_a_clip_may_come_in_any_order_and_joints_by_name_or_number(load):
    lines = ["b,9,hand,1,2,3", "b,7,1,4,5,6", "b,9,hip,7,8,9", "b,7,0,1,1,1", "b,7,hand,2,2,2", "b,9,neck,3,3,3"]
    (clip,) = load(HEAD + "\n".join(lines))
    assert clip.valid[:, 0].tolist() == [True, False, True]
    assert clip.xyz[:, 0, :, 0].T.tolist() == [[1, 1, 1], [4, 5, 6], [2, 2, 2]]
    assert clip.xyz[:, 2, :, 0].T.tolist() == [[7, 8, 9], [3, 3, 3], [1, 2, 3]]


def test_joints_that_are_not_known_are_gaps_and_bodies_of_none_are_absent(load):
    text = HEAD + "".join(f"b,{t},{j},{t},{j},1\n" for t in range(5) for j in range(3))
    text = text.replace("b,1,1,1,1,1\n", "").replace("b,3,2,3,2,1", "b,3,2,,nan,1")
    text = re.sub(r"b,4,(.),.*", r"b,4,\1,nan,,inf", text)
    clips = load(text)
    assert clips[0].frames == 4  # the last frame shows nobody
    assert clips[0].valid.all()
    assert clips[0].xyz[:, 1, 1, 0].tolist() == [1, 1, 1]  # between frames 0 and 2
    assert clips[0].xyz[:, 3, 2, 0].tolist() == [2, 2, 1]  # held after frame 2
    cut, repaired = clips.faults
    assert (cut.reason, cut.frames) == ("no joint is known in them: 1 of 5 frames cut off the end", 1)
    assert re.search("neck: 1 frames? interpolated; hand: 1 frames? at the clip's ends held", repaired.reason)


def test_bodies_keep_their_slots_whatever_they_are_called(load):
    lines = [
        f"b,{t},{who},{j},{t},{j},{k}"
        for t in range(3)
        for k, who in enumerate(("72057594037927936", "ann"))
        for j in range(3)
    ]
    (clip,) = load(
        "clip,frame,body,joint,x,y,z\n" + "\n".join(line for line in lines if not line.startswith("b,1,ann"))
    )
    assert clip.valid.tolist() == [[True, True], [True, False], [True, True]]
    assert clip.xyz[2, :, 0].tolist() == [[0, 1], [0, 0], [0, 1]]


def test_layouts_are_told_by_the_joints_names_their_number_or_the_comment(load):
    kinect = get_layout("kinect20").joints
    names = HEAD + "".join(f"b,0,{name},1,2,3\n" for name in kinect[::-1])
    numbers = HEAD + "".join(f"b,0,{i},1,2,3\n" for i in range(20))
    assert load(names, layout=None).layout == load(numbers, layout=None).layout == "kinect20"
    flat = HEAD.replace("z", "score") + "".join(f"b,0,{i},1,2,0.5\n" for i in range(18))
    assert load(flat, layout=None).layout == "openpose18"
    said = "# Layout: ntu25-hand\n" + HEAD + "".join(f"b,0,{i},1,2,3\n" for i in range(25))
    assert load(said, layout=None).layout == "ntu25-hand"
    assert load(said, layout="ntu25").layout == "ntu25"
    later = (
        numbers + "".join(f"c,0,{i},1,2,3\n" for i in range(0, 20, 2)) + "".join(f"c,1,{i},1,2,3\n" for i in range(20))
    )
    assert [clip.layout for clip in load(later, layout=None)] == ["kinect20"] * 2


def test_classes_are_named_numbered_or_listed_beside_the_file(load, tmp_path):
    lines = [line + "," for line in (SOUND + SOUND.replace("b", "a")).split()]
    named = HEAD.replace("\n", ",class\n") + "\n".join(line + {"a": "wave", "b": "clap"}[line[0]] for line in lines)
    assert [load(named).classes, load(named).labels.tolist()] == [("clap", "wave"), [0, 1]]
    numbered = HEAD.replace("\n", ",label\n") + "\n".join(line + {"a": "0", "b": "2"}[line[0]] for line in lines)
    assert [load(numbered).classes, load(numbered).labels.tolist()] == [("class 0", "class 1", "class 2"), [2, 0]]
    (tmp_path / "classes.txt").write_text("throw\nwave\nclap\n")
    assert [load(named).classes, load(named).labels.tolist()] == [("throw", "wave", "clap"), [2, 1]]
    (tmp_path / "classes.txt").write_text("throw\nwave\n")
    clips = load(named)
    assert clips.labels.tolist() == [1]
    assert "unknown class: got 'clap', expected one of throw, wave" in clips.faults[0].reason


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a,0,0,1,2", r"line 2 has 5 cells: expected 6 cells"),
        ("a,0,0,1,2,3,4", r"line 2 has 7 cells: expected 6 cells"),
        ("a,0,0,1,2,x", r"z is not a number \(line 2\): got 'x'"),
        ("a,0,0,1,2,\u00bd", r"z is not a number \(line 2\)"),
        ("a,-1,0,1,2,3", r"the frame is not a whole number \(line 2\): got '-1', expected 0 to 1000000000"),
        ("a,1.5,0,1,2,3", r"the frame is not a whole number \(line 2\)"),
        ("a,99999999999,0,1,2,3", r"the frame is not a whole number \(line 2\): got '99999999999'"),
        ("a,0,3,1,2,3", "no such joint: got '3', expected 0 to 2, or one of hip, neck, hand"),
        ("a,0,tail,1,2,3", "no such joint: got 'tail'"),
        ("a,5,0,1,2,3\na,5,hip,3,2,1", "frame 5: a joint twice: got hip again"),
        ("a,0,0,1,2,3\na,1000000000,0,1,2,3", "got 2 lines for 1000000001 frames of 1 bodies"),
        ('"a,0,0,1,2,3', "line 2 is not CSV"),
        ('"a"x,0,0,1,2,3', "line 2 is not CSV"),
        (b"a,0,0,1,2,\xff", "line 2 is not UTF-8 text"),
        ("a,0,0,1,2," + "3" * 10_000, "line 2 is too long"),
        ("a,0,0,1,2,3" + "," * 2000, "line 2 has 2006 cells"),
        ("a,0,0,nan,2,3\na,0,1,,,", "no body in any frame"),
    ],
)
def test_a_clip_with_a_fault_is_listed_and_the_next_one_is_read(load, line, expected):
    line = line if isinstance(line, bytes) else line.encode()
    clips = load(HEAD.encode() + line + b"\n" + SOUND.encode())
    assert [row.name for row in clips.rows] == ["b"]
    assert len(clips.faults) == 1
    assert re.search(expected, clips.faults[0].reason), clips.faults[0].reason
    assert clips.faults[0].file.startswith("table.csv, clip ")


def test_a_bad_line_costs_its_own_clip_even_where_it_is_the_first_of_it(load):
    clips = load(HEAD + SOUND + "a,0,0,1,2\na,0,1,4,5,6\n" + SOUND.replace("b", "c"))
    assert [row.name for row in clips.rows] == ["b", "c"]
    assert [fault.file for fault in clips.faults] == ["table.csv, clip a"]


def test_a_clip_that_comes_again_is_listed(load):
    clips = load(HEAD + SOUND + SOUND.replace("b", "a") + SOUND)
    assert [row.name for row in clips.rows] == ["b", "a"]
    assert re.search(
        r"comes a second time \(line 8\): got 'b', expected all its lines in a row", clips.faults[0].reason
    )


def test_a_clip_of_two_classes_or_of_words_for_numbers_is_listed(load):
    head = HEAD.replace("\n", ",label,subject,split\n")
    lines = ["a,0,0,1,2,3,0,1,train", "a,0,1,1,2,3,1,1,train", "c,0,0,1,2,3,0,one,train", "d,0,0,1,2,3,0,1,a|b"]
    clips = load(head + "\n".join(lines) + "\n" + SOUND.replace("\n", ",0,,\n"))
    assert [row.name for row in clips.rows] == ["b"]
    reasons = [fault.reason for fault in clips.faults]
    assert "differs from the clip's first line (line 3)" in reasons[0]
    assert "subject is not a whole number: got 'one'" in reasons[1]
    assert "a split's name: got 'a|b'" in reasons[2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# layout: ntu52\n" + HEAD + SOUND, "unknown layout: got 'ntu52'"),
        ("# fps: fast\n" + HEAD + SOUND, "fps: got 'fast'"),
        ("# fps: -1\n" + HEAD + SOUND, "fps: got '-1'"),
        ("# units: miles\n" + HEAD + SOUND, "unknown units: got 'miles', expected one of metres"),
        (HEAD.replace("z", "x") + SOUND, "columns of one name: got x"),
        (HEAD.replace("z", "z,class,label") + SOUND, "two columns for classes"),
        (
            HEAD.replace("z", "score") + SOUND,
            r"layout 'three@\w+' does not fit: got columns x, y, score, expected x, y, z",
        ),
        (HEAD, "no clip could be read"),
    ],
)
def test_what_is_wrong_with_the_whole_file_is_said(load, text, expected):
    with pytest.raises(DataError, match=expected):
        load(text)


@pytest.mark.parametrize(
    "text",
    [
        HEAD.replace("frame", "time"),
        "# only a note\n",
        "",
        "clip\n",
        "\n" * 200 + HEAD,
        "#\n" * 200 + HEAD,
        'clip,"frame',
    ],
)
def test_other_tables_are_not_taken_for_clips(load, text):
    with pytest.raises(DataError, match="no skeletons that a reader knows"):
        load(text + SOUND, layout=None)
    with pytest.raises(DataError, match=r"columns are missing|not a CSV header|no clip could be read"):
        load(text, layout=None, format="csv")


def test_joints_that_fit_no_layout_say_what_to_do(load):
    with pytest.raises(
        DataError, match=r"those of no known layout: got hip, neck, expected .*# layout: ntu25.*--layout"
    ):
        load(HEAD + "b,0,hip,1,2,3\nb,0,neck,1,2,3\n", layout=None)
    with pytest.raises(DataError, match="the joints fit no known layout: got 3 joints in 3-D"):
        load(HEAD + SOUND, layout=None)


def test_clips_are_made_one_by_one_and_counted(load, tmp_path):
    make(tmp_path / "set")
    seen = []
    stream = recognise(tmp_path / "set").clips([].append, lambda *at: seen.append(at))
    assert next(stream).name == "jump"
    assert seen == []
    assert next(stream).name == "wave 1"
    assert seen == [(1, 3)]


def test_files_of_a_folder_are_one_set_and_rubbish_is_listed(load, tmp_path):
    make(tmp_path / "set")
    make(tmp_path / "set" / "more")
    (tmp_path / "set" / "zero.csv").write_bytes(b"\x00\xffnot a skeleton" * 20)
    clips = read(tmp_path / "set")
    assert [row.name for row in clips.rows] == ["jump", "wave 1", "wave 2", "jump (2)", "wave 1 (2)", "wave 2 (2)"]
    assert [(fault.file, fault.dropped) for fault in clips.faults if fault.dropped == "clip"] == [("zero.csv", "clip")]


def test_damaged_copies_raise_one_kind_of_error(load):
    rng = random.Random(0)
    whole = (
        "# fps: 25\nclip,frame,body,joint,x,y,z,class,split\n"
        + SOUND.replace(",0,", ",0,1,").replace("\n", ",w,train\n")
    ).encode()
    whole += whole.partition(b"split\n")[2].replace(b"b,", b"c,")
    pieces = [
        b"",
        b"nan",
        b"1e999",
        b'"',
        b",",
        b"\n",
        b"\0",
        b"-",
        b"99999999999999",
        b"\xff\xfe",
        b"#",
        b"\xef\xbb\xbf",
    ]
    seen = set()
    for _ in range(400):
        damaged = bytearray(whole)
        for _ in range(rng.choice((1, 3))):
            at = rng.randrange(len(damaged))
            damaged[at : at + rng.choice((0, 1, 9))] = rng.choice(pieces)
        try:
            clips = load(bytes(damaged), format="csv")
            seen.add(bool(clips.faults))
        except DataError:
            seen.add(None)
    assert seen == {True, False, None}
