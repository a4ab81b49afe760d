"""The figures of a report, drawn from its results and from the chosen clips."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from stgcn_lens.report import study_figures
from stgcn_lens.report.lines import floats, line
from stgcn_lens.report.results import MEASURES, Results
from stgcn_lens.report.samples import Moving
from stgcn_lens.skeleton import get_layout
from stgcn_lens.viz import figures, film, matrices

Progress = Callable[[int, int], None]
_HALF = 5.1  # inches: two figures beside each other


def draw(gathered: Results, moving: Sequence[Moving | None], progress: Progress) -> dict[str, str]:
    """Every figure that the results allow, name -> SVG; the clips' film strips are strip_1, strip_2, ..."""
    jobs = {**_layers(gathered), **_saliency(gathered), **study_figures.draw(gathered["studies"]["layers"])}
    jobs |= _accuracy(gathered)
    alts = {name: entry["alt"] for name, entry in gathered["figures"].items()}
    bones = get_layout(gathered["data"]["layout"]).bones
    for i, (about, shown) in enumerate(zip(gathered["samples"], moving, strict=True)):
        if shown is not None:
            alts[f"strip_{i + 1}"] = f"Film strip of {about['name']}, saliency as colour and size of the joints."
            jobs[f"strip_{i + 1}"] = partial(
                film.film_strip,
                shown.points,
                shown.valid,
                bones,
                saliency=shown.saliency,
                captions=[f"{second:.2f} s" for second in shown.seconds],
                width=_HALF,
            )
    drawn = {}
    for number, (name, job) in enumerate(jobs.items()):
        progress(number, len(jobs))
        drawn[name] = figures.svg(job(), name, alts[name])
    progress(len(jobs), len(jobs))
    return drawn


def _layers(gathered: Results) -> dict[str, Callable[[], Figure]]:
    layers = gathered["layers"]
    if not layers:
        return {}
    names = [entry["layer"] for entry in layers]
    errors = [line(label, layers, f"{key}_label_error") for key, label in MEASURES.items()]
    chance = floats(entry["knn_label_error"]["chance"] for entry in layers)
    count = figures.Series("mean NNK neighbours", floats(entry["mean_nnk_neighbours"] for entry in layers))
    overlaps = [line("with the input", layers, "overlap_input")]
    overlaps.append(line("with the layer before", layers, "overlap_previous"))
    curves = partial(figures.curves, names, width=_HALF)
    return {
        "label_error": partial(figures.label_error_curve, names, errors, chance),
        "neighbours": partial(curves, [count], ylabel="neighbours"),
        "overlap": partial(curves, overlaps, ylabel="overlap (Jaccard)", limits=(0.0, 1.02)),
    }


def _saliency(gathered: Results) -> dict[str, Callable[[], Figure]]:
    saliency, found = gathered["saliency"], gathered["localisation"]
    jobs: dict[str, Callable[[], Figure]] = {}
    for layer, table in saliency["tables"].items() if saliency else ():
        values = np.array(table["values"], dtype=float)
        named = partial(matrices.heatmap, values, gathered["model"]["classes"], saliency["joints"])
        jobs[f"class_by_joint_{layer}"] = partial(named, label="mean saliency")
    if found:
        kinds = {"average_precision": "saliency", "motion": "joint speed", "random": "random map"}
        series = [line(label, found, key) for key, label in kinds.items()]
        blocks = [entry["layer"] for entry in found]
        jobs["localisation"] = partial(figures.curves, blocks, series, ylabel="average precision", limits=(0.0, 1.0))
    return jobs


def _accuracy(gathered: Results) -> dict[str, Callable[[], Figure]]:
    jobs: dict[str, Callable[[], Figure]] = {}
    if gathered["confusion"]:
        counts = np.array(gathered["confusion"]["counts"])
        jobs["confusion"] = partial(matrices.confusion, counts, gathered["model"]["classes"])
    if gathered["training"]:
        log = gathered["training"]["log"]
        panels = {
            "loss": [figures.Series("training clips", floats(entry["loss"] for entry in log))],
            "top-1 accuracy": [figures.Series("training clips (augmented)", floats(entry["top1"] for entry in log))],
        }
        jobs["training"] = partial(figures.training_curve, [entry["epoch"] for entry in log], panels)
    return jobs
