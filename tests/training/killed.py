"""A program that trains, is killed again and again, and is started again; prints what happened as JSON.

``python -m tests.training.killed FOLDER times N SEED`` kills N times after random delays; ``... writes K ...``
kills once for each K, at the K-th file that is about to be put in place.

FOLDER/whole is never interrupted. Forks of one process that has trained already: starting Python and importing
torch anew would take longer than the training.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from stgcn_lens.runs import Run
from stgcn_lens.training import train
from tests.training.clips import clip_set, job, splits

CLIPS, EPOCHS = 24, 4


def work(folder: Path) -> None:
    """As the command does it."""
    clips, run = clip_set(CLIPS), Run.create(folder)
    with run.lock():
        train(run, clips, splits(clips), job(epochs=EPOCHS))


def start(folder: Path, die_at_write: int | None = None) -> int:
    """A child process at work; it kills itself when that many files have been written."""
    child = os.fork()
    if child:
        return child
    if die_at_write is not None:
        fsync, written = os.fsync, []

        def count(number: int) -> None:
            fsync(number)
            written.append(number)
            if len(written) == die_at_write:
                os.kill(os.getpid(), signal.SIGKILL)

        os.fsync = count
    try:
        work(folder)
        os._exit(0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)


def ended(child: int) -> bool:
    """Whether the child came to its end (True) or was killed (False); any other end is an error."""
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"a child failed with status {status}")
    return True


def kill_at_times(folder: Path, kills: int, seed: int) -> dict[str, object]:
    """Random delays until the training has been killed that often, in as many run folders as it takes; all finished."""
    draw, done, folders, epochs = random.Random(seed), 0, [], []
    began = time.perf_counter()
    assert ended(start(folder / "timed"))
    whole = time.perf_counter() - began
    while done < kills:
        folders.append(folder / f"killed_{len(folders)}")
        finished = False
        while not finished and done < kills:
            child = start(folders[-1])
            time.sleep(draw.uniform(0, 0.8 * whole))
            os.kill(child, signal.SIGKILL)
            finished = ended(child)
            done += not finished
            log = folders[-1] / "train_log.jsonl"
            epochs.append(len(log.read_text().splitlines()) if log.is_file() else 0)
        if not finished:
            assert ended(start(folders[-1]))
    return {"folders": [str(path) for path in folders], "kills": done, "epochs": epochs}


def kill_at_writes(folder: Path, numbers: list[int]) -> dict[str, object]:
    """One run folder for each number: killed at that write, then finished."""
    folders, kills = [], 0
    for number in numbers:
        folders.append(folder / f"killed_{number}")
        kills += not ended(start(folders[-1], number))
        assert ended(start(folders[-1]))
    return {"folders": [str(path) for path in folders], "kills": kills}


if __name__ == "__main__":
    torch.set_num_threads(1)
    place, how, *rest = sys.argv[1:]
    work(Path(place) / "whole")
    numbers = [int(word) for word in rest]
    result = kill_at_times(Path(place), *numbers) if how == "times" else kill_at_writes(Path(place), numbers)
    print(json.dumps(result))
