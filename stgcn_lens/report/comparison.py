"""Several runs beside each other: the same numbers of every layer, what differs between them, and what seeds alone do.

Runs that differ by their seed only are also told as one, by mean and spread (the standard deviation over runs).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stgcn_lens.errors import LensError
from stgcn_lens.report.results import LOGITS, MEASURES, Results, clip_rows, flat, relative_depth, with_interval
from stgcn_lens.runs import Run, plain

CURVES = {
    "knn_label_error": "kNN label error",
    "nnk_label_error": "NNK label error",
    "laplacian_label_error": "Laplacian label error",
    "local_dimension": "local dimension (NNK neighbours)",
    "overlap_input": "overlap with the input",
}
_ANALYSIS = ("embed", "graph")
_NAMELESS = {"seed", "resamples", "permutations", "batch", "tile_bytes", "method"}  # of the analysis: change no value


def compare(runs: Sequence[Run]) -> Results:
    """All numbers of the comparison.

    Raises
    ------
    LensError : fewer than two runs, or one given twice.
    RunError : a run without graphs; says which command makes them.
    """
    places = [run.path.resolve() for run in runs]
    if len(set(places)) < 2 or len(set(places)) < len(places):
        got = f"{len(places)} of {len(set(places))} run{'s' * (len(set(places)) > 1)}"
        raise LensError("nothing to compare", got=got, expected="two runs or more, each once")
    for run in runs:
        run.key("train")
        run.key("graph")
    entries = [_entry(run, name) for run, name in zip(runs, names(runs), strict=True)]
    differing = _differing([entry["settings"] for entry in entries])
    for entry in entries:
        entry["differs"] = {name: entry["settings"].get(name) for name in differing}
    shared = all(entry["layers"] == entries[0]["layers"] for entry in entries)
    result = {
        "runs": entries,
        "differing": differing,
        "layers": entries[0]["layers"] if shared else None,
        "groups": _groups(entries),
        "warnings": _warnings(entries),
    }
    for entry in entries:
        del entry["clips"], entry["settings"]
    return plain(result)


def names(runs: Sequence[Run]) -> list[str]:
    """What each run is called: its folder, with as many of the folders above as tell it from the others."""
    parts = [run.path.resolve().parts for run in runs]
    called = []
    for mine in parts:
        others = [other for other in parts if other != mine]
        depth = next(d for d in range(1, len(mine) + 1) if all(other[-d:] != mine[-d:] for other in others))
        called.append(str(Path(*mine[-depth:])))
    return called


def path(entry: Results) -> list[Results]:
    """The rows from the input to the last block."""
    return [row for row in entry["rows"] if row["depth"] is not None]


def table(found: Results) -> list[dict[str, Any]]:
    """One row a number: run or group, layer, relative depth, measure, value with its interval or its spread."""
    rows = []
    for entry in found["runs"]:
        about = {"kind": "run", "name": entry["name"]}
        for side, scores in entry["metrics"].items():
            ends = {"ci_low": scores["top1_ci_low"], "ci_high": scores["top1_ci_high"]}
            rows.append({**about, "measure": f"{side} top1", "value": scores["top1"], **ends, "n": scores["n"]})
        for row in entry["rows"]:
            for name in (*CURVES, "knn_accuracy"):
                if row[name] is not None:
                    numbers = {key: row[name].get(key) for key in ("value", "ci_low", "ci_high", "chance")}
                    rows.append({**about, **_place(row), "measure": name, **numbers, "n": entry["n"]})
            if row["cka_input"] is not None:
                rows.append(
                    {**about, **_place(row), "measure": "cka_input", "value": row["cka_input"], "n": entry["n"]}
                )
    for group in found["groups"]:
        about = {"kind": "seeds", "name": group["name"], "n": len(group["runs"])}
        rows.append({**about, "measure": "test top1", **(group["top1"] or {})})
        for row in group["rows"]:
            rows += [{**about, **_place(row), "measure": name, **row[name]} for name in CURVES if row[name]]
    return rows


def _entry(run: Run, name: str) -> Results:
    """One run's numbers, and what it is made from."""
    manifest, model = run.manifest(), run.read_json("model.json")
    stages, table = manifest["stages"], run.read_json("layers.json")
    rows = clip_rows(run)
    clips = {rows[int(i)]["name"] for i in run.read_array("embeddings/clips.npy")}
    training = stages["train"]["config"].get("training", {})
    settings = {
        "architecture": model["architecture"]["model"],
        **dict(flat({"model": model["architecture"]["config"], "preprocessing": model["preprocessing"]})),
        **dict(flat({"training": training})),
        **{f"{stage}.{key}": value for stage in _ANALYSIS for key, value in flat(stages[stage]["config"] or {})},
    }
    metrics = {side: with_interval(scores) for side, scores in run.read_json("metrics.json").items()}
    depths = relative_depth([row["layer"] for row in table])
    blocks = [row["layer"] for row in table if row["layer"] != LOGITS]
    return {
        "name": name,
        "path": str(run.path),
        "architecture": model["architecture"]["model"],
        "parameters": model["parameters"],
        "classes": len(model["classes"]),
        "seed": stages["train"].get("seed"),
        "epochs": training.get("epochs"),
        "trained_on": stages["train"]["inputs"].get("clips"),
        "sides": stages["train"]["inputs"].get("splits"),
        "weights": model.get("weights_sha256"),
        "metrics": metrics,
        "test": metrics.get("test"),
        "n": table[0]["n"],
        "k": table[0]["k"],
        "chance": table[0]["knn_label_error"].get("chance"),
        "last_block": blocks[-1],
        "layers": [row["layer"] for row in table],
        "rows": [_row(row, depth) for row, depth in zip(table, depths, strict=True)],
        "settings": settings,
        "clips": clips,
    }


def _place(row: Results) -> dict[str, Any]:
    return {"layer": row["layer"], "depth": row["depth"]}


def _row(row: Results, depth: float | None) -> Results:
    kept = ("layer", "channels", "stride", *(f"{kind}_label_error" for kind in MEASURES), "knn_accuracy")
    told = {name: row.get(name) for name in (*kept, "overlap_input", "cka_input")}
    return {**told, "depth": depth, "local_dimension": {"value": row["mean_nnk_neighbours"]}}


def _differing(settings: Sequence[dict[str, Any]]) -> list[str]:
    """The settings in which not all runs are alike, but for those that change no number."""
    every = dict.fromkeys(name for each in settings for name in each)
    told = [name for name in every if not (_analysis(name) and name.split(".")[-1] in _NAMELESS)]
    return [name for name in told if any(each.get(name) != settings[0].get(name) for each in settings)]


def _analysis(name: str) -> bool:
    return name.split(".")[0] in _ANALYSIS


def _groups(entries: Sequence[Results]) -> list[Results]:
    """Runs that differ by the seed of their training only, as mean and spread; groups of one are left out."""
    alike: dict[str, list[Results]] = {}
    for entry in entries:
        told = {
            name: value
            for name, value in entry["settings"].items()
            if name != "training.seed" and not (_analysis(name) and name.split(".")[-1] in _NAMELESS)
        }
        key = repr((sorted(told.items(), key=str), entry["trained_on"], entry["sides"], sorted(entry["clips"])))
        alike.setdefault(key, []).append(entry)
    return [_group(members) for members in alike.values() if len({entry["seed"] for entry in members}) > 1]


def _group(members: Sequence[Results]) -> Results:
    first = members[0]
    rows = []
    for place, row in enumerate(first["rows"]):
        told = {name: _spread([entry["rows"][place][name] for entry in members]) for name in CURVES}
        rows.append({"layer": row["layer"], "depth": row["depth"], **told})
    tests = [entry["test"] for entry in members]
    return {
        "name": f"{first['architecture']}, {len(members)} seeds",
        "runs": [entry["name"] for entry in members],
        "seeds": [entry["seed"] for entry in members],
        "top1": _spread([{"value": scores["top1"]} for scores in tests if scores]),
        "last_block": first["last_block"],
        "rows": rows,
    }


def _spread(values: Sequence[Results | None]) -> Results | None:
    """Mean over runs, their standard deviation, least and greatest; None where a run has no number."""
    known = [value["value"] for value in values if value is not None and value["value"] is not None]
    if not known or len(known) < len(values):
        return None
    array = np.array(known, dtype=float)
    sd = float(array.std(ddof=1)) if len(array) > 1 else 0.0
    return {"value": float(array.mean()), "sd": sd, "least": float(array.min()), "most": float(array.max())}


def _warnings(entries: Sequence[Results]) -> list[str]:
    """What makes the numbers of the runs answers to different questions, in words."""
    said = []
    common = set.intersection(*(entry["clips"] for entry in entries))
    if any(entry["clips"] != common for entry in entries):
        counts = ", ".join(f"{entry['name']} on {len(entry['clips'])}" for entry in entries)
        said.append(
            f"The runs were analysed on different clips ({counts}; {len(common)} in all of them): their label errors "
            "and accuracies are not about the same clips."
        )
    checks: dict[str, Callable[[Results], Any]] = {
        "numbers of neighbours k": lambda entry: entry["k"],
        "numbers of classes": lambda entry: entry["classes"],
        "windows": lambda entry: [entry["settings"].get(f"embed.{name}") for name in ("window", "stride", "how")],
        "distances or kernels": lambda entry: [
            entry["settings"].get(f"graph.graph.{name}") for name in ("distance", "normalise", "band", "kernel")
        ],
        "preprocessing": lambda entry: [
            value for name, value in entry["settings"].items() if name.startswith("preprocessing.")
        ],
    }
    for what, value in checks.items():
        seen = {repr(value(entry)) for entry in entries}
        if len(seen) > 1:
            reach = "already at the input" if what == "preprocessing" else "at every layer"
            said.append(f"The runs have different {what}: their numbers may differ for that alone, {reach}.")
    return said
