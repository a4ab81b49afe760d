"""A run from a network that is already trained: its checkpoint, or itself, and clips to look at it with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.errors import CheckpointError, DataError, RunError
from stgcn_lens.models.checkpoints import GIVEN, Loaded, load, save
from stgcn_lens.models.given import note
from stgcn_lens.runs import MANIFEST, Run, stage_key
from stgcn_lens.training.adapt import adapted
from stgcn_lens.training.answers import predict
from stgcn_lens.training.classes import fit_classes, nameless
from stgcn_lens.training.metrics import split_scores
from stgcn_lens.training.prepared import Prepared
from stgcn_lens.training.record import write_clips, write_scores
from stgcn_lens.training.state import CACHE, tidy


def adopt_network(
    path: Path | str,
    network: Loaded,
    clips: ClipSet,
    *,
    device: str = "cpu",
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Run:
    """A run of a network that is given from Python (`given.given`): new, or the one that is there if nothing changed.

    All clips are test clips. Matched to the network's classes by name they are kept in the run, or stay where they lie
    if they are a native set that needs no change. What needs the network later is given it again:
    ``embed(run, config, network=network)``. The network is moved to the device.

    Raises
    ------
    DataError, CheckpointError : the clips do not fit the network.
    RunError : the run holds a training, or other clips, and `force` is False.
    """
    name = network.about["architecture"]["model"]
    clips = adapted(clips, network, data=clips.folder, checkpoint=name)
    run = Run.create(path)
    with run.lock():
        _refuse_training(run, force)
        held = _placed(run, clips, force)
        adopt(run, network, held, device=device, force=force, progress=progress)
    return run


def adopt(
    run: Run,
    checkpoint: Path | Loaded,
    clips: ClipSet,
    *,
    device: str = "cpu",
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Copy a checkpoint into the run, classify the clips (all of them as the test split), return the metrics.

    Class names that were made up at import are replaced by those of the clips. Without labels there are no metrics.

    Parameters
    ----------
    checkpoint : its folder; or a network that was given from Python, which the run will only describe.
    clips : the run's own, which are there already.

    Raises
    ------
    DataError : the clips' layout or channels are not those of the checkpoint, or none of them can be prepared.
    CheckpointError : their classes are not.
    RunError : the run holds a training and `force` is False.
    """
    loaded = checkpoint if isinstance(checkpoint, Loaded) else load(checkpoint, device=device)
    loaded.model.to(device)  # type: ignore[attr-defined]
    architecture = loaded.about["architecture"]
    file = architecture["model"] if isinstance(checkpoint, Loaded) else checkpoint
    loaded.check(clips, file=file)
    if fit_classes(clips, loaded, file) is not clips:
        raise CheckpointError(
            "the clips do not fit the checkpoint: other classes",
            file=file,
            got=clips.classes,
            expected=loaded.classes,
        )
    config: dict[str, Any] = {"checkpoint": loaded.hash, "seed": None}
    if GIVEN in architecture:  # nothing but these says what is seen of the network, and how
        told = ("architecture", "layout", "channels", "bodies", "preprocessing")
        config["network"] = {name: loaded.about[name] for name in told}
    inputs = {"clips": clips.fingerprint()}
    key = stage_key(config, inputs)
    if run.fresh("train", key) and not force:
        return run.read_json("metrics.json")
    _refuse_training(run, force)
    with run.stage("train", config=config, inputs=inputs, device=device) as record:
        if GIVEN in architecture:
            note(run.path, loaded, clips.classes)
        else:
            save(
                run.path,
                loaded.model,  # type: ignore[arg-type]
                architecture=architecture["model"],
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


def _placed(run: Run, clips: ClipSet, force: bool) -> ClipSet:
    """The clips where the run finds them again: where they lie as a native set, or packed into it once."""
    manifest, own = run.manifest(), run / "data"
    record = manifest["stages"].get("train")
    if record and record["inputs"]["clips"] != clips.fingerprint() and not force:
        raise RunError("the run was made from other clips", file=run.path, fix="choose another folder, or force=True")
    rest = {name: value for name, value in manifest.items() if name not in ("data", "source")}
    if clips.folder is None:
        there = ClipSet.open(own) if (own / "clipset.json").is_file() else None
        clips = clips.save(own) if there is None or there.fingerprint() != clips.fingerprint() else there
    elif clips.folder.resolve() != own.resolve():
        rest["data"] = str(clips.folder.resolve())
    if rest != manifest:
        run.write_json(MANIFEST, rest)
    return clips


def _refuse_training(run: Run, force: bool) -> None:
    """A training took time: an adopted network does not replace it unasked."""
    record = run.manifest()["stages"].get("train")
    if record and "checkpoint" not in record["config"] and not force:
        raise RunError("the run holds a training", file=run.path, fix="choose another --out, or --force to replace it")
