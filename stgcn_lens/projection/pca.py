"""Principal components, exact: singular vectors of the centred features."""

import numpy as np

from stgcn_lens.projection.plane import Plane

_SMALL = 64  # rows or columns (ours) up to which all singular vectors are found: Lanczos wants many more than it gives


def pca(features: np.ndarray, seed: int = 0) -> Plane:
    """The two directions of largest variance of (P, D) features; one that does not vary is zero.

    `seed` starts the iteration; the result depends on it in the last digits only.
    """
    points, share = principal(features, 2, seed)
    return Plane(points, f"holds {share:.0%} of the variance")


def principal(features: np.ndarray, components: int, seed: int = 0) -> tuple[np.ndarray, float]:
    """Coordinates (P, components) float64, and the share of the variance that they hold, in [0, 1].

    Of each direction the sign is that which makes its largest coordinate positive.
    """
    centred = features.astype(np.float64)
    centred -= centred.mean(axis=0)
    total = float(np.square(centred).sum())
    points = np.zeros((len(centred), components))
    if total == 0:
        return points, 1.0
    if min(centred.shape) <= max(_SMALL, 2 * components):
        left, values, _ = np.linalg.svd(centred, full_matrices=False)
    else:
        from scipy.sparse.linalg import svds  # the app's first page must not wait for it

        start = np.random.default_rng(seed).standard_normal(min(centred.shape))
        left, values, _ = svds(centred, components, v0=start)
        left, values = left[:, ::-1], values[::-1]
    kept = min(components, len(values))
    points[:, :kept] = left[:, :kept] * values[:kept]
    sign = np.sign(np.take_along_axis(points, abs(points).argmax(axis=0)[None], axis=0))
    return points * np.where(sign == 0, 1, sign), float(np.square(values[:kept]).sum() / total)
