"""Several processes on one piece of work: those that torchrun started, and how they meet, share and end.

``torchrun --nproc-per-node 2 -m stgcn_lens train ...``, and ``embed``, ``graph`` and ``analyse`` likewise. Process 0
holds the run's lock and writes the run; the others write only parts, into the folder for unfinished work.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import TypeVar

import torch
import torch.distributed as dist

from stgcn_lens.errors import LensError, WorkError

Item = TypeVar("Item")
PATIENCE = timedelta(hours=2)  # for who waits while process 0 reads and prepares the clips


@dataclass(frozen=True)
class Group:
    """The processes of a piece of work, and which of them this one is.

    Attributes
    ----------
    rank : number of this process, from 0.
    world : how many there are.
    """

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes the run."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """Which of `count` things in a row are this process's; the shares differ by at most one."""
        return slice(count * self.rank // self.world, count * (self.rank + 1) // self.world)

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The values of all processes added up, in place."""
        if self.world > 1:
            try:
                dist.all_reduce(values)
            except RuntimeError as error:
                raise _alone(error) from error
        return values

    def queue(self, items: Sequence[Item]) -> Iterator[tuple[int, Item]]:
        """The items that this process is to work on, with their numbers: each goes to whichever process asks next.

        All processes must ask for the same queues in the same order.
        """
        if self.world == 1:
            return enumerate(items)
        store, numbers = _BOARD[0]
        return _drawn(store, next(numbers), items)

    def meet(self) -> None:
        """Wait until every process is here."""
        if self.world > 1:
            self.total(torch.zeros(1))

    def agreed(self, answer: bool) -> bool:
        """What process 0 answers, in every process."""
        return answer if self.world == 1 else self._heard(answer)

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Do the block in process 0 first, and then, if it went well there, in the others."""
        if self.world == 1:
            yield
            return
        if not self.first:
            if not self._heard(False):
                raise WorkError("process 0 has stopped", fix="it says why")
            yield
            return
        try:
            yield
        except BaseException:
            with suppress(WorkError):
                self._heard(False)
            raise
        self._heard(True)

    def _heard(self, well: bool) -> bool:
        """What process 0 says of itself."""
        said = torch.tensor([int(well)])
        try:
            dist.broadcast(said, src=0)
        except RuntimeError as error:
            raise _alone(error) from error
        return bool(said.item())


ALONE = Group()
# While processes are connected: what all of them see, and the numbers of their queues.
_BOARD: list[tuple[dist.Store, Iterator[int]]] = []
_WAY, _FAILED = "stgcn_lens/port of process 0", "stgcn_lens/process 0 failed"


def launched() -> bool:
    """Whether torchrun started this process together with others."""
    wanted = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    return all(name in os.environ for name in wanted) and int(os.environ["WORLD_SIZE"]) > 1


@contextmanager
def processes(device: str) -> Iterator[Group]:
    """The processes that torchrun started, connected for the length of the block; else this one alone.

    What goes wrong in all of them is told by process 0 only: the others end silently, and after it, since torchrun ends
    all once one has ended.
    """
    if not launched():
        yield ALONE
        return
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    backend = "gloo"
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
        backend = "cpu:gloo,cuda:nccl"
    try:
        store = _meeting(rank, world)
        dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=PATIENCE)
    except RuntimeError as error:
        raise _alone(error) from error
    group = Group(rank, world)
    _BOARD[:] = [(store, count())]
    try:
        yield group
    except LensError as error:
        if group.first:
            with suppress(RuntimeError):
                store.set(_FAILED, "")
            raise
        try:
            store.wait([_FAILED], timedelta(seconds=3))
            store.wait(["the end of process 0"], timedelta(seconds=10))
        except dist.DistStoreError:  # process 0 is still there
            if not store.check([_FAILED]):
                raise error from None
        except RuntimeError:  # it is not, and had its say
            pass
        raise SystemExit(error.exit_code) from error
    _BOARD.clear()
    dist.destroy_process_group()


def _drawn(store: dist.Store, queue: int, items: Sequence[Item]) -> Iterator[tuple[int, Item]]:
    """Items that no process has drawn from that queue before."""
    while True:
        try:
            number = int(store.add(f"stgcn_lens/drawn from {queue}", 1)) - 1
        except RuntimeError as error:
            raise _alone(error) from error
        if number >= len(items):
            return
        yield number, items[number]


def _meeting(rank: int, world: int) -> dist.Store:
    """Where the processes learn of each other's addresses.

    torchrun has such a place, but the addresses of processes that died stay in it and are taken for those of their
    successors (torch 2.13). So process 0 opens one of its own and leaves only the way to it at torchrun's: an old way
    leads nowhere.
    """
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return dist.TCPStore(host, port, world, rank == 0, PATIENCE)
    board = dist.TCPStore(host, port, is_master=False)
    if rank == 0:
        own = dist.TCPStore(host, 0, world, True, PATIENCE, wait_for_workers=False)
        board.set(_WAY, str(own.port))
        return own
    begun = time.monotonic()
    while True:
        try:
            way = int(board.get(_WAY))
            store = dist.TCPStore(host, way, world, False, timedelta(seconds=2), wait_for_workers=False)
            store.set_timeout(PATIENCE)
            return store
        except RuntimeError:
            if time.monotonic() - begun > 300:  # process 0 is there within seconds
                raise


def _alone(error: Exception) -> WorkError:
    """What to say when the others cannot be reached any more."""
    return WorkError(
        "the other processes are gone",
        got=str(error).partition("\n")[0].partition(". ")[0] or type(error).__name__,
        fix="the same command goes on where it stopped; torchrun --max-restarts 3 gives it by itself",
    )
