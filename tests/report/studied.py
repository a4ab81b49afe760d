"""Studies written by hand into a run, key by key as their commands write them."""

from typing import Any

from stgcn_lens.runs import Run
from stgcn_lens.viz import figures
from tests.report.conftest import CLASSES, KNN, LAYERS, STRIDES

SCALE = {"trained": 1.0, "untrained": 1.25, "shuffled": 1.125}  # of the label errors beyond the input


def value(number: float, width: float = 0.02, **more: float) -> dict[str, float]:
    return {"value": number, "ci_low": number - width, "ci_high": number + width, **more}


def write(run: Run, *names: str) -> None:
    makers = {"layers": layers, "noise": noise, "transfer": transfer, "scores": scores}
    for name in names:
        folder = "scores" if name == "scores" else "studies"
        run.write_json(f"{folder}/{name}.json", makers[name]())
    if "noise" in names:
        drawn = figures.svg(
            figures.curves(["a", "b"], [figures.Series("x", [0, 1])], ylabel="y"), "n", "Dose & response"
        )
        run.write_text("studies/noise_gaussian.svg", drawn)
    if "transfer" in names:
        drawn = figures.svg(
            figures.curves(["a", "b"], [figures.Series("x", [1, 0])], ylabel="y"), "t", "Cut against accuracy"
        )
        run.write_text("studies/transfer.svg", drawn)


def layers() -> dict[str, Any]:
    last = KNN["block_3"] / KNN["input"]
    return {
        "study": "layers",
        "config": {"separable": 0.5, "sensitivity": "all"},
        "n": 12,
        "layers": list(LAYERS),
        "networks": {name: _network(name) for name in SCALE},
        "sensitivity": {
            "layers": ["input", "block_3"],
            "rows": [
                {
                    **{"window": 4, "stride": 2, "k": k, "kernel": "gaussian", "knn_floor": 0.0},
                    "knn_label_error": {"input": 0.61, "block_3": 0.16},
                    "nnk_label_error": {"input": 0.31, "block_3": 0.08},
                    **{"knn_ratio": 0.2625, "nnk_ratio": 0.258, "knn_spearman": -1.0, "nnk_spearman": -0.75},
                }
                for k in (5, 15)
            ],
            "survives": True,
            "sentence": "The order of the layers survives every setting.",
        },
        "findings": {"finding_1": {"finding": 1, "verdict": "confirmed", "why": "it falls", "ratio": value(last)}},
    }


def _network(name: str) -> dict[str, Any]:
    rows = []
    for place, layer in enumerate(LAYERS):
        error = KNN[layer] * (SCALE[name] if place else 1.0)
        rows.append(
            {
                **{"layer": layer, "channels": 8, "stride": STRIDES[layer]},
                "depth": None if layer == "logits" else place / 3,
                "knn_label_error": value(error, chance=0.76),
                "nnk_label_error": value(error / 2, chance=0.76),
                "laplacian_label_error": value(error * 0.7, chance=0.76),
                "local_dimension": value(2.5 - error),
            }
        )
    square = [[1.0 if a == b else 0.5 + 0.0625 * min(a, b) for b in range(5)] for a in range(5)]
    classes = [
        {
            **{"class_name": called, "n": 3, "layer": None if c == 3 else "block_1", "surely": None},
            "knn_label_error": {layer: 0.25 * c for layer in LAYERS},
        }
        for c, called in enumerate(CLASSES)
    ]
    return {
        "run": "." if name == "trained" else f"studies/controls/{name}",
        "epochs": {"trained": 4, "untrained": 0, "shuffled": 2}[name],
        "metrics": {"test": {"top1": 0.75 if name == "trained" else 0.25}},
        "last_block": "block_3",
        "rows": rows,
        "ratio": value(SCALE[name] * KNN["block_3"] / KNN["input"]),
        "classes": classes,
        "separable": {"input": 0, "block_1": 3, "block_2": 0, "block_3": 0, "never": 1},
        "between_layers": {"layers": list(LAYERS), "overlap": square, "cka": square},
    }


def noise() -> dict[str, Any]:
    return {
        "study": "noise",
        "networks": [
            {
                "name": "run",
                "sentences": [{"kind": "gaussian", "text": "Gaussian noise hardly moves it."}],
                "accuracy_halves": [{"kind": "joint_dropout", "level": None, "text": "accuracy halves nowhere"}],
            }
        ],
        "findings": {"finding_2": {"verdict": "undecided", "text": "undecided: the interval is wide."}},
        "figures": [
            {"kind": "gaussian", "file": "studies/noise_gaussian.svg", "alt": "dose", "text": "It hardly moves."},
            {"kind": "outside", "file": "../../outside.svg", "alt": "no", "text": "no"},
        ],
    }


def transfer() -> dict[str, Any]:
    return {
        "accuracy": [
            {"cut": "input", "shots": "full", **value(0.8125), "to_full": None},
            {"cut": "block_2", "shots": "full", **value(0.78125), "to_full": value(0.9615)},
        ],
        "prediction": {"sentence": "The predicted cut is the best one."},
        "findings": {"finding_3": {"verdict": "confirmed", "why": "it reaches it"}},
    }


def scores() -> dict[str, Any]:
    about = {"method": "gradcam", "layer": "block_3", "why": "deletion 0.25 against 0.5"}
    return {
        "rows": [{"method": "gradcam", "value": 0.25}, {"method": "gradcam", "values": [{"value": 0.1}]}],
        "verdicts": [{**about, "better_than_motion": "yes"}, {**about, "layer": "block_1", "better_than_motion": "no"}],
    }
