"""A program that trains with one and with several processes, as torchrun would start them.

``python -m tests.training.processes FOLDER``: every row of `TRAININGS` once for each number of processes, into
FOLDER/NAME_PROCESSES, and the gradients of every network. Forks of one process, since starting Python and importing
torch anew would take longer than the training.
"""

import json
import os
import signal
import socket
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from stgcn_lens.errors import LensError
from stgcn_lens.models import MODELS
from stgcn_lens.processes import processes
from stgcn_lens.runs import Run
from stgcn_lens.skeleton import get_layout
from stgcn_lens.training import Step, TrainJob, train
from stgcn_lens.training.distributed import add_gradients
from stgcn_lens.training.shared_norm import shared
from tests.training.clips import clip_set, job, splits

CLIPS = 20  # of which 16 train
SIZE = 5  # clips of the batch whose gradients are compared

# name -> (numbers of processes, settings); batches of 5 and 6 do not divide by 3
TRAININGS = {
    "plain": ((1, 2), {}),
    "all": ((1, 3), {"random_moving": True, "flip": True, "ema": 0.9, "clip_norm": 0.5, "batch": 5}),
    "own norms": ((2,), {"sync_norm": False}),
}


def work(folder: Path, task: TrainJob, kill: int | None = None) -> None:
    """As the command does it; process `kill` ends itself in the second epoch."""
    clips = clip_set(CLIPS)
    with processes("cpu") as group:
        with group.in_turn():
            run = Run.create(folder)

        def progress(step: Step) -> None:
            if group.rank == kill and step.epoch == 2:
                os.kill(os.getpid(), signal.SIGKILL)

        train(run, clips, splits(clips), task, group=group, progress=progress)


def fail_in(rank: int) -> None:
    """A fault of one process only."""
    with processes("cpu") as group:
        if group.rank == rank:
            raise LensError("only here")
        group.total(torch.zeros(1))


def differentiate(file: Path) -> None:
    """One step of every network in 64 bits: logits, gradients and running statistics of the whole batch, to a file."""
    x = torch.randn((SIZE, 3, 9, 25, 2), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    target, found = torch.arange(SIZE) % 3, {}
    with processes("cpu") as group:
        share = group.share(SIZE)
        for name, spec in MODELS.items():
            torch.manual_seed(0)
            model = spec.build(replace(spec.small, dropout=0.3), get_layout("ntu25"), 3, 3).double()
            whole = shared(model, group, "cpu")
            whole.share, whole.total = share, SIZE
            logits = model.train()(x[share])
            (torch.nn.functional.cross_entropy(logits, target[share], reduction="sum") / SIZE).backward()
            add_gradients(model.parameters(), group)
            found |= {f"{name} {key} gradient": weight.grad for key, weight in model.named_parameters()}
            found |= {f"{name} {key}": buffer for key, buffer in model.named_buffers() if buffer.is_floating_point()}
            every = torch.zeros((SIZE, 3), dtype=torch.float64)
            every[share] = logits.detach()
            found[f"{name} logits"] = group.total(every)
        if group.first:
            torch.save(found, file)


def together(world: int, do) -> list[int]:
    """Exit status of that many child processes, connected as torchrun connects them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = []
    for rank in range(world):
        child = os.fork()
        if child:
            children.append(child)
            continue
        names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        os.environ |= {name: str(value) for name, value in names.items()}
        try:
            do()
            os._exit(0)
        except SystemExit as stop:
            os._exit(int(stop.code or 0))
        except BaseException as error:
            print(f"process {rank}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(getattr(error, "exit_code", 99))
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


if __name__ == "__main__":
    torch.set_num_threads(1)
    place, ends = Path(sys.argv[1]), {}
    for name, (worlds, settings) in TRAININGS.items():
        for world in worlds:
            task = job(epochs=2, **settings)
            ends[f"{name} {world}"] = together(world, partial(work, place / f"{name}_{world}", task))
    for world in (1, 3):
        ends[f"gradients {world}"] = together(world, partial(differentiate, place / f"gradients_{world}.pt"))
    for kill in (0, 1):
        folder = place / f"killed_{kill}"
        ends[f"killed {kill}"] = together(2, partial(work, folder, job(epochs=2), kill))
        ends[f"again {kill}"] = together(2, partial(work, folder, job(epochs=2)))
    # What goes wrong in one process or in all of them ends all.
    ends["other job"] = together(2, partial(work, place / "plain_2", job(epochs=3)))
    ends["too few"] = together(2, partial(work, place / "too_few", job(batch=1)))
    ends["one"] = together(2, partial(fail_in, 1))
    print(json.dumps(ends))
