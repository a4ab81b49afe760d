"""The figures of a comparison: every run's curve over relative depth, the accuracies, and the seeds as one."""

from collections.abc import Callable
from functools import partial

from matplotlib.figure import Figure

from stgcn_lens.report.comparison import CURVES, path
from stgcn_lens.report.lines import floats, line
from stgcn_lens.report.results import Results
from stgcn_lens.viz import figures

_ENDS = ("", "_ci_low", "_ci_high")


def draw(found: Results) -> dict[str, Callable[[], Figure]]:
    """A function for every figure of `told`."""
    names = [entry["name"] for entry in found["runs"]]
    layers = None if found["layers"] is None else [row["layer"] for row in path(found["runs"][0])]
    tests = [entry["test"] or {} for entry in found["runs"]]
    top1, low, high = (floats(test.get(f"top1{end}") for test in tests) for end in _ENDS)
    accuracy = figures.Series("top-1", top1, low, high)
    jobs: dict[str, Callable[[], Figure]] = {
        "accuracy": partial(figures.points, names, [accuracy], ylabel="top-1, test clips")
    }
    for name, label in CURVES.items():
        lines = [line(entry["name"], path(entry), name, x=_depths(entry)) for entry in found["runs"]]
        jobs[name] = partial(figures.depth_curves, lines, ylabel=label, layers=layers)
    if found["groups"]:
        lines = []
        for group in found["groups"]:
            rows = [row["knn_label_error"] for row in path(group)]
            mean, sd = (floats([(row or {}).get(key) for row in rows]) for key in ("value", "sd"))
            label = f"{group['name']} (mean ± sd)"
            lines.append(figures.Series(label, mean, mean - sd, mean + sd, x=_depths(group)))
        jobs["seeds"] = partial(figures.depth_curves, lines, ylabel=CURVES["knn_label_error"], layers=layers)
    return jobs


def _depths(entry: Results) -> list[float]:
    return [row["depth"] for row in path(entry)]
