"""The study of layers as figures: the run's network in the same picture as its controls."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from stgcn_lens.report.lines import floats, line
from stgcn_lens.report.results import LOGITS
from stgcn_lens.report.words import begun, span, two
from stgcn_lens.viz import figures, matrices

CALLED = {"trained": "trained", "untrained": "untrained control", "shuffled": "shuffled labels"}
_CURVES = {
    "knn_label_error": "kNN label error",
    "nnk_label_error": "NNK label error",
    "local_dimension": "local dimension (NNK neighbours)",
}


def told(study: Mapping[str, Any] | None) -> dict[str, dict[str, str]]:
    """For every figure its `alt` and its `sentence`; nothing where there is no study."""
    if not study:
        return {}
    networks, trained = study["networks"], study["networks"]["trained"]
    who = ", ".join(CALLED.get(name, name) for name in networks)
    found = {
        f"study_{name}": {
            "alt": f"Line chart of the {label} over the layers: {who}.",
            "sentence": _fall(networks, name),
        }
        for name, label in _CURVES.items()
    }
    found["study_separable"] = {
        "alt": f"Line chart of the number of classes that are separable at each layer: {who}.",
        "sentence": _separable(networks),
    }
    found["study_classes"] = {
        "alt": f"Heat map of the kNN label error of {len(trained['classes'])} classes at every layer.",
        "sentence": _classes(trained),
    }
    for name, label in (("overlap", "Overlap of neighbourhoods"), ("cka", "Linear CKA")):
        found[f"study_{name}"] = {
            "alt": f"{label} of every two layers as a matrix.",
            "sentence": _between(trained["between_layers"], name, label),
        }
    return found


def draw(study: Mapping[str, Any] | None) -> dict[str, Callable[[], Figure]]:
    """A function for every figure of `told`."""
    if not study:
        return {}
    networks, trained = study["networks"], study["networks"]["trained"]
    layers = [row["layer"] for row in trained["rows"]]
    jobs: dict[str, Callable[[], Figure]] = {}
    for name, label in _CURVES.items():
        series = [line(CALLED.get(who, who), each["rows"], name) for who, each in networks.items()]
        if name == "knn_label_error":
            chance = floats((row[name] or {}).get("chance") for row in trained["rows"])
            series.append(figures.Series("chance", chance, reference=True))
        jobs[f"study_{name}"] = partial(figures.curves, layers, series, ylabel=label)
    blocks = [layer for layer in layers if layer != LOGITS]
    counted = [
        figures.Series(CALLED.get(who, who), np.cumsum([each["separable"][layer] for layer in blocks]))
        for who, each in networks.items()
    ]
    jobs["study_separable"] = partial(figures.curves, blocks, counted, ylabel="classes that are separable")
    errors = np.array([floats(entry["knn_label_error"][layer] for layer in layers) for entry in trained["classes"]])
    classes = [entry["class_name"] for entry in trained["classes"]]
    jobs["study_classes"] = partial(matrices.heatmap, errors, classes, layers, label="kNN label error", numbers=True)
    between = trained["between_layers"]
    for name, label in (("overlap", "overlap (Jaccard)"), ("cka", "linear CKA")):
        values = np.array([floats(row) for row in between[name]])
        square = partial(matrices.heatmap, values, between["layers"], between["layers"])
        jobs[f"study_{name}"] = partial(square, label=label, numbers=True)
    return jobs


def _fall(networks: Mapping[str, Any], name: str) -> str:
    said = []
    for who, each in networks.items():
        rows = {row["layer"]: row[name] for row in each["rows"]}
        first, last = next(iter(rows.values())), rows[each["last_block"]]
        said.append(f"{CALLED.get(who, who)}: {span(first)} at the input, {span(last)} at {each['last_block']}")
    return f"{begun(_CURVES[name])}, with intervals. {'; '.join(said)}."


def _separable(networks: Mapping[str, Any]) -> str:
    said = []
    for who, each in networks.items():
        total = len(each["classes"])
        inside = total - each["separable"]["never"]
        at_once = each["separable"][next(iter(each["separable"]))]
        said.append(
            f"{CALLED.get(who, who)}: {at_once} of {total} classes from the input on, {inside} at the last block"
        )
    return f"Classes that are separable from a layer on. {'; '.join(said)}."


def _classes(trained: Mapping[str, Any]) -> str:
    last = trained["last_block"]
    known = [entry for entry in trained["classes"] if entry["knn_label_error"][last] is not None]
    hardest = max(known, key=lambda entry: entry["knn_label_error"][last])
    never = [entry["class_name"] for entry in known if entry["layer"] is None]
    text = f"At {last} the clips of “{hardest['class_name']}” have the most neighbours of other classes "
    text += f"({two(hardest['knn_label_error'][last])}). "
    return text + (f"Never separable: {', '.join(never)}." if never else "Every class becomes separable.")


def _between(between: Mapping[str, Any], name: str, label: str) -> str:
    layers, values = between["layers"], between[name]
    steps = [(values[i][i + 1], layers[i], layers[i + 1]) for i in range(len(layers) - 1)]
    known = [step for step in steps if step[0] is not None]
    if not known:
        return f"{label} of every two layers."
    value, before, after = min(known)
    return (
        f"{label} of every two layers; of two neighbouring layers {before} and {after} are least alike ({two(value)})."
    )
