"""What a set says that a format has no place for."""

import numpy as np

from stgcn_lens.data.dataset import ClipSet, Fault
from stgcn_lens.data.parsing.joints import guess
from stgcn_lens.data.writers.target import Writer
from stgcn_lens.errors import DataError

_PER_CLIP = {"labels": "label", "subjects": "subject", "views": "view", "setups": "setup"}


def losses(clips: ClipSet, sides: np.ndarray, writer: Writer) -> list[Fault]:
    """One remark that names everything that will not come back, or none; what clips lack cannot be lost.

    Parameters
    ----------
    sides : (N,) text, the sides that the clips are put on.
    writer : says what its format keeps.
    """
    lost = [field for field in ("names", "classes") if field not in writer.keeps]
    for field, name in _PER_CLIP.items():
        if field not in writer.keeps and any(getattr(row, name) is not None for row in clips.rows):
            lost.append(field)
    if "sides" not in writer.keeps and (any(row.splits for row in clips.rows) or (sides != "none").any()):
        lost.append("sides")
    if "evidence" not in writer.keeps and clips.evidence is not None:
        lost.append("evidence")
    known = {
        "fps": (clips.fps, "frames a second ({:g})"),
        "units": (clips.units, "units ({})"),
        "protocol": (clips.protocol, "protocol ({})"),
        "layout": (clips.layout, "layout ({}: name it with --layout when you read)"),
    }
    taken = {"layout": _guessed(clips), "protocol": "generic", **writer.taken_for}
    for field, (value, text) in known.items():
        if field not in writer.keeps and taken.get(field) != value:
            lost.append(text.format(value))
    if not lost:
        return []
    return [Fault(f"format {writer.name}", f"no place for {', '.join(lost)}", "nothing")]


def _guessed(clips: ClipSet) -> str | None:
    """The layout that is taken for these joints where none is named."""
    try:
        return guess(clips.skeleton.V, clips.skeleton.dims, None, None)
    except DataError:
        return None
