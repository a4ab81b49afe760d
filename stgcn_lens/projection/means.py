"""One feature vector a clip, read from a memory map a clip at a time: nothing loads a layer's windows as a whole."""

import numpy as np

from stgcn_lens.arrays import read_rows
from stgcn_lens.errors import DataError

MOST = 2000
"""Clips that are laid out at once (ours): more hide one another on a screen, and t-SNE would take minutes."""


def sample(clips: int, most: int = MOST, *, seed: int = 0) -> np.ndarray:
    """Positions of the clips that are laid out, in order: all, or `most` of them drawn without replacement."""
    if clips <= most:
        return np.arange(clips)
    return np.sort(np.random.default_rng(seed).choice(clips, most, replace=False))


def mean_windows(windows: np.ndarray, offsets: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Mean of the windows of some clips, (P, D) float32.

    Parameters
    ----------
    windows : (R, D), as a rule a memory map; offsets : (N + 1,), clip i owns the rows offsets[i] to offsets[i + 1].
    chosen : (P,) positions of clips.

    Raises
    ------
    DataError
        If the offsets do not fit the windows.
    """
    if offsets[-1] != len(windows) or chosen.max(initial=0) >= len(offsets) - 1:
        raise DataError("windows of other clips", got=f"{len(windows)} rows", expected=f"{offsets[-1]} rows")
    out = np.empty((len(chosen), windows.shape[1]), dtype=np.float32)
    for place, clip in enumerate(chosen):
        out[place] = read_rows(windows, int(offsets[clip]), int(offsets[clip + 1])).mean(axis=0, dtype=np.float64)
    return out
