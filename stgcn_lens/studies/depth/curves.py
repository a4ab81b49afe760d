"""What one network's layers look like on the clips under analysis: every number with its interval, layer by layer."""

from pathlib import Path
from typing import Any

import numpy as np

from stgcn_lens.graphs import Neighbours, jaccard
from stgcn_lens.graphs.nnk import SMALLEST
from stgcn_lens.graphs.smoothness import label_errors, row_normalised
from stgcn_lens.intervals import Value, of_mean
from stgcn_lens.report.results import relative_depth
from stgcn_lens.runs import Run, plain
from stgcn_lens.studies.analysed import Analysed
from stgcn_lens.studies.depth import separable
from stgcn_lens.studies.depth.config import DepthConfig
from stgcn_lens.studies.depth.verdict import ratio
from stgcn_lens.studies.layer_windows import layer_windows
from stgcn_lens.studies.layers import alignment, gram

KEPT = (
    *("layer", "channels", "stride"),
    *("knn_label_error", "nnk_label_error", "laplacian_label_error", "knn_accuracy"),
    *("overlap_input", "overlap_previous", "cka_input", "cka_previous"),
)


def network(run: Run, config: DepthConfig, room: Path) -> tuple[dict[str, Any], Value]:
    """All numbers of a run's network, as JSON can hold them, and the ratio that the first finding is judged by.

    Parameters
    ----------
    room : a folder for what the work needs.

    Raises
    ------
    RunError : the run has no graphs, or they are damaged.
    """
    seen = Analysed.of(run)
    table = run.read_json("layers.json")
    errors, falls, nearest, grams, rows = {}, {}, {}, [], []
    for row, depth in zip(table, relative_depth([row["layer"] for row in table]), strict=True):
        layer = seen.layer(row["layer"])
        lists = layer.neighbours.indices
        errors[layer.name] = label_errors(lists, row_normalised(np.ones(lists.shape)), seen.labels)
        nearest[layer.name] = layer.neighbours
        grams.append(gram(layer_windows(run, layer.name, room / layer.name), config.seed))
        kept = (layer.weights > SMALLEST).sum(axis=1).astype(np.float64)
        dimension = of_mean(kept, seed=config.seed, resamples=config.resamples)
        before = errors[table[0]["layer"]]
        falls[layer.name] = ratio(errors[layer.name], before, seed=config.seed, resamples=config.resamples)
        rows.append(
            {name: row.get(name) for name in KEPT}
            | {"depth": depth, "local_dimension": dimension, "ratio_to_input": falls[layer.name]}
        )
    sizes = np.bincount(seen.labels, minlength=len(seen.classes))
    classes = separable.classes(table, seen.classes, sizes, config.separable)
    layers = [row["layer"] for row in rows if row["depth"] is not None]
    found = {
        "metrics": run.read_json("metrics.json"),
        "rows": rows,
        "last_block": layers[-1],
        "ratio": falls[layers[-1]],
        "classes": classes,
        "separable": separable.tally(classes, layers),
        "surely_separable": separable.tally(classes, layers, "surely"),
        "between_layers": between(nearest, grams, config),
        "n": len(seen),
        "k": table[0]["k"],
    }
    return plain(found), falls[layers[-1]]


def between(nearest: dict[str, Neighbours], grams: list[np.ndarray], config: DepthConfig) -> dict[str, Any]:
    """Overlap of neighbourhoods and linear CKA of every two layers: symmetric matrices, overlap with its interval."""
    layers = list(nearest)
    shape = (len(layers), len(layers))
    value, low, high, cka = (np.ones(shape) for _ in range(4))
    for a, one in enumerate(layers):
        cka[a, a] = alignment(grams[a], grams[a])
        for b in range(a):
            shared = jaccard(nearest[one].indices, nearest[layers[b]].indices)
            found = of_mean(shared, seed=config.seed, resamples=config.resamples)
            value[a, b] = value[b, a] = found.value
            low[a, b] = low[b, a] = found.ci_low
            high[a, b] = high[b, a] = found.ci_high
            cka[a, b] = cka[b, a] = alignment(grams[a], grams[b])
    return {
        "layers": layers,
        "overlap": value,
        "overlap_ci_low": low,
        "overlap_ci_high": high,
        "cka": cka,
        "cka_clips": len(grams[0]),
    }
