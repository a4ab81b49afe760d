"""From a skeleton to the matrices of a graph convolution: hop distances, partitions, normalisation.

``A[p, v, w]`` weighs the message from joint v to joint w in partition p, so that a layer computes
``einsum("npctv,pvw->nctw")``. Sources: Yan et al. 2018 (ST-GCN), equations 5 to 10 and section 3.4;
Kipf and Welling 2017 for the single-partition case.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.sparse.csgraph import shortest_path

from stgcn_lens.errors import LensError
from stgcn_lens.skeleton import Layout

ALPHA = 0.001  # ST-GCN section 3.4: keeps the degree of an empty row away from zero


def links(layout: Layout) -> np.ndarray:
    """Symmetric 0/1 matrix of the bones, (V, V), without self links."""
    a = np.zeros((layout.V, layout.V))
    for child, parent in layout.bones:
        a[child, parent] = a[parent, child] = 1
    return a


def hops(layout: Layout) -> np.ndarray:
    """Number of bones on the way from any joint to any other, (V, V); inf where there is no way."""
    return shortest_path(links(layout), unweighted=True)


def _uniform(layout: Layout) -> list[np.ndarray]:
    return [links(layout) + np.eye(layout.V)]


def _distance(layout: Layout) -> list[np.ndarray]:
    return [np.eye(layout.V), links(layout)]


def _by_radius(layout: Layout, radius: np.ndarray) -> list[np.ndarray]:
    """Root, centripetal and centrifugal neighbours of each target joint (ST-GCN eq. 8)."""
    neighbours = links(layout)
    source, target = radius[:, None], radius[None, :]
    same = neighbours * (source == target)
    return [np.eye(layout.V) + same, neighbours * (source < target), neighbours * (source > target)]


def _spatial(layout: Layout) -> list[np.ndarray]:
    return _by_radius(layout, hops(layout)[layout.centre])


def _spatial_release(layout: Layout) -> list[np.ndarray]:
    """The subsets of the released code, which sees no further than one hop.

    Joints two or more bones from the centre all sit at infinity there, where inf == inf counts as the same
    distance; and neighbours at the same distance join the second subset, together with those whose source is
    further out than their target.
    """
    radius = hops(layout)[layout.centre]
    radius = np.where(radius > 1, np.inf, radius)
    root, inward, outward = _by_radius(layout, radius)
    eye = np.eye(layout.V)
    return [eye, (root - eye) + outward, inward]


PARTITIONS: dict[str, Callable[[Layout], list[np.ndarray]]] = {
    "uniform": _uniform,
    "distance": _distance,
    "distance-tied": _distance,
    "spatial": _spatial,
    "spatial-release": _spatial_release,
}
MEASURED = "spatial-measured"  # "spatial" by distances that training measures, so that the layout alone is not enough


def subsets(layout: Layout, strategy: str, radius: Sequence[float] | None = None) -> np.ndarray:
    """0/1 matrices A_j with sum_j A_j = A + I (ST-GCN eq. 10), shape (K, V, V), before normalisation.

    Parameters
    ----------
    radius : for `MEASURED` only: of every joint the mean distance to the centre of gravity (r_i of eq. 8).
    """
    if strategy == MEASURED:
        if radius is None or len(radius) != layout.V or not np.isfinite(radius).all():
            raise LensError(
                f"partition '{MEASURED}' needs the joints' distances from the centre of gravity",
                got="none" if radius is None else f"{len(radius)} of them",
                expected=f"{layout.V} finite numbers",
                fix="an ST-GCN that is trained with it measures them over its training clips",
            )
        return np.stack(_by_radius(layout, np.asarray(radius, dtype=float)))
    if strategy not in PARTITIONS:
        known = ", ".join([*PARTITIONS, MEASURED])
        raise LensError("unknown partition strategy", got=repr(strategy), expected=f"one of {known}")
    return np.stack(PARTITIONS[strategy](layout))


def _symmetric(a: np.ndarray) -> np.ndarray:
    """D^-1/2 A D^-1/2 with D_ii = sum_k A_ik + alpha, each partition by itself."""
    scale = 1 / np.sqrt(a.sum(axis=-1) + ALPHA)
    return scale[..., :, None] * a * scale[..., None, :]


def _column(a: np.ndarray) -> np.ndarray:
    """A D^-1 with the degrees of the whole graph, then split (the released code)."""
    degree = a.sum(axis=0).sum(axis=0)
    return a / np.where(degree > 0, degree, 1)


def _each(a: np.ndarray) -> np.ndarray:
    """A_j D_j^-1, each partition by its own columns (pyskl's "spatial" graph)."""
    degree = a.sum(axis=1, keepdims=True)
    return a / np.where(degree > 0, degree, 1)


NORMALISATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "symmetric": _symmetric,
    "column": _column,
    "each": _each,
}


def partitions(
    layout: Layout,
    strategy: str = "spatial",
    normalisation: str = "symmetric",
    radius: Sequence[float] | None = None,
) -> np.ndarray:
    """Normalised partition matrices, shape (K, V, V), float32; `radius` is that of `subsets`.

    K is 1 for `uniform` and `distance-tied` (whose two matrices share one weight with opposite signs,
    w_0 = -w_1, "distance*" of ST-GCN table 1), 2 for `distance`, 3 for the spatial ones.
    """
    if normalisation not in NORMALISATIONS:
        raise LensError(
            "unknown normalisation", got=repr(normalisation), expected=f"one of {', '.join(NORMALISATIONS)}"
        )
    split = subsets(layout, strategy, radius)
    a = NORMALISATIONS[normalisation](split)
    if strategy == "distance-tied":
        a = (a[1] - a[0])[None]
    return a.astype(np.float32)
