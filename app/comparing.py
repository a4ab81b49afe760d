"""Several runs beside each other: their layers on one scale of depth, and what each makes of the same clips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from app import analysis, sources
from stgcn_lens.errors import LensError
from stgcn_lens.runs import Run

MEASURES = {
    "knn_label_error": "kNN label error",
    "nnk_label_error": "NNK label error",
    "laplacian_label_error": "Laplacian label error",
    "knn_accuracy": "kNN accuracy",
    "mean_nnk_neighbours": "NNK neighbours (local dimension)",
}
_LOGITS = "logits"


@dataclass(frozen=True, eq=False)
class Compared:
    """A run that has been analysed.

    `layers`: rows of layers.json. `clips`: name -> (class, predicted class, confidence) of the clips under analysis.
    """

    name: str
    path: Path
    architecture: str
    top1: float | None
    layers: list[dict[str, Any]]
    clips: Mapping[str, tuple[str, str, float | None]]

    @property
    def last_block(self) -> dict[str, Any]:
        """The row of the deepest layer before the logits."""
        return next((row for row in reversed(self.layers) if row["layer"] != _LOGITS), self.layers[-1])


def find(beside: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """Runs in the folder that a run lies in: those analysed by name, and for each of the others the command."""
    ready, missing = {}, {}
    for path in sources.find_runs(beside.parent):
        if (path / "layers.json").is_file():
            ready[path.name] = path
        else:
            missing[path.name] = f"stgcn-lens embed {path}; stgcn-lens graph {path}"
    return ready, missing


def alike(beside: Path, others: Mapping[str, Path]) -> str:
    """Of some runs the newest that knows the same classes, so that a comparison means something; else the newest."""
    classes = _told(Run(beside), "model.json", "classes")
    same = (name for name, path in others.items() if _told(Run(path), "model.json", "classes") == classes)
    return next(same, next(iter(others)))


def read(name: str, path: Path) -> Compared:
    """A run's numbers; `RunError` where its files are damaged."""
    return _read(name, str(path), sources.stamp(path))


@st.cache_resource(max_entries=12, show_spinner="Reading the runs ...")
def _read(name: str, path: str, stamp: str) -> Compared:
    source = sources.open_source(path, stamp)
    run, classes = Run(Path(path)), source.classes
    called = lambda number: "" if number is None or number >= len(classes) else classes[number]  # noqa: E731
    clips = {row.name: (row.class_name, called(row.predicted), row.confidence) for row in source.rows}
    return Compared(name, Path(path), _network(run), _top1(run), analysis.layer_table(path, stamp), clips)


def _told(run: Run, file: str, key: str) -> str:
    try:
        return str(run.read_json(file).get(key) or "")
    except LensError:
        return ""


def _network(run: Run) -> str:
    try:
        told = run.read_json("model.json").get("architecture")
    except LensError:
        return ""
    return str(told.get("model") if isinstance(told, dict) else told or "")


def _top1(run: Run) -> float | None:
    try:
        metrics = run.read_json("metrics.json")
        return float(metrics["test"]["top1"])
    except (LensError, KeyError, TypeError, ValueError):
        return None


def lines(runs: Sequence[Compared], measure: str) -> pd.DataFrame:
    """One line a run and layer; depth is 0 at the input, 1 at the last block; the logits, no block, are left out."""
    found = []
    for run in runs:
        blocks = [row for row in run.layers if row["layer"] != _LOGITS]
        for place, row in enumerate(blocks):
            told = row.get(measure)
            if told is None:
                continue
            value = told if isinstance(told, dict) else {"value": told}
            found.append(
                {
                    "run": run.name,
                    "layer": row["layer"],
                    "depth": place / max(1, len(blocks) - 1),
                    "value": value.get("value"),
                    "ci_low": value.get("ci_low"),
                    "ci_high": value.get("ci_high"),
                }
            )
    return pd.DataFrame(found, columns=["run", "layer", "depth", "value", "ci_low", "ci_high"])


def table(runs: Sequence[Compared]) -> pd.DataFrame:
    """One line a run."""
    found = []
    for run in runs:
        first, last = run.layers[0]["knn_label_error"], run.last_block["knn_label_error"]
        found.append(
            {
                "run": run.name,
                "network": run.architecture,
                "top-1": run.top1,
                "layers": len(run.layers),
                "clips": len(run.clips),
                "kNN error, input": first["value"],
                "kNN error, last block": last["value"],
                "left of the input's": last["value"] / first["value"] if first["value"] else None,
                "NNK error, last block": run.last_block["nnk_label_error"]["value"],
            }
        )
    return pd.DataFrame(found)


def sentence(runs: Sequence[Compared]) -> str:
    """Which run tells the classes apart best at its last block, and whether the others can be told from it."""
    ordered = sorted(runs, key=lambda run: run.last_block["knn_label_error"]["value"])
    best, end = ordered[0], ordered[0].last_block["knn_label_error"]
    text = f"Of {len(runs)} runs **{best.name}** has the lowest kNN label error at its last block, "
    text += f"**{end['value']:.2f}** [{end['ci_low']:.2f}, {end['ci_high']:.2f}]"
    close = [run.name for run in ordered[1:] if run.last_block["knn_label_error"]["ci_low"] <= end["ci_high"]]
    apart = [run.name for run in ordered[1:] if run.name not in close]
    if close:
        text += f"; the interval of {', '.join(close)} overlaps with it"
    if apart:
        text += f"; that of {', '.join(apart)} lies above"
    return text + "."


def warning(runs: Sequence[Compared]) -> str:
    """Why the numbers of the runs may not be comparable, in words; "" if they are of the same clips."""
    first = set(runs[0].clips)
    other = [run.name for run in runs[1:] if set(run.clips) != first]
    if not other:
        return ""
    shared = len(first.intersection(*(run.clips for run in runs[1:])))
    return (
        f"The clips under analysis differ between {runs[0].name} and {', '.join(other)} ({shared} are the same): label "
        "errors depend on the clips, so that a part of what differs may be these."
    )


def disagreements(a: Compared, b: Compared) -> pd.DataFrame:
    """Clips of both runs that only one of them takes for what they are."""
    found = []
    for name, (what, said, sure) in a.clips.items():
        if name not in b.clips or not said or not b.clips[name][1]:
            continue
        other = b.clips[name][1]
        if (said == what) != (other == what):
            right = a.name if said == what else b.name
            found.append({"clip": name, "class": what, a.name: said, b.name: other, "right": right, "confidence": sure})
    return pd.DataFrame(found, columns=["clip", "class", a.name, b.name, "right", "confidence"])
