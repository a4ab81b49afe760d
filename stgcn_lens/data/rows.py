"""Which rows of a temporally strided layer are real, and which bodies are in them."""

import numpy as np


def rows(frames: int, stride: int) -> int:
    """Number of valid rows that a clip of `frames` frames has at a layer of that total stride, ceil(frames / r_l)."""
    return -(-frames // stride)


def present_rows(present: np.ndarray, stride: int, frames: int | None = None) -> np.ndarray:
    """Which bodies are there in each valid row of a layer.

    A row stands for the frames from its own to the next row's: a body is in the row if it is in any of them.

    Parameters
    ----------
    present : (T, M) bool, which bodies are there in each model frame.
    stride : total temporal stride r_l.
    frames : number of real frames; by default all.

    Returns
    -------
    (ceil(frames / r_l), M) bool.
    """
    present = present[:frames]
    return np.logical_or.reduceat(present, np.arange(0, len(present), stride), axis=0)
