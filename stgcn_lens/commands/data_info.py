"""Reads everything and trains nothing: format, layout, clips, classes, subjects, frames, faults."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.progress import bar
from stgcn_lens.data.info import inspect
from stgcn_lens.runs import plain

EXAMPLE = "stgcn-lens data info recordings/"
FLAGS = (tyro.conf.OmitArgPrefixes,)


@dataclass(frozen=True)
class Args(Common):
    """What to look at."""

    path: Annotated[Path, tyro.conf.Positional]
    """A file or folder of clips."""
    format: str = "auto"
    """A row of READERS; auto looks at the content."""
    layout: str | None = None
    """Skeleton layout or variant, where the format leaves a choice."""


def run(args: Args) -> Result:
    """Describe the clips."""
    with bar("reading", "file") as progress:
        info = inspect(args.path, format=args.format, layout=args.layout, progress=progress)
    return Result(info.text(), plain(info))
