"""A program that embeds and graphs a run, alone or in several processes, and is killed again and again.

``python -m tests.studies.unfinished FOLDER SEED`` prints as JSON how every process ended. FOLDER/whole is the work of
one process that was left alone. Forks of one process: starting Python and importing torch anew would take longer than
the work. Every part that is finished leaves a line in FOLDER/<run>.log.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path

import torch

from stgcn_lens import embeddings
from stgcn_lens.cli import main
from stgcn_lens.embeddings import EmbedConfig, embed
from stgcn_lens.graphs import GraphConfig
from stgcn_lens.parts import Parts
from stgcn_lens.processes import processes
from stgcn_lens.runs import Run
from stgcn_lens.studies.layers import GeometryConfig, graph
from tests import tiny
from tests.training.processes import together

EMBED = EmbedConfig(batch=3)
GEOMETRY = GeometryConfig(graph=GraphConfig(k=4, tile_bytes=150), resamples=20, permutations=10)

KILLS = 6


def work(folder: Path, die: tuple[int, int] | None = None) -> None:
    """As the commands do it, one after the other.

    `die`: the process of the first number kills itself when it has written as many files as the second says.
    """
    with processes("cpu") as group:
        watch(folder, die[1] if die and die[0] == group.rank else None)
        with group.in_turn():
            run = Run.open(folder)
            lock = run.lock()
            if group.first:
                lock.__enter__()
        embed(run, EMBED, group=group)
        graph(run, GEOMETRY, group=group)


def watch(folder: Path, die_at: int | None) -> None:
    """Keep a log of the parts that are finished, and end at that write, just before the file is put in place."""
    write, fsync, written = Parts.write, os.fsync, []

    def logged(self: Parts, name: str, **arrays) -> None:
        write(self, name, **arrays)
        with folder.with_suffix(".log").open("a") as log:
            log.write(f"{self.folder.name}/{name}\n")

    def counted(number: int) -> None:
        fsync(number)
        written.append(number)
        if len(written) == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    Parts.write, os.fsync = logged, counted


def start(folder: Path) -> int:
    """A child process at work."""
    child = os.fork()
    if child:
        return child
    try:
        work(folder)
        os._exit(0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)


def command(words: list[str], out: Path) -> None:
    """As torchrun starts it; what is printed goes to the end of a file."""
    with out.open("a") as stream, redirect_stdout(stream), redirect_stderr(stream):
        status = main(words)
    raise SystemExit(status)


def kill_at_random(folder: Path, seconds: float, draw: random.Random) -> list[int]:
    """Start, and kill at a random moment, until the work is done; how each start ended."""
    ends: list[int] = []
    while 0 not in ends:
        child = start(folder)
        time.sleep(draw.uniform(0, seconds))
        os.kill(child, signal.SIGKILL)
        ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    return ends


if __name__ == "__main__":
    torch.set_num_threads(1)
    embeddings._KEEP = 0.0
    place, draw, ends = Path(sys.argv[1]), random.Random(int(sys.argv[2])), {}
    trained = tiny.run(place / "made", tiny.clips(14), tiny.model(width=1)).path

    def copy(name: str) -> Path:
        shutil.copytree(trained, place / name)
        return place / name

    work(copy("compiled"))  # so that no other has to wait for numba
    began = time.perf_counter()
    ends["whole"] = [os.waitstatus_to_exitcode(os.waitpid(start(copy("whole")), 0)[1])]
    seconds = time.perf_counter() - began
    killed: list[int] = []
    while killed.count(-signal.SIGKILL) < KILLS:
        name = f"killed_{sum(name.startswith('killed') for name in ends)}"
        ends[name] = kill_at_random(copy(name), 0.8 * seconds, draw)
        killed += ends[name]
    for world in (2, 3):
        ends[f"shared_{world}"] = together(world, partial(work, copy(f"shared_{world}")))
    for rank, writes in ((0, 20), (1, 2), (1, 15)):
        folder = copy(f"lost_{rank}_{writes}")
        ends[folder.name] = together(2, partial(work, folder, (rank, writes)))
        ends[folder.name + " again"] = together(2, partial(work, folder))
    folder = copy("commanded")
    flags = ["--tile-bytes", "150", "--resamples", "20", "--permutations", "10", "--json"]
    for words in (["embed", "--batch", "3"], ["graph", "--k", "99"], ["graph", "--k", "4", *flags]):
        line = [words[0], str(folder), *words[1:]]
        ends[" ".join(["command", *words[:3]])] = together(2, partial(command, line, folder.with_suffix(".out")))
    print(json.dumps(ends))
