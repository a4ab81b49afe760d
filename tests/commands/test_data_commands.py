"""`data info` and `data convert` from the command line: what is printed, what is written, what the exit status says."""

import json
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from matplotlib import image

from stgcn_lens.cli import main
from stgcn_lens.data import ClipSet, read
from stgcn_lens.data.writers import WRITERS
from tests.data import people
from tests.disk import no_file_above


@pytest.fixture
def folder(recordings: Path, tmp_path: Path) -> Path:
    """The recordings, and one file that is cut."""
    shutil.copytree(recordings, tmp_path / "in")
    first = sorted((tmp_path / "in").glob("*.skeleton"))[0]
    first.write_text(first.read_text()[:1000])
    return tmp_path / "in"


def told(*words: object, status: int = 0) -> None:
    assert main([str(word) for word in words]) == status


def test_the_status_says_whether_clips_were_left_out(recordings, folder, tmp_path, capsys) -> None:
    told("data", "info", recordings)
    told("data", "convert", recordings, tmp_path / "whole", "--to", "native")
    told("data", "info", folder, status=3)
    told("data", "convert", folder, tmp_path / "part", "--to", "native", status=3)
    capsys.readouterr()
    told("data", "info", tmp_path / "part")  # what was left out once is told again, and is no fault of the set
    assert "before      1 left out" in capsys.readouterr().out
    told("data", "convert", tmp_path / "part", tmp_path / "again", "--to", "native")
    assert ClipSet.open(tmp_path / "again").faults == ClipSet.open(tmp_path / "part").faults


def test_status_3_comes_with_a_result_and_status_2_with_an_error(folder, capsys) -> None:
    told("data", "info", folder, "--json", status=3)
    shown = capsys.readouterr()
    assert shown.err == ""
    assert [fault["dropped"] for fault in json.loads(shown.out)["faults"]] == ["clip"]
    for file in folder.glob("*.skeleton"):
        file.write_text("2\n1\n")
    told("data", "info", folder, "--format", "ntu", status=2)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "no clip could be read: got 48 faults" in shown.err


def test_a_picture_shows_the_samples_by_name(recordings, tmp_path, capsys) -> None:
    for suffix in ("png", "SVG"):
        told("data", "info", recordings, "--picture", tmp_path / "new" / f"look.{suffix}")
    names = capsys.readouterr().out.splitlines()[-1].partition(": ")[2].split(", ")
    assert len(names) == 3
    root = ElementTree.fromstring((tmp_path / "new" / "look.SVG").read_text())
    words = " ".join("".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text"))
    assert all(name in words for name in names)
    assert all(f"({why}" in words for why in ("first", "shortest", "longest"))
    drawn = image.imread(tmp_path / "new" / "look.png")
    assert (drawn[..., :3].min(axis=-1) < 0.5).mean() > 0.003  # some ink
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"look.png", "look.SVG"}


def test_a_picture_of_unknown_kind_is_refused_before_anything_is_read(tmp_path, capsys) -> None:
    told("data", "info", tmp_path / "nowhere", "--picture", "look.gif", status=2)
    assert (
        "look.gif: no kind of picture that is known: expected a name that ends in .png or .svg"
        in capsys.readouterr().err
    )


def test_a_picture_on_a_full_disk_leaves_nothing(recordings, tmp_path, capsys) -> None:
    with no_file_above(1000):
        told("data", "info", recordings, "--picture", tmp_path / "look.png", status=1)
    assert "look.png: cannot write" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_most_looks_at_the_first_clips_only(recordings, capsys) -> None:
    told("data", "info", recordings, "--most", 5, "--json")
    info = json.loads(capsys.readouterr().out)
    assert (info["clips"], info["most"]) == (5, 5)


def test_convert_says_what_it_wrote_and_what_was_lost(folder, tmp_path, capsys) -> None:
    told("data", "convert", folder, tmp_path / "out", "--to", "native", "--split", "subject", "--json", status=3)
    done = json.loads(capsys.readouterr().out)
    clips = ClipSet.open(tmp_path / "out")
    assert (done["clips"], done["format"], done["source_format"], done["layout"]) == (47, "native", "ntu", "ntu25")
    assert done["sides"] == {side: sum(row.splits == (side,) for row in clips.rows) for side in ("train", "test")}
    assert done["bytes"] == sum(file.stat().st_size for file in (tmp_path / "out").iterdir())
    assert len(done["faults"]) == 1
    ClipSet.from_clips([people.clip(4, name="free"), people.clip(4)], list("abcd")).save(tmp_path / "free")
    told("data", "convert", tmp_path / "free", tmp_path / "ntu", "--to", "ntu", "--split", "view", status=2)
    capsys.readouterr()
    told("data", "convert", tmp_path / "free", tmp_path / "ntu", "--to", "ntu")
    text = capsys.readouterr().out
    assert "ntu, 2 clips, 8 frames, 4 classes, ntu25" in text
    assert "free: the numbers of this clip are lost, which only a name SsssCcccPpppRrrrAaaa" in text


def test_convert_streams_through_a_folder_that_is_gone_afterwards(folder, tmp_path, capsys) -> None:
    told("data", "convert", folder, tmp_path / "to" / "out", "--to", "ntu", status=3)
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["out"]
    held, back = read(folder), read(tmp_path / "to" / "out")
    np.testing.assert_array_equal(back.xyz, held.xyz)
    assert back.rows == held.rows
    with no_file_above(20_000):
        told("data", "convert", folder, tmp_path / "to" / "more", "--to", "ntu", status=1)
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["out"]


def test_convert_can_put_clips_onto_another_layout(recordings, tmp_path, capsys) -> None:
    told("data", "convert", recordings, tmp_path / "out", "--to", "native", "--to-layout", "kinect20")
    clips, before = ClipSet.open(tmp_path / "out"), read(recordings)
    assert clips.layout == "kinect20"
    name = clips.rows[0].name
    head = lambda made: made[made.index(name)].xyz[:, :, made.skeleton.index("head")]  # noqa: E731
    np.testing.assert_array_equal(head(clips), head(before))


def test_an_unknown_target_lists_the_formats_that_can_be_written(recordings, tmp_path, capsys) -> None:
    told("data", "convert", recordings, tmp_path / "out", "--to", "bvh", status=2)
    error = capsys.readouterr().err
    assert all(writer.name in error for writer in WRITERS)
    assert list(tmp_path.iterdir()) == []
    told("data", "convert", "--help")
    shown = " ".join(capsys.readouterr().out.split())
    assert all(writer.name in shown for writer in WRITERS)
