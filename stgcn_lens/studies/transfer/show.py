"""What a study found as figures and as a table of words."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from stgcn_lens.studies.transfer.findings import SCRATCH
from stgcn_lens.viz.figures import Series
from stgcn_lens.viz.transfer import accuracy_by_cut, errors_by_layer

Rows = dict[tuple[str, str], list[Mapping[str, Any]]]  # (side, measure) -> label errors in order of depth


def figures(found: Mapping[str, Any]) -> dict[str, tuple[Figure, str]]:
    """Name -> figure and what it shows, of what `transfer.json` holds."""
    cuts, shots = found["cuts"], found["config"]["shots"]
    known = {(row["cut"], row["shots"]): row for row in found["accuracy"]}
    whole = {row["shots"]: row["strict"] for row in found["best"] if row["seed"] is None}
    lines = [_series(_called(word), [known[cut, word] for cut in cuts]) for word in shots]
    scratch = next((row["value"] for row in found["accuracy"] if row["cut"] == SCRATCH), None)
    chosen = found["prediction"]["knn"]["cut"]
    accuracy = accuracy_by_cut(
        cuts,
        lines,
        best=[[cuts.index(cut) for cut in whole[word]] for word in shots],
        predicted=cuts.index(chosen),
        scratch=scratch,
    )
    rows: Rows = {(row["side"], row["measure"]): [] for row in found["label_errors"]}
    for row in found["label_errors"]:
        rows[row["side"], row["measure"]].append(row)
    names = {"knn": "kNN", "nnk": "NNK"}
    errors = [_series(f"{names[measure]}, {side} clips", each) for (side, measure), each in rows.items()]
    chance = [row["chance"] for row in rows["train", "knn"]]
    layers = found["layers"]
    return {
        "transfer": (accuracy, found["prediction"]["sentence"]),
        "transfer_label_errors": (errors_by_layer(layers, errors, chance, layers.index(chosen)), _smoothest(rows)),
    }


def table(found: Mapping[str, Any]) -> str:
    """Top-1 for every cut and number of shots, beside the label error of the training clips there."""
    shots = found["config"]["shots"]
    known = {(row["cut"], row["shots"]): row for row in found["accuracy"]}
    errors = {
        row["layer"]: f"{row['value']:.3f}"
        for row in found["label_errors"]
        if (row["side"], row["measure"]) == ("train", "knn")
    }
    head = ["frozen up to", "kNN label error", *map(_called, shots)]
    lines = [[cut, errors.get(cut, ""), *(_cell(known.get((cut, word))) for word in shots)] for cut in found["cuts"]]
    if any(cut == SCRATCH for cut, _ in known):
        lines.append(["from scratch", "", *(_cell(known.get((SCRATCH, word))) for word in shots)])
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    return "\n".join(
        "  ".join(f"{word:<{width}}" for word, width in zip(line, widths, strict=True)).rstrip()
        for line in (head, *lines)
    )


def _called(shots: str) -> str:
    return f"{shots} a class" if shots.isdecimal() else shots


def _cell(row: Mapping[str, Any] | None) -> str:
    return "" if row is None else f"{row['value']:.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"


def _series(name: str, rows: list[Mapping[str, Any]]) -> Series:
    value, low, high = ([row[end] for row in rows] for end in ("value", "ci_low", "ci_high"))
    return Series(name, value, low, high)


def _smoothest(rows: Rows) -> str:
    own = rows["train", "knn"]
    least, first = min(own, key=lambda row: row["value"]), own[0]
    return (
        f"Of the source network's layers, {least['layer']} has the target's smoothest labels: kNN label error "
        f"{least['value']:.3f} [{least['ci_low']:.3f}, {least['ci_high']:.3f}] over {least['n']} training clips, where "
        f"{first['layer']} has {first['value']:.3f} and chance is {first['chance']:.3f}."
    )
