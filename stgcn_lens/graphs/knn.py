"""Exact nearest neighbours of every clip, in tiles: the distances of all to all are never held."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stgcn_lens.distances import TILE_BYTES, Sequences, get_distance
from stgcn_lens.errors import LensError

Progress = Callable[[int, int], None]


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
    tile_bytes: int = TILE_BYTES,
    progress: Progress | None = None,
) -> Neighbours:
    """The k nearest neighbours of every clip among the others.

    Parameters
    ----------
    seqs : the N clips.
    k : number of neighbours, 1 to N - 1.
    config : config of a row of `DISTANCES`, for example `WindowDTW()`.
    tile_bytes : memory for the work on one tile of clips against another; it does not change the result.
    progress : called with (tiles done, tiles in all).

    Raises
    ------
    LensError
        If k is less than 1 or there are too few clips.
    """
    n = len(seqs)
    if k < 1:
        raise LensError("no neighbours to look for", got=f"k = {k}", expected="at least 1")
    if n <= k:
        raise LensError(
            f"too few clips for {k} neighbours",
            got=f"{n} clips",
            expected=f"at least {k + 1}",
            fix="lower k or add clips",
        )
    distance = get_distance(config)
    best = _Best(np.full((n, k), np.inf), np.full((n, k), n, dtype=np.int64))
    tiles = seqs.tiles(tile_bytes)
    done, total = 0, len(tiles) * (len(tiles) + 1) // 2
    for number, rows in enumerate(tiles):
        a = seqs.between(*rows)
        for cols in tiles[number:]:
            # Distances are symmetric: one block serves its rows and its columns.
            if cols == rows:
                block = distance.cdist(a, None, config)
                np.fill_diagonal(block, np.inf)
            else:
                block = distance.cdist(a, seqs.between(*cols), config)
                best.merge(cols, rows, block.T)
            best.merge(rows, cols, block)
            done += 1
            if progress is not None:
                progress(done, total)
    return Neighbours(best.indices.astype(np.int32), best.distances.astype(np.float32))


@dataclass(frozen=True, eq=False)
class _Best:
    """The best k so far of every clip, sorted by distance, then position."""

    distances: np.ndarray
    indices: np.ndarray

    def merge(self, rows: tuple[int, int], cols: tuple[int, int], block: np.ndarray) -> None:
        """Take in the distances from clips `rows` to clips `cols`."""
        k = self.indices.shape[1]
        changed = np.flatnonzero((block <= self.distances[slice(*rows), -1:]).any(axis=1))
        rows_changed = rows[0] + changed
        distances = np.concatenate([self.distances[rows_changed], block[changed]], axis=1)
        new = np.broadcast_to(np.arange(*cols), (len(changed), cols[1] - cols[0]))
        indices = np.concatenate([self.indices[rows_changed], new], axis=1)
        order = np.lexsort((indices, distances), axis=1)[:, :k]
        self.distances[rows_changed] = np.take_along_axis(distances, order, axis=1)
        self.indices[rows_changed] = np.take_along_axis(indices, order, axis=1)
