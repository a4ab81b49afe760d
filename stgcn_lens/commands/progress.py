"""Progress on stderr: bars with rate and time left, silent where nobody looks."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from tqdm import tqdm


@contextmanager
def bar(what: str, unit: str = "clip") -> Iterator[Callable[[int, int], None]]:
    """A callback `progress(done, total)` that draws one bar; nothing is drawn where stderr is no terminal."""
    with tqdm(desc=what, unit=unit, file=sys.stderr, disable=None, dynamic_ncols=True) as shown:

        def progress(done: int, total: int) -> None:
            shown.total = total
            shown.update(done - shown.n)

        yield progress


@contextmanager
def bars() -> Iterator[Callable[[str, int, int], None]]:
    """A callback `progress(what, done, total)` that draws a bar for each thing that is done, one after the other."""
    with ExitStack() as shown:
        drawn: dict[str, Callable[[int, int], None]] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in drawn:
                shown.close()
                drawn.clear()
                drawn[what] = shown.enter_context(bar(what, "step"))
            drawn[what](done, total)

        yield progress
