"""A run from weights that are trained already: the network classifies your clips, all of them as test clips.

What follows is as after `train`: analyse, app. The checkpoint is a folder that `train` or `checkpoint import` wrote.
Classes are matched by name; clips without labels are classified and not scored; a network that reads two channels gets
x and y, without depth or score.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.progress import bar
from stgcn_lens.commands.train import read_clips
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.readers import recognise
from stgcn_lens.errors import RunError
from stgcn_lens.models.checkpoints import load
from stgcn_lens.runs import Run
from stgcn_lens.training.adapt import adapted
from stgcn_lens.training.adopt import adopt
from stgcn_lens.training.device import choose

EXAMPLE = "stgcn-lens adopt checkpoints/released --data recordings/ --out runs/released"
FLAGS = (tyro.conf.OmitArgPrefixes,)


@dataclass(frozen=True)
class Args(Common):
    """Which network, and which clips it looks at."""

    checkpoint: Annotated[Path, tyro.conf.Positional]
    """A checkpoint folder, or a run."""
    data: Path
    """A folder or file of clips in any known format, or a native clip set."""
    out: Path
    """The run folder."""
    format: str = "auto"
    """A row of READERS; auto looks at the content."""
    layout: str | None = None
    """Skeleton layout or variant, or a .toml file that describes one, where the format leaves a choice."""
    to_layout: str | None = None
    """Put the clips onto this layout (or .toml file), joint by joint and by name: that of the network."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    force: bool = False
    """Replace what the run folder already holds."""


def run(args: Args) -> Result:
    """Classify the clips and write the run."""
    # Before a folder is made for what cannot be read.
    loaded, device = load(args.checkpoint), choose(args.device)
    recognise(args.data, args.format, args.layout, args.to_layout)
    target = Run.create(args.out)

    def fit(clips: ClipSet) -> ClipSet:
        return adapted(clips, loaded, data=args.data, checkpoint=args.checkpoint)

    with target.lock():
        clips = read_clips(target, args.data, args.format, args.layout, args.force, args.to_layout, fit)
        if fit(clips) is not clips:
            raise RunError("its clips have the classes of another network", file=args.out, fix="add --force")
        before = target.manifest()["stages"].get("train")
        with bar("classify") as progress:
            metrics = adopt(target, args.checkpoint, clips, device=device, force=args.force, progress=progress)
        record = target.manifest()["stages"]["train"]
    told = f"{args.out}: {loaded.about['architecture']['model']} has classified {len(clips)} clips"
    if "test" in metrics:
        scores = metrics["test"]
        told += (
            f"; top-1 {scores['top1']:.3f} (mean class {scores['mean_class_accuracy']:.3f}, n = {scores['n']}) in "
            f"{len(clips.classes)} classes"
        )
    else:
        told += "; none has a label, so there are no scores"
    told += " (unchanged, skipped)" * (record == before)
    if dropped := len(clips.faults) + len(record["dropped"]):
        told += f"; {dropped} faults in the data, listed by: stgcn-lens data info {args.data}"
    faults = [vars(fault) for fault in clips.faults]
    data = {"run": str(args.out), "metrics": metrics, "clips": len(clips), "classes": clips.classes, "device": device}
    return Result(told, {**data, "skipped": record == before, "faults": faults, "dropped": record["dropped"]})
