"""Results of studies as a run holds them, small and with numbers that are easy to follow."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from app.sources import ClipRow, Source
from app.state import Selection


def selection(source: Source, row: ClipRow, layer: str) -> Selection:
    """A selection of a clip and a layer; whatever else is chosen is as when the app opens."""
    known: dict[str, Any] = {"source": source, "clip": row, "layer": layer, "target": "predicted", "method": "gradcam"}
    known |= {"against": "no other class", "places": {}}
    return Selection(**{field.name: known[field.name] for field in fields(Selection)})


def value(number: float, spread: float = 0.05, **more: Any) -> dict[str, Any]:
    return {"value": number, "ci_low": number - spread, "ci_high": number + spread, **more}


def noise(*, beside: bool = False) -> dict[str, Any]:
    """Gaussian noise at two levels and a lost body; accuracy 0.9, 0.8, 0.4 and 0.7."""

    def layers(worse: float) -> list[dict[str, Any]]:
        found = []
        for place, name in enumerate(("input", "block_1", "block_10", "logits")):
            errors = {f"{kind}_label_error": value(0.5 - 0.1 * place + worse) for kind in ("knn", "nnk", "laplacian")}
            map = None if name in ("input", "logits") else value(1 - worse)
            found.append({"layer": name, **errors, "overlap": value(1 - worse), "rank_correlation": map})
        return found

    def network(name: str) -> dict[str, Any]:
        hurt = (("gaussian", 20.0, 0.8, 0.02), ("gaussian", 0.0, 0.4, 0.3), ("second_body", None, 0.7, 0.1))
        clean = [{k: v for k, v in row.items() if k.endswith("error") or k == "layer"} for row in layers(0)]
        return {
            "name": name,
            "layers": ["input", "block_1", "block_10", "logits"],
            "last_block": "block_10",
            "clean": {"accuracy": value(0.9), "layers": clean},
            "conditions": [
                {"kind": kind, "level": level, "accuracy": value(top1), "layers": layers(worse)}
                for kind, level, top1, worse in hurt
            ],
            "accuracy_halves": [{"kind": "gaussian", "level": 2.0, "text": "accuracy halves at 2 dB"}],
            "findings": {"finding_2": {"verdict": "confirmed", "text": "confirmed: it moves by +0.02 [+0.01, +0.03]"}},
        }

    return {
        "kinds": [
            {"kind": "gaussian", "unit": "dB", "levels": [20.0, 0.0]},
            {"kind": "second_body", "unit": None, "levels": []},
        ],
        "networks": [network("plain"), *([network("hardened")] if beside else [])],
        "beside": {"text": "hardened loses less"} if beside else None,
        "not_run": [{"kind": "jitter", "why": "not asked for"}],
        "remarks": [],
    }


def transfer() -> dict[str, Any]:
    """Cuts at three layers; the best with all clips is block_1, smoothness foretells block_10."""
    order = ["input", "block_1", "block_10"]
    best = {"input": 0.8, "block_1": 0.85, "block_10": 0.6, "scratch": 0.5}
    return {
        "layers": order,
        "cuts": order,
        "accuracy": [
            {"cut": cut, "shots": shots, **value(top1 - less), "n": 40}
            for shots, less in (("1", 0.3), ("full", 0.0))
            for cut, top1 in best.items()
            if cut != "scratch" or shots == "full"
        ],
        "label_errors": [
            {"layer": layer, "side": side, "measure": measure, **value(0.4 - 0.1 * place), "chance": 0.9}
            for place, layer in enumerate(order)
            for side in ("train", "test")
            for measure in ("knn", "nnk")
        ],
        "prediction": {
            "rule": "the deepest layer that cannot be told from the least",
            "knn": {"cut": "block_10"},
            "scores": [
                {
                    "predictor": "smoothness",
                    "cut": "block_10",
                    "strict": {"within_one": 0.5, "distance": 1.0},
                    "wide": {"within_one": 1.0, "distance": 0.0},
                    "accuracy_lost": 0.25,
                }
            ],
            "sentence": "Smoothness alone predicts block_10.",
        },
        "findings": {"finding_3": {"verdict": "undecided", "why": "the interval holds 0.95"}},
        "target": {"notes": ["joints by name"], "dropped": [{"clip": "x", "reason": "no body"}]},
    }


def depth(layers: list[dict[str, Any]], classes: tuple[str, ...]) -> dict[str, Any]:
    """A study of layers with one control, whose errors are one half everywhere, a quarter for the first class."""
    rows = [{"layer": row["layer"], "knn_label_error": value(0.5)} for row in layers]
    told = [{"class_name": classes[0], "knn_label_error": {row["layer"]: 0.25 for row in layers}}]
    return {"networks": {"trained": {"rows": rows}, "untrained": {"rows": rows, "classes": told}}}


def put(run: Path, name: str, study: dict[str, Any]) -> None:
    (run / "studies").mkdir(exist_ok=True)
    (run / "studies" / f"{name}.json").write_text(json.dumps(study))
