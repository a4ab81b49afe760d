"""Label errors over the layers beside controls, where each class comes apart, and whether other settings say the same.

Writes RUN/studies/layers.json and layers.csv. Embeds and graphs the clips first where that is not done. The control on
shuffled labels takes as long as the run's own training. A study that was interrupted goes on when the same command is
given again.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.progress import bars
from stgcn_lens.runs import Run
from stgcn_lens.studies.depth import DepthConfig, study
from stgcn_lens.studies.depth.show import sentences
from stgcn_lens.training.device import choose

EXAMPLE = "stgcn-lens study layers runs/mine"
FLAGS = (tyro.conf.OmitArgPrefixes,)


@dataclass(frozen=True)
class Args(Common):
    """Which run, and how."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run folder."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where networks and distances are worked out."""
    force: bool = False
    """Do it again although nothing changed."""
    config: DepthConfig = field(default_factory=DepthConfig)


def run(args: Args) -> Result:
    """Run the study unless it is up to date."""
    target = Run.open(args.run)
    with target.lock(), bars() as progress:
        before = target.manifest()["stages"].get("study-layers")
        result = study(target, args.config, device=choose(args.device), force=args.force, progress=progress)
        skipped = target.manifest()["stages"]["study-layers"] == before
    text = "; ".join(sentences(result)) + " (unchanged, skipped)" * skipped
    return Result(f"{args.run}: {text}", {"run": str(args.run), "skipped": skipped, **result})
