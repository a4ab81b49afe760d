"""A run from a network that is already trained: its checkpoint, and clips to look at it with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.errors import CheckpointError, DataError, RunError
from stgcn_lens.models.checkpoints import load, save
from stgcn_lens.runs import Run, stage_key
from stgcn_lens.training.answers import predict
from stgcn_lens.training.classes import fit_classes, nameless
from stgcn_lens.training.metrics import split_scores
from stgcn_lens.training.prepared import Prepared
from stgcn_lens.training.record import write_clips, write_scores
from stgcn_lens.training.state import CACHE, tidy


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

    Class names that were made up at import are replaced by those of the clips. Without labels there are no metrics.

    Raises
    ------
    DataError : the clips' layout or channels are not those of the checkpoint, or none of them can be prepared.
    CheckpointError : their classes are not.
    RunError : the run holds a training and `force` is False.
    """
    loaded = load(checkpoint, device=device)
    loaded.check(clips, file=checkpoint)
    if fit_classes(clips, loaded, checkpoint) is not clips:
        raise CheckpointError(
            "the clips do not fit the checkpoint: other classes",
            file=checkpoint,
            got=clips.classes,
            expected=loaded.classes,
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
            classes=clips.classes,
            preprocessing=loaded.preprocessing,
            bodies=loaded.bodies,
            about={**loaded.about["about"], **({"assumed_classes": False} if nameless(loaded) else {})},
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
