"""Scores of a classifier from its logits."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from stgcn_lens.errors import DataError


def scores(logits: np.ndarray, labels: np.ndarray) -> dict[str, float | int]:
    """top1, top5, mean class accuracy (over classes that occur) in [0, 1] and n, of logits (N, classes)."""
    order = np.argsort(-logits, axis=1, kind="stable")
    hit = order[:, 0] == labels
    per_class = [hit[labels == c].mean() for c in np.unique(labels)]
    return {
        "top1": float(hit.mean()),
        "top5": float((order[:, :5] == labels[:, None]).any(axis=1).mean()),
        "mean_class_accuracy": float(np.mean(per_class)),
        "n": len(labels),
    }


def split_scores(logits: np.ndarray, labels: np.ndarray, splits: np.ndarray) -> dict[str, dict[str, float | int]]:
    """`scores` of "train", "val" and "test", over their labelled clips (label >= 0); a side without one is left out."""
    sides = {name: (splits == name) & (labels >= 0) for name in ("train", "val", "test")}
    return {name: scores(logits[side], labels[side]) for name, side in sides.items() if side.any()}


def chosen_classes(wanted: Sequence[str], classes: Sequence[str]) -> list[int]:
    """Numbers of the classes that are given by name or by number; `DataError` for what is neither."""
    found = []
    for word in wanted:
        if word in classes:
            found.append(list(classes).index(word))
        elif word.isdecimal() and int(word) < len(classes):
            found.append(int(word))
        else:
            names = ", ".join(classes[:4]) + (", ..." if len(classes) > 4 else "")
            raise DataError("no such class", got=repr(word), expected=f"0 to {len(classes) - 1}, or of {names}")
    return sorted(set(found))


def subset_scores(
    logits: np.ndarray, labels: np.ndarray, splits: np.ndarray, only: Sequence[int]
) -> dict[str, dict[str, Any]]:
    """For every side, `scores` of the clips of some classes, two ways.

    `among_all`: their clips, told from all classes that the network knows. `among_these`: told from one another only.
    """
    inside = np.isin(labels, only)
    told = {"among_all": split_scores(logits, labels, np.where(inside, splits, "none"))}
    place = np.searchsorted(only, labels.clip(min=0))
    told["among_these"] = split_scores(logits[:, list(only)], np.where(inside, place, -1), splits)
    return {side: {how: told[how][side] for how in told} for side in told["among_all"]}


def confusion(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Counts (classes, classes); rows are true classes, columns predicted ones."""
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix
