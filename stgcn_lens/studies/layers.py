"""The geometry of every layer of a run: neighbourhood graphs, label errors, and what changes from layer to layer.

Source: Das, Shekkizhar, Ortega, arXiv 2312.07777.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.distances import Sequences
from stgcn_lens.embeddings import open_clips
from stgcn_lens.errors import LensError
from stgcn_lens.files import atomic_folder
from stgcn_lens.graphs import GraphConfig, layer_graph, overlap, summary
from stgcn_lens.runs import Run, plain, stage_key


@dataclass(frozen=True)
class GeometryConfig:
    """Which graphs are built and how their numbers get their intervals."""

    graph: GraphConfig = field(default_factory=GraphConfig)
    resamples: int = 1000
    """Bootstrap resamples of the clips (ours)."""
    permutations: int = 200
    """Label permutations for the chance level (ours)."""
    seed: int = 0
    """Of resamples and permutations."""


def graph(
    run: Run, config: GeometryConfig, *, force: bool = False, progress: Callable[[int, int], None] | None = None
) -> list[dict[str, Any]]:
    """Graphs of every embedded layer into ``graphs/`` and their summary into ``layers.json``; returns the summary.

    `progress` counts layers. The old graphs stay until all new ones are there.

    Raises
    ------
    LensError : no more clips than neighbours asked for.
    """
    inputs = {"embed": run.key("embed")}
    if run.fresh("graph", stage_key(config, inputs), "layers.json", "graphs/input.npz") and not force:
        return run.read_json("layers.json")
    clips, about = open_clips(run), run.read_json("embeddings/layers.json")
    labels = _labels(run, clips, config.graph.k)
    table: list[dict[str, Any]] = []
    with run.stage("graph", config=config, inputs=inputs), _same_torch_threads():
        with atomic_folder(run / "graphs") as folder:
            first = previous = None
            for layer in about:
                began = time.perf_counter()
                name = layer["layer"]
                windows = run.read_array(f"embeddings/{name}/windows.npy", mmap=True)
                sequences = Sequences(windows, run.read_array(f"embeddings/{name}/offsets.npy"))
                neighbours, nnk = layer_graph(sequences, config.graph)
                numbers = summary(
                    neighbours,
                    nnk,
                    labels,
                    seed=config.seed,
                    resamples=config.resamples,
                    permutations=config.permutations,
                    classes=len(clips.classes),
                )
                first = neighbours if first is None else first
                np.savez(
                    folder / f"{name}.npz",
                    indices=neighbours.indices,
                    distances=neighbours.distances,
                    nnk_weights=nnk.weights,
                )
                overlaps = [
                    None
                    if other is None
                    else plain(overlap(neighbours, other, seed=config.seed, resamples=config.resamples))
                    for other in (first, previous)
                ]
                table.append(
                    {
                        "layer": name,
                        "channels": layer["channels"],
                        "stride": layer["stride"],
                        **plain(numbers),
                        "overlap_input": overlaps[0],
                        "overlap_previous": overlaps[1],
                        "seconds": time.perf_counter() - began,
                    }
                )
                previous = neighbours
                if progress is not None:
                    progress(len(table), len(about))
        run.write_json("layers.json", table)
    return table


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
def _same_torch_threads() -> Iterator[None]:
    """Torch computes with as many threads after the block as before: numba's loops change that where they share OpenMP.

    Measured: two threads instead of one on busy cores made a later training twenty times slower.
    """
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
