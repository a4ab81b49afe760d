"""A run from a network that is already trained: its checkpoint, and clips to look at it with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.errors import CheckpointError, DataError, RunError
from stgcn_lens.models.checkpoints import load, save
from stgcn_lens.runs import Run, stage_key
from stgcn_lens.training.loop import CACHE, predict, tidy
from stgcn_lens.training.metrics import split_scores
from stgcn_lens.training.prepared import Prepared
from stgcn_lens.training.record import write_clips, write_scores


def adopt(
    run: Run,
    checkpoint: Path,
    clips: ClipSet,
    *,
    device: str = "cpu",
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Copy a checkpoint into the run, classify the clips (all of them as the test split), return the metrics.

    Raises
    ------
    CheckpointError : the clips' layout, channels or classes are not those of the checkpoint.
    RunError : the run holds a training and `force` is False.
    DataError : none of the clips can be prepared.
    """
    loaded = load(checkpoint, device=device)
    for what, got, expected in (
        ("layout", clips.layout, loaded.layout.name),
        ("channels", clips.channels, loaded.about["channels"]),
        ("classes", clips.classes, loaded.classes),
    ):
        if got != expected:
            raise CheckpointError(
                f"the clips do not fit the checkpoint: other {what}", file=checkpoint, got=got, expected=expected
            )
    config = {"checkpoint": loaded.hash, "seed": None}
    inputs = {"clips": clips.fingerprint()}
    key = stage_key(config, inputs)
    if run.fresh("train", key) and not force:
        return run.read_json("metrics.json")
    _refuse_training(run, force)
    with run.stage("train", config=config, inputs=inputs, device=device) as record:
        save(
            run.path,
            loaded.model,  # type: ignore[arg-type]
            architecture=loaded.about["architecture"]["model"],
            classes=loaded.classes,
            preprocessing=loaded.preprocessing,
            bodies=loaded.bodies,
            about=loaded.about["about"],
        )
        prepared = Prepared.make(run / CACHE, clips, loaded.preprocessing, loaded.bodies, key)
        if not prepared.usable.any():
            first = prepared.dropped[0]["reason"]
            raise DataError("no clip can be prepared", got=f"first of {len(clips)} reasons: {first}")
        logits = predict(loaded.model, prepared.x, device=device, batch=32, progress=progress)  # type: ignore[arg-type]
        splits = np.where(prepared.usable, "test", "dropped")
        metrics = split_scores(logits, clips.labels, splits)
        record["weights"], record["dropped"] = loaded.hash, prepared.dropped
        write_clips(run, clips, splits, logits)
        write_scores(run, clips, splits, logits, metrics)
    tidy(run)
    return metrics


def _refuse_training(run: Run, force: bool) -> None:
    """A training took time: an adopted network does not replace it unasked."""
    record = run.manifest()["stages"].get("train")
    if record and "checkpoint" not in record["config"] and not force:
        raise RunError("the run holds a training", file=run.path, fix="choose another --out, or --force to replace it")
