"""What a writer is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stgcn_lens.data.dataset import ClipSet, Fault
from stgcn_lens.data.source import Progress

# What a set says beside its coordinates and masks, one word a thing.
FIELDS = (
    *("names", "labels", "classes", "subjects", "views", "setups", "sides"),
    *("fps", "units", "layout", "protocol", "evidence"),
)


@dataclass(frozen=True)
class Writer:
    """One format to write, as plain facts.

    Attributes
    ----------
    name : what `--to` calls it; the reader of the same name reads it back.
    what : what it writes, in words.
    suffix : of the one file that it writes, or None where it writes a folder.
    write : (clips, out, sides, progress) -> what the format could not hold, one `Fault` each. Reads one clip at a time;
        `out` appears whole or not at all. `sides` is (N,) text, "train", "val", "test" or "none", for formats that keep
        sides apart; `progress` gets (clips done, in all). `DataError` where the format cannot hold such clips at all.
    keeps : of `FIELDS`, those that come back when the format is read; the others are said to be lost (see `losses`).
    taken_for : what the reader takes a field of the whole set for that the format does not hold, as fps for 30.
    files : patterns of the names in the folder that it writes; only a folder of nothing else is ever replaced.
    """

    name: str
    what: str
    suffix: str | None
    write: Callable[[ClipSet, Path, np.ndarray, Progress | None], list[Fault]]
    keeps: tuple[str, ...] = ()
    taken_for: Mapping[str, object] = field(default_factory=dict)
    files: tuple[str, ...] = ()
