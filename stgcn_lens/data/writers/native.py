"""The native form: everything is kept."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet, Fault
from stgcn_lens.data.native import pack
from stgcn_lens.data.source import Progress
from stgcn_lens.data.writers.target import FIELDS, Writer


def _write(clips: ClipSet, out: Path, sides: np.ndarray, progress: Progress | None) -> list[Fault]:
    stream = _sided(clips, sides, progress)
    pack(stream, out, classes=clips.classes, source=clips.source, protocol=clips.protocol, faults=clips.faults)
    return []


def _sided(clips: ClipSet, sides: np.ndarray, progress: Progress | None) -> Iterator[Clip]:
    """The clips on the sides that they are put on; where all are put on none, on those of their source."""
    chosen = (sides != "none").any()
    for done, (clip, side) in enumerate(zip(clips, sides.tolist(), strict=True), start=1):
        yield clip.replace(splits=() if side == "none" else (side,)) if chosen else clip
        if progress is not None:
            progress(done, len(clips))


WRITER = Writer(
    name="native",
    what="a folder that every command reads without converting; keeps everything",
    suffix=None,
    write=_write,
    keeps=FIELDS,
    files=("clipset.json", "clips.csv", "xyz.npy", "valid.npy", "evidence.npy"),
)
