"""Scores the explanations of a run: every metric for every method and layer, beside a random map and motion magnitude.

One table, and one verdict for each method and layer: is it better than motion magnitude? All numbers go to RUN/scores/.
A command that was broken off goes on where it stopped.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.progress import bar
from stgcn_lens.runs import Run
from stgcn_lens.studies.scoring import ScoreConfig, score
from stgcn_lens.studies.scoring.show import sentences, table
from stgcn_lens.training.device import choose

EXAMPLE = "stgcn-lens score runs/mine --methods gradcam --layers block_1 block_10"
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
    config: ScoreConfig = field(default_factory=ScoreConfig)


def run(args: Args) -> Result:
    """Score unless it is done, and show the table."""
    target = Run.open(args.run)
    with target.lock():
        before = target.manifest()["stages"].get("score")
        with bar("score", "part") as progress:
            found = score(target, args.config, device=choose(args.device), force=args.force, progress=progress)
        again = target.manifest()["stages"].get("score") == before
    head = f"{args.run}: {len(found['methods'])} explanations scored on {found['n']} clips"
    head += f" ({found['n_remade']} for stability, randomisation and contrast){' (unchanged, skipped)' * again}"
    lines = [table(found["rows"], found["verdicts"]), *sentences(found["verdicts"])]
    return Result("\n".join([head, *lines]), {"run": str(args.run), **found, "skipped": again})
