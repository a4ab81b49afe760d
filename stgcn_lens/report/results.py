"""Every number of the report, gathered from the files of a run into one dict that JSON can hold."""

import csv
import json
import math
from collections import Counter
from typing import Any

import numpy as np

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.transforms import EARLIER, Preprocessing
from stgcn_lens.errors import DataError, RunError
from stgcn_lens.files import file_hash
from stgcn_lens.report import missing, studies
from stgcn_lens.runs import Run, plain
from stgcn_lens.skeleton import from_record

MEASURES = {"knn": "kNN", "nnk": "NNK", "laplacian": "Laplacian"}
CONFIDENCE = 0.95  # of every interval in the run folder
TOP = 3  # joints named for a class
LOGITS = "logits"  # the layer that is no block

Results = dict[str, Any]
Row = dict[str, Any]


def collect(run: Run) -> Results:
    """All that the run's files say, but for single clips (`samples`) and wording (`sentences`).

    Raises
    ------
    RunError : the run has no finished `train`, or a file of a finished stage is missing or broken.
    """
    run.key("train")
    manifest = run.manifest()
    done = [name for name, record in manifest["stages"].items() if record["status"] == "done"]
    description = run.read_json("model.json")
    rows = clip_rows(run)
    layers = run.read_json("layers.json") if "graph" in done else []
    localised = "explain" in done and (run / "saliency/localisation.json").is_file()
    analysed = run.read_array("embeddings/clips.npy") if "embed" in done else None
    dropped = _dropped(run, manifest)
    results: Results = {
        "run": run.path.resolve().name,
        "confidence": CONFIDENCE,
        "data": _data(run, manifest, rows, description),
        "analysed": None if analysed is None else len(analysed),
        "model": _model(run, description),
        "dropped": dropped,
        "dropped_entries": len(dropped),
        "metrics": {split: with_interval(scores) for split, scores in run.read_json("metrics.json").items()},
        "confusion": _confusion(run, description["classes"]),
        "training": _training(run),
        "layers": layers,
        "curve": _curve(layers),
        "saliency": _saliency(run, rows, analysed, description) if "explain" in done else None,
        "localisation": run.read_json("saliency/localisation.json") if localised else [],
        "studies": studies.collect(run),
        "stages": _stages(manifest),
        "missing": missing.parts(run, manifest, localised),
    }
    return plain(results)


def clip_rows(run: Run) -> list[Row]:
    """The lines of clips.csv; numbers as numbers, None where a field is empty."""
    numbers = {name: int for name in ("clip", "label", "subject", "view", "frames", "bodies", "predicted")}
    kinds: dict[str, Any] = {**numbers, "confidence": float}
    path = run / "clips.csv"
    try:
        with path.open(newline="") as stream:
            return [
                {key: None if value == "" else kinds.get(key, str)(value) for key, value in line.items()}
                for line in csv.DictReader(stream)
            ]
    except FileNotFoundError as error:
        raise RunError("missing from the run", file=path, fix=f"run: stgcn-lens train {run.path}") from error
    except ValueError as error:
        raise RunError(f"not a table of clips ({error})", file=path, fix="run train again with --force") from error


def preprocessing(description: dict[str, Any]) -> Preprocessing:
    """How the model's clips are prepared, as model.json says."""
    try:
        return Preprocessing(**{**EARLIER, **description["preprocessing"]})
    except (KeyError, TypeError) as error:
        raise RunError(f"model.json holds no preprocessing that this version knows ({error})") from error


def open_data(run: Run) -> ClipSet:
    """The clips of the run, in their folder or where the manifest says; `DataError` if they are gone."""
    elsewhere = run.manifest().get("data")
    return ClipSet.open(run / "data" if elsewhere is None else run.path / elsewhere)


def relative_depth(layers: list[str]) -> list[float | None]:
    """Depth of each layer: 0 for the input, 1 for the last block; None for the logits, which are no block."""
    blocks = sum(layer != LOGITS for layer in layers) - 1
    return [None if layer == LOGITS else place / max(1, blocks) for place, layer in enumerate(layers)]


def flat(config: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested settings as (dotted name, value)."""
    pairs: list[tuple[str, Any]] = []
    for key, value in config.items():
        if isinstance(value, dict):
            pairs += flat(value, f"{prefix}{key}.")
        else:
            pairs.append((f"{prefix}{key}", value))
    return pairs


def _data(run: Run, manifest: dict[str, Any], rows: list[Row], description: dict[str, Any]) -> dict[str, Any]:
    frames = [row["frames"] for row in rows]
    data: dict[str, Any] = {
        "clips": len(rows),
        "classes": len(description["classes"]),
        "layout": description["layout"],
        "joints": from_record(description).V,
        "splits": dict(sorted(Counter(row["split"] for row in rows).items())),
        "subjects": len({row["subject"] for row in rows} - {None}),
        "views": len({row["view"] for row in rows} - {None}),
        "frames": {"min": min(frames), "median": float(np.median(frames)), "max": max(frames)},
        "two_bodies": sum(row["bodies"] > 1 for row in rows),
        "split_by": manifest["stages"]["train"]["config"].get("split"),
    }
    try:
        clips = open_data(run)
        data.update(source=clips.source, units=clips.units, fps=clips.fps, problem=None)
    except DataError as error:
        data.update(source="clips that are gone", units=None, fps=None, problem=str(error))
    return data


def _model(run: Run, description: dict[str, Any]) -> dict[str, Any]:
    weights = run / "model.safetensors"
    return {
        "name": description["architecture"]["model"],
        "config": description["architecture"]["config"],
        "parameters": description["parameters"],
        "channels": description["channels"],
        "bodies": description["bodies"],
        "classes": description["classes"],
        "preprocessing": description["preprocessing"],
        "checkpoint_sha256": file_hash(weights) if weights.is_file() else description.get("weights_sha256"),
    }


def _dropped(run: Run, manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """What was left out and why: while reading, then by every stage."""
    try:
        found = [{"stage": "read", **vars(fault)} for fault in open_data(run).faults]
    except DataError:
        found = []
    for stage, record in manifest["stages"].items():
        if stage != "report":
            for item in record.get("dropped", []):
                found.append({"stage": stage, "file": item["clip"], "reason": item["reason"], "dropped": "clip"})
    return found


def with_interval(scores: dict[str, Any]) -> dict[str, Any]:
    """Top-1 with Wilson's interval for a share of n clips."""
    z, n, p = 1.959964, scores["n"], scores["top1"]
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return {**scores, "top1_ci_low": (middle - half) / scale, "top1_ci_high": (middle + half) / scale}


def _confusion(run: Run, classes: list[str]) -> dict[str, Any] | None:
    """Counts (true, predicted) of the test clips, what they say of each class, and the pairs most mistaken."""
    path = run / "confusion.csv"
    if not path.is_file():
        return None
    with path.open(newline="") as stream:
        counts = np.array([[int(value) for value in line[-len(classes) :]] for line in list(csv.reader(stream))[1:]])
    hits, true, predicted = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    if not true.any():
        return None
    others = counts * (1 - np.eye(len(classes), dtype=int))
    per_class = [
        {
            "class_name": name,
            "n": true[c],
            "recall": hits[c] / true[c] if true[c] else None,
            "precision": hits[c] / predicted[c] if predicted[c] else None,
            "mistaken_for": classes[others[c].argmax()] if others[c].any() else None,
            "mistaken": others[c].max(),
        }
        for c, name in enumerate(classes)
    ]
    pairs = [
        {"true": classes[a], "predicted": classes[b], "n": counts[a, b], "share": counts[a, b] / true[a]}
        for a, b in np.argwhere(others > 0)
    ]
    pairs.sort(key=lambda pair: (-pair["n"], -pair["share"], pair["true"], pair["predicted"]))
    return {"counts": counts, "per_class": per_class, "mistakes": pairs[:TOP], "wrong": others.sum(), "n": true.sum()}


def _training(run: Run) -> dict[str, Any] | None:
    """The log of the training, and its first and last line; None where the weights came ready-made."""
    path = run / "train_log.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    if not lines:
        return None
    seconds = sum(line.get("seconds", 0.0) for line in lines)
    return {"log": lines, "first": lines[0], "last": lines[-1], "seconds": seconds}


def _curve(layers: list[dict[str, Any]]) -> dict[str, Any] | None:
    """How each label error moves from the input to the last block."""
    blocks = [entry for entry in layers if entry["layer"].startswith("block_")]
    if len(blocks) < 2 or layers[0]["layer"] != "input":
        return None
    first, last, path = layers[0], blocks[-1], [layers[0], *blocks]
    curve: dict[str, Any] = {
        "first_layer": first["layer"],
        "last_layer": last["layer"],
        "neighbours_first": first["mean_nnk_neighbours"],
        "neighbours_last": last["mean_nnk_neighbours"],
        "overlap_last": last["overlap_input"],
        "knn_floor": last["knn_floor"],
    }
    for key in MEASURES:
        errors = [entry[f"{key}_label_error"] for entry in path]
        begin, end = errors[0], errors[-1]
        # A graph without edges has no Laplacian error: NaN goes through, and comes out as no number.
        values = np.array([np.nan if error["value"] is None else error["value"] for error in errors])
        drops = -np.diff(values)
        largest = int(np.argmax(np.nan_to_num(drops, nan=-np.inf)))
        known = None not in (begin["ci_low"], begin["ci_high"], end["ci_low"], end["ci_high"])
        curve[key] = {
            "first": begin,
            "last": end,
            "ratio": values[-1] / values[0] if values[0] else None,
            "apart": known and (end["ci_high"] < begin["ci_low"] or begin["ci_high"] < end["ci_low"]),
            "largest_step": {"layer": path[largest + 1]["layer"], "drop": drops[largest]},
            "rises": (drops < 0).sum(),
            "steps": len(drops),
        }
    return curve


def _saliency(run: Run, rows: list[Row], analysed: np.ndarray | None, description: dict[str, Any]) -> dict[str, Any]:
    """The class-by-joint table of every layer, and the joints it names for each class.

    A map speaks for the class it explains: clips are counted under their predicted class. Signed maps have no table.
    """
    about = run.read_json("saliency/saliency.json")
    joints = from_record(description).joints
    chosen = range(len(rows)) if analysed is None else [int(row) for row in analysed]
    clips = Counter(rows[row]["predicted"] for row in chosen)
    tables: dict[str, Any] = {}
    for layer in [] if about["signed"] else about["layers"]:
        values = run.read_array(f"saliency/{layer['layer']}/class_by_joint.npy").astype(float)
        top = []
        # Where all joints are alike (silent clips, or a network that does not keep joints apart), none leads.
        leads = np.ptp(values, axis=1) > 1e-4 * values.max(axis=1)  # False of NaN: no clip
        for c, name in enumerate(description["classes"]):
            order = np.argsort(-values[c], kind="stable")[: TOP if leads[c] else 0]
            named = [{"joint": joints[v], "value": values[c, v]} for v in order]
            top.append({"class_name": name, "n": clips[c], "joints": named})
        leaders = Counter(entry["joints"][0]["joint"] for entry in top if entry["joints"])
        common, count = leaders.most_common(1)[0] if leaders else (None, 0)
        tables[layer["layer"]] = {
            "values": values,
            "alike": bool(not leads.any() and (values > 0).any()),
            "top": top,
            "classes": sum(leaders.values()),
            "distinct_leaders": len(leaders),
            "common_leader": {"joint": common, "classes": count},
        }
    return {**about, "joints": joints, "tables": tables, "shown": about["layers"][-1]["layer"]}


def _stages(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    kept = ("status", "seconds", "device", "command", "started", "versions", "config")
    found = []
    for name, record in manifest["stages"].items():
        if name != "report":
            # A seed may lie deeper in the configuration than the record looks.
            seeds = [value for key, value in flat(record.get("config") or {}) if key.split(".")[-1] == "seed"]
            seed = record.get("seed") if record.get("seed") is not None else next(iter(seeds), None)
            found.append({"stage": name, "seed": seed, **{key: record.get(key) for key in kept}})
    return found
