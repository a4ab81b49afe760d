"""Streams the clips through the network and keeps windowed features of each layer as memory-mapped files.

A run that was interrupted goes on when the same command is given again. Several processes share the clips:
`torchrun --standalone --nproc-per-node 2 --max-restarts 3 -m stgcn_lens embed runs/mine`
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.stages import embed_stage, shared
from stgcn_lens.embeddings import EmbedConfig
from stgcn_lens.training.device import choose

EXAMPLE = "stgcn-lens embed runs/mine"
FLAGS = (tyro.conf.OmitArgPrefixes,)


@dataclass(frozen=True)
class Args(Common):
    """Which run, and how."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run folder."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; under torchrun every process has a GPU of its own."""
    force: bool = False
    """Do it again although nothing changed."""
    config: EmbedConfig = field(default_factory=EmbedConfig)


def run(args: Args) -> Result:
    """Run the stage unless it is up to date."""
    device = choose(args.device)
    with shared(args.run, device) as (target, group):
        text, data = embed_stage(target, args.config, device, args.force, group)
    return Result(f"{args.run}: {text}", {"run": str(args.run), **data})
