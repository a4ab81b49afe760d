"""The search for neighbours, cut into units that can be done one by one, anywhere, and put together in any order.

"pruned": lower bounds of all distances first (`distances.bounds`), then only distances that can still matter.
"exhaustive": all distances, each once. Both give what sorting all float64 distances gives, and neither holds them all.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np

from stgcn_lens.distances import TILE_BYTES, Sequences, WindowDTW, get_distance, window_dtw
from stgcn_lens.distances.bounds import Sketch, lower_bounds
from stgcn_lens.distances.memory import in_pieces, room
from stgcn_lens.distances.nearest import nearest
from stgcn_lens.errors import LensError

Method = Literal["pruned", "exhaustive"]
Progress = Callable[[int, int], None]

_ROWS = 2048  # of a unit (ours): seconds of work
_ROWS_ON_GPU = 32768  # ours: taken together, clips need half of the work


@dataclass(frozen=True)
class Unit:
    """A piece of the search: the distances from clips start to stop - 1.

    Attributes
    ----------
    name : the same for the same search, whoever plans it.
    """

    name: str
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class Partial:
    """What a unit found: for some clips the nearest among those that it looked at.

    Attributes
    ----------
    rows : (start, stop) of the clips.
    indices : (rows, k) int64 positions, nearest first, ties by position; -1 where there were fewer.
    distances : (rows, k) float64, infinite there.
    bounded : pairs (clip, other) that were looked at.
    refined : those of them whose distance was worked out.
    """

    rows: tuple[int, int]
    indices: np.ndarray
    distances: np.ndarray
    bounded: int
    refined: int


@dataclass(frozen=True, eq=False)
class Plan:
    """A search that is cut into units.

    Attributes
    ----------
    seqs, k, config, method, tile_bytes, device : as in `plan`.
    units : what there is to do. Together they take every pair into account.
    """

    seqs: Sequences
    k: int
    config: Any
    method: Method
    tile_bytes: int
    device: str
    units: list[Unit]

    def run(self, unit: Unit, progress: Progress | None = None) -> Partial:
        """Do one unit; its result depends on nothing but the search and the unit.

        Parameters
        ----------
        progress : called with (clips done, clips of the unit).

        Raises
        ------
        WorkError
            If the memory does not hold the work on one clip.
        """
        said = progress or (lambda done, total: None)
        if self.device != "cpu":
            from stgcn_lens.distances import on_gpu  # loads torch

            seqs, config = self._warped
            rows = unit.start, unit.stop
            found = on_gpu.nearest(seqs, self.k, config, rows=rows, device=self.device)
            count = rows[1] - rows[0]
            said(count, count)
            return Partial(rows, found.indices, found.distances, count * (len(seqs) - 1), found.refined)
        return self._pruned(unit, said) if self.method == "pruned" else self._exhaustive(unit, said)

    @cached_property
    def _warped(self) -> tuple[Sequences, WindowDTW]:
        return get_distance(self.config).as_windows(self.seqs, self.config)

    @cached_property
    def _sketch(self) -> Sketch:
        return Sketch.of(self._warped[0])

    def _pruned(self, unit: Unit, said: Progress) -> Partial:
        seqs, config = self._warped
        found, refined = _Lists(unit.start, unit.stop, self.k), [0]

        def work(first: int, last: int) -> None:
            bounds = lower_bounds(self._sketch, (first, last), config)
            more = min(self.k // 2, len(seqs) - 1 - self.k)  # ours: a tenth fewer distances than with none
            refined[0] += found.put(first, *nearest(seqs, first, bounds, self.k, config, more=more))
            said(last - unit.start, unit.stop - unit.start)

        in_pieces(unit.start, unit.stop, max(1, room() // (4 * len(seqs))), work)
        return found.partial(bounded=(unit.stop - unit.start) * (len(seqs) - 1), refined=refined[0])

    def _exhaustive(self, unit: Unit, said: Progress) -> Partial:
        seqs, config = self._warped
        start, stop, n = unit.start, unit.stop, len(seqs)
        rows, mine = stop - start, seqs.between(start, stop)
        found = _Lists(start, n, self.k)
        # As bounds the distances themselves, less what they can be wrong by.
        lower = np.empty((rows, n - start), dtype=np.float32)
        lower[:, :rows] = _less(window_dtw.cdist(mine, None, config))
        np.fill_diagonal(lower, np.inf)
        said(rows, n - start)

        def work(first: int, last: int) -> None:
            # Distances are symmetric: one block serves the unit's clips and those after them.
            block = _less(window_dtw.cdist(mine, seqs.between(first, last), config))
            lower[:, first - start : last - start] = block
            columns = np.ascontiguousarray(block.T)
            found.put(first, *nearest(seqs, first, columns, min(self.k, rows), config, others=start))
            said(last - start, n - start)

        in_pieces(stop, n, max(1, min(self.tile_bytes, room()) // (24 * rows)), work)
        if n - start > 1:
            found.put(start, *nearest(seqs, start, lower, min(self.k, n - start - 1), config, others=start))
        pairs = rows * (rows - 1) + 2 * rows * (n - stop)
        return found.partial(bounded=pairs, refined=pairs)


def plan(
    seqs: Sequences,
    k: int,
    config: Any,
    *,
    method: Method = "pruned",
    tile_bytes: int = TILE_BYTES,
    device: str = "cpu",
) -> Plan:
    """Cut the search for the k nearest neighbours of every clip into units; nothing is computed yet.

    Parameters
    ----------
    seqs : the N clips.
    k : number of neighbours, 1 to N - 1.
    config : config of a row of `DISTANCES`, for example `WindowDTW()`.
    method : "pruned", or "exhaustive"; on a GPU both are exhaustive.
    tile_bytes : memory for the bounds of a unit's distances, and so the size of units; it does not change the result.
    device : "cpu", or a CUDA device, which then computes all distances.

    Raises
    ------
    LensError
        If k is less than 1, there are too few clips, or there is no such method.
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
    if method not in get_args(Method):
        raise LensError("no such way to search", got=method, expected=" or ".join(get_args(Method)))
    if tile_bytes < 1:
        raise LensError("a tile without memory", got=f"{tile_bytes} bytes", expected="at least 1")
    get_distance(config)
    rows = _ROWS_ON_GPU if device != "cpu" else max(1, min(_ROWS, tile_bytes // (4 * n)))
    units = [Unit(f"rows_{at:05d}_{min(at + rows, n):05d}", at, min(at + rows, n)) for at in range(0, n, rows)]
    return Plan(seqs, k, config, method, tile_bytes, device, units)


def best(n: int, k: int, partials: Iterable[Partial]) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest of N clips from what all units found, in whatever order they come.

    Returns
    -------
    Positions (N, k) int64 and distances (N, k) float64.

    Raises
    ------
    LensError
        If the units do not belong to such a search, or some are missing.
    """
    indices, distances = np.full((n, k), n, dtype=np.int64), np.full((n, k), np.inf)
    looked = 0
    for part in partials:
        start, stop = part.rows
        if part.indices.shape != (stop - start, k) or not 0 <= start <= stop <= n:
            got = f"{part.indices.shape[1]} neighbours of clips {start} to {stop}"
            raise LensError("a part of another search", got=got, expected=f"{k} neighbours of clips within 0 to {n}")
        place = np.concatenate([indices[start:stop], np.where(part.indices < 0, n, part.indices)], axis=1)
        value = np.concatenate([distances[start:stop], part.distances], axis=1)
        order = np.lexsort((place, value), axis=1)[:, :k]
        indices[start:stop] = np.take_along_axis(place, order, axis=1)
        distances[start:stop] = np.take_along_axis(value, order, axis=1)
        looked += part.bounded
    if looked != n * (n - 1):
        raise LensError("parts of the search that are missing or double", got=f"{looked} pairs", expected=n * (n - 1))
    return indices, distances


def _less(distances: np.ndarray) -> np.ndarray:
    """The distances less what they can be wrong by, float32; infinity is for clips that are not to be taken."""
    return np.minimum(distances * (1 - 2 * window_dtw.RELATIVE), 3e38).astype(np.float32)


class _Lists:
    """Room for the lists of clips start to stop - 1, empty at first."""

    def __init__(self, start: int, stop: int, k: int) -> None:
        self.start, self.stop = start, stop
        self.indices = np.full((stop - start, k), -1, dtype=np.int64)
        self.distances = np.full((stop - start, k), np.inf)

    def put(self, at: int, indices: np.ndarray, distances: np.ndarray, refined: int) -> int:
        """The lists of clips at, at + 1, ...; hands `refined` on."""
        rows = slice(at - self.start, at - self.start + len(indices))
        self.indices[rows, : indices.shape[1]] = indices
        self.distances[rows, : distances.shape[1]] = distances
        return refined

    def partial(self, bounded: int, refined: int) -> Partial:
        return Partial((self.start, self.stop), self.indices, self.distances, bounded, refined)
