"""A run from a network that is already trained: its checkpoint, and clips to look at it with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from stgcn_lens.data.batches import batches
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.errors import CheckpointError
from stgcn_lens.models.checkpoints import load, save
from stgcn_lens.runs import Run, stage_key
from stgcn_lens.training.loop import predict
from stgcn_lens.training.metrics import scores
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
    if run.fresh("train", stage_key(config, inputs)) and not force:
        return run.read_json("metrics.json")
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
        parts = []
        for batch in batches(clips, np.arange(len(clips)), loaded.preprocessing, loaded.bodies, 32):
            parts.append(predict(loaded.model, batch.x, device=device, batch=32))  # type: ignore[arg-type]
            if progress is not None:
                progress(int(batch.clips[-1]) + 1, len(clips))
        logits, splits = np.concatenate(parts), np.full(len(clips), "test")
        metrics = {"test": scores(logits, clips.labels)}
        record["weights"], record["dropped"] = loaded.hash, []
        write_clips(run, clips, splits, logits)
        write_scores(run, clips, splits, logits, metrics)
    return metrics
