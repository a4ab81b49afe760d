"""The graphs of one layer, made from parts: what is finished outlives a kill, and several processes share the work."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import count

import numpy as np

from stgcn_lens.distances import Sequences, get_distance, on_gpu
from stgcn_lens.errors import WorkError
from stgcn_lens.graphs import GraphConfig, Neighbours, NNKGraph
from stgcn_lens.graphs.knn import Method, Partial, Plan, merge, plan, refined_share
from stgcn_lens.graphs.nnk import candidate_pairs, nnk
from stgcn_lens.parts import Parts
from stgcn_lens.processes import Group

Said = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class LayerGraphs:
    """The graphs of a layer: `search` by all processes, then `measure` by all, then the results in any.

    The same whatever was there already, and however many processes share.

    Attributes
    ----------
    seqs : windows of the N clips at the layer.
    config, method : how the graphs are made.
    device : where distances are worked out.
    parts : where finished parts are; no other layer has the same folder, no other configuration the same key.
    """

    seqs: Sequences
    config: GraphConfig
    method: Method
    device: str
    parts: Parts

    def search(self, group: Group, said: Said) -> None:
        """Do this process's share of the search for neighbours; `said` gets the share of the whole that is done."""
        search = self._plan()
        for number, unit in group.queue(search.units):

            def within(done: int, total: int, number: int = number) -> None:
                said((number + done / total) / len(search.units))

            if self.parts.read(unit.name) is None:
                self.parts.write(unit.name, **_arrays(search.run(unit, within)))
        said(1.0)

    def measure(self, group: Group, said: Said) -> None:
        """Do this process's share of the distances among candidates; all of `search` must be done."""
        distance = get_distance(self.config.distance_config())
        pairs = list(candidate_pairs(self.neighbours.indices))
        for number, (i, j) in group.queue(pairs):
            if self.parts.read(_name(number)) is None:
                if self.device == "cpu":
                    found = distance.pairs(self.seqs, i, j, self.config.distance_config())
                else:
                    windows, warping = distance.as_windows(self.seqs, self.config.distance_config())
                    found = on_gpu.pairs(windows, i, j, warping, device=self.device)
                self.parts.write(_name(number), distances=found)
            said((number + 1) / len(pairs))
        said(1.0)

    @cached_property
    def neighbours(self) -> Neighbours:
        """The nearest clips of every clip; all of `search` must be done."""
        return merge(len(self.seqs), self.config.k, self._searched())

    @property
    def refined_share(self) -> float:
        """Of the pairs that the search looked at, the share whose distance was worked out, in (0, 1]."""
        return refined_share(self._searched())

    def nnk(self) -> NNKGraph:
        """The NNK graph; all of `measure` must be done."""
        numbers = count()
        return nnk(
            self.seqs,
            self.neighbours,
            self.config.distance_config(),
            kernel=self.config.kernel,
            pairs=lambda i, j: self._kept(_name(next(numbers)))["distances"],
        )

    def _plan(self) -> Plan:
        config = self.config
        return plan(
            self.seqs,
            config.k,
            config.distance_config(),
            method=self.method,
            tile_bytes=config.tile_bytes,
            device=self.device,
        )

    def _searched(self) -> list[Partial]:
        return [_partial(self._kept(unit.name)) for unit in self._plan().units]

    def _kept(self, name: str) -> dict[str, np.ndarray]:
        """A part that some process has finished."""
        found = self.parts.read(name)
        if found is None:
            fix = "all processes must see the same run folder; the same command makes it again"
            raise WorkError("a finished part of the work is not there", file=self.parts.folder / name, fix=fix)
        return found


def _name(number: int) -> str:
    return f"candidates_{number:06d}"


def _arrays(part: Partial) -> dict[str, np.ndarray]:
    return {
        "rows": np.array(part.rows),
        "indices": part.indices,
        "distances": part.distances,
        "counts": np.array([part.bounded, part.refined]),
    }


def _partial(arrays: dict[str, np.ndarray]) -> Partial:
    start, stop = arrays["rows"].tolist()
    bounded, refined = arrays["counts"].tolist()
    return Partial((start, stop), arrays["indices"], arrays["distances"], bounded, refined)
