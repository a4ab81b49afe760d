"""Embeddings and graphs of processes that are killed, or many, are those of one that is left alone."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests import tiny
from tests.studies.unfinished import KILLS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def worked(tmp_path_factory) -> Path:
    """All that `tests.studies.unfinished` leaves; "ends.json" holds how the processes ended."""
    folder = tmp_path_factory.mktemp("unfinished")
    program = [sys.executable, "-W", "error", "-m", "tests.studies.unfinished", str(folder), "0"]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder / "ends.json").write_text(done.stdout)
    return folder


def ends(folder: Path) -> dict[str, list[int]]:
    return json.loads((folder / "ends.json").read_text())


def check_same(folder: Path, name: str) -> None:
    """Every number of the two stages is that of FOLDER/whole, bit for bit; nothing else is left."""
    one, other = folder / "whole", folder / name
    files = sorted(str(path.relative_to(one)) for path in one.rglob("*") if path.is_file())
    assert sorted(str(path.relative_to(other)) for path in other.rglob("*") if path.is_file()) == files
    assert not list(other.rglob("cache"))
    for file in files:
        if file.startswith("embeddings/"):
            assert (other / file).read_bytes() == (one / file).read_bytes(), file
        if file.startswith("graphs/"):
            mine, theirs = np.load(one / file), np.load(other / file)
            assert sorted(mine) == sorted(theirs)
            for array in mine:
                assert mine[array].tobytes() == theirs[array].tobytes(), (file, array)
    tables = [json.loads((run / "layers.json").read_text()) for run in (one, other)]
    for row in (row for table in tables for row in table):
        del row["seconds"]
    assert tables[0] == tables[1]


def parts(folder: Path, name: str) -> Counter[str]:
    """How often each part of the graphs was made."""
    lines = (folder / f"{name}.log").read_text().splitlines()
    return Counter(line for line in lines if not line.endswith("/journal"))


def test_killed_at_random_moments(worked) -> None:
    names = [name for name in ends(worked) if name.startswith("killed")]
    assert sum(ends(worked)[name].count(-signal.SIGKILL) for name in names) >= KILLS
    for name in names:
        check_same(worked, name)
        assert parts(worked, name) <= parts(worked, "whole")  # none was made again that had been finished
        assert parts(worked, "whole").total() == 8 * 5


@pytest.mark.parametrize("world", [2, 3])
def test_processes_that_share_the_work(worked, world) -> None:
    assert ends(worked)[f"shared_{world}"] == [0] * world
    check_same(worked, f"shared_{world}")
    assert parts(worked, f"shared_{world}") == parts(worked, "whole")
    record = json.loads((worked / f"shared_{world}/manifest.json").read_text())["stages"]
    assert (record["embed"]["processes"], record["graph"]["processes"]) == (world, world)


@pytest.mark.parametrize(("rank", "writes"), [(0, 20), (1, 2), (1, 15)])
def test_a_process_that_is_lost_and_started_again(worked, rank, writes) -> None:
    name = f"lost_{rank}_{writes}"
    assert ends(worked)[name][rank] == -signal.SIGKILL
    assert ends(worked)[name][1 - rank] == 1
    assert ends(worked)[f"{name} again"] == [0, 0]
    check_same(worked, name)
    assert parts(worked, name) <= parts(worked, "whole")


@pytest.mark.long
def test_torchrun_starts_again_what_was_killed_and_nothing_is_lost(tmp_path) -> None:
    made = tiny.run(tmp_path / "made", tiny.clips(60), tiny.model(width=2)).path
    runs = {name: tmp_path / name for name in ("one", "two")}
    flags = ["--tile-bytes", "1000", "--resamples", "20", "--permutations", "10", "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for name, run in runs.items():
        shutil.copytree(made, run)
        command = [sys.executable, "-m"]
        if name == "two":
            command += ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--max-restarts", "2", "-m"]
        embedding = [*command, "stgcn_lens", "embed", str(run), "--batch", "8"]
        subprocess.run(embedding, check=True, capture_output=True, env=environment, cwd=ROOT)
        graphing = [*command, "stgcn_lens", "graph", str(run), *flags]
        with subprocess.Popen(
            graphing, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT
        ) as started:
            if name == "two":
                deadline = time.monotonic() + 120
                while not list(run.glob("cache/graph-*/block_2/*.part")) and time.monotonic() < deadline:
                    time.sleep(0.005)
                workers = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
                assert len(workers) == 2
                os.kill(int(workers[1]), signal.SIGKILL)
            out, said = started.communicate(timeout=300)
        assert started.returncode == 0, said
        assert len([text for text in out.splitlines() if text.startswith("{")]) == 1
    for layer in ("input", "block_3", "logits"):
        mine, theirs = (np.load(run / f"graphs/{layer}.npz") for run in runs.values())
        assert all(mine[array].tobytes() == theirs[array].tobytes() for array in mine)


def test_commands_that_torchrun_starts_share_the_work_and_only_the_first_speaks(worked) -> None:
    found = {name: status for name, status in ends(worked).items() if name.startswith("command")}
    assert found == {"command embed --batch 3": [0, 0], "command graph --k 99": [2, 2], "command graph --k 4": [0, 0]}
    check_same(worked, "commanded")
    embedded, refused, made = (worked / "commanded.out").read_text().splitlines()
    assert embedded.endswith("commanded: 12 clips embedded")
    assert "too few clips for 99 neighbours: got 12 clips" in refused
    assert [row["layer"] for row in json.loads(made)["layers"]][:2] == ["input", "block_1"]
