"""From numbers of clips to means with intervals, differences to the controls, and a verdict in words.

The rule of the verdict, written down before any run. A method at a layer is judged by one primary measure: the average
precision against planted evidence where the clips carry it, otherwise the area under the deletion curve of the
probability. Its difference to motion magnitude is taken clip by clip and turned so that more is better. If the whole
95 % percentile interval of its mean over resampled clips lies above zero, the verdict is "yes"; if it lies wholly
below zero, "no"; otherwise "not shown". With fewer than `LEAST` clips it is "not shown". The intervals are those of
single rows: nothing is corrected for the number of rows. The same rule marks every other measure in the table.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from stgcn_lens.explain.contrast import table_contrast
from stgcn_lens.intervals import Value, counts, of_mean, of_statistics
from stgcn_lens.runs import plain
from stgcn_lens.studies.scoring.bench import INPUT
from stgcn_lens.studies.scoring.metrics import METRICS, Measure

LEAST = 10  # clips for a verdict (ours)
PRIMARY = ("average_precision", "deletion")
CONTROLS = ("random", "motion")


@dataclass(frozen=True, eq=False)
class Part:
    """The numbers of one method, metric and layer: `values` measure -> (N,), `curves` measure -> (N, points)."""

    method: str
    metric: str
    layer: str
    values: dict[str, np.ndarray]
    curves: dict[str, np.ndarray]
    seconds: float


def tabulated(parts: Iterable[Part], target: np.ndarray, *, seed: int, resamples: int) -> list[dict[str, Any]]:
    """One row for each method, layer and measure, as JSON can hold it; controls first.

    A row has `value`, `ci_low`, `ci_high`, `n` and `left_out` (clips without this number), and, but for the controls,
    `random` and `motion` (the control's value over the same clips), `difference_to_random`, `difference_to_motion`
    (paired, clip by clip, with interval and n) and `better_than_random`, `better_than_motion`. Curves have `values`,
    a list of points, instead.

    Parameters
    ----------
    target : (N,) the class that each clip's map speaks for.
    """
    parts = list(parts)
    known = {(part.method, part.metric, part.layer): part for part in parts}
    rows = []
    for part in parts:
        others = {
            name: known.get((name, part.metric, part.layer)) or known.get((name, part.metric, INPUT))
            for name in CONTROLS
            if part.method not in CONTROLS
        }
        for measure in METRICS[part.metric].measures:
            about = {
                "method": part.method,
                "layer": part.layer,
                "metric": part.metric,
                "measure": measure.name,
                "better": measure.better,
            }
            if measure.points is not None:
                if measure.name in part.curves:
                    rows.append(about | _curve(part.curves[measure.name], seed, resamples))
                continue
            row = about | _value(_clips(part, measure), measure, target, seed, resamples)
            for name, other in others.items():
                if other is not None:
                    row |= _beside(
                        name, _clips(part, measure), _clips(other, measure), measure, target, seed, resamples
                    )
            rows.append(row)
    return rows


def verdicts(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each method and layer whether it is better than motion magnitude: "yes", "no" or "not shown", and why."""
    by_map: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        if row["method"] not in CONTROLS:
            by_map.setdefault((row["method"], row["layer"]), {})[row["measure"]] = row
    found = []
    for (method, layer), measures in by_map.items():
        primary = next((measures[m] for m in PRIMARY if m in measures and measures[m]["n"]), None)
        verdict: dict[str, Any] = {"method": method, "layer": layer}
        if primary is None or "difference_to_motion" not in primary:
            why = "neither localisation nor removal was scored"
            found.append(verdict | {"measure": None, "better_than_motion": "not shown", "why": why})
            continue
        gap = primary["difference_to_motion"]
        why = f"{primary['measure'].replace('_', ' ')} {primary['value']:.3f} against {primary['motion']:.3f}"
        if gap["n"] < LEAST:
            why += f", {gap['n']} clips are too few"
        else:
            why += f", difference {gap['value']:+.3f} [{gap['ci_low']:+.3f}, {gap['ci_high']:+.3f}], n = {gap['n']}"
        told = {"measure": primary["measure"], "better_than_motion": primary["better_than_motion"], "why": why}
        found.append(verdict | told)
    return found


def _clips(part: Part, measure: Measure) -> np.ndarray:
    """(N,) of a measure; of the table's measures the rows (N, V) that it is made of."""
    return part.curves["profile"] if measure.name.startswith("table_") else part.values[measure.name]


def _statistic(values: np.ndarray, measure: Measure, target: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(R,) of resamples (R, N)."""
    if values.ndim == 1:
        return weights @ values / len(values)
    return table_contrast(values, target, weights)[measure.name == "table_rms"]


def _resampled(values: np.ndarray, measure: Measure, target: np.ndarray, seed: int, resamples: int) -> Value:
    if values.ndim == 1:
        return of_mean(values, seed=seed, resamples=resamples)
    once = float(_statistic(values, measure, target, np.ones((1, len(values))))[0])
    drawn = [_statistic(values, measure, target, block) for block in _blocks(len(values), resamples, seed)]
    return of_statistics(once, np.concatenate(drawn))


def _value(values: np.ndarray, measure: Measure, target: np.ndarray, seed: int, resamples: int) -> dict[str, Any]:
    finite = np.isfinite(values) if values.ndim == 1 else np.ones(len(values), bool)
    n = int(finite.sum())
    if not n:
        return {"value": None, "ci_low": None, "ci_high": None, "n": 0, "left_out": len(values)}
    value = _resampled(values[finite], measure, target[: len(values)][finite], seed, resamples)
    return _numbers(value) | {"n": n, "left_out": len(values) - n}


def _beside(
    name: str,
    values: np.ndarray,
    control: np.ndarray,
    measure: Measure,
    target: np.ndarray,
    seed: int,
    resamples: int,
) -> dict[str, Any]:
    """The control's value and the paired difference to it, over the clips that have both."""
    target = target[: len(values)]
    if values.ndim == 1:
        both = np.isfinite(values) & np.isfinite(control)
        n = int(both.sum())
        if not n:
            return {name: None, f"difference_to_{name}": {**_numbers(None), "n": 0}, f"better_than_{name}": None}
        level = float(control[both].mean())
        gap = of_mean(values[both] - control[both], seed=seed, resamples=resamples)
    else:
        n, one = len(values), np.ones((1, len(values)))
        level, mine = (float(_statistic(v, measure, target, one)[0]) for v in (control, values))
        drawn = [
            _statistic(values, measure, target, block) - _statistic(control, measure, target, block)
            for block in _blocks(n, resamples, seed)
        ]
        gap = of_statistics(mine - level, np.concatenate(drawn))
    return {
        name: plain(level),
        f"difference_to_{name}": {**_numbers(gap), "n": n},
        f"better_than_{name}": better(gap, n, measure),
    }


def better(gap: Value, n: int, measure: Measure) -> str | None:
    """The rule above, "yes", "no" or "not shown"; None for a measure of which no way is better."""
    if measure.better is None:
        return None
    low, high = (gap.ci_low, gap.ci_high) if measure.better == "higher" else (-gap.ci_high, -gap.ci_low)
    if n < LEAST or not low <= high:
        return "not shown"
    return "yes" if low > 0 else "no" if high < 0 else "not shown"


def _curve(values: np.ndarray, seed: int, resamples: int) -> dict[str, Any]:
    """Mean of each point with its interval."""
    points: list[dict[str, Any]] = []
    for column in values.T:
        finite = column[np.isfinite(column)]
        value = of_mean(finite, seed=seed, resamples=resamples) if len(finite) else None
        points.append(_numbers(value) | {"n": len(finite)})
    return {"values": points}


def _numbers(value: Value | None) -> dict[str, Any]:
    names = ("value", "ci_low", "ci_high")
    return {name: None if value is None else plain(getattr(value, name)) for name in names}


def _blocks(n: int, resamples: int, seed: int) -> Iterable[np.ndarray]:
    """Resamples in blocks that hold all pairs of classes at once in little memory."""
    for block in counts(n, resamples, seed):
        yield from np.array_split(block, max(1, len(block) // 100))
