"""Still figures as SVG: drawn from arrays that others computed, the same arrays always giving the same bytes.

Every function returns a matplotlib `Figure` (its axes can be asked for what they show); `svg` turns it into text.
Colours are never the only carrier: lines differ in marker and dash, joints in radius, matrix cells bear numbers.
"""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO, StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from stgcn_lens.viz import theme

_INK = "#1b1b1f"  # replaced by the page's text colour when a figure is put into a page
_GRID = "#8f8f99"
_GROUND = '<rect width="100%" height="100%" fill="#ffffff"/>'
_WIDTH = 7.6  # inches
_COLUMNS = 8  # of film strips below each other, at least
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_DASHES = ("-", "--", "-.", ":")
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a class may be called $x$
    "svg.image_inline": True,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": _INK,
    "axes.facecolor": "none",
    "axes.labelcolor": _INK,
    "axes.edgecolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


@dataclass(frozen=True)
class Series:
    """One line: `values` (L,), with the ends of its interval (L,) where it has one; NaN leaves a gap.

    A `reference` is a line to compare with (chance, a control): drawn thin, dashed and without a marker.
    """

    name: str
    values: Sequence[float] | np.ndarray
    low: Sequence[float] | np.ndarray | None = None
    high: Sequence[float] | np.ndarray | None = None
    reference: bool = False


def label_error_curve(layers: Sequence[str], errors: Sequence[Series], chance: Sequence[float] | np.ndarray) -> Figure:
    """Label errors (0 = every neighbour has the clip's own class) over the layers, with bands and chance level."""
    series = [*errors, Series("chance", chance, reference=True)]
    return curves(layers, series, ylabel="label error", limits=(0.0, 1.0))


def curves(
    layers: Sequence[str],
    series: Sequence[Series],
    *,
    ylabel: str,
    limits: tuple[float, float] | None = None,
    width: float = _WIDTH,
) -> Figure:
    """Lines over the layers, in depth order; `limits` are those of the vertical axis, `width` is in inches."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, 3.5), layout="constrained")
        axes = figure.subplots()
        _lines(axes, np.arange(len(layers)), series)
        turned: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if len(layers) > 4 else {}
        axes.set_xticks(np.arange(len(layers)), layers, **turned)
        axes.set_ylabel(ylabel)
        axes.margins(y=0.1)
        if limits is not None:
            axes.set_ylim(*limits)
        else:
            axes.set_ylim(bottom=0)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0.2)
    return figure


def training_curve(epochs: Sequence[int], panels: Mapping[str, Sequence[Series]]) -> Figure:
    """One panel a quantity (loss, accuracy), epochs across; every panel may hold several lines."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, 3.0), layout="constrained")
        for axes, (title, series) in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
        ):
            _lines(axes, np.asarray(epochs), series, every=max(1, len(epochs) // 8))
            axes.set_xlabel("epoch")
            axes.set_ylabel(title)
            axes.set_ylim(bottom=0)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    return figure


def heatmap(
    values: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    label: str,
    limits: tuple[float, float] = (0.0, 1.0),
) -> Figure:
    """A table (rows, columns) as colours; NaN cells are left open and crossed out."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, 1.7 + max(1.6, 0.2 * len(rows))), layout="constrained")
        axes = figure.subplots()
        image = axes.imshow(values, cmap=theme.saliency_colormap(), vmin=limits[0], vmax=limits[1], aspect="auto")
        _cross_out(axes, np.isnan(values))
        _name_cells(axes, rows, columns)
        figure.colorbar(image, ax=axes, label=label, shrink=min(1.0, 9 / len(rows)), aspect=14, pad=0.015)
    return figure


def confusion(counts: np.ndarray, classes: Sequence[str]) -> Figure:
    """Confusion matrix (true, predicted): colours are shares of the row, numbers are clips; empty rows crossed out."""
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, 1.7 + max(1.6, 0.235 * len(classes))), layout="constrained")
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


def film_strip(
    points: np.ndarray,
    valid: np.ndarray,
    bones: Sequence[tuple[int, int]],
    *,
    saliency: np.ndarray | None,
    captions: Sequence[str],
    width: float = _WIDTH,
) -> Figure:
    """Key frames side by side, saliency as colour and radius of the joints.

    Parameters
    ----------
    points : (F, V, 2, M) across and up, one scale for all frames.
    valid : (F, M) bool; bodies that are not there are not drawn.
    bones : pairs of joints.
    saliency : (F, V, M) in [0, 1], or None for a plain skeleton.
    captions : F texts, one under each frame.
    width : of the figure, in inches.
    """
    box = _box(points, valid)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, _height(box, width / len(points)) + 0.3), layout="constrained")
        _film(figure, points, valid, bones, saliency, captions, box, len(points))
    return figure


@dataclass(frozen=True, eq=False)
class Strip:
    """One clip of `film_strips`: `points`, `valid`, `bones` and `captions` as in `film_strip`, and a title above.

    A joint whose points are NaN is not drawn, nor are its bones.
    """

    title: str
    points: np.ndarray
    valid: np.ndarray
    bones: Sequence[tuple[int, int]]
    captions: Sequence[str]


def film_strips(strips: Sequence[Strip]) -> Figure:
    """Plain skeletons of several clips, one below the other, each at its own scale."""
    boxes = [_box(strip.points, strip.valid) for strip in strips]
    columns = max(_COLUMNS, *(len(strip.points) for strip in strips))
    tall = [_height(box, _WIDTH / columns) + 0.55 for box in boxes]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, sum(tall)), layout="constrained")
        rows = figure.subfigures(len(strips), 1, squeeze=False, height_ratios=tall)[:, 0]
        for row, box, strip in zip(rows, boxes, strips, strict=True):
            row.suptitle(strip.title, fontsize=9, x=0.01, ha="left")
            _film(row, strip.points, strip.valid, strip.bones, None, strip.captions, box, columns)
    return figure


def png(figure: Figure) -> bytes:
    """The figure as PNG on white, 144 dots an inch."""
    stream = BytesIO()
    _save(figure, stream, format="png", facecolor="#ffffff", metadata={"Software": None})
    return stream.getvalue()


def svg(figure: Figure, name: str, alt: str) -> str:
    """The figure as SVG text on white, with `alt` as its title; equal figures of one name give equal text."""
    stream = StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        _save(figure, stream, format="svg", facecolor="none", metadata={"Date": None, "Creator": None})
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", stream.getvalue(), flags=re.DOTALL)
    text = re.sub(r'(?<= )d="[^"]*"', lambda match: re.sub(r"(\.\d\d)\d+", r"\1", match[0]), text)  # 0.01 pt will do
    head = f' role="img" aria-label="{escape(alt)}"><title>{escape(alt)}</title>{_GROUND}'
    return re.sub(r"(<svg [^>]*)>", lambda match: match[1] + head, text, count=1)


def inline(text: str, name: str) -> str:
    """A figure of `svg` made fit for a page.

    Ink takes the page's text colour, the ground is left open, the XML head is dropped, and ids become the figure's
    own by `name`.
    """
    text = text[text.index("<svg ") :].replace(_GROUND, "").replace(_INK, "currentColor")
    text = text.replace("'DejaVu Sans'", "system-ui, sans-serif")
    slug = re.sub(r"\W", "_", name)
    return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{slug}-", text)


def _save(figure: Figure, stream: Any, **how: Any) -> None:
    # savefig draws with the settings of the moment, so those of the making are set again.
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # Names may be in any script: a PNG then shows boxes, an SVG takes the reader's own fonts.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(stream, dpi=144, **how)


def _lines(axes: Axes, x: np.ndarray, series: Sequence[Series], *, every: int = 1) -> None:
    axes.grid(axis="y", color=_GRID, alpha=0.25, linewidth=0.7)
    drawn = 0
    for line in series:
        values = np.asarray(line.values, dtype=float)
        if line.reference:
            axes.plot(x, values, color=_GRID, linestyle=(0, (4, 3)), linewidth=1.2, label=line.name)
            continue
        colour = theme.SERIES[drawn % len(theme.SERIES)]
        if line.low is not None and line.high is not None:
            low, high = np.asarray(line.low, dtype=float), np.asarray(line.high, dtype=float)
            axes.fill_between(x, low, high, color=colour, alpha=0.22, linewidth=0)
        axes.plot(
            x,
            values,
            color=colour,
            marker=_MARKERS[drawn % len(_MARKERS)],
            markevery=every,
            linestyle=_DASHES[drawn % len(_DASHES)],
            linewidth=1.8,
            markersize=5,
            label=line.name,
        )
        drawn += 1


def _name_cells(axes: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    size = 8 if max(len(rows), len(columns)) <= 40 else 6
    axes.set_xticks(np.arange(len(columns)), columns, rotation=60, ha="right", rotation_mode="anchor", fontsize=size)
    axes.set_yticks(np.arange(len(rows)), rows, fontsize=size)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _cross_out(axes: Axes, cells: np.ndarray) -> None:
    rows, columns = np.nonzero(cells)
    axes.scatter(columns, rows, marker="x", s=14, color=_GRID, linewidths=0.8)


def _box(points: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(2,) lowest and highest place across and up of what is drawn, with a margin."""
    seen = points.transpose(0, 3, 1, 2)[valid].reshape(-1, 2)  # (bodies in frames * V, 2)
    seen = seen[np.isfinite(seen).all(axis=1)]
    low, high = (seen.min(axis=0), seen.max(axis=0)) if len(seen) else (np.zeros(2), np.ones(2))
    margin = 0.06 * float((high - low).max()) + 1e-6
    return low - margin, high + margin


def _height(box: tuple[np.ndarray, np.ndarray], panel: float) -> float:
    """Inches that a frame `panel` inches wide needs."""
    across, up = box[1] - box[0]
    return min(3.4, panel * float(up / across))


def _film(
    figure: Figure | SubFigure,
    points: np.ndarray,
    valid: np.ndarray,
    bones: Sequence[tuple[int, int]],
    saliency: np.ndarray | None,
    captions: Sequence[str],
    box: tuple[np.ndarray, np.ndarray],
    columns: int,
) -> None:
    low, high = box
    drawn = figure.subplots(1, columns, squeeze=False)[0]
    for empty in drawn[len(points) :]:
        empty.set_axis_off()
    for f, axes in enumerate(drawn[: len(points)]):
        for m in np.flatnonzero(valid[f]):
            heat = np.zeros(points.shape[1]) if saliency is None else saliency[f, :, m]
            _body(axes, points[f, :, :, m], heat, bones, dashed=bool(m))
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        axes.set_xlabel(captions[f], fontsize=8)


def _body(axes: Axes, points: np.ndarray, heat: np.ndarray, bones: Sequence[tuple[int, int]], *, dashed: bool) -> None:
    gap = np.full(2, np.nan)  # all bones are one line with gaps: one element instead of one per bone
    path = np.array([end for child, parent in bones for end in (points[child], points[parent], gap)])
    axes.plot(path[:, 0], path[:, 1], color=_GRID, linewidth=1.3, linestyle="--" if dashed else "-", zorder=1)
    order = np.argsort(heat, kind="stable")  # the most salient joint on top
    axes.scatter(
        points[order, 0],
        points[order, 1],
        c=heat[order],
        s=5 + 50 * heat[order],
        cmap=theme.saliency_colormap(),
        vmin=0,
        vmax=1,
        edgecolors=_INK,
        linewidths=0.5,
        zorder=2,
    )
