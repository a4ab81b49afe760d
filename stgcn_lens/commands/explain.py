"""Grad-CAM of every block from one forward and one backward pass per batch of clips."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.stages import explain_stage
from stgcn_lens.runs import Run
from stgcn_lens.studies.saliency import ExplainConfig
from stgcn_lens.training.device import choose

EXAMPLE = "stgcn-lens explain runs/mine"
FLAGS = (tyro.conf.OmitArgPrefixes,)


@dataclass(frozen=True)
class Args(Common):
    """Which run, and how."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run folder."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    force: bool = False
    """Do it again although nothing changed."""
    config: ExplainConfig = field(default_factory=ExplainConfig)


def run(args: Args) -> Result:
    """Run the stage unless it is up to date."""
    target = Run.open(args.run)
    with target.lock():
        text, data = explain_stage(target, args.config, choose(args.device), args.force)
    return Result(f"{args.run}: {text}", {"run": str(args.run), **data})
