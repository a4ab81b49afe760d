"""What a trained network says of every clip, written into the run folder."""

import csv
import io
from typing import Any

import numpy as np

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.runs import Run
from stgcn_lens.training.metrics import confusion

COLUMNS = (
    *("clip", "name", "label", "class_name", "subject", "view", "split", "frames", "bodies"),
    *("predicted", "confidence"),
)


def write_clips(run: Run, clips: ClipSet, splits: np.ndarray, logits: np.ndarray) -> None:
    """clips.csv: one row per clip of the set, in its order, with prediction and softmax confidence."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probability = shifted / shifted.sum(axis=1, keepdims=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for i, row in enumerate(clips.rows):
        label = "" if row.label is None else row.label
        class_name = "" if row.label is None else clips.classes[row.label]
        ids = ["" if value is None else value for value in (row.subject, row.view)]
        best = int(probability[i].argmax())
        guess = [best, f"{probability[i, best]:.6f}"] if splits[i] != "dropped" else ["", ""]
        writer.writerow([i, row.name, label, class_name, *ids, splits[i], row.frames, row.bodies, *guess])
    run.write_text("clips.csv", text.getvalue())


def write_scores(run: Run, clips: ClipSet, splits: np.ndarray, logits: np.ndarray, metrics: dict[str, Any]) -> None:
    """metrics.json and the test split's confusion.csv (rows true, columns predicted)."""
    run.write_json("metrics.json", metrics)
    test = (splits == "test") & (clips.labels >= 0)
    matrix = confusion(logits[test].argmax(axis=1), clips.labels[test], len(clips.classes))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["true", *clips.classes])
    for name, counts in zip(clips.classes, matrix, strict=True):
        writer.writerow([name, *counts.tolist()])
    run.write_text("confusion.csv", text.getvalue())
