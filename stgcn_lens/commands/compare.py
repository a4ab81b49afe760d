"""Writes one page with the curves of several runs overlaid, and beside it JSON, CSV, Markdown and SVG of the same.

Label errors, local dimension and accuracy with intervals, over relative depth, so that networks of other depth can be
laid over each other. Runs that differ by their seed only are also told as mean and spread.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.progress import bar
from stgcn_lens.report import several
from stgcn_lens.runs import Run

EXAMPLE = "stgcn-lens compare runs/stgcn runs/stgat --out compare.html"
FLAGS = ()


@dataclass(frozen=True)
class Args(Common):
    """Which runs, and where the page goes."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Two run folders or more."""
    out: Path = Path("compare.html")
    """The page; what goes with it has the same name."""
    force: bool = False
    """Replace a file that is no such page."""


def run(args: Args) -> Result:
    """Compare, and say what stands out."""
    with bar("compare", "part") as progress:
        found = several(
            [Run.open(path) for path in args.runs], args.out, sections=False, force=args.force, progress=progress
        )
    warnings = [f"mind: {warning}" for warning in found["comparison"]["warnings"]]
    text = " ".join([f"{args.out}:", *found["headline"], *warnings])
    return Result(text, {"page": str(args.out), **found})
