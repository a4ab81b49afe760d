"""Exact window-DTW nearest neighbours, NNK weights and label errors with intervals and chance level."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.stages import graph_stage
from stgcn_lens.runs import Run
from stgcn_lens.studies.layers import GeometryConfig

EXAMPLE = "stgcn-lens graph runs/mine"
FLAGS = (tyro.conf.OmitArgPrefixes,)


@dataclass(frozen=True)
class Args(Common):
    """Which run, and how."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run folder."""
    force: bool = False
    """Do it again although nothing changed."""
    config: GeometryConfig = field(default_factory=GeometryConfig)


def run(args: Args) -> Result:
    """Run the stage unless it is up to date."""
    target = Run.open(args.run)
    with target.lock():
        text, data = graph_stage(target, args.config, args.force)
    return Result(f"{args.run}: {text}", {"run": str(args.run), **data})
