"""Streams the clips through the network and keeps windowed features of each layer as memory-mapped files."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.stages import embed_stage
from stgcn_lens.embeddings import EmbedConfig
from stgcn_lens.runs import Run
from stgcn_lens.training.device import choose

EXAMPLE = "stgcn-lens embed runs/mine"
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
    config: EmbedConfig = field(default_factory=EmbedConfig)


def run(args: Args) -> Result:
    """Run the stage unless it is up to date."""
    target = Run.open(args.run)
    with target.lock():
        text, data = embed_stage(target, args.config, choose(args.device), args.force)
    return Result(f"{args.run}: {text}", {"run": str(args.run), **data})
