"""Whether the order of the layers depends on how the geometry is measured: windows, strides, neighbours, kernels.

The rule (ours). For every setting the kNN label errors of the layers, input to last block, are ranked against depth
(Spearman). The order survives if they fall with depth at -0.8 or less in every setting.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy.stats import rankdata

from stgcn_lens.distances import Sequences
from stgcn_lens.embeddings import embed
from stgcn_lens.graphs import GraphConfig, Neighbours
from stgcn_lens.graphs.candidates import candidate_pairs, distances_of
from stgcn_lens.graphs.knn import knn
from stgcn_lens.graphs.nnk import nnk
from stgcn_lens.graphs.smoothness import knn_floor, label_errors, row_normalised
from stgcn_lens.models.checkpoints import Loaded
from stgcn_lens.parts import Parts
from stgcn_lens.runs import Run
from stgcn_lens.studies.depth.config import DepthConfig
from stgcn_lens.studies.depth.controls import copied
from stgcn_lens.studies.layer_windows import layer_windows
from stgcn_lens.studies.layers import GeometryConfig
from stgcn_lens.studies.settings import embedding, geometry

SURVIVES = -0.8
Progress = Callable[[int, int], None]


def table(
    run: Run,
    labels: np.ndarray,
    layers: list[str],
    config: DepthConfig,
    parts: Parts,
    *,
    network: Loaded | None,
    device: str,
    progress: Progress | None,
) -> dict[str, Any]:
    """Label errors of the layers at every setting, how they go with depth, and whether the order survives.

    The run's own embeddings stay: those of other windows are made in a folder of the unfinished work.

    Parameters
    ----------
    labels : (N,) classes of the clips under analysis.
    layers : input to last block, in depth order.
    parts : where what is finished is kept.
    """
    chosen = layers if config.sensitivity == "all" else [layers[0], layers[len(layers) // 2], layers[-1]]
    ks = [k for k in sorted(set(config.ks)) if k < len(labels)]
    settings = list(_windows(config))
    rows: list[dict[str, Any]] = []
    scratch = copied(run, parts.folder / "windows")
    own = embedding(run)
    for number, (window, stride) in enumerate(settings):
        found: dict[str, np.ndarray] = {}
        wish = replace(own, window=window, stride=stride)
        for place, layer in enumerate(chosen):
            name = f"{window}-{stride}-{layer}"
            held = parts.read(name)
            if held is None:
                source = run if (own.window, own.stride or own.window) == (window, stride) else scratch
                if source is scratch:
                    embed(scratch, wish, network=network, device=device)
                held = {"errors": _errors(source, layer, labels, ks, config, geometry(run), parts)}
                parts.write(name, **held)
            found[layer] = held["errors"]
            if progress is not None:
                progress(number * len(chosen) + place + 1, len(settings) * len(chosen))
        rows += _rows(window, stride, chosen, ks, config, found)
    for row in rows:
        row["knn_floor"] = knn_floor(labels, row["k"])
    return {"layers": chosen, "rows": rows, "left_out_ks": sorted(set(config.ks) - set(ks)), **_survives(rows)}


def spearman(values: np.ndarray, others: np.ndarray) -> float:
    """Rank correlation, ties at their mean rank; NaN where one does not vary."""
    a, b = rankdata(values), rankdata(others)
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0 else float("nan")


def _windows(config: DepthConfig) -> Iterator[tuple[int, int]]:
    """Every (window, stride) once, in input frames."""
    every = [(w, w if s == "whole" else max(1, w // 2)) for w in sorted(set(config.windows)) for s in config.strides]
    yield from dict.fromkeys(every)


def _errors(
    run: Run,
    layer: str,
    labels: np.ndarray,
    ks: list[int],
    config: DepthConfig,
    own: GeometryConfig,
    parts: Parts,
) -> np.ndarray:
    """Label errors of one layer, (ks, 1 + kernels): kNN, then NNK with each kernel.

    The neighbours of the largest k are searched once, and begin with those of every smaller one; the distances among
    them hold those that the smaller ones need.
    """
    out = np.empty((len(ks), 1 + len(config.kernels)))
    if not ks:
        return out
    graph = own.graph
    parts.folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=parts.folder) as room:
        seqs = layer_windows(run, layer, Path(room))
        nearest = knn(seqs, max(ks), graph.distance_config(), method=own.method, tile_bytes=graph.tile_bytes)
        distances = _Known(seqs, nearest, graph)
        for row, k in enumerate(ks):
            some = Neighbours(nearest.indices[:, :k], nearest.distances[:, :k])
            out[row, 0] = label_errors(some.indices, row_normalised(np.ones(some.indices.shape)), labels).mean()
            for column, kernel in enumerate(config.kernels, start=1):
                made = nnk(seqs, some, graph.distance_config(), kernel=kernel, pairs=distances)
                out[row, column] = label_errors(made.indices, row_normalised(made.weights), labels).mean()
    return out


class _Known:
    """Distances between candidates, worked out once for the longest lists and looked up for their beginnings."""

    def __init__(self, seqs: Sequences, nearest: Neighbours, graph: GraphConfig) -> None:
        measure = distances_of(seqs, graph.distance_config())
        self._n = len(nearest)
        found = [(i * self._n + j, measure(i, j)) for i, j in candidate_pairs(nearest.indices)]
        keys = np.concatenate([key for key, _ in found]) if found else np.empty(0, np.int64)
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        self._distances = np.concatenate([value for _, value in found])[order] if found else np.empty(0)

    def __call__(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return np.asarray(self._distances[np.searchsorted(self._keys, i * self._n + j)])


def _rows(
    window: int, stride: int, layers: list[str], ks: list[int], config: DepthConfig, found: dict[str, np.ndarray]
) -> list[dict[str, Any]]:
    """One row a setting: the errors of the layers, last over input, and their rank correlation with depth."""
    depth = np.arange(len(layers))
    rows = []
    for at, k in enumerate(ks):
        for column, kernel in enumerate(config.kernels, start=1):
            row: dict[str, Any] = {"window": window, "stride": stride, "k": k, "kernel": kernel}
            for kind, place in (("knn", 0), ("nnk", column)):
                errors = np.array([found[layer][at, place] for layer in layers])
                row[f"{kind}_label_error"] = dict(zip(layers, errors.tolist(), strict=True))
                row[f"{kind}_ratio"] = errors[-1] / errors[0] if errors[0] > 0 else float("nan")
                row[f"{kind}_spearman"] = spearman(errors, depth)
            rows.append(row)
    return rows


def _survives(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Whether the order of the layers holds in every setting, in a word and in a sentence."""
    if not rows:
        return {"survives": None, "sentence": "No setting could be tried: every k needs more clips."}
    with_depth = np.array([row["knn_spearman"] for row in rows])
    ratios = np.array([row["knn_ratio"] for row in rows])
    others = sum(row["nnk_spearman"] <= SURVIVES for row in rows)
    falls = with_depth <= SURVIVES  # False of NaN
    survives = bool(falls.all())
    lowest, highest = _span(with_depth)
    least, most = _span(ratios)
    sentence = (
        f"The kNN label error falls with depth (Spearman {SURVIVES} or less) in {int(falls.sum())} of {len(rows)} "
        f"settings, NNK's in {others}; the rank correlation of kNN lies between {lowest} and {highest}, "
        f"the last block keeps {least} to {most} of the input's error: "
        f"the order of the layers {'survives' if survives else 'does not survive'} every setting."
    )
    floors = {row["k"]: row["knn_floor"] for row in rows if row["knn_floor"] > 0}
    if floors:
        k, floor = max(floors.items())
        sentence += (
            f" Some classes have no more than {k} clips: of k = {k}, perfect neighbours would leave {floor:.2f}."
        )
    return {"survives": survives, "sentence": sentence}


def _span(values: np.ndarray) -> tuple[str, str]:
    """Least and greatest, those that are no numbers left out."""
    known = values[np.isfinite(values)]
    return (f"{known.min():.2f}", f"{known.max():.2f}") if len(known) else ("nothing", "nothing")
