"""ST-GCN's partitions joint by joint, as the paper's section 3 and the released code define them; no matrix algebra."""

import math

import numpy as np

from stgcn_lens.skeleton import Layout


def distance(layout: Layout, a: int, b: int) -> int:
    """Bones on the shortest way from a to b, by widening circles."""
    circle, seen, steps = {a}, {a}, 0
    while b not in circle:
        circle = {j for i in circle for bone in layout.bones for j in bone if i in bone} - seen
        seen |= circle
        steps += 1
    return steps


def neighbours(layout: Layout, i: int) -> list[int]:
    """B(v_i): the joints within one bone of joint i, itself included (eq. 2 with D = 1)."""
    return [j for j in range(layout.V) if distance(layout, i, j) <= 1]


def spatial_label(layout: Layout, i: int, j: int) -> int:
    """l_ti(v_tj) of eq. 8: 0 at the root's own distance from the centre, 1 nearer to it, 2 further out."""
    r_i, r_j = distance(layout, i, layout.centre), distance(layout, j, layout.centre)
    return 0 if r_j == r_i else 1 if r_j < r_i else 2


def release_label(layout: Layout, i: int, j: int) -> int:
    """Subset of the released code: it measures no distance beyond one hop, and joins equals to those further out."""
    if i == j:
        return 0
    r_i, r_j = (min(distance(layout, k, layout.centre), 2) for k in (i, j))  # 2 stands for "infinite"
    return 2 if r_j < r_i else 1


LABELS = {
    "uniform": lambda layout, i, j: 0,
    "distance": lambda layout, i, j: distance(layout, i, j),
    "spatial": spatial_label,
    "spatial-release": release_label,
}


def subsets(layout: Layout, strategy: str) -> np.ndarray:
    """A_k[j, i] = 1 where j is a neighbour of root i with label k."""
    label = LABELS[strategy]
    out = np.zeros((3, layout.V, layout.V))
    for i in range(layout.V):
        for j in neighbours(layout, i):
            out[label(layout, i, j), j, i] = 1
    return out[: {"uniform": 1, "distance": 2}.get(strategy, 3)]


def symmetric(a: np.ndarray, alpha: float = 0.001) -> np.ndarray:
    """Lambda^-1/2 A Lambda^-1/2, Lambda_ii = sum_k A_ik + alpha (below eq. 9)."""
    out = np.zeros_like(a)
    for i in range(len(a)):
        for k in range(len(a)):
            out[i, k] = a[i, k] / math.sqrt(sum(a[i]) + alpha) / math.sqrt(sum(a[k]) + alpha)
    return out


def column(a: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """A D^-1 with the column sums D of the whole graph (or of the partition itself)."""
    out = np.zeros_like(a)
    for i in range(len(a)):
        for k in range(len(a)):
            out[i, k] = a[i, k] / sum(whole[:, k]) if a[i, k] else 0
    return out
