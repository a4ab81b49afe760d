"""Classifies clips with a trained run and writes its scores: RUN/evaluation/<name>.json, .npz and _confusion.csv.

Its own clips, by default those of the test side, or others (--data), whose classes are matched by name; a network that
reads two channels gets x and y, without depth or score. The .npz is what `fuse` reads.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.clips import other_clips
from stgcn_lens.commands.progress import bar
from stgcn_lens.data.readers import recognise
from stgcn_lens.errors import LensError
from stgcn_lens.runs import Run
from stgcn_lens.studies.evaluation import EvaluateConfig, evaluate
from stgcn_lens.training.device import choose
from stgcn_lens.training.scorefile import FOLDER

EXAMPLE = "stgcn-lens evaluate runs/mine --split test"
FLAGS = (tyro.conf.OmitArgPrefixes,)


@dataclass(frozen=True)
class Args(Common):
    """Which run, on which clips."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run folder."""
    data: Path | None = None
    """Other clips: a folder or file in any known format, or a native clip set."""
    format: str = "auto"
    """Of --data: a row of READERS; auto looks at the content."""
    layout: str | None = None
    """Of --data: skeleton layout or variant, or a .toml file, where the format leaves a choice."""
    to_layout: str | None = None
    """Put the clips of --data onto this layout (or .toml file): the one the network was trained on."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    config: EvaluateConfig = field(default_factory=EvaluateConfig)


def run(args: Args) -> Result:
    """Evaluate and tell the scores."""
    target, device = Run.open(args.run), choose(args.device)
    target.key("train")
    if args.data is None and (args.format, args.layout, args.to_layout) != ("auto", None, None):
        raise LensError("--format, --layout and --to-layout are about --data", fix="say which --data")
    if args.data is not None:
        if args.config.split is not None:
            got, fix = f"--split {args.config.split}", "leave --split or --data out"
            raise LensError("other clips are on no side of the run", got=got, fix=fix)
        recognise(args.data, args.format, args.layout, args.to_layout)
    where = args.data, args.format, args.layout, args.to_layout
    with target.lock(), other_clips(target, *where) as clips, bar("classify") as progress:
        about = evaluate(target, args.config, data=args.data, clips=clips, device=device, progress=progress)
    scores, place = about["metrics"], f"{args.run / FOLDER / about['name']}.npz"
    text = f"{args.run}: {about['clips']} clips"
    if scores is None:
        text += ", none has a label: no scores"
    else:
        text += (
            f"; top-1 {scores['top1']:.3f}, top-5 {scores['top5']:.3f}, mean class "
            f"{scores['mean_class_accuracy']:.3f} (n = {scores['n']})"
        )
    if "among_these" in about:
        text += f"; told from one another only: top-1 {about['among_these']['top1']:.3f}"
    if about["dropped"]:
        first = about["dropped"][0]
        text += f"; {len(about['dropped'])} left out, first {first['clip']}: {first['reason']}"
    return Result(f"{text}; {place}", {"run": str(args.run), "file": place, **about})
