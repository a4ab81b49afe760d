"""How much memory a piece of work may take, and smaller pieces where it was too much."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path

from stgcn_lens.errors import WorkError

TILE_BYTES = 64 << 20
"""Memory for the bounds of the distances from some clips to all (ours): 1,000 clips to 16,000."""

_SHARE = 4  # of the free memory a quarter (ours): other work goes on beside ours
_UNKNOWN = 1 << 30


def room() -> int:
    """Bytes that a piece of work may take, of those free now on this machine and in this container."""
    free = []
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free += [int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable")]
        control = Path("/sys/fs/cgroup")
        limit = (control / "memory.max").read_text().strip()
        if limit != "max":
            free.append(int(limit) - int((control / "memory.current").read_text()))
    except (OSError, ValueError):
        pass
    if not free and hasattr(os, "sysconf") and "SC_AVPHYS_PAGES" in os.sysconf_names:
        free.append(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return max(1 << 20, min(free, default=_SHARE * _UNKNOWN) // _SHARE)


def in_pieces(start: int, stop: int, step: int, work: Callable[[int, int], None]) -> None:
    """Call `work(first, last)` for runs of at most `step` from start to stop; one that needs too much memory is halved.

    Parameters
    ----------
    work : must have no effect if it raises `MemoryError`.

    Raises
    ------
    WorkError
        If the memory does not hold a piece of one.
    """
    first, told = start, False
    while first < stop:
        last = min(first + step, stop)
        try:
            work(first, last)
        except MemoryError as error:
            if last - first == 1:
                raise WorkError(
                    "the memory does not hold the distances of one clip", got=str(error) or None, fix="free memory"
                ) from error
            step = (last - first) // 2
            if not told:
                warnings.warn(f"too little memory for {last - first} clips at a time; taking {step}", stacklevel=3)
                told = True
            continue
        first = last
