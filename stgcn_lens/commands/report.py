"""Writes report.html, results.json and figures/ from what the run folder holds; says what was not run."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.stages import report_stage
from stgcn_lens.report import ReportConfig
from stgcn_lens.runs import Run

EXAMPLE = "stgcn-lens report runs/mine"
FLAGS = (tyro.conf.OmitArgPrefixes,)


@dataclass(frozen=True)
class Args(Common):
    """Which run, and how."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run folder."""
    force: bool = False
    """Do it again although nothing changed."""
    config: ReportConfig = field(default_factory=ReportConfig)


def run(args: Args) -> Result:
    """Run the stage unless it is up to date."""
    target = Run.open(args.run)
    with target.lock():
        text, data = report_stage(target, args.config, args.force)
    return Result(f"{args.run}: {text}", {"run": str(args.run), **data})
