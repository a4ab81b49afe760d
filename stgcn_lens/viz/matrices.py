"""Tables as colours: class by joint, layer by layer, true by predicted. Cells without a number are crossed out."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stgcn_lens.viz import figures, theme


def heatmap(
    values: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    label: str,
    limits: tuple[float, float] = (0.0, 1.0),
    numbers: bool = False,
) -> Figure:
    """A table (rows, columns) as colours; NaN cells are left open and crossed out. `numbers` are written into them."""
    with mpl.rc_context(figures.STYLE):
        figure = Figure(figsize=(figures.WIDTH, 1.7 + max(1.6, 0.2 * len(rows))), layout="constrained")
        axes = figure.subplots()
        image = axes.imshow(values, cmap=theme.saliency_colormap(), vmin=limits[0], vmax=limits[1], aspect="auto")
        _cross_out(axes, np.isnan(values))
        for row, column in np.argwhere(np.isfinite(values)) if numbers else ():
            colour = "#000000" if values[row, column] > limits[0] + 0.6 * (limits[1] - limits[0]) else "#ffffff"
            text = f"{values[row, column]:.2f}"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=6)
        _name_cells(axes, rows, columns)
        figure.colorbar(image, ax=axes, label=label, shrink=min(1.0, 9 / len(rows)), aspect=14, pad=0.015)
    return figure


def confusion(counts: np.ndarray, classes: Sequence[str]) -> Figure:
    """Confusion matrix (true, predicted): colours are shares of the row, numbers are clips; empty rows crossed out."""
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)
    with mpl.rc_context(figures.STYLE):
        figure = Figure(figsize=(figures.WIDTH, 1.7 + max(1.6, 0.235 * len(classes))), layout="constrained")
        axes = figure.subplots()
        image = axes.imshow(share, cmap="cividis", vmin=0, vmax=1, aspect="auto")
        _cross_out(axes, np.isnan(share))
        for row, column in np.argwhere(counts > 0):
            colour = "#000000" if share[row, column] > 0.55 else "#ffffff"
            size = 7 if len(classes) <= 40 else 5
            axes.text(column, row, f"{counts[row, column]:d}", ha="center", va="center", color=colour, fontsize=size)
        _name_cells(axes, classes, classes)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        figure.colorbar(image, ax=axes, label="share of the true class", shrink=min(1.0, 9 / len(classes)), aspect=14)
    return figure


def _name_cells(axes: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    size = 8 if max(len(rows), len(columns)) <= 40 else 6
    axes.set_xticks(np.arange(len(columns)), columns, rotation=60, ha="right", rotation_mode="anchor", fontsize=size)
    axes.set_yticks(np.arange(len(rows)), rows, fontsize=size)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _cross_out(axes: Axes, cells: np.ndarray) -> None:
    rows, columns = np.nonzero(cells)
    axes.scatter(columns, rows, marker="x", s=14, color=figures.GRID, linewidths=0.8)
