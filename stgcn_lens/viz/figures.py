"""Still figures as SVG: drawn from arrays that others computed, the same arrays always giving the same bytes.

Every function returns a matplotlib `Figure` (its axes can be asked for what they show); `svg` turns it into text.
Colours are never the only carrier: lines differ in marker and dash. `matrices` and `film` draw tables and skeletons.
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
from matplotlib.figure import Figure

from stgcn_lens.viz import theme

INK = "#1b1b1f"  # replaced by the page's text colour when a figure is put into a page
GRID = "#8f8f99"
_GROUND = '<rect width="100%" height="100%" fill="#ffffff"/>'
WIDTH = 7.6  # inches
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_DASHES = ("-", "--", "-.", ":")
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a class may be called $x$
    "svg.image_inline": True,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


@dataclass(frozen=True)
class Series:
    """One line: `values` (L,), with the ends of its interval (L,) where it has one; NaN leaves a gap.

    A `reference` is a line to compare with (chance, a control): drawn thin, dashed and without a marker. `x` (L,) are
    its own places across, where lines do not share them.
    """

    name: str
    values: Sequence[float] | np.ndarray
    low: Sequence[float] | np.ndarray | None = None
    high: Sequence[float] | np.ndarray | None = None
    reference: bool = False
    x: Sequence[float] | np.ndarray | None = None


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
    width: float = WIDTH,
) -> Figure:
    """Lines over the layers, in depth order; `limits` are those of the vertical axis, `width` is in inches."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, 3.5), layout="constrained")
        axes = figure.subplots()
        lines(axes, np.arange(len(layers)), series)
        turned: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if len(layers) > 4 else {}
        axes.set_xticks(np.arange(len(layers)), layers, **turned)
        axes.set_ylabel(ylabel)
        _limit(axes, limits)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0.2)
    return figure


def depth_curves(
    series: Sequence[Series],
    *,
    ylabel: str,
    layers: Sequence[str] | None = None,
    limits: tuple[float, float] | None = None,
    width: float = WIDTH,
) -> Figure:
    """Lines of networks of different depth: each at its own relative depths `x`, 0 the input, 1 the last block.

    `layers` : their names, where all networks have the same, at even distances.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, 3.5), layout="constrained")
        axes = figure.subplots()
        lines(axes, np.empty(0), series)
        if layers is not None:
            turned: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
            axes.set_xticks(np.linspace(0, 1, len(layers)), layers, **turned)
        axes.set_xlabel("relative depth (0 input, 1 last block)")
        axes.set_ylabel(ylabel)
        _limit(axes, limits)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)
    return figure


def points(names: Sequence[str], series: Sequence[Series], *, ylabel: str, width: float = WIDTH) -> Figure:
    """Single numbers side by side, each with its interval; a series holds one number for each name."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, 3.0), layout="constrained")
        axes = figure.subplots()
        _grid(axes)
        for number, kind in enumerate(series):
            x = np.arange(len(names)) + 0.15 * (number - (len(series) - 1) / 2)
            values = np.asarray(kind.values, dtype=float)
            ends = None
            if kind.low is not None and kind.high is not None:
                low, high = np.asarray(kind.low, dtype=float), np.asarray(kind.high, dtype=float)
                ends = np.stack([values - low, high - values])
            colour, marker = theme.SERIES[number % len(theme.SERIES)], _MARKERS[number % len(_MARKERS)]
            axes.errorbar(x, values, yerr=ends, color=colour, marker=marker, linestyle="", capsize=3, label=kind.name)
        turned: dict[str, Any] = {"rotation": 20, "ha": "right", "rotation_mode": "anchor"} if len(names) > 3 else {}
        axes.set_xticks(np.arange(len(names)), names, **turned)
        axes.set_ylabel(ylabel)
        axes.margins(x=0.1)
        if len(series) > 1:
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)
    return figure


def training_curve(epochs: Sequence[int], panels: Mapping[str, Sequence[Series]]) -> Figure:
    """One panel a quantity (loss, accuracy), epochs across; every panel may hold several lines."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
        for axes, (title, series) in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
        ):
            lines(axes, np.asarray(epochs), series, every=max(1, len(epochs) // 8))
            axes.set_xlabel("epoch")
            axes.set_ylabel(title)
            axes.set_ylim(bottom=0)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
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
    text = text[text.index("<svg ") :].replace(_GROUND, "").replace(INK, "currentColor")
    text = text.replace("'DejaVu Sans'", "system-ui, sans-serif")
    slug = re.sub(r"\W", "_", name)
    return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{slug}-", text)


def _save(figure: Figure, stream: Any, **how: Any) -> None:
    # savefig draws with the settings of the moment, so those of the making are set again.
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        # Names may be in any script: a PNG then shows boxes, an SVG takes the reader's own fonts.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(stream, dpi=144, **how)


def _grid(axes: Axes) -> None:
    axes.grid(axis="y", color=GRID, alpha=0.25, linewidth=0.7)


def _limit(axes: Axes, limits: tuple[float, float] | None) -> None:
    """Ends of the vertical axis: those given, or zero and some room above."""
    axes.margins(y=0.1)
    if limits is not None:
        axes.set_ylim(*limits)
    else:
        axes.set_ylim(bottom=0)


def lines(axes: Axes, places: np.ndarray, series: Sequence[Series], *, every: int = 1) -> None:
    """Draw lines with their bands onto axes, at their own places across or at the common ones (L,)."""
    _grid(axes)
    drawn = 0
    for line in series:
        x = places if line.x is None else np.asarray(line.x, dtype=float)
        values = np.asarray(line.values, dtype=float)
        if line.reference:
            axes.plot(x, values, color=GRID, linestyle=(0, (4, 3)), linewidth=1.2, label=line.name)
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
