"""What a study found as tables: of label errors and tunings, and all of it as one tidy CSV."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from stgcn_lens.intervals import of_mean
from stgcn_lens.studies.transfer.label_errors import MEASURES, chance

COLUMNS = ("what", "cut", "shots", "seed", "side", "measure", "value", "ci_low", "ci_high", "chance", "n")


def error_rows(
    errors: Mapping[str, Mapping[str, np.ndarray]],
    labels: Mapping[str, np.ndarray],
    k: Mapping[str, int],
    layers: Sequence[str],
    *,
    seed: int,
    resamples: int,
) -> list[dict[str, Any]]:
    """Label errors of every side, measure and layer, with interval and chance.

    Parameters
    ----------
    errors : side -> measure -> (L, n) of each clip. `labels` : side -> (n,) classes. `k` : side -> neighbours.
    """
    rows = []
    for side, measures in errors.items():
        expected = chance(labels[side])
        for name in MEASURES:
            for layer, each in zip(layers, measures[name], strict=True):
                value = of_mean(each, seed=seed, resamples=resamples)
                about = {"layer": layer, "side": side, "measure": name, "value": value.value}
                about |= {"ci_low": value.ci_low, "ci_high": value.ci_high, "chance": expected}
                rows.append({**about, "n": len(each), "k": k[side]})
    return rows


def as_csv(found: Mapping[str, Any]) -> str:
    """One row a number, of what `transfer.json` holds."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(_rows(found))
    return stream.getvalue()


def _rows(found: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    for row in found["label_errors"]:
        yield {**row, "what": "label_error", "cut": row["layer"]}
    for row in found["tunings"]:
        for measure in ("top1", "loss", "clips", "steps", "parameters", "seconds"):
            yield {**row, "what": "tuning", "measure": measure, "value": row[measure]}
    for row in found["accuracy"]:
        yield {**row, "what": "accuracy", "measure": "top1"}
        if row["to_full"] is not None:
            about = {name: row[name] for name in ("cut", "shots", "n")}
            yield {**about, **row["to_full"], "what": "to_full", "measure": "ratio"}
    for row in found["prediction"]["scores"]:
        for kind in ("strict", "wide"):
            for measure, value in row[kind].items():
                name = f"{row['predictor']}: {measure}, {kind}"
                yield {"what": "prediction", "cut": row["cut"], "measure": name, "value": value, "n": row["cells"]}
