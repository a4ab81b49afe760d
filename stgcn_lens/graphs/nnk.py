"""Non-negative kernel regression graphs: of the k nearest clips, those that are needed to rebuild a clip, and how much.

Source: Shekkizhar, Ortega, "Graph construction from data by non-negative kernel regression", ICASSP 2020,
arXiv 1910.09383, problem (6) and the symmetrisation after it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from scipy import sparse

from stgcn_lens.distances import Distance, Sequences, get_distance
from stgcn_lens.errors import LensError, WorkError
from stgcn_lens.graphs.knn import Neighbours

KERNELS = ("gaussian", "self-tuning")
RIDGE = 1e-8  # ours: added to the diagonal; equal clips share their weight equally, the KKT residual stays below 1e-6
RESIDUAL = 1e-6
SMALLEST = 1e-8  # ours: a weight above it counts as a neighbour
_INDEFINITE = 1e-10  # eigenvalues of a k x k kernel are this exact; what is more negative is no rounding
_CHUNK_BYTES = 16 << 20  # of one (clips, k, k) array; some six of them live at once
_TOLERANCE = 1e-12


@dataclass(frozen=True, eq=False)
class Kernel:
    """Similarity of two clips from their distance, in [0, 1].

    K_ij = exp(-d_ij^2 / (2 s_i s_j)). "gaussian": every s_i is the mean distance to the k-th neighbour / 3 (the
    authors' code). "self-tuning": s_i is the clip's own distance to its k-th neighbour / 3, the same thing where
    all clips are equally dense. A width of zero (a clip with k exact copies; for "gaussian", all clips so) is taken as
    the limit: 1 for distance zero, 0 otherwise.

    Attributes
    ----------
    name : of `KERNELS`.
    widths : (N,) float64, s_i in units of the distance.
    """

    name: str
    widths: np.ndarray

    @classmethod
    def fit(cls, name: str, neighbours: Neighbours) -> "Kernel":
        """The kernel whose widths follow from the distances to the k-th neighbours."""
        last = neighbours.distances[:, -1].astype(np.float64) / 3
        if name == "gaussian":
            return cls(name, np.full(len(last), last.mean()))
        if name == "self-tuning":
            return cls(name, last)
        raise LensError("no such kernel", got=name, expected=" or ".join(KERNELS))

    @property
    def sigma(self) -> float:
        """Mean width."""
        return float(self.widths.mean())

    def exponent(self, distances: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """-log K_ij for the given distances between clips i and j; all three of one (broadcast) shape."""
        squared = np.asarray(distances, dtype=np.float64) ** 2
        scale = 2 * self.widths[i] * self.widths[j]
        limit = np.where(squared > 0, np.inf, 0.0)
        return np.divide(squared, scale, out=limit, where=np.broadcast_to(scale > 0, squared.shape))


@dataclass(frozen=True, eq=False)
class NNKGraph:
    """The NNK weights of every clip's candidates.

    Attributes
    ----------
    indices, distances : (N, k), as in `Neighbours`: the candidates.
    weights : (N, k) float32, theta >= 0; not normalised.
    errors : (N,) float64, J_i = 1/2 ||phi_i - sum_j theta_j phi_j||^2 in the kernel's feature space, at most 1/2;
        it can be slightly negative where the kernel has no such space (see `indefinite_share`).
    kernel : the kernel that was used.
    indefinite_share : share of neighbourhoods whose kernel had a negative eigenvalue and was projected, in [0, 1].
    """

    indices: np.ndarray
    distances: np.ndarray
    weights: np.ndarray
    errors: np.ndarray
    kernel: Kernel
    indefinite_share: float

    def __len__(self) -> int:
        return len(self.indices)

    def undirected(self) -> sparse.csr_array:
        """Symmetric (N, N) graph: each pair has the weight given by the end with the smaller error J.

        That weight may be zero: then the better rebuilt end does not need the other, and there is no edge. Of equal
        errors the larger weight stands.
        """
        n, k = self.indices.shape
        i, j = np.repeat(np.arange(n), k), self.indices.ravel().astype(np.int64)
        weight = self.weights.ravel().astype(np.float64)
        i, j, weight = i[weight > 0], j[weight > 0], weight[weight > 0]
        # An edge seen from i decides unless j is rebuilt better; then j's own view of it, if any, is in the list too.
        stands = self.errors[i] <= self.errors[j]
        directed = sparse.csr_array((weight[stands], (i[stands], j[stands])), shape=(n, n))
        return sparse.csr_array(directed.maximum(directed.T))


def nnk(
    seqs: Sequences,
    neighbours: Neighbours,
    config: Any,
    *,
    kernel: str = "gaussian",
    progress: Callable[[int, int], None] | None = None,
) -> NNKGraph:
    """NNK weights: theta_i = argmin over theta >= 0 of 1/2 theta' K_SS theta - theta' k_Si, S the candidates of i.

    Distances between candidates are computed here, each pair of a chunk of clips once; never all to all.

    Parameters
    ----------
    seqs : the N clips.
    neighbours : their k nearest neighbours, of `knn` with the same `config`.
    config : config of a row of `DISTANCES`.
    kernel : "gaussian" or "self-tuning", see `Kernel`.
    progress : called with (clips done, clips in all).

    Raises
    ------
    LensError
        If the neighbours are those of another set, or the kernel has no such name.
    """
    n, k = neighbours.indices.shape
    if n != len(seqs):
        raise LensError("neighbours of another set of clips", got=f"{n} clips", expected=len(seqs))
    distance, similarity = get_distance(config), Kernel.fit(kernel, neighbours)
    weights, errors, indefinite = np.empty((n, k)), np.empty(n), 0
    step = max(1, _CHUNK_BYTES // (8 * k * k))
    for start in range(0, n, step):
        nodes = np.arange(start, min(start + step, n))
        candidates = neighbours.indices[nodes].astype(np.int64)
        between = _candidate_distances(seqs, candidates, distance, config)
        k_ss = np.exp(-similarity.exponent(between, candidates[:, :, None], candidates[:, None, :]))
        k_ss, bad = nearest_psd(k_ss)
        exponent = similarity.exponent(neighbours.distances[nodes], nodes[:, None], candidates)
        # theta is linear in k_Si: solved for k_Si relative to its largest entry, far clips keep their digits.
        nearest = exponent.min(axis=1, keepdims=True)
        reachable = np.isfinite(nearest)
        relative = np.where(reachable, np.exp(np.where(reachable, nearest, 0.0) - exponent), 0.0)
        theta = solve(k_ss, relative) * np.exp(-nearest)
        target = np.exp(-exponent)
        quadratic = np.einsum("ni,nij,nj->n", theta, k_ss, theta)
        errors[nodes] = 0.5 - (theta * target).sum(axis=1) + 0.5 * quadratic
        weights[nodes] = theta
        indefinite += int(bad.sum())
        if progress is not None:
            progress(int(nodes[-1]) + 1, n)
    return NNKGraph(
        neighbours.indices, neighbours.distances, weights.astype(np.float32), errors, similarity, indefinite / n
    )


def nearest_psd(kernels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest positive semi-definite matrices (Frobenius norm) of (B, k, k) symmetric ones, and which changed.

    Negative eigenvalues become zero. Those within rounding of zero are not counted as changed, (B,) bool.
    """
    values, vectors = np.linalg.eigh(kernels)
    negative = values[:, 0] < 0
    out = kernels.copy()
    clipped, basis = np.maximum(values[negative], 0), vectors[negative]
    out[negative] = (basis * clipped[:, None, :]) @ basis.swapaxes(1, 2)
    return out, values[:, 0] < -_INDEFINITE


def solve(kernels: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Argmin over theta >= 0 of 1/2 theta' (K + RIDGE I) theta - theta' k, for B problems at once.

    Parameters
    ----------
    kernels : (B, k, k) float64, symmetric positive semi-definite.
    targets : (B, k) float64.

    Returns
    -------
    (B, k) float64; the ridge makes it the only solution. An active-set method [Lawson, Hanson 1974, ch. 23].

    Raises
    ------
    WorkError
        If a problem did not converge to a KKT residual of `RESIDUAL`.
    """
    theta = np.zeros_like(targets)
    ridged = kernels + RIDGE * np.eye(kernels.shape[-1])
    _active_set(ridged, np.ascontiguousarray(targets), theta)
    residual = float(kkt_residual(kernels, targets, theta).max(initial=0.0))
    if residual > RESIDUAL:
        raise WorkError("the NNK weights did not converge", got=f"KKT residual {residual:.1e}", expected=RESIDUAL)
    return theta


def kkt_residual(kernels: np.ndarray, targets: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """How far theta is from optimal, (B,): with g = K theta - k, the largest of -theta, -g and |theta g|."""
    gradient = np.einsum("nij,nj->ni", kernels, theta) - targets
    return np.maximum(np.maximum(-theta, -gradient), np.abs(theta * gradient)).max(axis=1)


def _candidate_distances(seqs: Sequences, candidates: np.ndarray, distance: Distance, config: Any) -> np.ndarray:
    """Distances among each node's candidates: (nodes, k, k) from (nodes, k)."""
    k = candidates.shape[1]
    p, q = np.triu_indices(k, 1)
    out = np.zeros((len(candidates), k, k))
    if len(p):
        low = np.minimum(candidates[:, p], candidates[:, q])
        high = np.maximum(candidates[:, p], candidates[:, q])
        unique, where = np.unique(low * len(seqs) + high, return_inverse=True)
        found = distance.pairs(seqs, unique // len(seqs), unique % len(seqs), config)[where].reshape(low.shape)
        out[:, p, q] = out[:, q, p] = found
    return out


@njit(nogil=True, cache=True)
def _active_set(kernels, targets, theta):  # type: ignore[no-untyped-def]
    problems, k = targets.shape
    passive, refused = np.zeros(k, dtype=np.bool_), np.zeros(k, dtype=np.bool_)
    chosen, low, z = np.empty(k, dtype=np.int64), np.empty((k, k)), np.empty(k)
    for b in range(problems):
        matrix, target, x = kernels[b], targets[b], theta[b]
        passive[:] = False
        refused[:] = False
        for _ in range(100 * k + 100):
            enter, steepest = -1, _TOLERANCE
            for j in range(k):
                if not passive[j] and not refused[j]:
                    descent = target[j] - (matrix[j] * x).sum()
                    if descent > steepest:
                        enter, steepest = j, descent
            if enter < 0:
                break
            passive[enter] = True
            while True:
                size = 0
                for j in range(k):
                    if passive[j]:
                        chosen[size] = j
                        size += 1
                for r in range(size):  # Cholesky factor, then the two triangular systems
                    for c in range(r + 1):
                        value = matrix[chosen[r], chosen[c]]
                        for s in range(c):
                            value -= low[r, s] * low[c, s]
                        low[r, c] = np.sqrt(value) if r == c else value / low[c, c]
                for r in range(size):
                    z[r] = target[chosen[r]]
                    for s in range(r):
                        z[r] -= low[r, s] * z[s]
                    z[r] /= low[r, r]
                for r in range(size - 1, -1, -1):
                    for s in range(r + 1, size):
                        z[r] -= low[s, r] * z[s]
                    z[r] /= low[r, r]
                share = 1.0  # of the way to z that stays non-negative
                leave = -1
                for r in range(size):
                    j = chosen[r]
                    if z[r] <= 0.0 and x[j] <= share * (x[j] - z[r]):
                        share, leave = x[j] / (x[j] - z[r]) if x[j] > 0.0 else 0.0, j
                for r in range(size):
                    x[chosen[r]] += share * (z[r] - x[chosen[r]])
                if leave < 0:
                    break
                x[leave] = 0.0
                passive[leave] = False
                if leave == enter and share == 0.0:  # by rounding only: it would enter and leave for ever
                    refused[enter] = True
                for r in range(size):
                    if x[chosen[r]] <= 0.0:
                        x[chosen[r]] = 0.0
                        passive[chosen[r]] = False
            if passive[enter]:
                refused[:] = False
