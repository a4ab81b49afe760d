"""Layouts of one's own: the TOML form, every mistake in it, and a whole job that is opened again by another process."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stgcn_lens.cli import main
from stgcn_lens.data import read
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import LAYOUTS, find_layout, from_record, get_layout, to_record
from stgcn_lens.skeleton.custom import load
from stgcn_lens.skeleton.layout import check, definition, from_definition, named
from stgcn_lens.viz import player
from tests.data import people
from tests.data.makers.utd_mhad import write as write_utd

ROOT = Path(__file__).resolve().parents[1]
(EXAMPLE,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "layouts.md").read_text(), re.DOTALL)

SMALL = """
joints = ["hip", "chest", "head", "left_hand", "right_hand"]
bones = ["chest-hip", "head-chest", "left_hand-chest", "right_hand-chest"]
centre = "chest"
spine = ["hip", "chest"]
shoulders = ["left_hand", "right_hand"]
"""


@pytest.fixture
def write(tmp_path):
    def write(text: str | bytes, name: str = "mine.toml") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_the_example_of_the_document_is_the_layout_that_it_says(write):
    layout = load(write(EXAMPLE))
    assert (layout.name, layout.V, layout.dims, layout.up) == ("lab13", 13, 3, "+z")
    assert layout.joints[:4] == ("pelvis", "neck", "head", "left_shoulder")
    assert set(layout.bones) == {
        *((1, 0), (2, 1), (3, 1), (4, 3), (5, 4), (6, 1), (7, 6), (8, 7)),
        *((9, 0), (10, 9), (11, 0), (12, 11)),
    }
    assert (layout.centre, layout.spine, layout.shoulders) == (1, (0, 1), (3, 6))
    assert layout.pairs == ((3, 6), (4, 7), (5, 8), (9, 11), (10, 12))
    assert layout.parts["left_arm"] == (3, 4, 5)
    assert layout.bridged == ()
    assert layout.markers == {"pelvis": ("LASI", "RASI", "LPSI", "RPSI"), "left_wrist": ("LWRA", "LWRB")}


def test_what_is_left_out_has_a_default(write):
    layout = load(write(SMALL))
    assert (layout.name, layout.dims, layout.up, layout.bridged, layout.markers) == ("mine", 3, "+y", (), {})
    assert layout.pairs == ((3, 4),)
    assert layout.parts == {"left": (3,), "right": (4,), "middle": (0, 1, 2)}
    assert load(write(f"dims = 2{SMALL}")).up == "-y"


def test_the_table_of_the_document_tells_the_layouts_of_the_package():
    rows = re.findall(r"^\| `([\w-]+)` \| (\d+) \| (\d) \| (\S+) \| (\w+) \|", _page(), re.MULTILINE)
    told = {name: (int(v), int(dims), up, centre) for name, v, dims, up, centre in rows}
    assert told == {
        layout.name: (layout.V, layout.dims, layout.up, layout.joints[layout.centre]) for layout in LAYOUTS.values()
    }


def _page() -> str:
    return (ROOT / "docs" / "layouts.md").read_text()


@pytest.mark.parametrize("bone", ['"up-down-up"', '["up-down", "up"]'])
def test_bones_of_joints_with_hyphens(write, bone):
    text = SMALL.replace('"hip"', '"up"').replace("chest-hip", "chest-up").replace('"head"', '"up-down"')
    layout = load(write(text.replace('"head-chest"', bone)))
    assert layout.bones[1] == (2, 0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"head-chest"', '"head-chset"', r"'bones' names a joint .*got 'chset', expected hip, .*did you mean 'chest'"),
        ('centre = "chest"', 'centre = "Chest"', r"'centre' names a joint .*got 'Chest'.*did you mean 'chest'\?"),
        ('centre = "chest"', "centre = 1", r"key 'centre': got 1 \(int\), expected the name of a joint"),
        (
            'centre = "chest"',
            'center = "chest"',
            r"unknown key: got 'center', expected among .*did you mean 'centre'\?",
        ),
        ('centre = "chest"', "", r"keys are missing: got no centre, expected joints, bones, centre, spine, shoulders"),
        ('"head-chest"', '"head"', r"key 'bones': got 'head' \(str\), expected \"child-parent\" or"),
        ('"head-chest"', "3", r"key 'bones': got 3 \(int\)"),
        ('"head-chest"', '["head"]', r"key 'bones': got \['head'\] \(list\)"),
        (
            '"head-chest"',
            '"left-hand-chest"',
            r"no way to cut into two joints: got 'left-hand-chest'.*written as a pair",
        ),
        (
            '"head-chest"',
            '"head-chest", "head-hip"',
            r"a joint hangs on two others: got head, expected one parent each",
        ),
        ('"chest-hip"', '"chest-head"', r"the bones form a ring: got chest - head - chest, .*leave out one of these"),
        ('"chest-hip"', '"chest-hip", "hip-head"', r"the bones form a ring: got hip - head - chest - hip"),
        (
            '"head-chest", ',
            "",
            r"do not join all joints: got 2 parts, one of them head, expected one .*add a bone such as 'head-chest'",
        ),
        (
            '"chest-hip", "head-chest", "left_hand-chest", ',
            '"left_hand-chest", "head-hip", ',
            r"got 2 parts, one of them hip, head, .*add a bone such as 'hip-chest'",
        ),
        ('"head", ', '"head", "head", ', r"joint names must differ: got head"),
        ('"head", ', '"head", 7, ', r"key 'joints': got \['hip', 'chest', 'head', 7, .*expected a list of names"),
        ('"head", ', '"he\\nad", ', r"key 'joints': got 'he\\nad', expected names of 1 to 100 printable characters"),
        ('["hip", "chest"]', '["hip"]', r"key 'spine': got \['hip'\] \(list\), expected a list of two joints"),
        ('["hip", "chest"]', '["hip", "hip"]', r"key 'spine': .*expected two different joints"),
        ('["hip", "chest"]', '["hip", "chest"]\ndims = 4', r"key 'dims': got 4 \(int\), expected one of 2, 3"),
        ('["hip", "chest"]', '["hip", "chest"]\ndims = true', r"key 'dims': got True \(bool\)"),
        ('["hip", "chest"]', '["hip", "chest"]\nup = "y"', r"key 'up': got 'y' \(str\), expected one of \+x, -x,"),
        ('["hip", "chest"]', '["hip", "chest"]\ndims = 2\nup = "+z"', r"key 'up': .*expected one of \+x, -x, \+y, -y;"),
        ('["hip", "chest"]', '["hip", "chest"]\nbridge = 1', r"key 'bridge': got 1 \(int\), expected true or false"),
        ('["hip", "chest"]', '["hip", "chest"]\nname = "a@b"', r"key 'name': got 'a@b' \(str\), expected 1 to 60"),
        ('["hip", "chest"]', '["hip", "chest"]\npairs = ["a"]', r"key 'pairs': .*expected a list such as"),
        (
            '["hip", "chest"]',
            '["hip", "chest"]\npairs = [["head", "hip"], ["hip", "chest"]]',
            r"a joint with two mirror images: got hip",
        ),
        ('["hip", "chest"]', '["hip", "chest"]\nparts = []', r"key 'parts': got \[\] \(list\), expected a table"),
        ('["hip", "chest"]', '["hip", "chest"]\nparts = {a = ["hip"]}', r"key 'parts': got chest in 0 parts, expected"),
        (
            '["hip", "chest"]',
            '["hip", "chest"]\nparts = {a = ["hop"]}',
            r"'parts.a' names a joint .*did you mean 'hip'",
        ),
        (
            '["hip", "chest"]',
            '["hip", "chest"]\nmarkers = {hop = "A"}',
            r"'markers' names a joint .*did you mean 'hip'",
        ),
        (
            '["hip", "chest"]',
            '["hip", "chest"]\nmarkers = {hip = []}',
            r"key 'markers.hip': got no marker, expected at",
        ),
        ('["hip", "chest"]', '["hip", "chest"', r"not TOML \("),
        ('["hip", "chest"]', "[" * 5000, r"not TOML \("),
        ('["hip", "chest"]', "a." * 9000 + "a = 1", r"expected at most 200 dots a line; break long lists into lines"),
        ('["hip", "chest"]', "1" * 9000, r"not TOML \("),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_to_do(write, old, new, message):
    assert SMALL.count(old) == 1
    path = write(SMALL.replace(old, new))
    with pytest.raises(DataError) as error:
        load(path)
    assert re.search(message, str(error.value)), str(error.value)
    assert str(error.value).startswith(f"{path}: ")
    assert len(str(error.value)) < 1000


def test_files_that_are_no_text_too_large_or_not_there_are_refused(write, tmp_path):
    with pytest.raises(DataError, match=r"not TOML \('utf-8' codec"):
        load(write(b"\xff\xfe\x00"))
    with pytest.raises(DataError, match="too large for a layout: got over 1000000 bytes"):
        load(write(SMALL + "#" * 1_000_001))
    with pytest.raises(DataError, match="cannot be read"):
        load(tmp_path / "none.toml")
    with pytest.raises(DataError, match=r"1001 joints, expected 1 to 1000"):
        load(write(SMALL.replace('"head"', '"head", ' + ", ".join(f'"j{i}"' for i in range(996)))))


def test_parts_that_hang_alone_are_bridged_to_the_centre_when_asked_and_it_is_told(write, tmp_path):
    text = SMALL.replace('"head-chest", ', "").replace('"left_hand-chest"', '"left_hand-head"')
    with pytest.raises(DataError, match=r"one of them head, left_hand, .*add a bone such as 'head-chest'"):
        load(write(text))
    layout = load(write(f"bridge = true{text}"))
    assert layout.bridged == ((2, 1),)
    assert layout.bones[-1] == (2, 1)
    assert load(write(f"bridge = true{SMALL}")).bridged == ()

    # Reading with such a layout says which bones were added, once.
    kinect = LAYOUTS["kinect20"]
    lines = [f"{kinect.joints[a]}-{kinect.joints[b]}" for a, b in kinect.bones if kinect.joints[a] != "left_knee"]
    own = write(
        f"bridge = true\njoints = {list(kinect.joints)}\nbones = {lines}\ncentre = 'shoulder_centre'\n"
        "spine = ['hip_centre', 'shoulder_centre']\nshoulders = ['left_shoulder', 'right_shoulder']\n"
    )
    (tmp_path / "raw").mkdir()
    for i in range(2):
        write_utd(people.clip(5, layout="kinect20", seed=i), tmp_path / "raw", f"a1_s{i + 1}_t1_skeleton")
    clips = read(tmp_path / "raw", layout=str(own))
    (fault,) = clips.faults
    assert fault.dropped == "nothing"
    assert fault.reason.startswith("bones added to join all of layout 'mine@")
    assert fault.reason.endswith(": left_knee-shoulder_centre")


def test_a_layout_goes_by_what_it_says(write):
    first = find_layout(str(write(SMALL)))
    assert re.fullmatch(r"mine@[0-9a-f]{8}", first.name)
    assert get_layout(first.name) is first
    assert find_layout(str(write(f"\n# a comment\n{SMALL}"))) is first
    other = find_layout(str(write(SMALL.replace('"head-chest"', '"head-hip"'))))
    assert other.name != first.name
    assert get_layout(first.name).bones != other.bones


def test_what_a_file_keeps_of_a_layout_is_all_of_it(write):
    layout = named(load(write(EXAMPLE)))
    record = json.loads(json.dumps(to_record(layout)))
    back = from_record(record)
    assert (back, back.markers, back.parts) == (layout, layout.markers, layout.parts)
    record["skeleton"]["bones"][0] = [1, 2]
    with pytest.raises(DataError, match=r"hangs on|ring|does not fit its name"):
        from_record(record)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("joints", "abc"),
        ("joints", None),
        ("joints", [1, 2]),
        ("joints", []),
        ("joints", ["a"] * 100_000),
        ("bones", [[0]]),
        ("bones", [[0, 1, 2]]),
        ("bones", [[float("inf"), 0]]),
        ("bones", [[True, 0]]),
        ("bones", [[-1, 0]]),
        ("bones", [[10**30, 0]]),
        ("bones", {"0": 1}),
        ("centre", "chest"),
        ("centre", 1e400),
        ("spine", [0]),
        ("pairs", 3),
        ("parts", [[0]]),
        ("parts", {"a": 0}),
        ("parts", {"a": [99]}),
        ("markers", {"tail": ["x"]}),
        ("markers", {"hip": "x"}),
        ("dims", 3.0),
        ("up", ["+y"]),
        ("up", "+w"),
        ("name", None),
    ],
)
def test_a_description_that_is_damaged_is_refused(write, key, value):
    plain = {**definition(load(write(SMALL))), key: value}
    with pytest.raises(DataError):
        from_definition(plain)
    with pytest.raises(DataError, match="cannot be understood"):
        from_definition({name: said for name, said in plain.items() if name != "joints"})


def test_a_long_chain_of_joints_is_checked_without_recursion():
    v = 1000
    chain = tuple((i + 1, i) for i in range(v - 1))
    names = tuple(f"j{i}" for i in range(v))
    layout = replace(
        LAYOUTS["ntu25"], joints=names, bones=chain, pairs=(), parts={}, centre=0, spine=(0, 1), shoulders=(1, 2)
    )
    assert check(layout) is layout
    with pytest.raises(DataError, match="form a ring: got j0 - j999 - j998"):
        check(replace(layout, bones=((0, v - 1), *chain)))


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_can_be_played(name, rng):
    layout = LAYOUTS[name]
    clip = people.clip(4, layout=name)
    panel = player.payload(clip.xyz, clip.valid, layout)
    assert (panel["dims"], len(panel["joints"]), len(panel["bones"])) == (layout.dims, layout.V, layout.V - 1)


REOPENED = """
import sys
from pathlib import Path
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.models.checkpoints import load
from stgcn_lens.report.results import collect
from stgcn_lens.runs import Run

run = Path(sys.argv[1])
loaded, clips, told = load(run), ClipSet.open(run / "data"), collect(Run.open(run))
assert clips.layout == loaded.layout.name == told["data"]["layout"], (clips.layout, loaded.layout.name)
assert clips.skeleton.bones == loaded.layout.bones == loaded.model.layout.bones
assert told["data"]["joints"] == clips.xyz.shape[1] == 13
print(loaded.layout.name)
"""
APP = """
import sys
from app.sources import open_source, stamp
from pathlib import Path
from stgcn_lens.skeleton import get_layout

run = Path(sys.argv[1])
source = open_source(str(run), stamp(run))
assert source.clips is None and "not a native clip set" in source.trouble, source.trouble
print(get_layout(source.layout).name)
"""


def _other_process(code: str, *args: object) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *map(str, args)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_a_run_on_a_layout_of_ones_own_is_opened_by_a_process_that_never_saw_its_file(tmp_path, write, capsys):
    (tmp_path / "raw").mkdir()
    for i in range(8):
        name = f"a{i % 2 + 1}_s{i // 2 + 1}_t1_skeleton"
        write_utd(people.clip(9, layout="kinect20", seed=i), tmp_path / "raw", name)
    toml = write(EXAMPLE.replace('"+z"', '"+y"'), "lab.toml")
    run = tmp_path / "run"
    train = ["train", "--data", str(tmp_path / "raw"), "--out", str(run), "--to-layout", str(toml)]
    train += ["--configuration", "compact", "--width", "2", "--frames", "8", "--epochs", "1", "--warmup", "0"]
    assert main(train) == 0
    name = find_layout(str(toml)).name
    assert json.loads((run / "manifest.json").read_text())["source"]["to_layout"] == name
    assert main(train) == 0
    assert "unchanged, skipped" in capsys.readouterr().out
    # Other joints are other clips, also where only the content of the file has changed.
    other = [word if word != str(toml) else "ntu25" for word in train]
    assert main(other) == 2
    assert "the run was made from other clips" in capsys.readouterr().err
    toml.write_text(EXAMPLE.replace('"head-neck"', '"head-pelvis"'))
    assert main(train) == 2
    assert "the run was made from other clips" in capsys.readouterr().err
    toml.unlink()
    assert _other_process(REOPENED, run) == name
    assert np.array_equal(ClipSet.open(run / "data")[0].skeleton.bones, get_layout(name).bones)
    (run / "data").rename(run / "elsewhere")
    assert _other_process(APP, run) == name
