"""From which layer on the clips of a class stand among their own.

The rule (ours). The kNN label error of a class is put on a scale that means the same for every class: 0 is the least
that the class's size allows (with n_c clips no more than n_c - 1 of k neighbours can be its own), 1 is chance. A class
is separable at a layer where this is at most a half. It becomes separable at the first layer from which on it stays so,
through to the last block; "never" where it is not at the last block. The logits, which training aims at, have no say.
Beside it stands the first layer for which the same holds of the upper end of the error's interval ("surely").
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def classes(
    rows: Sequence[Mapping[str, Any]], names: Sequence[str], sizes: np.ndarray, share: float
) -> list[dict[str, Any]]:
    """For each class with clips: its size, where it becomes separable (None: never), and its error at every layer.

    Parameters
    ----------
    rows : of layers.json, in depth order.
    sizes : clips of each class.
    share : of the way from best to chance.
    """
    deciding = [row for row in rows if row["layer"] != "logits"]
    found = []
    for c, name in enumerate(names):
        size = int(sizes[c])
        if size == 0:
            continue
        n, k = rows[0]["n"], rows[0]["k"]
        floor, chance = max(0.0, 1 - (size - 1) / k), 1 - (size - 1) / (n - 1)
        bound = floor + share * (chance - floor)
        errors = [row["knn_label_error_per_class"][c] for row in deciding]
        intervals = [row["knn_interval_per_class"][c] for row in deciding]
        ends = [error if ci is None else ci[1] for ci, error in zip(intervals, errors, strict=True)]
        layers = [row["layer"] for row in deciding]
        found.append(
            {
                "class_name": name,
                "n": size,
                "floor": floor,
                "chance": chance,
                "bound": bound,
                "layer": first(layers, [error <= bound for error in errors]) if chance > floor else None,
                "surely": first(layers, [end <= bound for end in ends]) if chance > floor else None,
                "knn_label_error": {row["layer"]: row["knn_label_error_per_class"][c] for row in rows},
            }
        )
    return found


def first(layers: Sequence[str], holds: Sequence[bool]) -> str | None:
    """The first layer from which on something holds through to the last; None if it does not hold at the last."""
    here = None
    for layer, good in zip(reversed(layers), reversed(holds), strict=True):
        if not good:
            break
        here = layer
    return here


def tally(found: Sequence[Mapping[str, Any]], layers: Sequence[str], key: str = "layer") -> dict[str, int]:
    """How many classes become separable at each layer, and never."""
    counts = {layer: sum(entry[key] == layer for entry in found) for layer in layers}
    return {**counts, "never": sum(entry[key] is None for entry in found)}
