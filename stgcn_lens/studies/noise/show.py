"""The results of the study as a table for a terminal, a CSV with one number a line, and figures."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from stgcn_lens.data.noise import NOISES
from stgcn_lens.studies.noise.results import ERRORS, MEASURES, by_kind, layer_of
from stgcn_lens.viz.dose import dose_response
from stgcn_lens.viz.figures import Series

COLUMNS = (
    *("network", "kind", "level", "unit", "layer", "measure", "value", "ci_low", "ci_high", "spread"),
    *("change", "change_ci_low", "change_ci_high", "seeds", "n"),
)
CLEAN = "clean"


def as_csv(result: Mapping[str, Any]) -> str:
    """One line for each network, condition, layer and measure; the clean values first."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for network in result["networks"]:
        for about, layer, measure, number in _all(network):
            change = number.get("change") or {}
            writer.writerow(
                {
                    "network": network["name"],
                    **about,
                    "layer": layer,
                    "measure": measure,
                    **{name: number.get(name) for name in ("value", "ci_low", "ci_high", "spread")},
                    "change": change.get("value"),
                    **{f"change_{end}": change.get(end) for end in ("ci_low", "ci_high")},
                    "seeds": len(number["per_seed"]) if "per_seed" in number else None,
                    "n": number.get("n", result["n"]),
                }
            )
    return text.getvalue()


def _all(network: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str, str, Mapping[str, Any]]]:
    """Condition, layer, measure and number of everything that a network's results hold."""
    about: dict[str, Any] = {"kind": CLEAN, "level": None, "unit": None}
    for condition in (network[CLEAN], *network["conditions"]):
        if "kind" in condition:
            unit = NOISES[condition["kind"]].unit
            about = {"kind": condition["kind"], "level": condition["level"], "unit": unit}
        yield about, "", "accuracy", condition["accuracy"]
        for row in condition["layers"]:
            for measure in MEASURES:
                if row.get(measure) is not None:
                    yield about, row["layer"], measure, row[measure]


def table(network: Mapping[str, Any]) -> str:
    """Conditions down; accuracy, and at the last block the kNN label error, overlap and rank correlation across."""
    last = network["last_block"]
    lines = [["noise", "level", "top-1", f"kNN error {last}", "change", "overlap", "maps"]]
    clean = network[CLEAN]
    error = layer_of(clean, last)["knn_label_error"]["value"]
    lines.append([CLEAN, "", f"{clean['accuracy']['value']:.3f}", f"{error:.3f}", "", "", ""])
    for condition in network["conditions"]:
        row = layer_of(condition, last)
        knn, maps = row["knn_label_error"], row["rank_correlation"]
        lines.append(
            [
                condition["kind"],
                _level(condition),
                f"{condition['accuracy']['value']:.3f}",
                f"{knn['value']:.3f}",
                f"{knn['change']['value']:+.3f}",
                f"{row['overlap']['value']:.3f}",
                "" if maps is None or maps["value"] is None else f"{maps['value']:.3f}",
            ]
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))])
        for line in lines
    )


def figures(result: Mapping[str, Any]) -> dict[str, tuple[Figure, str]]:
    """Kind -> its dose-response curves, and what they show in words for who cannot see them."""
    networks, drawn = result["networks"], {}
    for kind in by_kind(networks[0]["conditions"]):
        some = [by_kind(network["conditions"])[kind] for network in networks]
        row = NOISES[kind]
        levels = [CLEAN, *(_level(condition) or "missing" for condition in some[0])]
        text = next(sentence["text"] for sentence in networks[0]["sentences"] if sentence["kind"] == kind)
        share = "share " * (row.unit or "").startswith("of ")
        xlabel = f"{row.what} ({share}{row.unit})" if row.unit else row.what
        drawn[kind] = (dose_response(levels, _panels(networks, some, result), xlabel=xlabel), text)
    return drawn


def _panels(
    networks: Sequence[Mapping[str, Any]], some: Sequence[Sequence[Mapping[str, Any]]], result: Mapping[str, Any]
) -> dict[str, list[Series]]:
    several = len(networks) > 1
    panels: dict[str, list[Series]] = {
        "top-1 accuracy": [
            _series(
                network["name"] if several else "top-1", [network[CLEAN]["accuracy"], *(c["accuracy"] for c in own)]
            )
            for network, own in zip(networks, some, strict=True)
        ]
    }
    for title, measure in (
        ("kNN label error", ERRORS[0]),
        ("overlap with the clean graph", "overlap"),
        ("rank correlation of maps", "rank_correlation"),
    ):
        lines = []
        for network, own in zip(networks, some, strict=True):
            for layer in [network["last_block"]] if several else _shown(network):
                clean = layer_of(network[CLEAN], layer).get(measure)
                values = [clean, *(layer_of(condition, layer)[measure] for condition in own)]
                if any(values):
                    lines.append(_series(f"{network['name']} {layer}" if several else layer, values))
        if measure in ERRORS:
            level = [result["chance_label_error"]] * (len(some[0]) + 1)
            lines.append(Series("chance", level, reference=True))
        if lines:
            panels[title] = lines
    return panels


def _shown(network: Mapping[str, Any]) -> list[str]:
    """The last block, the one in the middle and the first layer; a figure with all of them could not be read.

    In this order, so that colours stay the same where the first one, which has no maps, is not drawn.
    """
    blocks = [layer for layer in network["layers"] if layer.startswith("block_")]
    middle = blocks[(len(blocks) - 1) // 2 : (len(blocks) - 1) // 2 + 1]
    return list(dict.fromkeys([network["last_block"], *middle, network["layers"][0]]))


def _series(name: str, numbers: Sequence[Mapping[str, Any] | None]) -> Series:
    value, low, high = (
        np.array([np.nan if number is None or number[part] is None else number[part] for number in numbers])
        for part in ("value", "ci_low", "ci_high")
    )
    return Series(name, value, low, high)


def _level(condition: Mapping[str, Any]) -> str:
    return "" if condition["level"] is None else f"{condition['level']:g}"
