"""Which clips stand round one at a layer, and what of the network's prediction they explain.

With --clip: its NNK neighbours, their weights, how each is warped onto it and what the vote would be without it, into
RUN/neighbours/<clip>--<layer>.json. Without: at which layer the vote of the neighbours is the network's prediction, for
all clips, into RUN/neighbours/agreement.json. Neighbours come from the embedded clips, by default of the test side. The
clips of one person are alike at every layer, the input too: --among other-subjects leaves them out.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.progress import bar
from stgcn_lens.errors import LensError
from stgcn_lens.runs import Run
from stgcn_lens.studies.agreement import AgreementConfig, agreement
from stgcn_lens.studies.neighbours import NeighboursConfig, neighbours

EXAMPLE = "stgcn-lens neighbours runs/mine --clip S001C002P003R002A007 --layer block_9"
FLAGS = (tyro.conf.OmitArgPrefixes,)


@dataclass(frozen=True)
class Args(Common):
    """Which run, and which clip of it."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run folder."""
    clip: str | None = None
    """The clip, by its name or its number in clips.csv; without it, the layers of the run are told."""
    layer: str | None = None
    """Of --clip: the layer; by default the last block."""
    k: int = 10
    """Of --clip: neighbours that are told one by one, heaviest first; the vote is always that of all."""
    config: AgreementConfig = field(default_factory=AgreementConfig)


def run(args: Args) -> Result:
    """Work it out, write it, and tell it as tables."""
    target = Run.open(args.run)
    if args.clip is None and (args.layer is not None or args.k != 10):
        raise LensError("--layer and --k are about one clip", fix="say which --clip")
    if args.clip is None:
        with target.lock(), bar("neighbours", "layer") as progress:
            about = agreement(target, args.config, progress=progress)
        text = _layers(about)
    else:
        config = NeighboursConfig(clip=args.clip, layer=args.layer, k=args.k, among=args.config.among)
        with target.lock():
            about = neighbours(target, config)
        text = _clip(about)
    return Result(f"{text}\n{args.run / about['file']}", {"run": str(args.run), **about})


def _layers(about: dict[str, Any]) -> str:
    columns = {
        "agreement": "vote = prediction",
        "agreement_of_predictions": "predictions' vote",
        "mistaken": "of the mistaken",
        "right": "vote = class",
        "settled": "settled",
        "same_subject": "same person",
    }
    head = ["layer", *columns.values(), "by chance"]
    rows = [
        [row["layer"], *(_interval(row[name]) for name in columns), f"{row['agreement']['chance']:.3f}"]
        for row in about["layers"]
    ]
    return "\n".join(
        [
            f"{about['clips']} embedded clips ({_sides(about['embedded'])}), {about['mistaken']} of them mistaken; "
            f"neighbours {_among(about['config']['among'])}.{_train(about)}",
            *_table([head, *rows]),
            f"At {about['already_there']} the vote of the neighbours already is the prediction as often as at "
            f"{about['last_block']}: no difference is shown.",
        ]
    )


def _clip(about: dict[str, Any]) -> str:
    clip, vote, candidates = about["clip"], about["vote"], about["candidates"]
    lines = [
        f"{clip['name']} (split '{clip['split']}'): '{clip['class_name']}', taken for '{clip['predicted']}' with "
        f"confidence {clip['confidence']:.2f}.",
        f"At {about['layer']} {_weighty(candidates)}, {_among(candidates['among'])}; embedded: "
        f"{_sides(candidates['embedded'])}.{_train(candidates)}{_same(candidates)}",
        f"Vote of their labels: {_shares(vote)}: {'the' if vote['agrees'] else 'not the'} prediction, which has "
        f"{vote['predicted_share']:.2f} of the weight (the true class {vote['true_share']:.2f}).",
        f"Vote of what they are taken for: {_shares(about['vote_of_predictions'])}.",
    ]
    head = ["weight", "share", "distance", "without it", "turns", "clip", "class", "taken for", "split"]
    rows = [
        [
            f"{row['weight']:.3g}",
            f"{row['share']:.3f}",
            f"{row['distance']:.4g}",
            f"{row['without']['predicted_share']:.3f}" if row["without"] else "",
            "" if not row["without"] else row["without"]["winner"] if row["without"]["turns_the_vote"] else "no",
            row["name"],
            row["class_name"],
            row["predicted"],
            row["split"],
        ]
        for row in about["neighbours"]
    ]
    lines += _table([head, *rows])
    lines.append(
        "without it: share of the predicted class had the neighbour not been there; turns: who would win then."
    )
    if about["not_listed"]:
        lines.append(f"{about['not_listed']} more have weight; show more with --k.")
    lines += _alignments(about)
    said = [f"{row['layer']} {'yes' if row['agrees'] else 'no'}" for row in about["layers"]]
    return "\n".join([*lines, f"Is the vote of labels the prediction? {', '.join(said)}."])


def _alignments(about: dict[str, Any]) -> list[str]:
    """Where windows lie, and which is laid on which."""
    if not about["neighbours"] or about["neighbours"][0]["path"] is None:
        return ["The distance does not warp: there is no path."]
    lines = ["Windows of the clip on those of its neighbours, from 0; in seconds of the cleaned clip:"]
    lines.append(f"  {about['clip']['name']}: {_seconds(about['clip']['windows'])}")
    for row in about["neighbours"]:
        lines.append(f"  {row['name']}: {_seconds(row['windows'])}")
        lines.append(f"    path {' '.join(f'{a}-{b}' for a, b in row['path'])}")
    return lines


def _seconds(windows: list[dict[str, float]]) -> str:
    return " ".join(f"{window['from_s']:.2f}-{window['to_s']:.2f}" for window in windows)


def _weighty(candidates: dict[str, Any]) -> str:
    if candidates["with_weight"]:
        return f"{candidates['with_weight']} of its {candidates['k']} candidates have NNK weight"
    return f"none of its {candidates['k']} candidates is near enough for NNK weight, so all count alike"


def _among(among: str) -> str:
    known = {"graph": "of all embedded clips", "other-subjects": "of the embedded clips of other people"}
    return known.get(among, f"of the embedded clips of split '{among}'")


def _train(candidates: dict[str, Any]) -> str:
    """What has to be said while no clip that the network was trained on can be a neighbour."""
    return "" if "train" in candidates["embedded"] else " No training clip can be among them: embed with --split all."


def _same(candidates: dict[str, Any]) -> str:
    share = candidates["same_subject_share"]
    return f" {share:.0%} of the weight is on clips of the same person." if share else ""


def _shares(vote: dict[str, Any]) -> str:
    shown = [f"'{row['class_name']}' {row['share']:.2f}" for row in vote["shares"][:4]]
    rest = len(vote["shares"]) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")


def _sides(sides: dict[str, int]) -> str:
    return ", ".join(f"{n} of split '{side}'" for side, n in sides.items())


def _interval(value: dict[str, float] | None) -> str:
    return "-" if value is None else f"{value['value']:.3f} [{value['ci_low']:.3f}, {value['ci_high']:.3f}]"


def _table(rows: list[list[str]]) -> list[str]:
    """Rows of text under one another."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
