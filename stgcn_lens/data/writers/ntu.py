"""NTU RGB+D: a text file a clip; class, subject, view and setup live in its name."""

import re
from pathlib import Path

import numpy as np

from stgcn_lens.data.dataset import ClipSet, Fault, Row
from stgcn_lens.data.readers import ntu
from stgcn_lens.data.source import Progress
from stgcn_lens.data.writers.target import Writer

_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R\d{3}A(\d{3})")


def _write(clips: ClipSet, out: Path, sides: np.ndarray, progress: Progress | None) -> list[Fault]:
    ntu.write_set(clips, out, progress)
    silent = [row.name for row in clips.rows if not _told(row)]
    if not silent:
        return []
    others = f" and {len(silent) - 1:,} more" if len(silent) > 1 else ""
    what = f"the numbers of this clip{others} are lost, which only a name SsssCcccPpppRrrrAaaa could say"
    return [Fault(silent[0], what, "nothing")]


def _told(row: Row) -> bool:
    """Whether the name says all numbers that are known."""
    known = [row.setup, row.view, row.subject, None if row.label is None else row.label + 1]
    code = _NAME.search(row.name)
    said = map(int, code.groups()) if code else [None] * 4
    return all(number in (None, told) for number, told in zip(known, said, strict=True))


WRITER = Writer(
    name="ntu",
    what="a folder of .skeleton text files, 25 joints in 3-D",
    suffix=None,
    write=_write,
    keeps=("names", "labels", "classes", "subjects", "views", "setups", "protocol"),
    taken_for={"fps": ntu.FPS, "units": "metres"},
    files=("*.skeleton", "classes.txt", "protocol.txt"),
)
