"""The clips of every step, on the device; on a GPU, the next step's are fetched while it computes this one's."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from stgcn_lens.processes import ALONE, Group
from stgcn_lens.training.prepared import Prepared


@dataclass(frozen=True, eq=False)
class Batch:
    """The clips of a step.

    Attributes
    ----------
    rows : clips of the whole batch, as rows of the prepared clips.
    share : which of them are here; all, where one process trains alone.
    x, present, target : clips (n, C, T, V, M), bodies (n, T, M) and class numbers (n,) of the share, on the device.
    waited : seconds that the loop stood still for them.
    """

    rows: np.ndarray
    share: slice
    x: torch.Tensor
    present: torch.Tensor
    target: torch.Tensor
    waited: float


def feed(
    prepared: Prepared,
    labels: np.ndarray,
    order: np.ndarray,
    division: Sequence[slice],
    device: str,
    group: Group = ALONE,
    *,
    ahead: bool | None = None,
) -> Iterator[Batch]:
    """The batches of an epoch.

    Parameters
    ----------
    order : the epoch's clips, as rows of the prepared ones; `division` cuts it into steps.
    ahead : fetch the next batch in a thread; by default on a GPU, where the thread has a core to itself.
    """
    cuda = device.startswith("cuda")
    places = torch.from_numpy(labels)

    def load(part: slice) -> tuple[np.ndarray, slice, tuple[torch.Tensor, ...]]:
        rows = order[part]
        share = group.share(len(rows))
        mine = rows[share]
        target = places[torch.from_numpy(mine)]
        return rows, share, (_rows(prepared.x, mine, cuda), _rows(prepared.present, mine, cuda), target)

    with ThreadPoolExecutor(1) as worker:
        ahead = cuda if ahead is None else ahead
        coming = worker.submit(load, division[0]) if ahead else None
        for step, part in enumerate(division):
            began = time.perf_counter()
            rows, share, tensors = load(part) if coming is None else coming.result()
            if coming is not None and step + 1 < len(division):
                coming = worker.submit(load, division[step + 1])
            # From pinned memory the copy runs beside what is still being computed.
            x, present, target = (tensor.to(device, non_blocking=cuda) for tensor in tensors)
            yield Batch(rows, share, x, present, target, time.perf_counter() - began)


def _rows(array: np.ndarray, rows: np.ndarray, pinned: bool) -> torch.Tensor:
    """The chosen rows of an array on disk, copied once, into memory that a GPU can read by itself if `pinned`."""
    kind = torch.from_numpy(np.empty(0, array.dtype)).dtype
    held = torch.empty((len(rows), *array.shape[1:]), dtype=kind, pin_memory=pinned)
    view = held.numpy()
    for place, row in enumerate(rows):
        view[place] = array[row]
    return held
