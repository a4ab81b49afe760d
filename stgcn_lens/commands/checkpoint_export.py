"""Writes an ST-GCN under the names of the released code, so that others can load it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.errors import RunError
from stgcn_lens.files import atomic
from stgcn_lens.models.checkpoints import load
from stgcn_lens.models.foreign import to_released

EXAMPLE = "stgcn-lens checkpoint export runs/mine --out mine.pt"
FLAGS = (tyro.conf.OmitArgPrefixes,)


@dataclass(frozen=True)
class Args(Common):
    """Which checkpoint, and where to."""

    path: Annotated[Path, tyro.conf.Positional]
    """A run or checkpoint folder."""
    out: Path
    """The .pt file to write."""
    force: bool = False
    """Replace the file."""


def run(args: Args) -> Result:
    """Rename and write."""
    if args.out.exists() and not args.force:
        raise RunError("a file is there", file=args.out, fix="choose another --out, or --force to replace it")
    loaded = load(args.path)
    weights = to_released(loaded.model)  # type: ignore[arg-type]
    with atomic(args.out) as temporary:
        torch.save(weights, temporary)
    told = f"{args.out}: {len(weights)} tensors under the names of the released ST-GCN"
    return Result(told, {"out": str(args.out), "tensors": len(weights)})
