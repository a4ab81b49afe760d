"""The recursion of window DTW over all pairs of two packed sets of clips at once, in place.

D(i, j) = c(i, j) + min(D(i - 1, j - 1), D(i - 1, j), D(i, j - 1)), Sakoe and Chiba, IEEE TASSP 26 (1978).
"""

import warnings
from contextlib import nullcontext
from functools import cache

import numpy as np
import torch

from stgcn_lens.distances.on_gpu.clips import Axis

_LANES = 128  # column clips of a program: one a thread, four warps
_INF = float("inf")


def totals(table: torch.Tensor, x: Axis, y: Axis, band: int | None) -> torch.Tensor:
    """Cost of the best path of every pair of clips, (P, Q). The table is used up.

    Triton computes it on a GPU where it works, else operations of torch, one pair of times after the other.

    Parameters
    ----------
    table : (R, S) local costs, float32 or float64, contiguous; rows lie as `x`, columns as `y`.
    band : as in `WindowDTW`.
    """
    if table.is_cuda and kernel_works(table.device, table.dtype, band is not None):
        by_lanes(table, x, y, band)
    else:
        by_times(table, x, y, band)
    return table[on(x.last, table)[:, None], on(y.last, table)]


@cache
def kernel_works(device: torch.device, dtype: torch.dtype, banded: bool) -> bool:
    """Whether Triton is here and, tried once on a small table, gives what the operations of torch give."""
    try:
        import triton  # noqa: F401
    except ImportError:
        return False
    x, y = Axis(np.array([3, 2, 2, 1])), Axis(np.arange(9, 0, -1).repeat(_LANES // 4))
    draw = torch.Generator(device).manual_seed(0)
    table = torch.rand((x.counts.sum(), y.counts.sum()), generator=draw, device=device, dtype=dtype)
    expected, band = table.clone(), 1 if banded else None
    by_times(expected, x, y, band)
    try:
        by_lanes(table, x, y, band)
        said = None if torch.equal(table, expected) else "other numbers than torch's"
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # no C compiler, a driver that is too old, another version of Triton
        told = str(error).strip().splitlines()
        said = f"{type(error).__name__}: {told[0] if told else ''}"
    if said is not None:
        warnings.warn(f"Triton does not work here ({said}); distances are slower without it", stacklevel=2)
    return said is None


def by_lanes(table: torch.Tensor, x: Axis, y: Axis, band: int | None) -> None:
    """The whole recursion in one kernel."""
    from stgcn_lens.distances.on_gpu.kernel import accumulate

    sides = [on(values, table) for axis in (x, y) for values in (axis.lengths, axis.starts)]
    grid = (-(-len(y.lengths) // _LANES), len(x.lengths))  # the second is at most 65535, and a run of clips shorter
    plain = table.shape[1], len(y.lengths), band or 0, band is not None, _LANES
    # Triton computes on the current device, whatever it is given.
    with torch.cuda.device(table.device) if table.is_cuda else nullcontext():
        # A second stage would fetch the row above before it is written.
        accumulate[grid](table, *sides, *plain, num_warps=4, num_stages=1)


def by_times(table: torch.Tensor, x: Axis, y: Axis, band: int | None) -> None:
    """A few operations for each pair of times, over all pairs of clips that have both."""
    longer = on(x.lengths, table)[:, None] - on(y.lengths, table)  # by how much each row clip is, (P, Q)
    room = torch.empty_like(longer, dtype=table.dtype)
    columns = list(zip(y.starts.tolist(), y.counts.tolist(), strict=True))
    above: list[torch.Tensor] = []
    for i, (start, p) in enumerate(zip(x.starts.tolist(), x.counts.tolist(), strict=True)):
        here = [table[start : start + p, first : first + q] for first, q in columns]
        for j, cell in enumerate(here):
            q = cell.shape[1]
            before = [above[j - 1][:p, :q], above[j][:p]] if i and j else [above[j][:p]] if i else []
            before += [here[j - 1][:, :q]] if j else []
            if before:
                best = before[0]
                for other in before[1:]:
                    best = torch.minimum(best, other, out=room[:p, :q])
                cell += best
            if band is not None and abs(i - j) > band:
                # Row i may lie so far below column j only if the row clip is that much longer; likewise above.
                reach = longer[:p, :q] if i > j else -longer[:p, :q]
                cell.masked_fill_(reach < abs(i - j) - band, _INF)
        above = here


def on(values: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    """Whole numbers where the tensor is."""
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.int64)).to(like.device)
