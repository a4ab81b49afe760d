"""Compiled loops over many small problems, shared by threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from numba import get_num_threads

_PIECES = 4  # a thread: problems differ in size


def in_threads(work: Callable[[int, int], None], count: int, *, least: int = 1) -> None:
    """Call `work(first, last)` until it has been given all of 0 to `count`.

    numba's own parallel loops would do the same, but their fallback threading layer ends the process when two threads
    (two users of the app) enter.

    Parameters
    ----------
    work : does not hold the interpreter's lock, and writes to places of its own.
    least : smallest number of problems that is worth a call.
    """
    threads = get_num_threads()
    pieces = min(_PIECES * threads, count // least)
    if threads == 1 or pieces <= 1:
        work(0, count)
        return
    edges = [count * piece // pieces for piece in range(pieces + 1)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, edges[:-1], edges[1:]))
