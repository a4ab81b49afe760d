"""How several processes share a piece of work and agree; see also tests/training/test_distributed.py."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stgcn_lens.processes import ALONE, Group

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = """
import json, sys, time
from pathlib import Path
from stgcn_lens.processes import processes
from tests.training.processes import together

def work():
    with processes("cpu") as group:
        found = {"slow": [], "again": []}
        for number, item in group.queue(list("abcdefgh")):
            found["slow"].append([number, item])
            time.sleep(0.1 * group.rank)
        Path(sys.argv[1], f"{group.rank}.done").touch()
        group.meet()
        found["met"] = len(list(Path(sys.argv[1]).glob("*.done")))
        found["again"] = [number for number, _ in group.queue(range(5))]
        found["none"] = list(group.queue([]))
        found["agreed"] = [group.agreed(group.rank == rank) for rank in range(3)]
        Path(sys.argv[1], f"{group.rank}.json").write_text(json.dumps(found))
        group.meet()

print(json.dumps(together(3, work)))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> list[dict]:
    """What each of three processes has seen."""
    folder = tmp_path_factory.mktemp("processes")
    program = [sys.executable, "-W", "error", "-c", PROGRAM, str(folder)]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [0, 0, 0], done.stderr
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(3)]


def test_every_item_goes_to_one_process(found) -> None:
    drawn = [item for each in found for item in each["slow"]]
    assert sorted(drawn) == [[number, letter] for number, letter in enumerate("abcdefgh")]
    assert sorted(number for each in found for number in each["again"]) == list(range(5))
    assert [each["none"] for each in found] == [[], [], []]


def test_all_wait_for_the_last_and_hear_what_process_0_says(found) -> None:
    assert [each["agreed"] for each in found] == [[True, False, False]] * 3
    assert [each["met"] for each in found] == [3, 3, 3]


def test_one_process_alone_has_it_all() -> None:
    assert list(ALONE.queue("abc")) == [(0, "a"), (1, "b"), (2, "c")]
    assert list(ALONE.queue("abc")) == [(0, "a"), (1, "b"), (2, "c")]
    assert [ALONE.agreed(answer) for answer in (True, False)] == [True, False]
    ALONE.meet()


@pytest.mark.parametrize("world", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 5, 7, 100])
def test_shares_are_of_one_size_and_cover_all(world, count) -> None:
    shares = [range(count)[Group(rank, world).share(count)] for rank in range(world)]
    assert [item for share in shares for item in share] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
