"""A clip in pieces that are removed whole: joints, body parts or bodies, over windows of time or the whole clip."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from stgcn_lens.errors import LensError
from stgcn_lens.explain.cells import Cells
from stgcn_lens.explain.parts import part_of_joint

Space = Literal["joint", "part", "body"]
NONE = -1


def pieces(cell: Cells, space: Space, window: int | None = None) -> np.ndarray:
    """(T, V, M), the piece that each cell is of, from 0 up, without gaps; `NONE` where no body is.

    Every body has pieces of its own. Frames that show a real one again belong to its piece, so that what is removed
    is gone from all of them.

    Parameters
    ----------
    window : frames of a piece, of which the last in a clip may have fewer; by default the whole clip.
    """
    if window is not None and window < 1:
        raise LensError("impossible window", got=f"{window} frames", expected="at least 1")
    t, v, m = cell.x.shape[1:]
    of = {"joint": np.arange(v), "part": part_of_joint(cell.layout), "body": np.zeros(v, int)}[space]
    when = cell.shows // (window or t)
    every = (when[:, None, None] * v + of[:, None]) * m + np.arange(m)
    every = np.where(cell.there[cell.shows][:, None], every, NONE)
    used, number = np.unique(every, return_inverse=True)
    number = number.reshape(every.shape)
    return number - 1 if used[0] == NONE else number


def mask(cut: Sequence[np.ndarray]) -> np.ndarray:
    """(N, 1, T, V, M) int64, a mask of features as captum reads it.

    Cells of no piece are put in the first: where there is no body, what takes a cell's place is the cell itself.
    """
    return np.ascontiguousarray(np.stack(cut)[:, None].clip(min=0))  # captum asks for that
