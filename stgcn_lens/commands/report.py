"""Writes report.html, results.json and .csv, summary.md and figures/ from what a run holds; says what was not run.

Of several runs it writes one page with their comparison and a section for each to --out, and what goes with it beside.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.progress import bar
from stgcn_lens.commands.stages import report_stage
from stgcn_lens.errors import LensError
from stgcn_lens.report import ReportConfig, several
from stgcn_lens.runs import Run

EXAMPLE = "stgcn-lens report runs/mine"
FLAGS = (tyro.conf.OmitArgPrefixes,)


@dataclass(frozen=True)
class Args(Common):
    """Which run or runs, and how."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """The run folder, or several."""
    out: Path = Path("report.html")
    """The page of several runs; that of one run is in its folder."""
    force: bool = False
    """Do it again although nothing changed; of several runs, replace a file that is no such page."""
    config: ReportConfig = field(default_factory=ReportConfig)


def run(args: Args) -> Result:
    """Run the stage unless it is up to date; of several runs, write their page."""
    if not args.runs:
        raise LensError("no run to report on", expected="a run folder, or several", fix="see: stgcn-lens report --help")
    if len(args.runs) > 1:
        runs = [Run.open(path) for path in args.runs]
        with bar("report", "part") as progress:
            found = several(runs, args.out, sections=True, force=args.force, progress=progress)
        return Result(f"{args.out}: {' '.join(found['headline'])}", {"page": str(args.out), **found})
    target = Run.open(args.runs[0])
    with target.lock():
        text, data = report_stage(target, args.config, args.force)
    return Result(f"{target.path}: {text}", {"run": str(target.path), **data})
