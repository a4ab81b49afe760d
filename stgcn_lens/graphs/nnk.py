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

from stgcn_lens.distances import Sequences
from stgcn_lens.errors import LensError, WorkError
from stgcn_lens.graphs.candidates import Pairs, candidate_pairs, chunks, distances_of
from stgcn_lens.graphs.kernel import KERNELS, Kernel, nearest_psd
from stgcn_lens.graphs.knn import Neighbours
from stgcn_lens.graphs.threads import in_threads

__all__ = ["KERNELS", "Kernel", "NNKGraph", "candidate_pairs", "kkt_residual", "nearest_psd", "nnk", "solve", "weigh"]

RIDGE = 1e-8  # ours: added to the diagonal; equal clips share their weight equally, the KKT residual stays below 1e-6
RESIDUAL = 1e-6
SMALLEST = 1e-8  # ours: a weight above it counts as a neighbour
_TOLERANCE = 1e-12


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
    pairs: Pairs | None = None,
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
    pairs : (i (P,), j (P,)) -> (P,) float64 distances, called once for every item of `candidate_pairs`, in order; by
        default those of the config's distance. For distances that were saved, shared or worked out on a GPU.
    progress : called with (clips done, clips in all).

    Raises
    ------
    LensError
        If the neighbours are those of another set, or the kernel has no such name.
    """
    n, k = neighbours.indices.shape
    if n != len(seqs):
        raise LensError("neighbours of another set of clips", got=f"{n} clips", expected=len(seqs))
    similarity, measure = Kernel.fit(kernel, neighbours), pairs or distances_of(seqs, config)
    weights, errors, changed = np.empty((n, k), np.float32), np.empty(n), np.empty(n, np.bool_)
    for chunk in chunks(neighbours.indices):
        found = []
        for done, (i, j) in enumerate(chunk.slices()):
            found.append(measure(i, j))
            if progress is not None:
                progress(chunk.start + (chunk.stop - chunk.start) * done // chunk.count, n)
        rows = slice(chunk.start, chunk.stop)
        nodes = np.arange(chunk.start, chunk.stop)
        candidates, between = neighbours.indices[rows].astype(np.int64), chunk.square(found)
        weights[rows], errors[rows], changed[rows] = weigh(
            similarity, nodes, candidates, neighbours.distances[rows], between
        )
        if progress is not None:
            progress(chunk.stop, n)
    return NNKGraph(neighbours.indices, neighbours.distances, weights, errors, similarity, float(changed.mean()))


def weigh(
    kernel: Kernel, nodes: np.ndarray, candidates: np.ndarray, distances: np.ndarray, between: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights, errors J and "its kernel was projected" of some clips: (B, k), (B,) float64 and (B,) bool.

    Parameters
    ----------
    kernel : its widths are those of the positions in `nodes` and `candidates`.
    nodes, candidates : (B,) clips and (B, k) their candidates.
    distances, between : (B, k) from each clip to its candidates, and (B, k, k) among these.
    """
    k_ss = np.exp(-kernel.exponent(between, candidates[:, :, None], candidates[:, None, :]))
    k_ss, changed = nearest_psd(k_ss)
    exponent = kernel.exponent(distances, nodes[:, None], candidates)
    # theta is linear in k_Si: solved for k_Si relative to its largest entry, far clips keep their digits.
    nearest = exponent.min(axis=1, keepdims=True)
    reachable = np.isfinite(nearest)
    relative = np.where(reachable, np.exp(np.where(reachable, nearest, 0.0) - exponent), 0.0)
    theta = solve(k_ss, relative) * np.exp(-nearest)
    rebuilt = np.matmul(k_ss, theta[:, :, None])[:, :, 0]
    errors = 0.5 + (theta * (0.5 * rebuilt - np.exp(-exponent))).sum(axis=1)
    return theta, errors, changed


def solve(kernels: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Argmin over theta >= 0 of 1/2 theta' (K + RIDGE I) theta - theta' k, for B problems at once.

    Parameters
    ----------
    kernels : (B, k, k) float64, symmetric positive semi-definite.
    targets : (B, k) float64.

    Returns
    -------
    (B, k) float64; the ridge makes it the only solution. An active-set method [Lawson, Hanson 1974, ch. 23] whose
    Cholesky factor grows by a row for every candidate that enters.

    Raises
    ------
    WorkError
        If a problem did not converge to a KKT residual of `RESIDUAL`.
    """
    theta = np.zeros_like(targets, dtype=np.float64)
    kernels, targets = np.ascontiguousarray(kernels), np.ascontiguousarray(targets)
    in_threads(lambda first, last: _active_set(kernels, targets, RIDGE, first, last, theta), len(theta), least=64)
    residual = float(kkt_residual(kernels, targets, theta).max(initial=0.0))
    if not residual <= RESIDUAL:
        raise WorkError("the NNK weights did not converge", got=f"KKT residual {residual:.1e}", expected=RESIDUAL)
    return theta


def kkt_residual(kernels: np.ndarray, targets: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """How far theta is from optimal, (B,): with g = K theta - k, the largest of -theta, -g and |theta g|."""
    gradient = np.matmul(kernels, theta[:, :, None])[:, :, 0] - targets
    return np.maximum(np.maximum(-theta, -gradient), np.abs(theta * gradient)).max(axis=1)


@njit(nogil=True, cache=True)
def _active_set(kernels, targets, ridge, first, last, theta):  # type: ignore[no-untyped-def]
    k = targets.shape[1]
    matrix, low, y, z = np.empty((k, k)), np.empty((k, k)), np.empty(k), np.empty(k)
    descent, chosen = np.empty(k), np.empty(k, dtype=np.int64)
    passive, refused = np.zeros(k, dtype=np.bool_), np.zeros(k, dtype=np.bool_)
    for b in range(first, last):
        matrix[:] = kernels[b]
        for j in range(k):
            matrix[j, j] += ridge
        target, x = targets[b], theta[b]
        passive[:] = False
        refused[:] = False
        size = 0
        for _ in range(100 * k + 100):
            descent[:] = target
            for r in range(size):
                row, weight = matrix[chosen[r]], x[chosen[r]]
                for j in range(k):
                    descent[j] -= weight * row[j]
            enter, steepest = -1, _TOLERANCE
            for j in range(k):
                if not passive[j] and not refused[j] and descent[j] > steepest:
                    enter, steepest = j, descent[j]
            if enter < 0:
                break
            passive[enter] = True
            chosen[size] = enter
            kept = size  # rows of the factor that are still those of the chosen
            size += 1
            while True:
                _factor(matrix, target, chosen, kept, size, low, y)
                z[:size] = y[:size]
                for r in range(size - 1, -1, -1):
                    z[r] *= low[r, r]
                    for s in range(r):
                        z[s] -= z[r] * low[r, s]
                share, leave = 1.0, -1  # of the way to z that stays non-negative
                for r in range(size):
                    j = chosen[r]
                    if z[r] <= 0.0 and x[j] <= share * (x[j] - z[r]):
                        share, leave = x[j] / (x[j] - z[r]) if x[j] > 0.0 else 0.0, j
                for r in range(size):
                    x[chosen[r]] += share * (z[r] - x[chosen[r]])
                if leave < 0:
                    break
                x[leave] = 0.0
                if leave == enter and share == 0.0:  # by rounding only: it would enter and leave for ever
                    refused[enter] = True
                kept, left = size, 0
                for r in range(size):
                    j = chosen[r]
                    if x[j] <= 0.0:
                        x[j] = 0.0
                        passive[j] = False
                        kept = min(kept, r)
                    else:
                        chosen[left] = j
                        left += 1
                size = left
            if passive[enter]:
                refused[:] = False


@njit(nogil=True, cache=True)
def _factor(matrix, target, chosen, kept, size, low, y):  # type: ignore[no-untyped-def]
    # Rows `kept` to `size` of the Cholesky factor of the chosen candidates' kernel, and of factor^-1 target. The
    # diagonal holds reciprocals.
    for r in range(kept, size):
        row = matrix[chosen[r]]
        pivot, y[r] = row[chosen[r]], target[chosen[r]]
        for c in range(r):
            value = row[chosen[c]]
            for s in range(c):
                value -= low[r, s] * low[c, s]
            low[r, c] = value * low[c, c]
            pivot -= low[r, c] * low[r, c]
            y[r] -= low[r, c] * y[c]
        low[r, r] = 1.0 / np.sqrt(pivot)
        y[r] *= low[r, r]
