"""Compiled loops shared by threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from numba import get_num_threads

_PIECES = 4  # a thread: clips differ in length


def in_threads(work: Callable[[int, int], None], count: int) -> None:
    """Call `work(first, last)` until it has been given all of 0 to `count`.

    numba's own parallel loops would do the same, but their fallback threading layer ends the process when two threads
    (two users of the app) enter.

    Parameters
    ----------
    work : does not hold the interpreter's lock, and writes to places of its own.
    """
    threads = min(get_num_threads(), count)
    if threads <= 1:
        work(0, count)
        return
    pieces = min(count, _PIECES * threads)
    edges = [count * piece // pieces for piece in range(pieces + 1)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, edges[:-1], edges[1:]))


def each_in_threads(work: Callable[[int], None], count: int) -> None:
    """Call `work(0)` to `work(count - 1)`, begun in that order: the longest first is best."""
    threads = min(get_num_threads(), count)
    if threads <= 1:
        for item in range(count):
            work(item)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(count)))
