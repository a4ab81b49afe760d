"""Formats that clips can be written in: `WRITERS` lists them; together with the readers they convert."""

from pathlib import Path

import numpy as np

from stgcn_lens.data import native
from stgcn_lens.data.dataset import ClipSet, Fault
from stgcn_lens.data.readers import ntu
from stgcn_lens.data.readers.source import Progress
from stgcn_lens.data.writers.target import Writer


def _native(clips: ClipSet, out: Path, sides: np.ndarray, progress: Progress | None) -> list[Fault]:
    about = {"source": clips.source, "protocol": clips.protocol, "faults": clips.faults}
    native.pack(_told(clips, progress), out, classes=clips.classes, **about)  # type: ignore[arg-type]
    return []


def _ntu(clips: ClipSet, out: Path, sides: np.ndarray, progress: Progress | None) -> list[Fault]:
    ntu.write_set(clips, out, progress)
    return []


def _told(clips: ClipSet, progress: Progress | None):  # type: ignore[no-untyped-def]
    for done, clip in enumerate(clips, start=1):
        yield clip
        if progress is not None:
            progress(done, len(clips))


WRITERS: tuple[Writer, ...] = (
    Writer("native", "a folder that every command reads without converting; keeps everything", None, _native),
    Writer("ntu", "a folder of .skeleton text files, 25 joints in 3-D", None, _ntu),
)
