"""Among which clips a clip's neighbours are looked for: those of its run's graph, of one split, or of other people."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from stgcn_lens.errors import LensError
from stgcn_lens.graphs.smoothness import row_normalised
from stgcn_lens.graphs.vote import Surroundings
from stgcn_lens.studies.analysed import Analysed, Layer

Among = Literal["graph", "train", "val", "test", "other-subjects"]


@dataclass(frozen=True, eq=False)
class Candidates:
    """A clip's candidates at a layer, nearest first.

    Attributes
    ----------
    positions, distances, weights : (k,); the weights are those of NNK, >= 0.
    considered : number of clips that could have been among them.
    """

    positions: np.ndarray
    distances: np.ndarray
    weights: np.ndarray
    considered: int

    @property
    def shares(self) -> np.ndarray:
        """Weights divided by their sum, (k,); all equal where none has any: the kernel does not reach them."""
        return row_normalised(self.weights[None])[0]

    @property
    def counting(self) -> np.ndarray:
        """Which of them have a share, (at most k,) places in the list, the largest first."""
        heaviest = np.argsort(-self.shares, kind="stable")
        return heaviest[self.shares[heaviest] > 0]

    def same_subject(self, subjects: np.ndarray, i: int) -> float | None:
        """Share of the weight on clips of the same person as clip i; None where that is not known of the clip."""
        return float(self.shares @ (subjects[self.positions] == subjects[i])) if subjects[i] else None


def choose(analysed: Analysed, layer: Layer, i: int, among: Among) -> Candidates:
    """The candidates that the graph holds for the clip at position i; or the k nearest of some clips.

    The latter are weighed with the graph's kernel; k is that of the graph, or less where fewer clips are there.

    Raises
    ------
    LensError : no other clip of that kind is embedded, or whose clip this is, is not known.
    """
    graph = layer.neighbours
    if among == "graph":
        weights = layer.weights[i].astype(np.float64)
        return Candidates(graph.indices[i].astype(np.int64), graph.distances[i], weights, len(analysed) - 1)
    side = _side(analysed, i, among)
    # As in the graph: ordered by float64, kept as float32.
    exact = layer.distances(i, side)
    nearest = np.lexsort((side, exact))[: graph.k]
    positions, distances = side[nearest], exact[nearest].astype(np.float32)
    found = Surroundings(layer.kernel, i, positions, distances, layer.between(positions))
    return Candidates(positions, distances, found.weights(), len(side))


def _side(analysed: Analysed, i: int, among: Among) -> np.ndarray:
    """Positions of the clips that may be neighbours."""
    path, row = analysed.run.path, analysed.rows[i]
    if among == "other-subjects":
        if not row["subject"]:
            raise LensError("whose clip this is, is not known", file=path, got=f"no subject of clip '{row['name']}'")
        side = np.flatnonzero((analysed.subjects != row["subject"]) & (analysed.subjects != ""))
        what = "clip of another subject"
    else:
        side = np.array([j for j, other in enumerate(analysed.rows) if other["split"] == among and j != i], np.int64)
        what = f"{'other ' if row['split'] == among else ''}clip of split '{among}'"
    if not len(side):
        got = ", ".join(f"{n} of split '{name}'" for name, n in analysed.splits.items())
        fix = f"run: stgcn-lens embed {path} --split all, then stgcn-lens graph {path}"
        raise LensError(f"no {what} is embedded", file=path, got=got, fix=fix)
    return side
