"""A training that is killed at any moment and started again ends as if nothing had happened."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.killed import EPOCHS

ROOT = Path(__file__).resolve().parents[2]


def killed(folder: Path, *words: object) -> dict:
    program = [sys.executable, "-W", "error", "-m", "tests.training.killed", str(folder), *map(str, words)]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def log(folder: Path) -> list[dict]:
    """The log without the times."""
    lines = [json.loads(line) for line in (folder / "train_log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("seconds", "waited")} for line in lines]


def check_same(whole: Path, other: Path) -> None:
    for name in ("model.safetensors", "clips.csv", "metrics.json", "confusion.csv"):
        assert (other / name).read_bytes() == (whole / name).read_bytes(), f"{other.name}/{name}"
    assert [line["epoch"] for line in log(other)] == list(range(1, EPOCHS + 1))
    assert log(other) == log(whole)
    assert sorted(p.name for p in other.iterdir()) == sorted(p.name for p in whole.iterdir())


def test_killed_at_random_moments(tmp_path):
    result = killed(tmp_path, "times", 4, 0)
    assert result["kills"] == 4
    for folder in result["folders"]:
        check_same(tmp_path / "whole", Path(folder))


@pytest.mark.parametrize("writes", [(1, 2, 3, 5, 8), (11, 13, 14, 15, 16)], ids=["while learning", "at the end"])
def test_killed_just_before_a_file_is_put_in_place(tmp_path, writes):
    result = killed(tmp_path, "writes", *writes)
    assert result["kills"] == len(writes)
    for folder in result["folders"]:
        check_same(tmp_path / "whole", Path(folder))


@pytest.mark.long
def test_killed_twenty_times_at_random_moments(tmp_path):
    result = killed(tmp_path, "times", 20, 1)
    assert result["kills"] == 20
    assert len(set(result["epochs"])) > 2  # it was met in several epochs
    for folder in result["folders"]:
        check_same(tmp_path / "whole", Path(folder))
