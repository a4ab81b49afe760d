"""Figures of a transfer study: accuracy by cut, and the target's label errors at every layer that can be one."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from stgcn_lens.viz import theme
from stgcn_lens.viz.figures import Series, curves

_RING = 150  # points squared


def accuracy_by_cut(
    cuts: Sequence[str],
    lines: Sequence[Series],
    *,
    best: Sequence[Sequence[int]],
    predicted: int,
    scratch: float | None = None,
) -> Figure:
    """Accuracy over the cuts, a line for each number of shots, its best cuts ringed.

    Parameters
    ----------
    cuts : in order of depth; the first leaves everything to be tuned, the last the head alone.
    best : for each line the places of its best cuts.
    predicted : place of the cut that smoothness predicts, a vertical line.
    scratch : accuracy from random weights, a dashed line.
    """
    flat = [] if scratch is None else [Series("from scratch, full", np.full(len(cuts), scratch), reference=True)]
    figure = curves(cuts, [*lines, *flat], ylabel="top-1 on the target's test clips", limits=(0.0, 1.0))
    axes = figure.axes[0]
    axes.set_xlabel("frozen up to and with")
    for number, (line, places) in enumerate(zip(lines, best, strict=True)):
        heights = np.asarray(line.values, dtype=float)[list(places)]
        colour = theme.SERIES[number % len(theme.SERIES)]
        axes.scatter(list(places), heights, s=_RING, facecolors="none", edgecolors=colour, linewidths=1.4, zorder=3)
    _mark(figure, predicted)
    return figure


def errors_by_layer(
    layers: Sequence[str], errors: Sequence[Series], chance: Sequence[float] | np.ndarray, predicted: int
) -> Figure:
    """The target's label errors at every layer of the source network, with the cut that they predict."""
    series = [*errors, Series("chance", chance, reference=True)]
    figure = curves(layers, series, ylabel="label error of the target", limits=(0.0, 1.0))
    _mark(figure, predicted)
    return figure


def _mark(figure: Figure, predicted: int) -> None:
    """A vertical line at the predicted cut, told in the legend: inside the axes it could lie on a curve."""
    axes = figure.axes[0]
    axes.axvline(predicted, color=theme.LIGHT["muted"], linestyle=":", linewidth=1.4, zorder=0, label="predicted cut")
    ink = axes.yaxis.label.get_color()  # what a page replaces by its own
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0.2, frameon=False, labelcolor=ink)
