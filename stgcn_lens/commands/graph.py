"""Exact window-DTW nearest neighbours, NNK weights and label errors with intervals and chance level.

A run that was interrupted goes on when the same command is given again. Several processes share the work:
`torchrun --standalone --nproc-per-node 2 --max-restarts 3 -m stgcn_lens graph runs/mine`
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.stages import graph_stage, shared
from stgcn_lens.studies.layers import GeometryConfig
from stgcn_lens.training.device import choose

EXAMPLE = "stgcn-lens graph runs/mine"
FLAGS = (tyro.conf.OmitArgPrefixes,)


@dataclass(frozen=True)
class Args(Common):
    """Which run, and how."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run folder."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where distances are worked out; under torchrun every process has a GPU of its own."""
    export: Path | None = None
    """A folder for every layer's graphs as other programs read them: scipy's npz and GraphML."""
    force: bool = False
    """Do it again although nothing changed."""
    config: GeometryConfig = field(default_factory=GeometryConfig)


def run(args: Args) -> Result:
    """Run the stage unless it is up to date."""
    device = choose(args.device)
    with shared(args.run, device) as (target, group):
        text, data = graph_stage(target, args.config, device, args.force, group, args.export)
    return Result(f"{args.run}: {text}", {"run": str(args.run), **data})
