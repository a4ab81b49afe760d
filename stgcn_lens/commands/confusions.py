"""Which class is taken for which, and for one such pair which joints, and when, speak for the wrong one.

With --pair TRUE PREDICTED: at every layer, contrastive Grad-CAM of the confused clips beside that of the recognised
clips of both classes, into RUN/confusions/<true>--<predicted>.json (and .npz: the numbers of every clip). Without: the
pairs that are confused, most frequent first, into RUN/confusions/pairs.json.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.progress import bar
from stgcn_lens.errors import LensError
from stgcn_lens.runs import Run
from stgcn_lens.studies.confusions import ConfusionsConfig, confused_pairs, confusions
from stgcn_lens.training.device import choose

EXAMPLE = "stgcn-lens confusions runs/mine --pair catch knock --layer block_9"
FLAGS = (tyro.conf.OmitArgPrefixes,)
_PAIRS = 12  # that are shown; the file has all


@dataclass(frozen=True)
class Args(Common):
    """Which run, and which pair of classes."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run folder."""
    pair: tuple[str, str] | None = None
    """The true class and the one that its clips are taken for, by name or number."""
    layer: str | None = None
    """Of --pair: the layer that is told in words, by default the last block; the file has all of them."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    config: ConfusionsConfig = field(default_factory=ConfusionsConfig)


def run(args: Args) -> Result:
    """Work it out, write it, and tell it."""
    target, device = Run.open(args.run), choose(args.device)
    if args.pair is None:
        if args.layer is not None:
            raise LensError("--layer is about one pair of classes", fix="say which --pair")
        with target.lock():
            about = confused_pairs(target, args.config.split)
        return Result(f"{_listed(about)}\n{args.run / about['file']}", {"run": str(args.run), **about})
    with target.lock(), bar("contrast") as progress:
        about = confusions(target, args.pair, args.config, layer=args.layer, device=device, progress=progress)
    return Result(f"{_told(about, args.layer)}\n{args.run / about['file']}", {"run": str(args.run), **about})


def _listed(about: dict[str, Any]) -> str:
    head = f"{about['mistaken']} of {about['clips']} clips of split '{about['split']}' are mistaken."
    lines = [f"  {row['n']} of {row['of']} '{row['true']}' taken for '{row['predicted']}'" for row in about["pairs"]]
    shown = [head, *lines[:_PAIRS]]
    if len(lines) > _PAIRS:
        shown.append(f"  and {len(lines) - _PAIRS} more pairs")
    return "\n".join(shown)


def _told(about: dict[str, Any], layer: str | None) -> str:
    rows = {row["layer"]: row for row in about["layers"]}
    chosen = rows[layer or list(rows)[-1]]
    lines = [about["text"], chosen["from_true"]["text"], chosen["from_predicted"]["text"]]
    lines += ["Against the recognised clips of the true class, layer by layer:"]
    for name, row in rows.items():
        most = row["from_true"]["most"]
        joint = most["joint"] if most and most["shown"] else "not shown"
        lines.append(f"  {name}: {joint}")
    return "\n".join(lines)
