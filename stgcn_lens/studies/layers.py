"""The geometry of every layer of a run: neighbourhood graphs, label errors, and what changes from layer to layer.

Source: Das, Shekkizhar, Ortega, arXiv 2312.07777.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stgcn_lens import __version__
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.distances import Sequences
from stgcn_lens.embeddings import open_clips
from stgcn_lens.errors import LensError
from stgcn_lens.files import atomic_folder, fingerprint
from stgcn_lens.graphs import GraphConfig, Neighbours, overlap, summary
from stgcn_lens.graphs.knn import Method
from stgcn_lens.parts import Parts, clear, open_parts
from stgcn_lens.processes import ALONE, Group
from stgcn_lens.runs import Run, plain, stage_key
from stgcn_lens.studies.layer_graphs import LayerGraphs
from stgcn_lens.studies.layer_windows import layer_windows

SEARCH = 0.7  # of the work on a layer (ours, about)
ALIGNED = 2000  # clips that layers are aligned on (ours): beyond, two layers of them take seconds


@dataclass(frozen=True)
class GeometryConfig:
    """Which graphs are built and how their numbers get their intervals."""

    graph: GraphConfig = field(default_factory=GraphConfig)
    method: Method = "pruned"
    """How neighbours are found: pruned leaves out pairs that a lower bound tells are too far apart, exhaustive none;
    does not change the result."""
    resamples: int = 1000
    """Bootstrap resamples of the clips (ours)."""
    permutations: int = 200
    """Label permutations for the chance level (ours)."""
    seed: int = 0
    """Of resamples and permutations."""


def graph(
    run: Run,
    config: GeometryConfig,
    *,
    device: str = "cpu",
    group: Group = ALONE,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """Graphs of every embedded layer into ``graphs/`` and their summary into ``layers.json``; returns the summary.

    Killed and started again, it goes on where it was. The old graphs stay until all new ones are there.

    Parameters
    ----------
    device : where distances are worked out.
    group : the processes that share the work; process 0 writes the result.
    progress : called with (hundredths of layers done, 100 for each layer).

    Raises
    ------
    LensError : no more clips than neighbours asked for.
    DataError : an embedding is not finite; names clip and layer.
    """
    inputs = {"embed": run.key("embed")}
    done = run.fresh("graph", stage_key(config, inputs), "layers.json", "graphs/input.npz") and not force
    if group.agreed(done):
        if group.first:
            clear(run.path, "graph")
        return run.read_json("layers.json")
    clips, about = open_clips(run), run.read_json("embeddings/layers.json")
    labels = _labels(run, clips, config.graph.k)
    made = run.manifest()["stages"]["embed"]["started"]
    work = fingerprint(
        stage_key(config.graph, inputs), config.method, made, device.partition(":")[0], __version__
    ).hexdigest()
    with ExitStack() as stage, same_torch_threads():
        if group.first:
            record = stage.enter_context(run.stage("graph", config=config, inputs=inputs, device=device))
            record["processes"] = group.world
        with group.in_turn():
            parts = open_parts(run.path, "graph", work)
        table = _all_layers(run, config, parts, about, labels, len(clips.classes), device, group, progress)
        if group.first:
            run.write_json("layers.json", table)
    if group.first:
        clear(run.path, "graph")
    group.meet()
    return run.read_json("layers.json")


def _all_layers(
    run: Run,
    config: GeometryConfig,
    parts: Parts,
    about: list[dict[str, Any]],
    labels: np.ndarray,
    classes: int,
    device: str,
    group: Group,
    progress: Callable[[int, int], None] | None,
) -> list[dict[str, Any]]:
    """Work out every layer; process 0 writes its graphs and returns the rows of the summary.

    One process does one layer after the other, which is then in the system's memory still. Several go through all
    layers with each step: one unit of work may be a whole layer.
    """
    table: list[dict[str, Any]] = []
    seen: list[_Seen] = []  # the first layer and the one before
    meter = _Meter(len(about), progress)
    with atomic_folder(run / "graphs") if group.first else nullcontext() as folder:
        for some in [[layer] for layer in about] if group.world == 1 else [about]:
            began, works = time.perf_counter(), []
            for layer in some:
                room = parts.inside(layer["layer"])
                seqs = layer_windows(run, layer["layer"], room.folder)
                works.append(LayerGraphs(seqs, config.graph, config.method, device, room))
                works[-1].search(group, meter.part(SEARCH))
            group.meet()
            for work in works:
                work.measure(group, meter.part(1 - SEARCH))
            group.meet()
            if folder is None:
                continue
            for layer, work in zip(some, works, strict=True):
                table.append(_row(work, layer, labels, classes, seen, config, folder))
                table[-1]["seconds"] = time.perf_counter() - began
                began = time.perf_counter()
    return table


def _row(
    work: LayerGraphs,
    layer: dict[str, Any],
    labels: np.ndarray,
    classes: int,
    seen: "list[_Seen]",
    config: GeometryConfig,
    folder: Path,
) -> dict[str, Any]:
    """Write a layer's graphs into the folder; its row of the summary. `seen` is brought up to date."""
    neighbours, nnk = work.neighbours, work.nnk()
    np.savez(
        folder / f"{layer['layer']}.npz",
        indices=neighbours.indices,
        distances=neighbours.distances,
        nnk_weights=nnk.weights,
        nnk_errors=nnk.errors,
    )
    numbers = summary(
        neighbours,
        nnk,
        labels,
        seed=config.seed,
        resamples=config.resamples,
        permutations=config.permutations,
        classes=classes,
    )
    row = {"layer": layer["layer"], "channels": layer["channels"], "stride": layer["stride"], **plain(numbers)}
    here = _Seen(neighbours, gram(work.seqs, config.seed))
    for called, other in (("input", seen[0] if seen else here), ("previous", seen[-1] if seen else None)):
        row[f"overlap_{called}"] = other and plain(
            overlap(neighbours, other.neighbours, seed=config.seed, resamples=config.resamples)
        )
        row[f"cka_{called}"] = other and plain(alignment(here.gram, other.gram))
    row["cka_clips"] = len(here.gram)
    row["refined_share"] = work.refined_share
    seen[1:] = [here]
    return row


class _Meter:
    """Says how much of the work on all layers is done."""

    def __init__(self, layers: int, progress: Callable[[int, int], None] | None) -> None:
        self._layers, self._progress, self._done = layers, progress, 0.0

    def part(self, weight: float) -> Callable[[float], None]:
        """For the next piece of work, `weight` of a layer's; a function that is told how much of it is done."""
        begin = self._done
        self._done += weight

        def said(share: float) -> None:
            if self._progress is not None:
                self._progress(round(100 * (begin + weight * share)), 100 * self._layers)

        return said


@dataclass(frozen=True, eq=False)
class _Seen:
    """What later layers are compared with."""

    neighbours: Neighbours
    gram: np.ndarray


def gram(seqs: Sequences, seed: int) -> np.ndarray:
    """Products of the clips' mean windows about their mean, (n, n) float64; of `ALIGNED` clips by chance if more."""
    chosen = np.arange(len(seqs))
    if len(seqs) > ALIGNED:
        chosen = np.sort(np.random.default_rng(seed).choice(len(seqs), ALIGNED, replace=False))
    means = np.stack([seqs[int(clip)].mean(axis=0, dtype=np.float64) for clip in chosen])
    means -= means.mean(axis=0)
    return np.asarray(means @ means.T)


def alignment(a: np.ndarray, b: np.ndarray) -> float:
    """Linear CKA of two layers from their `gram`, in [0, 1]; NaN if one of them does not vary at all.

    The same as `graphs.linear_cka` of the mean windows; so each layer's products are worked out once.
    """
    norm = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / norm) if norm > 0 else float("nan")


def _labels(run: Run, clips: ClipSet, k: int) -> np.ndarray:
    """Classes of the clips under analysis; an error, before anything is written, if they allow no graph."""
    chosen = run.read_array("embeddings/clips.npy")
    if len(chosen) <= k:
        raise LensError(
            f"too few clips for {k} neighbours",
            file=run.path,
            got=f"{len(chosen)} clips under analysis",
            expected=f"at least {k + 1}",
            fix=f"choose a k of at most {len(chosen) - 1}, or add clips, or embed those of all splits",
        )
    return clips.labels[chosen]


@contextmanager
def same_torch_threads() -> Iterator[None]:
    """Torch computes with as many threads after the block as before: numba's loops change that where they share OpenMP.

    Measured: two threads instead of one on busy cores made a later training twenty times slower.
    """
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
