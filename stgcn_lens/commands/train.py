"""Reads the clips, splits them, trains, and writes model, metrics and log into the run folder.

A run that was interrupted goes on when the same command is given again.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tqdm import tqdm

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.clips import own_clips
from stgcn_lens.commands.progress import bar
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.readers import read, recognise
from stgcn_lens.data.splits import split
from stgcn_lens.files import fingerprint
from stgcn_lens.runs import Run
from stgcn_lens.training import Step, TrainJob, choose, train

EXAMPLE = "stgcn-lens train --data recordings/ --split subject --out runs/mine"
FLAGS = (tyro.conf.OmitArgPrefixes,)


@dataclass(frozen=True)
class Args(Common):
    """What to train on, and how."""

    data: Path
    """A folder or file of clips in any known format, or a native clip set."""
    out: Path
    """The run folder, new or interrupted."""
    format: str = "auto"
    """A row of READERS; auto looks at the content."""
    layout: str | None = None
    """Skeleton layout or variant, where the format leaves a choice."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    force: bool = False
    """Replace a training that the run folder already holds."""
    job: Annotated[TrainJob, tyro.conf.arg(name="")] = field(default_factory=TrainJob)


def run(args: Args) -> Result:
    """Train and report the scores."""
    recognise(args.data, args.format, args.layout)  # before a folder is made for what cannot be read
    target = Run.create(args.out)
    with target.lock():
        clips = read_clips(target, args.data, args.format, args.layout, args.force)
        sides = split(clips, args.job.split, args.job.train_ids)
        device, before = choose(args.device), target.manifest()["stages"].get("train")
        with steps() as progress:
            metrics = train(target, clips, sides, args.job, device=device, force=args.force, progress=progress)
        record = target.manifest()["stages"]["train"]
    side = "test" if "test" in metrics else "train"
    scores, skipped = metrics[side], record == before
    dropped = len(clips.faults) + len(record["dropped"])
    text = (
        f"{args.out}: {len(clips)} clips, {len(clips.classes)} classes; {side} top-1 {scores['top1']:.3f} "
        f"(mean class {scores['mean_class_accuracy']:.3f}, n = {scores['n']}) after {record['seconds']:.0f} s"
        + " (unchanged, skipped)"
        * skipped
    )
    if dropped:
        text += f"; {dropped} faults in the data, listed by: stgcn-lens data info {args.data}"
    data = {"run": str(args.out), "metrics": metrics, "seconds": record["seconds"], "device": record["device"]}
    data["skipped"] = skipped
    faults = [vars(fault) for fault in clips.faults]
    return Result(text, {**data, "faults": faults, "dropped": record["dropped"]})


def read_clips(target: Run, data: Path, format: str, layout: str | None, force: bool) -> ClipSet:
    """The clips at a path: a native set is used where it lies, everything else is packed into RUN/data once."""
    if (data / "clipset.json").is_file() and layout is None:
        return own_clips(target, {"data": str(data.resolve())}, lambda: ClipSet.open(data), force)

    def pack() -> ClipSet:
        with bar("reading", "file") as progress:
            return read(data, format=format, layout=layout, into=target / "data", progress=progress)

    source = {"path": str(data.resolve()), "format": format, "layout": layout, "listing": _listing(data)}
    return own_clips(target, {"source": source}, pack, force)


def _listing(data: Path) -> str:
    """Fingerprint of the files at a path, their sizes and times: recordings that changed are not taken for the old."""
    files = sorted(path for path in data.rglob("*") if path.is_file()) if data.is_dir() else [data]
    facts = [(str(path.relative_to(data)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return str(fingerprint(repr(facts)).hexdigest())


class steps:
    """Bar over all optimisation steps with loss, accuracy and time left."""

    def __enter__(self) -> "steps":
        self.bar = tqdm(desc="training", unit="step", file=sys.stderr, disable=None, dynamic_ncols=True)
        return self

    def __call__(self, step: Step) -> None:
        """Show one step."""
        self.bar.total = step.epochs * step.steps
        self.bar.set_description(f"epoch {step.epoch}/{step.epochs}", refresh=False)
        self.bar.set_postfix_str(f"loss {step.loss:.3f} top-1 {step.top1:.3f}", refresh=False)
        self.bar.update((step.epoch - 1) * step.steps + step.step - self.bar.n)

    def __exit__(self, *_: object) -> None:
        self.bar.close()
