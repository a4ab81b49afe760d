"""Skeletons side by side: key frames of clips, saliency as colour and radius of the joints."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from stgcn_lens.viz import figures, theme

_COLUMNS = 8  # of film strips below each other, at least


def film_strip(
    points: np.ndarray,
    valid: np.ndarray,
    bones: Sequence[tuple[int, int]],
    *,
    saliency: np.ndarray | None,
    captions: Sequence[str],
    width: float = figures.WIDTH,
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
    with mpl.rc_context(figures.STYLE):
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
    tall = [_height(box, figures.WIDTH / columns) + 0.55 for box in boxes]
    with mpl.rc_context(figures.STYLE):
        figure = Figure(figsize=(figures.WIDTH, sum(tall)), layout="constrained")
        rows = figure.subfigures(len(strips), 1, squeeze=False, height_ratios=tall)[:, 0]
        for row, box, strip in zip(rows, boxes, strips, strict=True):
            row.suptitle(strip.title, fontsize=9, x=0.01, ha="left")
            _film(row, strip.points, strip.valid, strip.bones, None, strip.captions, box, columns)
    return figure


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
    axes.plot(path[:, 0], path[:, 1], color=figures.GRID, linewidth=1.3, linestyle="--" if dashed else "-", zorder=1)
    order = np.argsort(heat, kind="stable")  # the most salient joint on top
    axes.scatter(
        points[order, 0],
        points[order, 1],
        c=heat[order],
        s=5 + 50 * heat[order],
        cmap=theme.saliency_colormap(),
        vmin=0,
        vmax=1,
        edgecolors=figures.INK,
        linewidths=0.5,
        zorder=2,
    )
