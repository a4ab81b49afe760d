"""Progress on stderr: bars with rate and time left, silent where nobody looks."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def bar(what: str, unit: str = "clip") -> Iterator[Callable[[int, int], None]]:
    """A callback `progress(done, total)` that draws one bar; nothing is drawn where stderr is no terminal."""
    with tqdm(desc=what, unit=unit, file=sys.stderr, disable=None, dynamic_ncols=True) as shown:

        def progress(done: int, total: int) -> None:
            shown.total = total
            shown.update(done - shown.n)

        yield progress
