"""Which joints speak for which class: a layer's maps averaged over the clips of each class, as in STG-GradCAM."""

from collections.abc import Iterable, Sequence

import numpy as np

from stgcn_lens.errors import LensError


def class_by_joint(
    maps: Iterable[np.ndarray], labels: Sequence[int] | np.ndarray, classes: int, present: Iterable[np.ndarray]
) -> np.ndarray:
    """Which joints speak for which class: a layer's maps averaged over the clips of each class.

    Each clip's map is divided by its largest value over valid rows and present bodies (a clip without positive
    evidence counts as zeros), then averaged over them.

    Parameters
    ----------
    maps : for each clip, the valid rows of its unsigned map, (rows, V, M).
    labels : for each clip, the class that its map is counted under.
    classes : number of classes.
    present : for each clip, (rows, M) bool, see `data.rows.present_rows`.

    Returns
    -------
    (classes, V) float32 in [0, 1]; a row of NaN for a class without clips.

    Raises
    ------
    LensError
        if axes or lengths differ, a label is outside the classes, or a clip has no body in any row.
    """
    total: np.ndarray | None = None
    count = np.zeros(classes, dtype=int)
    for map, label, there in zip(maps, labels, present, strict=True):
        if map.ndim != 3 or there.shape != (map.shape[0], map.shape[2]) or not there.any():
            raise LensError(
                "map and presence do not fit",
                got=f"{map.shape} and {there.shape} with {int(there.sum())} present",
                expected="(rows, V, M) and (rows, M) with at least one present",
            )
        if map.min() < 0:
            raise LensError("a signed map", got=f"minimum {map.min():.3g}", expected="values >= 0")
        if not 0 <= label < classes:
            raise LensError("label outside the classes", got=label, expected=f"0 to {classes - 1}")
        cells = map.transpose(0, 2, 1)[there].astype(np.float64)
        if total is None:
            total = np.zeros((classes, cells.shape[1]))
        total[label] += cells.mean(axis=0) / (cells.max() or 1.0)
        count[label] += 1
    if total is None:
        raise LensError("no clip to average", expected="at least one map")
    share = np.where(count > 0, count, np.nan)
    return (total / share[:, None]).astype(np.float32)
