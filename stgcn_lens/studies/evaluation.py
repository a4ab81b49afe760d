"""What a trained network is worth on its own clips or on others: scores, confusion, and a file that can be fused.

Into ``evaluation/`` of a run go ``<name>.json``, ``<name>.npz`` (`training.scorefile`) and ``<name>_confusion.csv``.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.transforms import Preprocessing, prepare
from stgcn_lens.embeddings import open_model, read_clips
from stgcn_lens.errors import DataError, LensError, RunError, WorkError
from stgcn_lens.models.checkpoints import Loaded, load
from stgcn_lens.runs import Run
from stgcn_lens.training.adapt import adapted
from stgcn_lens.training.answers import predict_views
from stgcn_lens.training.metrics import chosen_classes, confusion, scores
from stgcn_lens.training.scorefile import FOLDER, Scores, write

SIDES = ("test", "val", "train", "all")


@dataclass(frozen=True)
class EvaluateConfig:
    """Which clips, and how they are looked at."""

    split: str | None = None
    """Which of the run's own clips: test (the default), val, train or all. Clips of --data are never divided."""
    only_classes: tuple[str, ...] = ()
    """Only clips of these classes, by name or number (as the subset Kinetics-Motion of ST-GCN's table 4)."""
    test_clips: int = 1
    """Views of a clip over whose logits its answer is averaged, evenly spread in time."""
    name: str | None = None
    """What the files are called; by default the split, or the name of --data, with "-subset" for --only-classes."""
    batch: int = 32
    """Views per forward pass; does not change the result."""

    def __post_init__(self) -> None:
        if self.split is not None and self.split not in SIDES:
            raise LensError("unknown split", got=repr(self.split), expected=f"one of {', '.join(SIDES)}")
        if self.test_clips < 1 or self.batch < 1:
            got = f"test clips {self.test_clips}, batch {self.batch}"
            raise LensError("impossible evaluation", got=got, expected="both >= 1")
        if self.name is not None and not re.fullmatch(r"\w[\w.+-]*", self.name):
            raise LensError("no name for a file", got=repr(self.name), expected="letters, digits, and . _ + -")


def evaluate(
    run: Run,
    config: EvaluateConfig,
    *,
    data: Path | None = None,
    clips: ClipSet | None = None,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Classify the run's own clips, or others, write the files, and return what the JSON holds.

    Parameters
    ----------
    data, clips : other clips, all of which are classified, and where they are from; their classes are matched by name.

    Raises
    ------
    RunError : the run has no finished `train`, or no clip on that side.
    DataError : the clips do not fit the network, or none of them can be used.
    CheckpointError : they are of classes that it does not know.
    """
    key = run.key("train")
    if clips is None:
        loaded, clips = open_model(run, device)
        called = config.split or "test"
        rows = _on_side(run, called)
    else:
        loaded = load(run.path, device=device)
        clips = adapted(clips, loaded, data=data, checkpoint=run.path)
        rows, called = np.arange(len(clips)), _called(data)
    only = chosen_classes(config.only_classes, clips.classes)
    name = config.name or called + "-subset" * bool(only)
    if only:
        rows = rows[np.isin(clips.labels[rows], only)]
    if not len(rows):
        raise DataError("no clip to evaluate", file=data or run.path, got="0 clips of these classes", expected=">= 1")
    logits, usable, dropped = _answers(loaded, clips, rows, config, device, progress)
    rows, labels = rows[usable], clips.labels[rows[usable]]
    if not np.isfinite(logits).all():
        raise WorkError(
            "the network's answers are not finite numbers", file=run.path, fix="train again at a lower --lr"
        )
    known = labels >= 0
    about: dict[str, Any] = {
        "name": name,
        "train": key,
        "weights": loaded.hash,
        "model": loaded.about["architecture"]["model"],
        "stream": loaded.preprocessing.stream,
        "data": str(data) if data else None,
        "clips": len(rows),
        "unlabelled": int((~known).sum()),
        "test_clips": config.test_clips,
        "only_classes": [clips.classes[c] for c in only],
        "metrics": scores(logits[known], labels[known]) if known.any() else None,
        "dropped": dropped,
        "device": device,
    }
    if only:
        about["among_these"] = scores(logits[:, only], np.searchsorted(only, labels))
    names = tuple(clips.rows[int(i)].name for i in rows)
    # The JSON comes last: it vouches for the file of scores.
    run.write_text(f"{FOLDER}/{name}_confusion.csv", _table(logits[known], labels[known], clips.classes))
    write(run, name, Scores(str(run.path), names, labels, logits.astype(np.float64), clips.classes))
    run.write_json(f"{FOLDER}/{name}.json", about)
    return about


def _on_side(run: Run, side: str) -> np.ndarray:
    """Rows of the run's clips on a side; those that could not be prepared are on none."""
    wanted = SIDES[:3] if side == "all" else (side,)
    found = [i for i, row in enumerate(read_clips(run)) if row["split"] in wanted]
    if not found:
        raise RunError(f"no clip in split '{side}'", file=run / "clips.csv", got=0, expected=">= 1")
    return np.array(found, dtype=np.int64)


def _called(data: Path | None) -> str:
    """A file name out of a path, which is not that of a side of the run."""
    name = re.sub(r"[^\w.+-]+", "_", data.resolve().stem if data else "").lstrip(".+-") or "others"
    return f"others-{name}" if name in SIDES else name


def _answers(
    loaded: Loaded,
    clips: ClipSet,
    rows: np.ndarray,
    config: EvaluateConfig,
    device: str,
    progress: Callable[[int, int], None] | None,
) -> tuple[np.ndarray, np.ndarray, list[dict[str, str]]]:
    """Logits of the clips that can be prepared, which of the rows these are (bool), and the others with the reason."""
    usable = np.ones(len(rows), bool)
    dropped: list[dict[str, str]] = []
    answers = []

    def look(chosen: np.ndarray) -> None:
        prep, views, size = loaded.preprocessing, config.test_clips, config.batch
        network: torch.nn.Module = loaded.model  # type: ignore[assignment]
        answers.append(predict_views(network, clips, chosen, prep, loaded.bodies, views, device=device, batch=size))

    for begin in range(0, len(rows), config.batch):
        part = slice(begin, begin + config.batch)
        try:
            look(rows[part])
        except DataError:  # one of them cannot be prepared; which one costs time only here
            for i, reason in _unusable(clips, rows[part], loaded.preprocessing, loaded.bodies):
                usable[begin + i] = False
                dropped.append({"clip": clips.rows[int(rows[begin + i])].name, "reason": reason})
            if usable[part].any():
                look(rows[part][usable[part]])
        if progress is not None:
            progress(min(begin + config.batch, len(rows)), len(rows))
    if not answers:
        raise DataError("no clip can be prepared", got=f"first of {len(rows)} reasons: {dropped[0]['reason']}")
    return np.concatenate(answers), usable, dropped


def _unusable(clips: ClipSet, rows: np.ndarray, prep: Preprocessing, bodies: int) -> Iterator[tuple[int, str]]:
    for i, row in enumerate(rows):
        try:
            prepare(clips[int(row)], prep, bodies)
        except DataError as error:
            yield i, str(error)


def _table(logits: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> str:
    """Counts as CSV, rows true, columns predicted."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["true", *classes])
    matrix = confusion(logits.argmax(axis=1), labels, len(classes))
    writer.writerows([name, *counts.tolist()] for name, counts in zip(classes, matrix, strict=True))
    return text.getvalue()
