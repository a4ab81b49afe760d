"""Late fusion: sums the scores of several networks clip by clip, matched by name, and tells the gain over each.

Takes runs that have been evaluated (`stgcn-lens evaluate RUN`), their .npz, the pickles of ST-GCN, 2s-AGCN and their
followers (a dict name -> scores), CSV (name, scores ..., perhaps a column "label"), and .npy beside a .txt of names.
Weights go in the order of the files: joint and bone 1 1; joint, bone and their motions 2 2 1 1, or all equal.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.errors import RunError
from stgcn_lens.files import atomic
from stgcn_lens.runs import plain
from stgcn_lens.training.fusion import Fused, Summed, fuse
from stgcn_lens.training.scorefile import read

EXAMPLE = "stgcn-lens fuse runs/joint runs/bone --weights 1 1 --out fused.json"
FLAGS = (tyro.conf.OmitArgPrefixes,)
SHOWN = 5  # names of missing clips


@dataclass(frozen=True)
class Args(Common):
    """What to fuse, and how."""

    scores: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Evaluated runs or files of scores, at least two."""
    weights: tuple[float, ...] | None = None
    """One a file, in their order; by default all equal. Only their ratios matter."""
    summed: Summed = "softmax"
    """What is added up: softmax probabilities (pyskl, mmaction2), or logits (2s-AGCN and its followers)."""
    name: str = "test"
    """Which evaluation of the runs."""
    out: Path | None = None
    """A .json file for all numbers and for the fused class of every clip."""
    force: bool = False
    """Replace that file."""


def run(args: Args) -> Result:
    """Fuse and compare."""
    if args.out is not None and args.out.exists() and not args.force:
        raise RunError("a file is there", file=args.out, fix="choose another --out, or --force to replace it")
    files = [read(path, args.name) for path in args.scores]
    fused = fuse(files, args.weights, args.summed)
    classes = next((one.classes for one in files if one.classes is not None), None)
    told = {
        "summed": args.summed,
        "metrics": fused.metrics,
        "single": fused.single,
        "missing": fused.missing,
        "unlabelled": fused.unlabelled,
        "notes": fused.notes,
    }
    if args.out is not None:
        best = fused.total.argmax(axis=1)
        answers = [
            {"name": name, "label": int(label), "predicted": int(guess), "correct": bool(label == guess)}
            for name, label, guess in zip(fused.names, fused.labels, best, strict=True)
        ]
        with atomic(args.out) as temporary:
            temporary.write_text(json.dumps(plain({**told, "classes": classes, "clips": answers}), indent=1) + "\n")
    return Result("\n".join(_lines(fused, args)), {**told, "out": args.out})


def _lines(fused: Fused, args: Args) -> list[str]:
    """The fusion beside each file, as a table; then what was left out."""
    rows: list[tuple[str, str, dict, dict | None]] = [(f"sum of {args.summed}", "", fused.metrics, None)]
    rows += [(_shown(one), f"{one['weight']:g}", one["metrics"], one) for one in fused.single]
    width = max(len(row[0]) for row in rows)
    lines = [f"{'':{width}}  weight  top-1  top-5  mean class  gain of the sum (mends, spoils)"]
    for name, weight, scores, one in rows:
        line = f"{name:{width}}  {weight:>6}  {scores['top1']:.3f}  {scores['top5']:.3f}"
        line += f"  {scores['mean_class_accuracy']:10.3f}"
        if one is not None:
            line += f"  {one['gain']['top1']:+.3f} ({one['mends']}, {one['spoils']})"
        lines.append(line)
    lines.append(f"on {fused.metrics['n']} clips that all files hold")
    for file, names in fused.missing.items():
        lines.append(f"{file} lacks {len(names)} clips, left out: {_some(names)}")
    if fused.unlabelled:
        lines.append(f"no file says the class of {len(fused.unlabelled)} clips, left out: {_some(fused.unlabelled)}")
    return [*lines, *fused.notes]


def _shown(one: dict) -> str:
    return f"{one['file']} ({one['stream']})" if one["stream"] else str(one["file"])


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
