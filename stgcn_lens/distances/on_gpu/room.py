"""How much of a device's memory a piece of work may take, and smaller pieces where it was too much."""

import warnings
from collections.abc import Callable

import torch

from stgcn_lens.distances.on_gpu.clips import Run, Shelf
from stgcn_lens.distances.sequences import Sequences
from stgcn_lens.errors import LensError, WorkError

Tile = tuple[Run, Run]

_CPU_BYTES = 256 << 20  # ours: what a test or a laptop can spare
_SHARE = 0.5  # of the free memory (ours): the rest is for what libraries take for themselves
_PAIR_BYTES = 64  # sums, bounds and candidates of a pair of clips
_MOST = 32768  # windows of a run (ours): larger products are not faster


def room(device: str) -> int:
    """Bytes to be used on the device, of those free now.

    Raises
    ------
    LensError
        If a CUDA device is asked for and there is none.
    """
    if not device.startswith("cuda"):
        return _CPU_BYTES
    if not torch.cuda.is_available():
        raise LensError("no CUDA device here", got=device, expected="a CUDA build of torch and a GPU", fix="use cpu")
    # What torch keeps for its own later use counts as free.
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(_SHARE * (torch.cuda.mem_get_info(device)[0] + kept))


def windows_in(room: int, a: Sequences, computed: int) -> int:
    """Windows of two runs of clips of `a` such that the work on their pairs takes at most so many bytes.

    Parameters
    ----------
    computed : bytes of a number in the products.
    """
    # 2 w features (stored + computed) for the windows, w^2 computed for the table of local costs, and the rest for
    # (w / length)^2 pairs of clips.
    linear = a.features * (a.windows.itemsize + computed)
    square = computed + _PAIR_BYTES / float(a.lengths.mean()) ** 2
    most = ((linear**2 + square * room) ** 0.5 - linear) / square
    return max(1, min(int(most), _MOST))


def each(tiles: list[Tile], work: Callable[[Run, Run], None], x: Shelf, y: Shelf) -> None:
    """Do the work for every tile; one that the memory does not hold is halved and tried again, said once.

    Parameters
    ----------
    tiles : (rows, columns), runs of `x` and of `y`; (r, r) stands for all pairs within r where both are one shelf.
    work : must have no effect if it raises `torch.OutOfMemoryError`.
    x, y : are cleared if memory is short.

    Raises
    ------
    WorkError
        If the memory does not hold one clip against another.
    """
    todo, limit = tiles[::-1], None
    while todo:
        rows, cols = todo.pop()
        size = x.windows(rows) * y.windows(cols)
        halves = _halves(rows, cols, symmetric=x is y and rows == cols)
        if limit is None or size <= limit or not halves:
            try:
                work(rows, cols)
                continue
            except torch.OutOfMemoryError as error:
                said = str(error).partition(". ")[0]
            # Here the failed work holds nothing any more.
            x.clear()
            y.clear()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            if not halves:
                raise WorkError("the device's memory does not hold two clips", got=said, fix="use the CPU")
            if limit is None:
                warnings.warn(f"too little memory on the device for a tile ({said}); tiles are halved", stacklevel=3)
            limit = size // 2  # no other of that size is tried
        todo += halves[::-1]


def _halves(rows: Run, cols: Run, symmetric: bool) -> list[Tile]:
    sizes = rows[1] - rows[0], cols[1] - cols[0]
    if max(sizes) == 1:
        return []
    (start, stop), across = (rows, False) if sizes[0] >= sizes[1] else (cols, True)
    middle = (start + stop) // 2
    first, second = (start, middle), (middle, stop)
    if symmetric:
        return [(first, first), (first, second), (second, second)]
    return [(rows, first), (rows, second)] if across else [(first, cols), (second, cols)]
