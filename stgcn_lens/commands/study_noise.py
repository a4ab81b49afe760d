"""Disturbs the clips of a run in doses and tells what becomes of answers, geometry and maps at every layer.

Into RUN/studies/: noise.json, noise.csv and one figure a kind. A study that was interrupted goes on when the same
command is given again. With --beside a second network, such as one trained with --noise-db, is studied under the same
noise.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.progress import bar
from stgcn_lens.runs import Run
from stgcn_lens.studies.noise import JSON, STAGE, NoiseConfig, study
from stgcn_lens.studies.noise.show import table
from stgcn_lens.training.device import choose

EXAMPLE = "stgcn-lens study noise runs/mine --kinds gaussian joint_dropout --seeds 0 1 2"
FLAGS = (tyro.conf.OmitArgPrefixes,)


@dataclass(frozen=True)
class Args(Common):
    """Which run, and which noise."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run folder."""
    beside: Path | None = None
    """A second run, trained on the same clips with the same split, to be set beside it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    force: bool = False
    """Do it again although nothing changed."""
    config: NoiseConfig = field(default_factory=NoiseConfig)


def run(args: Args) -> Result:
    """Run the study unless it is up to date, and show its table and verdicts."""
    target, other = Run.open(args.run), None if args.beside is None else Run.open(args.beside)
    with target.lock():
        before = target.manifest()["stages"].get(STAGE)
        with bar("study noise", "condition") as progress:
            device = choose(args.device)
            found = study(target, args.config, beside=other, device=device, force=args.force, progress=progress)
        again = target.manifest()["stages"].get(STAGE) == before
    lines = [f"{args.run}: noise on {found['n']} clips{' (unchanged, skipped)' * again}; {args.run / JSON}"]
    for network in found["networks"]:
        lines += [f"{network['name']}:", table(network), *(each["text"] for each in network["sentences"])]
        lines.append(f"finding 2, noise hardly moves label smoothness: {network['findings']['finding_2']['text']}.")
    if found["beside"] is not None:
        lines.append(found["beside"]["text"])
    return Result("\n".join([*lines, *found["remarks"]]), {"run": str(args.run), **found, "skipped": again})
