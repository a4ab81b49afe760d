"""Progress on stderr: bars with rate and time left, silent where nobody looks; for a program that asks, in a file."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tqdm import tqdm

FILE = "STGCN_LENS_PROGRESS"
"""Environment variable: a file that always holds the newest {"what", "done", "total"} as JSON."""
_EVERY = 0.2  # seconds between two writes of it (ours)


@contextmanager
def bar(what: str, unit: str = "clip") -> Iterator[Callable[[int, int], None]]:
    """A callback `progress(done, total)` that draws one bar; nothing is drawn where stderr is no terminal."""
    file, told = os.environ.get(FILE), 0.0
    with tqdm(desc=what, unit=unit, file=sys.stderr, disable=None, dynamic_ncols=True) as shown:

        def progress(done: int, total: int) -> None:
            nonlocal told
            shown.total = total
            shown.update(done - shown.n)
            if file and (time.monotonic() - told > _EVERY or done == total):
                told = time.monotonic()
                _tell(Path(file), {"what": what, "done": done, "total": total})

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


def _tell(file: Path, about: dict[str, object]) -> None:
    """Replace the file as a whole, so that who reads it never sees half of it."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    fresh.write_text(json.dumps(about))
    fresh.replace(file)
