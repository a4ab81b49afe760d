"""What a writer is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stgcn_lens.data.dataset import ClipSet, Fault
from stgcn_lens.data.readers.source import Progress


@dataclass(frozen=True)
class Writer:
    """One format to write, as plain facts.

    Attributes
    ----------
    name : what `--to` calls it; the reader of the same name reads it back.
    what : what it writes, in words.
    suffix : of the one file that it writes, or None where it writes a folder.
    write : (clips, out, sides, progress) -> what the format could not hold, one `Fault` each. Reads one clip at a time; `out`
        appears whole or not at all. `sides` is (N,) text, "train", "val", "test" or "none", for formats that keep sides
        apart; `progress` gets (clips done, in all). `DataError` where the format cannot hold such clips at all.
    """

    name: str
    what: str
    suffix: str | None
    write: Callable[[ClipSet, Path, np.ndarray, Progress | None], list[Fault]]
