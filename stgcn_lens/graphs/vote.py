"""What a clip's neighbours say of its class, and how much of that each of them carries.

The vote of NNK weights divided by their sum is the interpolation of Shekkizhar, Ortega, "DeepNNK", arXiv 2007.10505;
the weights are those of arXiv 1910.09383, problem (6). The rules for ties and for clips out of the kernel's reach, and
the effect of a neighbour, are this project's.
"""

from dataclasses import dataclass

import numpy as np

from stgcn_lens.graphs.nnk import Kernel, weigh

_TIE = 1e-9  # of the whole weight: sums of equal weights differ by rounding


def shares(indices: np.ndarray, rows: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Share of each clip's weight that lies on every class, (N, classes) float64, rows summing to one.

    Parameters
    ----------
    indices, rows : (N, k) positions of the candidates and their shares, see `smoothness.row_normalised`.
    labels : (number of positions,) the class that each of them votes for.
    """
    out = np.zeros((len(indices), classes))
    np.add.at(out, (np.arange(len(indices))[:, None], labels[indices]), rows)
    return out


def winners(indices: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The class with the largest share, (N,); of equal ones that of the candidate that comes first, the nearest."""
    voted = labels[indices]
    support = ((voted[:, :, None] == voted[:, None, :]) * rows[:, None, :]).sum(axis=2)
    first = (support >= support.max(axis=1, keepdims=True) - _TIE).argmax(axis=1)
    return np.take_along_axis(voted, first[:, None], axis=1)[:, 0]


@dataclass(frozen=True, eq=False)
class Surroundings:
    """One clip's NNK problem.

    Attributes
    ----------
    kernel : as it was fitted to the whole set.
    clip : its position; candidates : (k,) the others'.
    distances : (k,) from the clip to the candidates. between : (k, k) among these.
    """

    kernel: Kernel
    clip: int
    candidates: np.ndarray
    distances: np.ndarray
    between: np.ndarray

    def weights(self, without: int | None = None) -> np.ndarray:
        """NNK weights of the candidates, (k,) float64; with one of them left out, whose place the others may take."""
        kept = np.arange(len(self.candidates))
        if without is not None:
            kept = np.delete(kept, without)
        theta = np.zeros(len(self.candidates))
        if len(kept):
            one = np.array([self.clip]), self.candidates[None, kept], self.distances[None, kept]
            theta[kept] = weigh(self.kernel, *one, self.between[np.ix_(kept, kept)][None])[0][0]
        return theta
