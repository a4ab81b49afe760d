"""From numbers of clips to means over seeds with intervals over clips, changes against clean, and levels of collapse.

A value is the mean over seeds of the mean over clips. Its interval resamples clips, each with all its seeds; the spread
is the standard deviation over seeds. A change is taken clip by clip against the same clip without noise, and resampled
with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stgcn_lens.intervals import Value, of_mean, of_statistics
from stgcn_lens.runs import plain
from stgcn_lens.studies.noise.config import NoiseConfig
from stgcn_lens.studies.noise.measures import Measured
from stgcn_lens.studies.noise.passes import INPUT, LOGITS
from stgcn_lens.studies.noise.thresholds import Crossing, accuracy_halves, geometry_breaks, in_words

ERRORS = ("knn_label_error", "nnk_label_error", "laplacian_label_error")
MEASURES = (*ERRORS, "overlap", "rank_correlation")
_LISTS = {"knn_label_error": "knn", "nnk_label_error": "nnk", "overlap": "overlap"}

Draws = Mapping[int, Measured]  # seed -> what was measured


@dataclass(frozen=True, eq=False)
class Answers:
    """All that was measured of one network: clean, and (kind, level) -> seed -> the condition."""

    layers: tuple[str, ...]
    clean: Measured
    noisy: Mapping[tuple[str, float | None], Draws]

    @property
    def blocks(self) -> tuple[str, ...]:
        """The layers that have maps."""
        return tuple(layer for layer in self.layers if layer not in (INPUT, LOGITS))

    @property
    def last(self) -> str:
        """The deepest block, or the deepest layer where no block was looked at."""
        return (self.blocks or self.layers)[-1]


def chance(labels: np.ndarray) -> float:
    """Mean of all three label errors when labels are permuted: 1 - the share of pairs of clips of one class."""
    size, n = np.bincount(labels), len(labels)
    return float(1 - (size * (size - 1)).sum() / (n * (n - 1)))


def told(answers: Answers, config: NoiseConfig, level_of_chance: float) -> dict[str, Any]:
    """Everything about one network as JSON can hold it: `clean`, `conditions`, `accuracy_halves`, `geometry_breaks`."""
    clean, conditions = answers.clean, []
    for (kind, level), draws in answers.noisy.items():
        parts = list(draws.values())
        layers = []
        for place, layer in enumerate(answers.layers):
            row: dict[str, Any] = {"layer": layer}
            for name in MEASURES:
                row[name] = _at_layer(answers, parts, name, place, config)
            layers.append(row)
        accuracy = _numbers(np.stack([part.right for part in parts]), clean.right, config)
        conditions.append({"kind": kind, "level": level, "accuracy": accuracy, "layers": layers})
    found = {
        "clean": {
            "accuracy": plain(_value(_mean(clean.right, config))),
            "layers": [
                {"layer": layer, **{name: _clean(clean, name, place, config) for name in ERRORS}}
                for place, layer in enumerate(answers.layers)
            ],
        },
        "conditions": conditions,
    }
    return found | _collapse(found, config, level_of_chance)


def differences(first: Answers, second: Answers, config: NoiseConfig) -> list[dict[str, Any]]:
    """Second minus first, paired over clips under the same noise: accuracy, and kNN label error at the last block."""
    rows = []
    for key, draws in first.noisy.items():
        pairs = [(draws[seed], second.noisy[key][seed]) for seed in draws]
        right = np.mean([b.right - a.right for a, b in pairs], axis=0)
        at = first.layers.index(first.last), second.layers.index(second.last)
        knn = np.mean([b.knn[at[1]] - a.knn[at[0]] for a, b in pairs], axis=0)
        both = {"accuracy": _mean(right, config), "knn_label_error": _mean(knn, config)}
        rows.append({"kind": key[0], "level": key[1], **{name: plain(_value(v)) for name, v in both.items()}})
    return rows


def by_kind(conditions: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The conditions of each kind, mild ones first."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for condition in conditions:
        found.setdefault(condition["kind"], []).append(condition)
    return found


def layer_of(condition: Mapping[str, Any], layer: str) -> dict[str, Any]:
    """What a condition, or the clean one, says of a layer."""
    return next(row for row in condition["layers"] if row["layer"] == layer)


def _collapse(found: Mapping[str, Any], config: NoiseConfig, level_of_chance: float) -> dict[str, Any]:
    halves, breaks = [], []
    grouped = by_kind(found["conditions"])
    for row in (row for row in config.rows if row.unit is not None and row.name in grouped):
        some = grouped[row.name]
        levels = [condition["level"] for condition in some]
        accuracy = [condition["accuracy"]["value"] for condition in some]
        half = accuracy_halves(row, levels, accuracy, found["clean"]["accuracy"]["value"])
        halves.append({"kind": row.name, **_crossed(half, in_words(half, row, levels, "accuracy halves"))})
        for clean in found["clean"]["layers"]:
            layer = clean["layer"]
            errors = [layer_of(condition, layer)["knn_label_error"]["value"] for condition in some]
            gone = geometry_breaks(row, levels, errors, clean["knn_label_error"]["value"], level_of_chance)
            words = in_words(gone, row, levels, f"the geometry of {layer} breaks")
            breaks.append({"kind": row.name, "layer": layer, **_crossed(gone, words)})
    return {"accuracy_halves": halves, "geometry_breaks": breaks}


def _crossed(crossing: Crossing, words: str) -> dict[str, Any]:
    return {"level": crossing.level, "state": crossing.state, "text": words}


def _at_layer(
    answers: Answers, parts: Sequence[Measured], name: str, place: int, config: NoiseConfig
) -> dict[str, Any] | None:
    clean = answers.clean
    if name == "laplacian_label_error":
        values = np.array([part.laplacian[place] for part in parts])
        drawn = np.mean([part.laplacian_draws[place] for part in parts], axis=0)
        change = values.mean() - clean.laplacian[place]
        return {
            **_value(of_statistics(float(values.mean()), drawn)),
            **_seeds(values),
            "n": len(clean.right),
            "change": _value(of_statistics(float(change), drawn - clean.laplacian_draws[place])),
        }
    if name == "rank_correlation":
        if answers.layers[place] not in answers.blocks:
            return None
        at = answers.blocks.index(answers.layers[place])
        return _numbers(np.stack([part.correlation[at] for part in parts]), None, config)
    values = np.stack([getattr(part, _LISTS[name])[place] for part in parts])
    return _numbers(values, getattr(clean, _LISTS[name])[place] if name in ERRORS else None, config)


def _numbers(values: np.ndarray, clean: np.ndarray | None, config: NoiseConfig) -> dict[str, Any]:
    """Of values (seeds, N) of which some may be NaN; `clean` (N,) of the same clips, or None."""
    there = np.isfinite(values)
    some = there.any(axis=0)
    if not some.any():
        nothing = {"value": None, "ci_low": None, "ci_high": None}
        return {**nothing, "per_seed": [None] * len(values), "spread": None, "n": 0, "change": None}
    mean = np.where(there, values, 0).sum(axis=0)[some] / there.sum(axis=0)[some]
    each = np.array([row[ok].mean() if ok.any() else np.nan for row, ok in zip(values, there, strict=True)])
    change = None if clean is None else _value(_mean(mean - clean[some], config))
    return {**_value(_mean(mean, config)), **_seeds(each), "n": int(some.sum()), "change": change}


def _clean(clean: Measured, name: str, place: int, config: NoiseConfig) -> dict[str, Any]:
    if name == "laplacian_label_error":
        return _value(of_statistics(float(clean.laplacian[place]), clean.laplacian_draws[place]))
    return _value(_mean(getattr(clean, _LISTS[name])[place], config))


def _mean(per_clip: np.ndarray, config: NoiseConfig) -> Value:
    return of_mean(per_clip, seed=config.seed, resamples=config.resamples)


def _value(value: Value) -> dict[str, Any]:
    return {name: plain(getattr(value, name)) for name in ("value", "ci_low", "ci_high")}


def _seeds(values: np.ndarray) -> dict[str, Any]:
    return {"per_seed": plain(values), "spread": plain(values.std(ddof=1)) if len(values) > 1 else None}
