"""From clips to a trained network in a run folder; a run killed at any moment goes on where its last epoch ended."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.errors import CheckpointError, DataError, RunError, WorkError
from stgcn_lens.models import MODELS, STGCNConfig
from stgcn_lens.models.checkpoints import save
from stgcn_lens.runs import Run, atomic, fingerprint, stage_key
from stgcn_lens.training.augment import augment
from stgcn_lens.training.config import TrainConfig
from stgcn_lens.training.metrics import scores
from stgcn_lens.training.optim import learning_rate, sgd
from stgcn_lens.training.prepared import Prepared
from stgcn_lens.training.record import write_clips, write_scores

STATE = "train_state.pt"


@dataclass(frozen=True)
class TrainJob:
    """All that decides the weights, together with the clips."""

    split: str = "subject"
    """subject, view or setup: what the test clips do not share with the training clips."""
    architecture: str = "stgcn"
    """A row of MODELS."""
    model: STGCNConfig = field(default_factory=lambda: STGCNConfig(width=24))
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    training: TrainConfig = field(default_factory=TrainConfig)


@dataclass(frozen=True)
class Step:
    """What a progress display needs after one optimisation step; epochs and steps count from 1."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    top1: float


def train(
    run: Run,
    clips: ClipSet,
    splits: np.ndarray,
    job: TrainJob,
    *,
    device: str = "cpu",
    force: bool = False,
    progress: Callable[[Step], None] | None = None,
) -> dict[str, Any]:
    """Train on the clips whose split is "train" and write model, metrics, clips.csv and log into the run.

    Parameters
    ----------
    splits : (N,) of "train" or "test", one per clip.
    device : "cpu" or "cuda".
    force : train again although the run holds a finished training, or one of another configuration.

    Returns
    -------
    The metrics of each split.

    Raises
    ------
    RunError : the run was trained otherwise and `force` is False.
    WorkError : the loss is not finite; names epoch, step, rate and clips.
    """
    inputs = {"clips": clips.fingerprint(), "splits": fingerprint(",".join(splits)).hexdigest()}
    key = stage_key(job, inputs)
    if run.fresh("train", key) and not force:
        return run.read_json("metrics.json")
    _refuse_other(run, key, force)
    if force:
        (run / STATE).unlink(missing_ok=True)
    with run.stage("train", config=job, inputs=inputs, device=device) as record:
        prepared = Prepared.make(run / "cache", clips, job.preprocessing, key)
        splits = np.where(prepared.usable, splits, "dropped")
        model, log = _fit(run, prepared, clips, splits, job, key, device, progress)
        logits = predict(model, prepared.x, device=device, batch=2 * job.training.batch)
        metrics = {
            name: scores(logits[splits == name], clips.labels[splits == name])
            for name in ("train", "test")
            if (splits == name).any()
        }
        about = {"key": key, "source": clips.source, "metrics": metrics, "data": inputs["clips"]}
        record["weights"] = save(
            run.path,
            model,
            architecture=job.architecture,
            classes=clips.classes,
            preprocessing=job.preprocessing,
            bodies=prepared.bodies,
            about=about,
        )
        record["dropped"] = prepared.dropped
        write_clips(run, clips, splits, logits)
        write_scores(run, clips, splits, logits, metrics)
        run.write_text("train_log.jsonl", "".join(json.dumps(line) + "\n" for line in log))
    prepared.remove()
    (run / STATE).unlink(missing_ok=True)
    return metrics


def predict(model: torch.nn.Module, x: np.ndarray, *, device: str, batch: int) -> np.ndarray:
    """Logits (N, classes) float32 of prepared clips (N, C, T, V, M), in eval mode."""
    was = model.training
    model.eval()
    with torch.inference_mode():
        parts = [model(_tensor(x[i : i + batch], device)).float().cpu().numpy() for i in range(0, len(x), batch)]
    model.train(was)
    return np.concatenate(parts)


def _fit(
    run: Run,
    prepared: Prepared,
    clips: ClipSet,
    splits: np.ndarray,
    job: TrainJob,
    key: str,
    device: str,
    progress: Callable[[Step], None] | None,
) -> tuple[torch.nn.Module, list[dict[str, Any]]]:
    """The epochs; state is written after each, and read again if it belongs to this very job."""
    config, labels = job.training, torch.from_numpy(clips.labels)
    pool = np.flatnonzero((splits == "train") & (clips.labels >= 0))
    if len(pool) == 0:
        raise DataError("no usable training clip", got=0, expected="at least 1", fix="look at: stgcn-lens data info")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = MODELS[job.architecture].build(job.model, clips.skeleton, prepared.x.shape[1], len(clips.classes))
    model.to(device)
    optimiser = sgd(model, config)
    start, log = _resume(run / STATE, key, model, optimiser)
    steps = -(-len(pool) // config.batch)
    for epoch in range(start, config.epochs):
        began = time.perf_counter()
        # All randomness of an epoch comes from its own seed, so that resuming needs no generator state.
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + epoch)
        order = pool[torch.randperm(len(pool), generator=generator).numpy()]
        total, hits = 0.0, 0
        model.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed * 1_000_003 + epoch)
            for step in range(steps):
                rows = order[step * config.batch : (step + 1) * config.batch]
                rate = learning_rate(config, epoch + step / steps)
                for group in optimiser.param_groups:
                    group["lr"] = rate
                x, present = _tensor(prepared.x[rows], device), torch.from_numpy(prepared.present[rows]).to(device)
                x = augment(x, present, clips.skeleton, config, generator)
                target = labels[rows].to(device)
                logits = model(x)
                loss = F.cross_entropy(logits, target, label_smoothing=config.label_smoothing)
                if not torch.isfinite(loss):
                    names = ", ".join(clips.rows[int(i)].name for i in rows[:3])
                    raise WorkError(
                        f"the loss is not finite at epoch {epoch + 1}, step {step + 1}, learning rate {rate:.3g}",
                        got=f"{loss.item()} on clips {names}, ...",
                        fix="lower --training.lr or look at these clips: stgcn-lens data info",
                    )
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                total += loss.item() * len(rows)
                hits += int((logits.argmax(1) == target).sum())
                if progress is not None:
                    seen = step * config.batch + len(rows)
                    progress(Step(epoch + 1, config.epochs, step + 1, steps, total / seen, hits / seen))
        line = {"epoch": epoch + 1, "loss": total / len(pool), "top1": hits / len(pool), "lr": rate}
        line["seconds"] = round(time.perf_counter() - began, 3)
        log.append(line)
        with atomic(run / STATE) as path:
            state = {"key": key, "epoch": epoch + 1, "log": log}
            torch.save({**state, "model": model.state_dict(), "optimiser": optimiser.state_dict()}, path)
        run.write_text("train_log.jsonl", "".join(json.dumps(line) + "\n" for line in log))
    return model, log


def _resume(
    path: Path, key: str, model: torch.nn.Module, optimiser: torch.optim.Optimizer
) -> tuple[int, list[dict[str, Any]]]:
    """Epochs done and their log, with model and optimiser set to that point; (0, []) where there is nothing."""
    if not path.is_file():
        return 0, []
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
        if state["key"] != key:
            return 0, []
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        return int(state["epoch"]), list(state["log"])
    except Exception as error:  # torch.load raises many kinds on a damaged file; all mean the same here
        raise CheckpointError(
            f"the training state cannot be read ({type(error).__name__})", file=path, fix="start over with --force"
        ) from error


def _refuse_other(run: Run, key: str, force: bool) -> None:
    record = run.manifest()["stages"].get("train")
    if record and record["key"] != key and not force:
        raise RunError(
            "the run holds a training with another configuration or other clips",
            file=run.path,
            fix="choose another --out, or --force to replace it",
        )


def _tensor(x: np.ndarray, device: str) -> torch.Tensor:
    return torch.from_numpy(np.array(x)).to(device)
