"""A group of clips as one map: each clip's time is stretched to the same length."""

from collections.abc import Iterable

import numpy as np

from stgcn_lens.errors import LensError

BINS = 16
"""Equal parts of a clip's time (ours): about the windows of a clip of ten seconds at the default window."""


def mean_map(maps: Iterable[np.ndarray], bins: int = BINS) -> np.ndarray:
    """Mean of the clips' maps of a layer over relative time, (bins, V) float64 in [0, 1].

    Each map is divided by its largest value (one without positive evidence counts as zeros); of two bodies the one with
    the larger value counts, joint by joint and row by row. The middle of a bin is read linearly between the middles of
    the rows.

    Parameters
    ----------
    maps : for each clip, the valid rows of its unsigned map, (rows, V, M); rows of different number.

    Raises
    ------
    LensError
        if there is no clip, or a map holds negative values.
    """
    total, count = np.zeros(0), 0
    for map in maps:
        if map.ndim != 3 or not map.size or map.min() < 0:
            raise LensError("not an unsigned map", got=f"axes {map.shape}", expected="(rows, V, M), values >= 0")
        joint = map.max(axis=2).astype(np.float64)
        at = np.clip((np.arange(bins) + 0.5) / bins * len(joint) - 0.5, 0, len(joint) - 1)
        low = np.floor(at).astype(int)
        part = (at - low)[:, None]
        stretched = joint[low] * (1 - part) + joint[np.minimum(low + 1, len(joint) - 1)] * part
        total = (total if count else np.zeros_like(stretched)) + stretched / (joint.max() or 1.0)
        count += 1
    if not count:
        raise LensError("no clip to average", expected="at least one map")
    return total / count
