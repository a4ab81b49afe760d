"""From clips to a trained network in a run folder; a run killed at any moment goes on where its last epoch ended."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.errors import DataError
from stgcn_lens.files import fingerprint
from stgcn_lens.models.checkpoints import Loaded, load, save
from stgcn_lens.processes import ALONE, Group
from stgcn_lens.runs import Run, stage_key
from stgcn_lens.training import finetune, state
from stgcn_lens.training.answers import predict, predict_views
from stgcn_lens.training.augment import Share, augment
from stgcn_lens.training.average import Average
from stgcn_lens.training.board import Board, require
from stgcn_lens.training.distributed import mean_statistics
from stgcn_lens.training.feed import feed
from stgcn_lens.training.gravity import measured
from stgcn_lens.training.job import TrainJob, check_labels, check_logits, refuse_other
from stgcn_lens.training.metrics import chosen_classes, split_scores, subset_scores
from stgcn_lens.training.optim import learning_rate, sgd
from stgcn_lens.training.prepared import Prepared
from stgcn_lens.training.record import write_clips, write_scores
from stgcn_lens.training.shared_norm import Whole, shared
from stgcn_lens.training.shuffled import taught
from stgcn_lens.training.speed import Forward, compiled
from stgcn_lens.training.steps import diverged, learn, parts, watched

Log = list[dict[str, Any]]


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
    files: Mapping[str, str] | None = None,
    device: str = "cpu",
    force: bool = False,
    tensorboard: bool = False,
    group: Group = ALONE,
    progress: Callable[[Step], None] | None = None,
) -> dict[str, Any]:
    """Train on the clips whose split is "train" and write model, metrics, clips.csv and log into the run.

    Parameters
    ----------
    splits : (N,) of "train", "val", "test" or "none", one per clip; only those that train have a say in the weights.
    files : what else the clips were chosen by -> hash; kept among the inputs of the stage.
    device : "cpu", "cuda" or "cuda:1".
    force : train again although the run holds a finished training, or one of another configuration.
    tensorboard : write the course of the training to RUN/tensorboard, too.
    group : the processes that train together; all of them call this, and the first one writes.

    Returns
    -------
    The metrics of each split.

    Raises
    ------
    RunError : the run was trained otherwise and `force` is False.
    DataError : a label out of range, no clip to train on, or fewer than processes.
    WorkError : the loss or a weight is not finite; names epoch, step, rate and the clip of the largest values.
    CheckpointError : the state of an interrupted training cannot be read, or the weights to start from do not fit.
    """
    start = None if job.training.init is None else load(job.training.init)
    inputs = {"clips": clips.fingerprint(), "splits": fingerprint(",".join(splits)).hexdigest(), **(files or {})}
    if start is not None:
        inputs["init"] = start.hash
    told = job.told()
    key = stage_key(told, inputs)
    with group.in_turn():
        if run.fresh("train", key) and not force:
            if group.first:
                state.tidy(run)
            return run.read_json("metrics.json")
        if group.first:
            refuse_other(run, key, force)
        check_labels(clips)
        chosen_classes(job.only_classes, clips.classes)
        if start is not None:
            job = replace(job, model=finetune.like(job.model, start))
            finetune.check(start, job, clips)
        if tensorboard:
            require()
        if force and group.first:
            (run / state.STATE).unlink(missing_ok=True)
    stage: AbstractContextManager[dict[str, Any]] = nullcontext({})  # only the first process writes
    if group.first:
        stage = run.stage("train", config=told, inputs=inputs, device=device)
    with stage as record:
        record["seed"] = job.training.seed
        if group.world > 1:
            record["processes"] = group.world
        bodies = max(1, min(job.preprocessing.bodies, clips.max_bodies))
        with group.in_turn():
            prepared = Prepared.make(run / state.CACHE, clips, job.preprocessing, bodies, key)
        splits = np.where(prepared.usable, splits, "dropped")
        job = replace(job, model=measured(job.model, clips, job.preprocessing, splits == "train"))
        labels = taught(clips.labels, splits == "train", job.training)
        task = _Task(run, clips, labels, splits, job, key, device, group, prepared, bodies, start, tensorboard)
        model, log, board = _fit(task, record, progress)
        with group.in_turn():
            metrics = _finish(task, model, log, record) if group.first else run.read_json("metrics.json")
        if board is not None:
            board.scores(metrics, len(log))
    if group.first:
        state.tidy(run)
    return metrics


@dataclass(frozen=True, eq=False)
class _Task:
    """A job and all that it works on."""

    run: Run
    clips: ClipSet
    labels: np.ndarray
    splits: np.ndarray
    job: TrainJob
    key: str
    device: str
    group: Group
    prepared: Prepared
    bodies: int
    start: Loaded | None
    tensorboard: bool


def _fit(
    task: _Task, record: dict[str, Any], progress: Callable[[Step], None] | None
) -> tuple[torch.nn.Module, Log, Board | None]:
    """The epochs; state is written after each, and read again if it belongs to this very job."""
    config, run, group = task.job.training, task.run, task.group
    pool = np.flatnonzero((task.splits == "train") & (task.labels >= 0))
    if len(pool) == 0:
        raise DataError("no usable training clip", got=0, expected="at least 1", fix="look at: stgcn-lens data info")
    if min(len(pool), config.batch) < group.world:
        got = f"{len(pool)} training clips, {config.batch} a step, {group.world} processes"
        raise DataError("fewer clips a step than processes", got=got, fix="start fewer, or raise --batch")
    division = parts(len(pool), config.batch, group.world)
    model = finetune.network(task.job, task.clips)
    if task.start is not None:
        finetune.start(model, task.start, config.new_head)
    still = finetune.frozen(model, config.freeze_below)
    model.to(task.device)
    whole = shared(model, group, task.device, norm=config.sync_norm)
    optimiser = sgd(model, config)
    average = Average(model, config.ema) if config.ema else None
    log = state.resume(run, task.key, model, optimiser, average)
    _mode(model, still)
    forward: Forward = model
    if config.compile and len(log) < config.epochs:
        forward, failed = compiled(model, _examples(task, division, whole), task.device, config.precision)
        record["compiled"] = failed is None
        record["warnings"] = [failed] if failed else []
    board = Board(run.path, len(log)) if task.tensorboard and group.first else None
    for epoch in range(len(log), config.epochs):
        _mode(model, still)
        line = _epoch(task, epoch, pool, division, model, forward, optimiser, average, whole, progress)
        log.append(line)
        if not config.sync_norm:
            mean_statistics(model, group)
        if group.first:
            state.write(run, task.key, log, model, optimiser, average)
            _write_log(run, log)
        if board is not None:
            board.epoch(line)
    return model if average is None else average.model(model), log, board


def _epoch(
    task: _Task,
    epoch: int,
    pool: np.ndarray,
    division: list[slice],
    model: torch.nn.Module,
    forward: Forward,
    optimiser: torch.optim.Optimizer,
    average: Average | None,
    whole: Whole,
    progress: Callable[[Step], None] | None,
) -> dict[str, Any]:
    """Every training clip once; the epoch's line of the log."""
    config, prepared, group, cuda = task.job.training, task.prepared, task.group, task.device.startswith("cuda")
    began, waited, total, hits = time.perf_counter(), 0.0, 0.0, 0
    # All randomness of an epoch comes from its own seed, so that resuming needs no generator state.
    seed = config.seed * 1_000_003 + epoch
    generator = torch.Generator().manual_seed(seed)
    order = pool[torch.randperm(len(pool), generator=generator).numpy()]
    if cuda:
        generator = torch.Generator(task.device).manual_seed(seed)
    names, tensors = [row.name for row in task.clips.rows], watched(model)
    with torch.random.fork_rng(devices=[task.device] if cuda else []):
        torch.manual_seed(seed + cuda * group.rank * 1_000_000_007)  # there, every process drops out by itself
        for step, batch in enumerate(feed(prepared, task.labels, order, division, task.device, group)):
            rate = learning_rate(config, epoch + step / len(division))
            for settings in optimiser.param_groups:
                settings["lr"] = rate
            rows = batch.rows
            whole.share, whole.total = batch.share, len(rows)
            source = generator if group.world == 1 else Share(generator, batch.share, len(rows))
            batch = replace(batch, x=augment(batch.x, batch.present, task.clips.skeleton, config, source))
            loss, right, well = learn(forward, optimiser, tensors, batch, config, group, task.device)
            if not well:
                where = f"epoch {epoch + 1}, step {step + 1}, learning rate {rate:.3g}"
                raise diverged(where, loss, prepared.x[rows], [names[int(i)] for i in rows])
            if average is not None:
                average.update(model)
            waited, total, hits = waited + batch.waited, total + loss * len(rows), hits + right
            if progress is not None:
                seen = division[step].stop
                progress(Step(epoch + 1, config.epochs, step + 1, len(division), total / seen, hits / seen))
    line = {"epoch": epoch + 1, "loss": total / len(pool), "top1": hits / len(pool), "lr": rate}
    return {**line, "seconds": round(time.perf_counter() - began, 3), "waited": round(waited, 3)}


def _finish(task: _Task, model: torch.nn.Module, log: Log, record: dict[str, Any]) -> dict[str, Any]:
    """Test the network and write all that the run keeps of it; the metrics."""
    run, clips, job, splits = task.run, task.clips, task.job, task.splits
    device, batch = task.device, 2 * job.training.batch
    logits = predict(model, task.prepared.x, device=device, batch=batch)
    others = np.flatnonzero((splits != "train") & (splits != "dropped"))
    if job.test_clips > 1 and len(others):
        logits[others] = predict_views(
            model, clips, others, job.preprocessing, task.bodies, job.test_clips, device=device, batch=batch
        )
    check_logits(logits, clips)
    metrics: dict[str, Any] = split_scores(logits, clips.labels, splits)
    about = {"key": task.key, "source": clips.source, "metrics": metrics, "data": record["inputs"]["clips"]}
    if job.test_clips > 1:
        about["test_clips"] = job.test_clips
        for side in metrics.keys() - {"train"}:
            metrics[side]["test_clips"] = job.test_clips
    if only := chosen_classes(job.only_classes, clips.classes):
        for side, scores in subset_scores(logits, clips.labels, splits, only).items():
            metrics[side]["only"] = {"classes": [clips.classes[c] for c in only], **scores}
    if task.start is not None:
        about["init"] = {"weights": task.start.hash, "folder": job.training.init}
    record["weights"] = save(
        run.path,
        model,
        architecture=job.architecture,
        classes=clips.classes,
        preprocessing=job.preprocessing,
        bodies=task.bodies,
        about=about,
    )
    record["dropped"] = task.prepared.dropped
    write_clips(run, clips, splits, logits)
    write_scores(run, clips, splits, logits, metrics)
    _write_log(run, log)
    return metrics


def _mode(model: torch.nn.Module, still: list[torch.nn.Module]) -> None:
    """Training mode, but for what is frozen: its norms use and keep the statistics that they have."""
    model.train()
    for part in still:
        part.eval()


def _examples(task: _Task, division: list[slice], whole: Whole) -> Iterator[torch.Tensor]:
    """Clips at random in every number that this process will see in a step."""
    for size in sorted({part.stop - part.start for part in division}):
        whole.share, whole.total = task.group.share(size), size
        count = whole.share.stop - whole.share.start
        yield torch.randn((count, *task.prepared.x.shape[1:]), generator=torch.Generator().manual_seed(0)).to(
            task.device
        )


def _write_log(run: Run, log: Log) -> None:
    run.write_text("train_log.jsonl", "".join(json.dumps(line) + "\n" for line in log))
