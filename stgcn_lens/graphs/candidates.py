"""The pairs of clips that NNK needs the distance of: those among the candidates of one and the same clip."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from stgcn_lens.distances import Pooled, Sequences, WindowDTW, get_distance, pooled

Pairs = Callable[[np.ndarray, np.ndarray], np.ndarray]

_CHUNK_BYTES = 64 << 20  # of one (clips, k, k) array; some six of them live at once
_PAIRS = 1 << 14  # asked for at once: seconds of work at release width


@dataclass(frozen=True, eq=False)
class Chunk:
    """A run of clips and the distinct pairs among the candidates of each.

    Attributes
    ----------
    start, stop : the clips.
    n, k : clips in all, and candidates of each.
    pairs : (P,) int64, increasing: the lower position * n + the higher one.
    where : (clips, k (k - 1) / 2) positions in `pairs`, of the upper triangle row by row.
    """

    start: int
    stop: int
    n: int
    k: int
    pairs: np.ndarray
    where: np.ndarray

    @property
    def count(self) -> int:
        """Number of `slices`."""
        return -(-len(self.pairs) // _PAIRS)

    def slices(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The pairs as two lists i < j, a few thousand at a time."""
        for first in range(0, len(self.pairs), _PAIRS):
            part = self.pairs[first : first + _PAIRS]
            yield part // self.n, part % self.n

    def square(self, found: list[np.ndarray]) -> np.ndarray:
        """Distances among each clip's candidates, (clips, k, k) float64, from those of the slices."""
        out = np.zeros((self.stop - self.start, self.k, self.k))
        if found:
            p, q = np.triu_indices(self.k, 1)
            out[:, p, q] = out[:, q, p] = np.concatenate(found)[self.where]
        return out


def chunks(indices: np.ndarray) -> Iterator[Chunk]:
    """Runs of clips whose arrays fit into memory, for candidates (N, k)."""
    n, k = indices.shape
    p, q = np.triu_indices(k, 1)
    step = max(1, _CHUNK_BYTES // (8 * k * k))
    for start in range(0, n, step):
        candidates = indices[start : start + step].astype(np.int64)
        low = np.minimum(candidates[:, p], candidates[:, q])
        high = np.maximum(candidates[:, p], candidates[:, q])
        pairs, where = np.unique(low * n + high, return_inverse=True)
        yield Chunk(start, start + len(candidates), n, k, pairs, where.reshape(low.shape))


def candidate_pairs(indices: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The pairs (i < j) whose distance `nnk` asks for, for candidates (N, k): lists of a few thousand, in its order.

    The same for the same candidates; a pair comes twice only if the clips do not fit into one chunk.
    """
    for chunk in chunks(indices):
        yield from chunk.slices()


def distances_of(seqs: Sequences, config: Any) -> Pairs:
    """The function (i (P,), j (P,)) -> (P,) float64 distances between those clips of a set."""
    if isinstance(config, Pooled):  # the means once, not for every list of pairs
        seqs, config = pooled.means(seqs), WindowDTW(normalise=False)
    row = get_distance(config)
    return lambda i, j: row.pairs(seqs, i, j, config)
