"""Both graphs of one layer in one call."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from stgcn_lens.distances import DISTANCES, TILE_BYTES, Sequences
from stgcn_lens.errors import LensError
from stgcn_lens.graphs.candidates import Pairs
from stgcn_lens.graphs.kernel import KERNELS
from stgcn_lens.graphs.knn import Neighbours, knn
from stgcn_lens.graphs.nnk import NNKGraph, nnk


@dataclass(frozen=True)
class GraphConfig:
    """How a layer's graphs are made."""

    k: int = 15
    """Neighbours of a clip, and candidates of NNK (ours: about the size of a class on the small sets)."""
    distance: str = "window_dtw"
    """window_dtw (arXiv 2312.07777) or pooled."""
    normalise: bool = True
    """Divide the warped cost by the number of windows of both clips (ours)."""
    band: int | None = None
    """Sakoe-Chiba band in windows; none: unconstrained (ours)."""
    kernel: str = "gaussian"
    """gaussian, one width for all clips (arXiv 1910.09383), or self-tuning."""
    tile_bytes: int = TILE_BYTES
    """Memory for the tiles of distances; does not change the result."""

    def __post_init__(self) -> None:
        if self.k < 1:
            raise LensError("no neighbours to look for", got=f"k = {self.k}", expected="at least 1")
        if self.distance not in DISTANCES:
            raise LensError("no such distance", got=self.distance, expected=" or ".join(DISTANCES))
        if self.kernel not in KERNELS:
            raise LensError("no such kernel", got=self.kernel, expected=" or ".join(KERNELS))
        self.distance_config()

    def distance_config(self) -> Any:
        """Config of the chosen row of `DISTANCES`, with those of our fields that it has."""
        row = DISTANCES[self.distance]
        return row.config(**{f.name: getattr(self, f.name) for f in fields(row.config)})


def layer_graph(
    seqs: Sequences,
    config: GraphConfig,
    progress: Callable[[int, int], None] | None = None,
    *,
    neighbours: Neighbours | None = None,
    pairs: Pairs | None = None,
) -> tuple[Neighbours, NNKGraph]:
    """The kNN graph and the NNK graph of one layer's windows.

    Parameters
    ----------
    seqs : windows of the N clips at that layer.
    config : how.
    progress : called with (hundredths done, 100); the neighbours are the first 80.
    neighbours : those that were found already, with the same config; by default they are searched for here.
    pairs : see `nnk`.

    Raises
    ------
    LensError
        If there are too few clips for k, or the neighbours are of another set or another k.
    """
    distance = config.distance_config()

    def part(start: int, share: int) -> Callable[[int, int], None]:
        def report(done: int, total: int) -> None:
            if progress is not None:
                progress(start + share * done // total, 100)

        return report

    if neighbours is None:
        neighbours = knn(seqs, config.k, distance, tile_bytes=config.tile_bytes, progress=part(0, 80))
    elif neighbours.k != config.k:
        raise LensError("neighbours of another graph", got=f"k = {neighbours.k}", expected=f"k = {config.k}")
    return neighbours, nnk(seqs, neighbours, distance, kernel=config.kernel, pairs=pairs, progress=part(80, 20))
