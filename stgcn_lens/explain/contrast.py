"""Does a map depend on the class that it explains? Two classes of one clip, and the class-by-joint table."""

import numpy as np


def pearson(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson correlation of two maps' cells, in [-1, 1]; NaN where either is constant."""
    a, b = (v.astype(np.float64).ravel() - v.mean(dtype=np.float64) for v in (a, b))
    # A constant map keeps the rounding of its mean.
    size = np.linalg.norm(a) * np.linalg.norm(b)
    flat = any(np.ptp(v) == 0 for v in (a, b))
    return float("nan") if flat or size == 0 else float(np.clip(a @ b / size, -1, 1))


def rms(a: np.ndarray, b: np.ndarray) -> float:
    """Root mean square difference of two maps' cells, each divided by its largest absolute value; zero maps stay."""
    a, b = (v.astype(np.float64) / (np.abs(v).max() or 1.0) for v in (a, b))
    return float(np.sqrt(np.mean((a - b) ** 2)))


def table_contrast(profiles: np.ndarray, classes: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Likeness of the rows of class-by-joint tables: mean Pearson r and mean RMS difference over pairs of classes.

    Parameters
    ----------
    profiles : (N, V), each clip's mean over its cells of a map with peak 1, see `tables.class_by_joint`.
    classes : (N,) the class that each clip's map speaks for.
    weights : (R, N) how often each clip counts, e.g. in bootstrap resamples.

    Returns
    -------
    (R,) and (R,): over the pairs of classes that have clips in that resample, and for r no constant row; NaN without
    such a pair.

    Source: Das, Ortega, STG-GradCAM, ICASSP 2022, for the table.
    """
    _, group = np.unique(classes, return_inverse=True)
    member = np.eye(group.max() + 1)[group]  # (N, K)
    count = weights @ member  # (R, K)
    total = np.einsum("rn,nk,nv->rkv", weights, member, profiles.astype(np.float64), optimize=True)
    tables = total / np.where(count > 0, count, np.nan)[:, :, None]
    centred = tables - tables.mean(axis=2, keepdims=True)
    size = np.linalg.norm(centred, axis=2, keepdims=True)
    unit = centred / np.where(size > 1e-12, size, np.nan)
    first, second = np.triu_indices(tables.shape[1], 1)
    r = np.einsum("rkv,rlv->rkl", unit, unit)[:, first, second]
    square = (tables**2).sum(axis=2)
    dot = np.einsum("rkv,rlv->rkl", tables, tables)[:, first, second]
    apart = np.sqrt(np.maximum(square[:, first] + square[:, second] - 2 * dot, 0) / profiles.shape[1])
    return _mean(r), _mean(apart)


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean of each row over its finite entries, NaN where there is none."""
    finite = np.isfinite(values)
    some = finite.sum(axis=1)
    return np.where(some > 0, np.where(finite, values, 0).sum(axis=1) / np.maximum(some, 1), np.nan)
