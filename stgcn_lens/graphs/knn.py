"""Exact nearest neighbours of every clip: the distances of all to all are never held."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stgcn_lens.distances import TILE_BYTES, Sequences
from stgcn_lens.graphs.search import Method, Partial, Plan, Progress, Unit, best, plan

__all__ = ["Method", "Neighbours", "Partial", "Plan", "Unit", "knn", "merge", "plan", "refined_share"]


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The k nearest other clips of each of N clips, nearest first, ties by position.

    Attributes
    ----------
    indices : (N, k) int32 positions.
    distances : (N, k) float32, not decreasing along a row.
    """

    indices: np.ndarray
    distances: np.ndarray

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def k(self) -> int:
        """Number of neighbours."""
        return self.indices.shape[1]


def knn(
    seqs: Sequences,
    k: int,
    config: Any,
    *,
    method: Method = "pruned",
    tile_bytes: int = TILE_BYTES,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Neighbours:
    """The k nearest neighbours of every clip among the others, as sorting all float64 distances would give them.

    Parameters
    ----------
    seqs, k, config, method, tile_bytes, device : see `plan`.
    progress : called with (hundredths done, 100).

    Raises
    ------
    LensError
        If k is less than 1 or there are too few clips.
    """
    search = plan(seqs, k, config, method=method, tile_bytes=tile_bytes, device=device)
    found = []
    for number, unit in enumerate(search.units):

        def said(done: int, total: int, number: int = number) -> None:
            if progress is not None:
                progress(int(100 * (number + done / total) / len(search.units)), 100)

        found.append(search.run(unit, said))
    return merge(len(seqs), k, found)


def merge(n: int, k: int, partials: Iterable[Partial]) -> Neighbours:
    """The k nearest neighbours of N clips from what the units of a `plan` found, in any order.

    Raises
    ------
    LensError
        If the units do not belong to such a search, or some are missing.
    """
    indices, distances = best(n, k, partials)
    return Neighbours(indices.astype(np.int32), distances.astype(np.float32))


def refined_share(partials: Iterable[Partial]) -> float:
    """Of the pairs that the units looked at, the share whose distance was worked out, in (0, 1]."""
    found = list(partials)
    return sum(part.refined for part in found) / max(1, sum(part.bounded for part in found))
