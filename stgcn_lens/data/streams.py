"""Streams: what a network is shown of a clip. Positions, bones, and the motion of either."""

import numpy as np

from stgcn_lens.skeleton import Layout

STREAMS = ("joint", "bone", "joint-motion", "bone-motion")


def bone(x: np.ndarray, layout: Layout) -> np.ndarray:
    """Each joint relative to its parent, the root zero; (C, T, V, M) -> the same.

    The score channel of a 2-D layout becomes the mean score of the two joints, as in pyskl.
    """
    parent = list(layout.parents)
    out = x - x[:, :, parent]
    if _has_score(x, layout):
        out[2] = (x[2] + x[2][:, parent]) / 2
    return out


def motion(x: np.ndarray, present: np.ndarray, layout: Layout) -> np.ndarray:
    """Forward difference in time, (C, T, V, M) -> the same; the last frame is zero.

    A step is zero, too, where the body is absent at one of its ends (`present` is (T, M)). The score channel
    of a 2-D layout becomes the mean score of the two frames, as in pyskl.
    """
    out = np.zeros_like(x)
    out[:, :-1] = x[:, 1:] - x[:, :-1]
    if _has_score(x, layout):
        out[2] = x[2]
        out[2, :-1] = (x[2, 1:] + x[2, :-1]) / 2
    both = present.copy()
    both[:-1] &= present[1:]
    both[-1:] &= _has_score(x, layout)
    return np.where(both[None, :, None, :], out, np.float32(0))


def stream(x: np.ndarray, present: np.ndarray, layout: Layout, name: str) -> np.ndarray:
    """One of `STREAMS`, computed from fitted positions (C, T, V, M) and their mask (T, M)."""
    if name.startswith("bone"):
        x = bone(x, layout)
    if name.endswith("motion"):
        x = motion(x, present, layout)
    return np.where(present[None, :, None, :], x, np.float32(0)).astype(np.float32, copy=False)


def _has_score(x: np.ndarray, layout: Layout) -> bool:
    return layout.dims == 2 and x.shape[0] == 3
