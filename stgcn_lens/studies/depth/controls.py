"""Networks that should not show what training gives: one that was never trained, one that was taught nonsense.

Each is a run folder of its own inside the run that it is a control of, with the same clips, sides and preprocessing.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from stgcn_lens.embeddings import open_model, read_clips
from stgcn_lens.errors import DataError, RunError
from stgcn_lens.files import fingerprint
from stgcn_lens.models import MODELS
from stgcn_lens.models.checkpoints import Loaded, save
from stgcn_lens.runs import MANIFEST, Run, plain, stage_key
from stgcn_lens.training import Step, TrainJob, train
from stgcn_lens.training.answers import predict
from stgcn_lens.training.job import check_logits
from stgcn_lens.training.metrics import split_scores
from stgcn_lens.training.prepared import Prepared
from stgcn_lens.training.record import write_clips, write_scores
from stgcn_lens.training.state import CACHE, tidy
from stgcn_lens.training.steps import answer, parts

FOLDER = "studies/controls"
_AT_ONCE = 64  # clips that share the statistics of a norm (ours): about those of four classes


def opened(run: Run, name: str) -> Run:
    """The control's run folder, made if it is not there, with the clips of the run."""
    control = Run.create(run / FOLDER / name)
    point(control, run)
    return control


def point(other: Run, run: Run) -> None:
    """Let another run folder use the clips of a run, wherever that lies now."""
    elsewhere = run.manifest().get("data")
    data = str((Path(elsewhere) if elsewhere else run / "data").resolve())
    manifest = other.manifest()
    if manifest.get("data") != data:
        other.write_json(MANIFEST, {**manifest, "data": data})


def job(run: Run, epochs: int | None) -> TrainJob:
    """The training of the control on shuffled labels: the run's own but for the labels, and the epochs if given.

    Raises
    ------
    RunError : the run's network was not trained here, so that nobody knows how.
    """
    told = run.manifest()["stages"]["train"]["config"]
    fix = "do without this control: --no-shuffled"
    if "training" not in told:
        raise RunError("how the network was trained is not known", file=run.path, fix=fix)
    own = TrainJob.read(told, file=run / MANIFEST)
    return replace(own, training=replace(own.training, shuffle_labels=True, epochs=epochs or own.training.epochs))


def shuffled(run: Run, epochs: int | None, *, device: str, progress: Any) -> Run:
    """The control that learned shuffled labels; trained unless it is there, resumed if it was interrupted."""
    own = job(run, epochs)
    control = opened(run, "shuffled")
    sides = _sides(run)
    with control.lock():
        _, clips = open_model(run, device)

        def step(at: Step) -> None:
            if progress is not None:
                progress((at.epoch - 1) * at.steps + at.step, at.epochs * at.steps)

        inputs = {"clips": clips.fingerprint(), "splits": fingerprint(",".join(sides)).hexdigest()}
        record = control.manifest()["stages"].get("train")
        # Another control, of other settings or clips, was the study's own: it may go.
        stale = record is not None and {name: record["inputs"].get(name) for name in inputs} != inputs
        stale |= record is not None and record["config"] != plain(own.told())
        train(control, clips, sides, own, device=device, force=stale, progress=step)
    return control


def untrained(run: Run, *, device: str, progress: Any) -> Run:
    """The control that was never trained: the weights that the run's seed draws, every batch norm's weight at one.

    A norm's weight that starts at zero makes a block its shortcut, and a network of such blocks would trivially change
    nothing from layer to layer. Running statistics are measured on the training clips in one pass without learning
    (on all clips where the run has none that train), as a trained network has them.
    """
    control = opened(run, "untrained")
    loaded, clips = open_model(run, device)
    sides = _sides(run)
    seed = int(run.manifest()["stages"]["train"].get("seed") or 0)
    config = {"control": "untrained", "architecture": loaded.about["architecture"], "seed": seed}
    inputs = {"clips": clips.fingerprint(), "splits": fingerprint(",".join(sides)).hexdigest()}
    inputs["preprocessing"] = stage_key(loaded.preprocessing, {})
    key = stage_key(config, inputs)
    with control.lock():
        if control.fresh("train", key, "model.safetensors", "clips.csv"):
            return control
        with control.stage("train", config=config, inputs=inputs, device=device) as record:
            prepared = Prepared.make(control / CACHE, clips, loaded.preprocessing, loaded.bodies, key)
            sides = np.where(prepared.usable, sides, "dropped")
            model = drawn(loaded, seed).to(device)
            pool = np.flatnonzero(sides == "train")
            settle(model, prepared, pool if len(pool) else np.flatnonzero(prepared.usable), seed, device, progress)
            logits = predict(model, prepared.x, device=device, batch=_AT_ONCE)
            check_logits(logits, clips)
            record["weights"] = save(
                control.path,
                model,
                architecture=loaded.about["architecture"]["model"],
                classes=loaded.classes,
                preprocessing=loaded.preprocessing,
                bodies=loaded.bodies,
                about={"control": "untrained", "seed": seed},
            )
            record["dropped"] = prepared.dropped
            write_clips(control, clips, sides, logits)
            write_scores(control, clips, sides, logits, split_scores(logits, clips.labels, sides))
        tidy(control)
    return control


def drawn(loaded: Loaded, seed: int) -> torch.nn.Module:
    """A network of the same shape with the random weights of a seed, and every batch norm's weight at one."""
    about = loaded.about
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        build = MODELS[about["architecture"]["model"]].build
        model = build(loaded.model.config, loaded.layout, int(about["channels"]), len(loaded.classes))  # type: ignore[attr-defined]
    for norm in _norms(model):
        if norm.affine:
            torch.nn.init.ones_(norm.weight)
    return model


def settle(
    model: torch.nn.Module, prepared: Prepared, pool: np.ndarray, seed: int, device: str, progress: Any = None
) -> None:
    """Set every norm's running mean and variance to the mean over batches of the chosen clips; nothing else changes."""
    if not len(pool):
        raise DataError("no usable clip to measure statistics on", got=0, expected="at least 1")
    norms = _norms(model)
    momenta = [norm.momentum for norm in norms]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches
        norm.train()
    order = np.random.default_rng([seed, 3]).permutation(pool)  # files come class by class
    division = parts(len(order), _AT_ONCE)
    with torch.inference_mode():
        for number, part in enumerate(division, start=1):
            answer(model, torch.from_numpy(prepared.x[np.sort(order[part])]).to(device))
            if progress is not None:
                progress(number, len(division))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.eval()


def copied(run: Run, folder: Path) -> Run:
    """A run folder with the network of a run, and its clips, that may be embedded otherwise."""
    scratch = Run.create(folder)
    train_stage = run.manifest()["stages"]["train"]
    if scratch.manifest()["stages"].get("train", {}).get("key") != train_stage["key"]:
        for name in ("model.json", "model.safetensors", "clips.csv"):
            if (run / name).is_file():
                shutil.copyfile(run / name, scratch / name)
        scratch.write_json(MANIFEST, {**scratch.manifest(), "stages": {"train": train_stage}})
    point(scratch, run)
    return scratch


def _sides(run: Run) -> np.ndarray:
    return np.array([row["split"] for row in read_clips(run)])


def _norms(model: torch.nn.Module) -> list[_BatchNorm]:
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]
