"""Scores of a classifier from its logits."""

import numpy as np


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
    """`scores` of "train" and of "test", over their labelled clips (label >= 0); a side without one is left out."""
    sides = {name: (splits == name) & (labels >= 0) for name in ("train", "test")}
    return {name: scores(logits[side], labels[side]) for name, side in sides.items() if side.any()}


def confusion(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Counts (classes, classes); rows are true classes, columns predicted ones."""
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix
