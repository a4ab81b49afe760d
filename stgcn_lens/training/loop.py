"""From clips to a trained network in a run folder; a run killed at any moment goes on where its last epoch ended."""

import io
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F

from stgcn_lens.arrays import read_rows
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.errors import CheckpointError, DataError, LensError, RunError, WorkError
from stgcn_lens.files import atomic, fingerprint
from stgcn_lens.models import MODELS, STGCNConfig
from stgcn_lens.models.checkpoints import save
from stgcn_lens.runs import Run, stage_key
from stgcn_lens.training.augment import augment
from stgcn_lens.training.config import TrainConfig
from stgcn_lens.training.metrics import split_scores
from stgcn_lens.training.optim import learning_rate, sgd
from stgcn_lens.training.prepared import Prepared
from stgcn_lens.training.record import write_clips, write_scores

STATE, CACHE = "train_state.pt", "cache"  # of a training that is not finished


@dataclass(frozen=True)
class TrainJob:
    """All that decides the weights, together with the clips."""

    split: Literal["subject", "view", "setup"] = "subject"
    """What the test clips do not share with the training clips."""
    train_ids: tuple[int, ...] | None = None
    """Subjects (views, setups) that train; by default the data set's own protocol."""
    architecture: str = "stgcn"
    """A row of MODELS."""
    model: STGCNConfig = field(default_factory=lambda: STGCNConfig(width=16, dropout=0.1))
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    training: TrainConfig = field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        if self.split not in (by := ("subject", "view", "setup")):
            raise LensError("unknown split", got=repr(self.split), expected=f"one of {', '.join(by)}")
        if self.architecture not in MODELS:
            raise LensError("unknown architecture", got=repr(self.architecture), expected=f"one of {', '.join(MODELS)}")


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
    DataError : a label out of range, or no clip to train on.
    WorkError : the loss or a weight is not finite; names epoch, step, rate and the clip of the largest values.
    CheckpointError : the state of an interrupted training cannot be read.
    """
    inputs = {"clips": clips.fingerprint(), "splits": fingerprint(",".join(splits)).hexdigest()}
    key = stage_key(job, inputs)
    if run.fresh("train", key) and not force:
        tidy(run)
        return run.read_json("metrics.json")
    _refuse_other(run, key, force)
    _check_labels(clips)
    if force:
        (run / STATE).unlink(missing_ok=True)
    with run.stage("train", config=job, inputs=inputs, device=device) as record:
        record["seed"] = job.training.seed
        bodies = max(1, min(job.preprocessing.bodies, clips.max_bodies))
        prepared = Prepared.make(run / CACHE, clips, job.preprocessing, bodies, key)
        splits = np.where(prepared.usable, splits, "dropped")
        model, log = _fit(run, prepared, clips, splits, job, key, device, progress)
        logits = predict(model, prepared.x, device=device, batch=2 * job.training.batch)
        _check_logits(logits, clips)
        metrics = split_scores(logits, clips.labels, splits)
        about = {"key": key, "source": clips.source, "metrics": metrics, "data": inputs["clips"]}
        record["weights"] = save(
            run.path,
            model,
            architecture=job.architecture,
            classes=clips.classes,
            preprocessing=job.preprocessing,
            bodies=bodies,
            about=about,
        )
        record["dropped"] = prepared.dropped
        write_clips(run, clips, splits, logits)
        write_scores(run, clips, splits, logits, metrics)
        run.write_text("train_log.jsonl", "".join(json.dumps(line) + "\n" for line in log))
    tidy(run)
    return metrics


def tidy(run: Run) -> None:
    """Remove what only an unfinished training needs."""
    shutil.rmtree(run / CACHE, ignore_errors=True)
    (run / STATE).unlink(missing_ok=True)


def predict(
    model: torch.nn.Module,
    x: np.ndarray,
    *,
    device: str,
    batch: int,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Logits (N, classes) float32 of prepared clips (N, C, T, V, M), in eval mode."""
    was, parts = model.training, []
    model.eval()
    with torch.inference_mode():
        for begin in range(0, len(x), batch):
            parts.append(model(_tensor(read_rows(x, begin, min(begin + batch, len(x))), device)).float().cpu().numpy())
            if progress is not None:
                progress(min(begin + batch, len(x)), len(x))
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
                if torch.isfinite(loss):
                    optimiser.zero_grad(set_to_none=True)
                    loss.backward()
                    optimiser.step()
                if not torch.isfinite(loss) or not _finite(model):
                    where = f"epoch {epoch + 1}, step {step + 1}, learning rate {rate:.3g}"
                    raise _diverged(where, loss.item(), prepared.x[rows], [clips.rows[int(i)].name for i in rows])
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
            whole = io.BytesIO()  # torch.save tells a full disk as a RuntimeError
            torch.save({**state, "model": model.state_dict(), "optimiser": optimiser.state_dict()}, whole)
            path.write_bytes(whole.getbuffer())
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
    something = any((run / name).exists() for name in (STATE, "model.safetensors"))
    if record and record["key"] != key and something and not force:
        raise RunError(
            "the run holds a training with another configuration or other clips",
            file=run.path,
            fix="choose another --out, or --force to replace it",
        )


def _check_labels(clips: ClipSet) -> None:
    """Refuse a class number that the set has no name for."""
    for row in clips.rows:
        if row.label is not None and not 0 <= row.label < len(clips.classes):
            raise DataError(
                "label out of range",
                file=row.name,
                got=row.label,
                expected=f"0 to {len(clips.classes) - 1}, the classes of the set",
                fix="correct the label or name all classes",
            )


def _check_logits(logits: np.ndarray, clips: ClipSet) -> None:
    """Refuse a network whose weights are finite and still too large to compute with."""
    wrong = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if len(wrong):
        raise WorkError(
            "the trained network's answers are not finite numbers",
            got=f"{len(wrong)} of {len(logits)} clips, the first is '{clips.rows[int(wrong[0])].name}'",
            fix="lower --lr and start over with --force",
        )


def _finite(model: torch.nn.Module) -> bool:
    """Whether all weights and running statistics are finite numbers."""
    return bool(torch.stack([tensor.isfinite().all() for tensor in model.state_dict().values()]).all())


def _diverged(where: str, loss: float, x: np.ndarray, names: list[str]) -> WorkError:
    largest = np.abs(x).reshape(len(x), -1).max(axis=1)
    worst = int(largest.argmax())
    return WorkError(
        f"the training diverged at {where}",
        got=f"loss {loss:.3g}; the largest of {len(x)} clips is '{names[worst]}' with a value of {largest[worst]:.3g}",
        expected="finite loss, weights and running statistics",
        fix="lower --lr or look at that clip: stgcn-lens data info",
    )


def _tensor(x: np.ndarray, device: str) -> torch.Tensor:
    return torch.from_numpy(np.array(x)).to(device)
