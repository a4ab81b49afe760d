"""The study of layers as a tidy table, one row a number, and in sentences."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

COLUMNS = (
    *("part", "network", "layer", "other", "class_name", "window", "stride", "k", "kernel"),
    *("measure", "value", "ci_low", "ci_high", "chance"),
)
_VALUES = (
    *("knn_label_error", "nnk_label_error", "laplacian_label_error", "knn_accuracy"),
    *("local_dimension", "ratio_to_input", "overlap_input", "overlap_previous"),
)


def as_csv(result: Mapping[str, Any]) -> str:
    """Every number of ``studies/layers.json``."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_lines(result))
    return text.getvalue()


def sentences(result: Mapping[str, Any]) -> list[str]:
    """The verdict, where the classes come apart in each network, and whether other settings say the same."""
    said = [f"finding {found['finding']} {found['verdict']}: {found['why']}" for found in result["findings"].values()]
    for name, each in result["networks"].items():
        said.append(f"{name}: {apart(each)}")
    if result["sensitivity"]:
        said.append(result["sensitivity"]["sentence"].rstrip("."))
    return said


def apart(network: Mapping[str, Any]) -> str:
    """How many classes are separable, and at which layers half of them and the last of them become so."""
    counts = {layer: count for layer, count in network["separable"].items() if layer != "never"}
    total, inside = len(network["classes"]), sum(counts.values())
    if not inside:
        return f"none of {total} classes becomes separable"
    text = f"{counts['input']} of {total} classes are separable from the input on, {inside} at {network['last_block']}"
    half = _reached(counts, total / 2)
    return text + (f"; half of all from {half} on" if half else "")


def _reached(counts: Mapping[str, int], needed: float) -> str | None:
    """The layer at which so many classes are separable."""
    together = 0
    for layer, count in counts.items():
        together += count
        if together >= needed:
            return layer
    return None


def _lines(result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, network in result["networks"].items():
        yield from _network(name, network)
    table = result["sensitivity"] or {"rows": []}
    for row in table["rows"]:
        about = {"part": "sensitivity", "network": "trained"} | {
            each: row[each] for each in ("window", "stride", "k", "kernel")
        }
        for kind in ("knn", "nnk"):
            for layer, value in row[f"{kind}_label_error"].items():
                yield about | {"layer": layer, "measure": f"{kind}_label_error", "value": value}
            for measure in ("ratio", "spearman"):
                yield about | {"measure": f"{kind}_{measure}", "value": row[f"{kind}_{measure}"]}


def _network(name: str, network: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    about = {"network": name}
    for side, scores in network["metrics"].items():
        for measure in ("top1", "top5", "mean_class_accuracy"):
            yield about | {"part": "accuracy", "measure": f"{side} {measure}", "value": scores[measure]}
    for row in network["rows"]:
        for measure in _VALUES:
            if row[measure] is not None:
                numbers = {end: row[measure].get(end) for end in ("value", "ci_low", "ci_high", "chance")}
                yield about | {"part": "layers", "layer": row["layer"], "measure": measure, **numbers}
        for measure in ("cka_input", "cka_previous"):
            if row[measure] is not None:
                yield about | {"part": "layers", "layer": row["layer"], "measure": measure, "value": row[measure]}
    for entry in network["classes"]:
        of_class = about | {"part": "classes", "class_name": entry["class_name"]}
        for layer, value in entry["knn_label_error"].items():
            yield of_class | {"layer": layer, "measure": "knn_label_error", "value": value, "chance": entry["chance"]}
        for measure in ("layer", "surely"):
            yield of_class | {"layer": entry[measure] or "never", "measure": f"separable {measure}", "value": 1}
    yield from _pairs(about, network["between_layers"])


def _pairs(about: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    layers: Sequence[str] = found["layers"]
    for a, layer in enumerate(layers):
        for b, other in enumerate(layers[:a]):
            pair = {**about, "part": "between layers", "layer": layer, "other": other}
            ends = {end: found[f"overlap_{end}"][a][b] for end in ("ci_low", "ci_high")}
            yield pair | {"measure": "overlap", "value": found["overlap"][a][b], **ends}
            yield pair | {"measure": "cka", "value": found["cka"][a][b]}
