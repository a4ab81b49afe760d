"""One training by several processes that torchrun started: each takes its share of every batch.

``torchrun --nproc-per-node 2 -m stgcn_lens train ...``. All processes hold the same weights and draw the same order of
clips; their gradients are added, so that every step is the step of one process with the whole batch.
"""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

from stgcn_lens.errors import LensError, WorkError

PATIENCE = timedelta(hours=2)  # for who waits while process 0 reads and prepares the clips


@dataclass(frozen=True)
class Group:
    """The processes of a training, and which of them this one is.

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
        """Which of `count` clips in a row are this process's; the shares differ by at most one clip."""
        return slice(count * self.rank // self.world, count * (self.rank + 1) // self.world)

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The values of all processes added up, in place."""
        if self.world > 1:
            try:
                dist.all_reduce(values)
            except RuntimeError as error:
                raise _alone(error) from error
        return values

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
        """What process 0 says."""
        said = torch.tensor([int(well)])
        try:
            dist.broadcast(said, src=0)
        except RuntimeError as error:
            raise _alone(error) from error
        return bool(said.item())


ALONE = Group()
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
    group = Group(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
    backend = "gloo"
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
        backend = "cpu:gloo,cuda:nccl"
    try:
        store = _meeting(group)
        dist.init_process_group(backend, store=store, rank=group.rank, world_size=group.world, timeout=PATIENCE)
    except RuntimeError as error:
        raise _alone(error) from error
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
    dist.destroy_process_group()


def _meeting(group: Group) -> dist.Store:
    """Where the processes learn of each other's addresses.

    torchrun has such a place, but the addresses of processes that died stay in it and are taken for those of their
    successors (torch 2.13). So process 0 opens one of its own and leaves only the way to it at torchrun's: an old way
    leads nowhere.
    """
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return dist.TCPStore(host, port, group.world, group.first, PATIENCE)
    board = dist.TCPStore(host, port, is_master=False)
    if group.first:
        own = dist.TCPStore(host, 0, group.world, True, PATIENCE, wait_for_workers=False)
        board.set(_WAY, str(own.port))
        return own
    begun = time.monotonic()
    while True:
        try:
            way = int(board.get(_WAY))
            store = dist.TCPStore(host, way, group.world, False, timedelta(seconds=2), wait_for_workers=False)
            store.set_timeout(PATIENCE)
            return store
        except RuntimeError:
            if time.monotonic() - begun > 300:  # process 0 is there within seconds
                raise


def add_gradients(parameters: Iterable[torch.nn.Parameter], group: Group) -> None:
    """Give every process the sum of all processes' gradients."""
    if group.world == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    whole = group.total(torch.cat([gradient.reshape(-1) for gradient in gradients]))
    for gradient, piece in zip(gradients, whole.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(piece.view_as(gradient))


def mean_statistics(model: torch.nn.Module, group: Group) -> None:
    """Give every process the mean of the processes' running statistics."""
    for buffer in model.buffers() if group.world > 1 else ():
        if buffer.is_floating_point():
            group.total(buffer.div_(group.world))


def _alone(error: Exception) -> WorkError:
    """What to say when the others cannot be reached any more."""
    return WorkError(
        "the other processes of this training are gone",
        got=str(error).partition("\n")[0].partition(". ")[0] or type(error).__name__,
        fix="the same command goes on where it stopped; torchrun --max-restarts 3 gives it by itself",
    )
