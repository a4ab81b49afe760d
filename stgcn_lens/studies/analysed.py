"""The clips under analysis and the graphs round them, as the stages left them in a run folder."""

import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.distances import Sequences, get_distance
from stgcn_lens.embeddings import open_clips, read_clips
from stgcn_lens.errors import LensError, RunError
from stgcn_lens.graphs import GraphConfig, Kernel, Neighbours
from stgcn_lens.runs import Run
from stgcn_lens.studies.naming import alike, found

_HELD = 256  # clips whose windows are in memory at once


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer's windows and its graph.

    Attributes
    ----------
    name, stride : of the layer; a stride of None: it has no frames (the logits).
    windows, offsets : (R, D), a memory map, and (N + 1,): clip i owns the rows offsets[i] to offsets[i + 1].
    neighbours, weights : candidates (N, k) and their NNK weights, (N, k) float32.
    kernel : the kernel that the weights were worked out with.
    distance : config of the distance, of a row of `DISTANCES`.
    """

    name: str
    stride: int | None
    windows: np.ndarray
    offsets: np.ndarray
    neighbours: Neighbours
    weights: np.ndarray
    kernel: Kernel
    distance: Any

    def clip(self, i: int) -> np.ndarray:
        """Windows (n, D) float32 of the clip at a position."""
        return np.asarray(self.windows[self.offsets[i] : self.offsets[i + 1]], dtype=np.float32)

    def distances(self, i: int, others: np.ndarray) -> np.ndarray:
        """Distances of the clip at a position from those at others, (P,) float64."""
        found = []
        for start in range(0, len(others), _HELD):
            part = Sequences.of([self.clip(int(j)) for j in (i, *others[start : start + _HELD])])
            ones = np.arange(1, len(part))
            found.append(get_distance(self.distance).pairs(part, np.zeros_like(ones), ones, self.distance))
        return np.concatenate(found)

    def between(self, clips: np.ndarray) -> np.ndarray:
        """Distances among the clips at some positions, (P, P) float64."""
        held = Sequences.of([self.clip(int(j)) for j in clips])
        p, q = np.triu_indices(len(clips), 1)
        out = np.zeros((len(clips), len(clips)))
        if len(p):
            out[p, q] = out[q, p] = get_distance(self.distance).pairs(held, p, q, self.distance)
        return out


@dataclass(frozen=True, eq=False)
class Analysed:
    """The N embedded clips of a run whose graphs are there; positions count in this order.

    Attributes
    ----------
    run, clips : the run, and the set that its clips are from.
    numbers : (N,) rows of clips.csv. `rows`: these rows.
    labels, predicted : (N,) int64, the class of each clip and the one that the network gives it.
    layers : (name, stride) in depth order.
    """

    run: Run
    clips: ClipSet
    numbers: np.ndarray
    rows: tuple[dict[str, str], ...]
    labels: np.ndarray
    predicted: np.ndarray
    layers: tuple[tuple[str, int | None], ...]

    @classmethod
    def of(cls, run: Run) -> "Analysed":
        """Those of a run.

        Raises
        ------
        RunError : the graphs have not been made, or were made from what has been replaced since; a clip under analysis
            has no prediction.
        """
        run.key("graph")
        table, numbers = read_clips(run), run.read_array("embeddings/clips.npy")
        if int(numbers.max()) >= len(table):
            got, fix = f"row {numbers.max()} of {len(table)}", f"run: stgcn-lens embed {run.path} --force"
            raise RunError("the embeddings are of other clips", file=run / "clips.csv", got=got, fix=fix)
        rows = tuple(table[int(number)] for number in numbers)
        if without := [row["name"] for row in rows if not row["predicted"]]:
            raise RunError(
                f"clips without a prediction, first '{without[0]}'",
                file=run / "clips.csv",
                got=len(without),
                expected=0,
                fix="train or adopt the network again",
            )
        return cls(
            run=run,
            clips=open_clips(run),
            numbers=numbers,
            rows=rows,
            labels=np.array([int(row["label"]) for row in rows]),
            predicted=np.array([int(row["predicted"]) for row in rows]),
            layers=tuple((about["layer"], about["stride"]) for about in run.read_json("embeddings/layers.json")),
        )

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.clips.classes

    @property
    def subjects(self) -> np.ndarray:
        """(N,) text, empty where the subject is not known."""
        return np.array([row["subject"] for row in self.rows])

    @property
    def last_block(self) -> str:
        """The deepest layer that has joints and frames."""
        return [name for name, stride in self.layers if stride is not None][-1]

    @property
    def splits(self) -> dict[str, int]:
        """How many of the clips are on each side of the run."""
        sides = [row["split"] for row in self.rows]
        return {side: sides.count(side) for side in ("train", "val", "test") if side in sides}

    def position(self, clip: str) -> int:
        """Of a clip by its name, or by its number in clips.csv; `LensError` if no such clip is under analysis."""
        names = [row["name"] for row in self.rows]
        if clip in names:
            return names.index(clip)
        if clip.isdecimal() and int(clip) in self.numbers:
            return int(np.flatnonzero(self.numbers == int(clip))[0])
        elsewhere = next((row for row in read_clips(self.run) if clip in (row["name"], row["clip"])), None)
        if elsewhere is not None:
            why = f"is not embedded: it is in split '{elsewhere['split']}'"
            if not elsewhere["label"]:
                why = "is not embedded: its class is not known"
            sides = ", ".join(f"{n} of split '{side}'" for side, n in self.splits.items())
            fix = f"run: stgcn-lens embed {self.run.path} --split all, then stgcn-lens graph {self.run.path}"
            raise LensError(f"clip {clip!r} {why}", expected=f"one of the embedded clips, {sides}", fix=fix)
        expected = f"one of {alike(clip, names)}"
        raise LensError("no such clip", file=self.run.path, got=repr(clip), expected=expected)

    def layer(self, name: str) -> Layer:
        """A layer with its graph; `LensError` if there is none of that name, `RunError` if its files are damaged."""
        name, stride = self.layers[found("layer", name, [known for known, _ in self.layers], file=self.run.path)]
        config = graph_config(self.run)
        graph = _graph(self.run / "graphs" / f"{name}.npz", len(self), self.run.path)
        neighbours = Neighbours(graph["indices"], graph["distances"])
        return Layer(
            name=name,
            stride=stride,
            windows=self.run.read_array(f"embeddings/{name}/windows.npy", mmap=True),
            offsets=self.run.read_array(f"embeddings/{name}/offsets.npy"),
            neighbours=neighbours,
            weights=graph["nnk_weights"],
            kernel=Kernel.fit(config.kernel, neighbours),
            distance=config.distance_config(),
        )


def graph_config(run: Run) -> GraphConfig:
    """How the graphs were made; what a run does not say, because it is older than the setting, is the default."""
    told = run.manifest()["stages"]["graph"]["config"]["graph"]
    return GraphConfig(**{f.name: told[f.name] for f in fields(GraphConfig) if f.name in told})


def _graph(file: Path, clips: int, run: Path) -> dict[str, np.ndarray]:
    """The arrays of a graph file, checked to be of so many clips."""
    again = f"run: stgcn-lens graph {run} --force"
    if not file.is_file():
        raise RunError("no neighbour graph of this layer", file=file, fix=again)
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            graph = {name: arrays[name] for name in ("indices", "distances", "nnk_weights")}
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise RunError(f"damaged ({type(error).__name__}: {error})", file=file, fix=again) from error
    shape = graph["indices"].shape
    sound = len(shape) == 2 and shape[0] == clips and all(array.shape == shape for array in graph.values())
    if not sound or graph["indices"].max(initial=0) >= clips:
        got = ", ".join(f"{name} {array.shape}" for name, array in graph.items())
        raise RunError("a graph of other clips", file=file, got=got, expected=f"({clips}, k) each", fix=again)
    return graph
