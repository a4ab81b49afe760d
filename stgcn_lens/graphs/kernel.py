"""From distances to similarities: the kernel of the NNK graph, and what to do where it is none."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from stgcn_lens.errors import LensError
from stgcn_lens.graphs.knn import Neighbours
from stgcn_lens.graphs.threads import in_threads

KERNELS = ("gaussian", "self-tuning")
_INDEFINITE = 1e-10  # eigenvalues of a k x k kernel are this exact; what is more negative is no rounding
_ROUNDING = 1e-13  # a negative eigenvalue this small changes no weight that the solver's ridge leaves determined


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


def nearest_psd(kernels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest positive semi-definite matrices (Frobenius norm) of (B, k, k) symmetric ones, and which changed.

    Negative eigenvalues become zero, where they are more than rounding (1e-13). Those above -1e-10 are not counted as
    changed, (B,) bool. If there is nothing to change the result is `kernels` itself.
    """
    # A Cholesky factor tells the definite ones, that is nearly all, at a hundredth of the cost of their eigenvalues.
    sound = np.empty(len(kernels), dtype=np.bool_)
    in_threads(lambda first, last: _definite(kernels, _ROUNDING, first, last, sound), len(kernels), least=64)
    changed = np.zeros(len(kernels), dtype=np.bool_)
    rest = np.flatnonzero(~sound)
    if not len(rest):
        return kernels, changed
    values, vectors = np.linalg.eigh(kernels[rest])
    changed[rest] = values[:, 0] < -_INDEFINITE
    out = kernels.copy()
    out[rest] = (vectors * np.maximum(values, 0)[:, None, :]) @ vectors.swapaxes(1, 2)
    return out, changed


@njit(nogil=True, cache=True)
def _definite(kernels, shift, first, last, sound):  # type: ignore[no-untyped-def]
    k = kernels.shape[1]
    upper = np.empty((k, k))
    for b in range(first, last):
        for r in range(k):
            for c in range(r, k):
                upper[r, c] = kernels[b, r, c]
            upper[r, r] += shift
        sound[b] = True
        for j in range(k):  # row by row, so that the innermost loop runs over neighbouring numbers
            if not upper[j, j] > 0.0:
                sound[b] = False
                break
            scale = 1.0 / np.sqrt(upper[j, j])
            for c in range(j, k):
                upper[j, c] *= scale
            for r in range(j + 1, k):
                factor = upper[j, r]
                for c in range(r, k):
                    upper[r, c] -= factor * upper[j, c]
