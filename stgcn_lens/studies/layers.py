"""The geometry of every layer of a run: neighbourhood graphs, label errors, and what changes from layer to layer.

Source: Das, Shekkizhar, Ortega, arXiv 2312.07777.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from stgcn_lens.distances import Sequences
from stgcn_lens.embeddings import layer_names, open_clips
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

    `progress` counts layers.
    """
    inputs = {"embed": run.key("embed")}
    if run.fresh("graph", stage_key(config, inputs)) and not force:
        return run.read_json("layers.json")
    labels = open_clips(run).labels[run.read_array("embeddings/clips.npy")]
    layers = layer_names(run)
    strides = {row["layer"]: row["stride"] for row in run.read_json("embeddings/layers.json")}
    table: list[dict[str, Any]] = []
    with run.stage("graph", config=config, inputs=inputs):
        first = previous = None
        for number, layer in enumerate(layers):
            began = time.perf_counter()
            windows = run.read_array(f"embeddings/{layer}/windows.npy", mmap=True)
            sequences = Sequences(windows, run.read_array(f"embeddings/{layer}/offsets.npy"))
            neighbours, nnk = layer_graph(sequences, config.graph)
            numbers = summary(
                neighbours,
                nnk,
                labels,
                seed=config.seed,
                resamples=config.resamples,
                permutations=config.permutations,
            )
            first = neighbours if first is None else first
            run.write_arrays(
                f"graphs/{layer}.npz",
                indices=neighbours.indices,
                distances=neighbours.distances,
                nnk_weights=nnk.weights,
            )
            table.append(
                {
                    "layer": layer,
                    "channels": int(windows.shape[1]),
                    "stride": strides[layer],
                    "n": len(labels),
                    **plain(numbers),
                    "overlap_input": plain(overlap(neighbours, first, seed=config.seed, resamples=config.resamples)),
                    "overlap_previous": None
                    if previous is None
                    else plain(overlap(neighbours, previous, seed=config.seed, resamples=config.resamples)),
                    "seconds": time.perf_counter() - began,
                }
            )
            previous = neighbours
            if progress is not None:
                progress(number + 1, len(layers))
        run.write_json("layers.json", table)
    return table
