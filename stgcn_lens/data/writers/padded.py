"""Clips as rows of one array: two body slots and equal length, zeros for what is not there."""

from collections.abc import Callable

import numpy as np

from stgcn_lens.data.bodies import select_bodies
from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet, Fault
from stgcn_lens.data.splits import families, given_sides

FRAMES = 300  # [S]; more where a clip is longer
BODIES = 2


def length(clips: ClipSet) -> int:
    """Frames of every row, T."""
    return max(FRAMES, max((row.frames for row in clips.rows), default=0))


def own_sides(clips: ClipSet, sides: np.ndarray, on_fault: Callable[[Fault], None]) -> np.ndarray:
    """The sides, (N,) text; where all are "none", those that the source gives (see `splits.split`, by "file").

    Raises
    ------
    DataError
        where the source divides its clips in several ways: such a format has room for one.
    """
    if (sides != "none").any():
        return sides.astype("<U5")
    if families(clips.rows):
        return given_sides(clips, "file", on_fault)
    if names := sorted({name for row in clips.rows for name in row.splits}):
        on_fault(Fault(clips.source, f"no place for sides called {', '.join(names[:6])}", "nothing"))
    return np.full(len(clips), "none", dtype="<U5")


def padded(clip: Clip, frames: int, on_fault: Callable[[Fault], None]) -> np.ndarray:
    """One clip as (C, `frames`, V, 2) float32, its own frames first.

    Bodies keep their order; of more than two, those of the largest spatial energy are kept, the largest first. What
    cannot be told apart from padding afterwards, a body with all joints at the origin, is told.
    """
    there = np.flatnonzero(clip.valid.any(axis=0))
    if len(there) > BODIES:
        told = f"{len(there)} bodies; the {BODIES} of the largest spatial energy were written"
        on_fault(Fault(clip.name, told, "nothing"))
        clip = select_bodies(clip, BODIES, max_flatness=0)
        there = np.flatnonzero(clip.valid.any(axis=0))
    xyz, valid = clip.xyz[..., there], clip.valid[:, there]
    blank = valid & ~xyz.any(axis=(0, 2))
    if blank.any():
        lost = int(blank.any(axis=1).sum())
        on_fault(Fault(clip.name, "a body with all joints at the origin reads as absent", "frames", lost))
    row = np.zeros((xyz.shape[0], frames, xyz.shape[2], BODIES), np.float32)
    row[:, : clip.frames, :, : len(there)] = np.where(valid[None, :, None], xyz, np.float32(0))
    return row
