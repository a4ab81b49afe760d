"""How `train` is told which clips are on which side, and what it says of it."""

import csv
import json

import pytest

from stgcn_lens.cli import main
from stgcn_lens.files import file_hash
from tests.commands.conftest import SMALL

QUICK = (*SMALL[: SMALL.index("--epochs")], "--epochs", "1", "--batch", "8")


@pytest.fixture
def trained_by(recordings, tmp_path, capsys):
    """Train with some flags: (status, parsed result or line of error, rows of clips.csv)."""

    def run(*flags, data=recordings, out=tmp_path / "run"):
        status = main(["train", "--data", str(data), "--out", str(out), "--json", *QUICK, *map(str, flags)])
        said = capsys.readouterr()
        if status:
            return status, said.err, []
        with (out / "clips.csv").open(newline="") as stream:
            return status, json.loads(said.out), list(csv.DictReader(stream))

    return run


def test_whole_people_validate_and_are_scored(recordings, trained_by, tmp_path, capsys):
    status, shown, rows = trained_by("--validation", "0.25")
    assert status == 0
    assert shown["sides"] == {"train": 18, "val": 6, "test": 24, "none": 0}
    people = {side: {row["subject"] for row in rows if row["split"] == side} for side in ("train", "val")}
    assert len(people["val"]) == 1
    assert people["train"] | people["val"] == {"1", "2", "3", "4"}
    assert shown["metrics"]["val"]["n"] == 6
    again = ["train", "--data", str(recordings), "--out", str(tmp_path / "run"), *QUICK, "--validation", "0.25"]
    assert main(again) == 0
    line = capsys.readouterr().out
    assert f"; val top-1 {shown['metrics']['val']['top1']:.3f} (n = 6)" in line
    assert "(unchanged, skipped)" in line
    assert main(["embed", str(tmp_path / "run"), "--split", "val"]) == 0
    assert "6 clips embedded" in capsys.readouterr().out


def test_a_csv_divides_and_its_hash_is_an_input(recordings, trained_by, tmp_path):
    names = sorted(file.stem for file in recordings.glob("*.skeleton"))
    file = tmp_path / "mine.csv"
    lines = [f"{name},{('train', 'val', 'test', 'none')[i % 4]}" for i, name in enumerate(names[:-1])]
    file.write_text("\n".join(["name,split", *lines, "somebody else,train"]) + "\n")
    status, shown, rows = trained_by("--split", file)
    assert status == 0
    assert shown["sides"] == {"train": 12, "val": 12, "test": 12, "none": 12}
    assert {row["name"]: row["split"] for row in rows} == {
        **{line.split(",")[0]: line.split(",")[1] for line in lines},
        names[-1]: "none",
    }
    told = [fault["reason"] for fault in shown["faults"] if fault["file"] == str(file)]
    assert told == [
        "names that are no clip's: 1, e.g. 'somebody else'",
        f"clips that are not listed and on no side: 1, e.g. '{names[-1]}'",
    ]
    inputs = json.loads((tmp_path / "run" / "manifest.json").read_text())["stages"]["train"]["inputs"]
    assert inputs["split file"] == file_hash(file)


def test_the_table_of_one_run_divides_another_alike(trained_by, trained, tmp_path):
    with (trained / "clips.csv").open(newline="") as stream:
        before = {row["name"]: row["split"] for row in csv.DictReader(stream)}
    _, _, rows = trained_by("--split", trained / "clips.csv")
    assert {row["name"]: row["split"] for row in rows} == before


def test_clips_of_a_list_are_left_out_and_counted(recordings, trained_by, tmp_path, capsys):
    names = sorted(recordings.glob("*P001*.skeleton"))
    file = tmp_path / "missing.txt"
    file.write_text(
        "".join(f"{name.name}\n" for name in names[:2]) + f"{names[2].stem}\nS099C001P001R001A001.skeleton\n"
    )
    status, shown, rows = trained_by("--leave-out", file)
    assert status == 0
    assert shown["sides"] == {"train": 21, "val": 0, "test": 24, "none": 3}
    assert {row["name"] for row in rows if row["split"] == "none"} == {name.stem for name in names[:3]}
    told = next(fault["reason"] for fault in shown["faults"] if fault["file"] == str(file))
    assert told == "clips left out: 3; names that are no clip's: 1, e.g. 'S099C001P001R001A001'"
    line = ["train", "--data", str(recordings), "--out", str(tmp_path / "run"), *QUICK, "--leave-out", str(file)]
    assert main(line) == 0
    assert told in capsys.readouterr().out
    file.write_text("")
    assert main(line) == 2
    assert "another configuration" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--split", "nowhere.csv"], "nowhere.csv: no such file"),
        (["--split", "bad.csv"], "bad.csv, line 2: unknown side: got 'x'"),
        (["--leave-out", "nowhere.txt"], "nowhere.txt: no such file"),
        (["--layout", "ntu25", "--to-layout", "nonsense"], "unknown layout: got 'nonsense'"),
        (["--validation", "1"], "impossible share to validate: got 1.0"),
    ],
)
def test_a_wish_that_cannot_be_is_told_before_anything_is_read(trained_by, flags, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.csv").write_text("name,split\na,x\n")
    status, said, _ = trained_by(*flags)
    assert status == 2
    assert told in said
    assert not (tmp_path / "run").exists()


def test_an_unknown_way_to_split_lists_the_known_ones(trained_by):
    status, said, _ = trained_by("--split", "subjet")
    assert status == 2
    assert "unknown split: got 'subjet', expected one of subject, view, setup, file, or a .csv file" in said


def test_clips_can_be_trained_on_as_another_layout(trained_by, tmp_path):
    status, shown, _ = trained_by("--to-layout", "kinect20")
    assert status == 0
    assert json.loads((tmp_path / "run" / "model.json").read_text())["layout"] == "kinect20"
    assert any("is read as 'kinect20'" in fault["reason"] for fault in shown["faults"])
