"""Dose-response: what grows or falls as a disturbance gets stronger, from clean on the left to the strongest level."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from stgcn_lens.viz.figures import STYLE, WIDTH, Series, lines

_COLUMNS = 2
_HEIGHT = 2.7  # inches of a panel


def dose_response(levels: Sequence[str], panels: Mapping[str, Sequence[Series]], *, xlabel: str) -> Figure:
    """One panel a quantity, all over the same levels, which stand at equal steps whatever their distances.

    Every quantity is a share or a correlation: axes go from 0 to 1, and below 0 where a line does.

    Parameters
    ----------
    levels : names of the levels, clean first.
    panels : what is drawn -> its lines, one value a level; NaN leaves a gap.
    """
    rows = -(-len(panels) // _COLUMNS)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, rows * _HEIGHT + 0.3), layout="constrained")
        drawn = figure.subplots(rows, _COLUMNS, squeeze=False)
        for empty in drawn.flat[len(panels) :]:
            empty.set_axis_off()
        turned: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if len(levels) > 9 else {}
        for axes, (title, series) in zip(drawn.flat, panels.items(), strict=False):
            lines(axes, np.arange(len(levels)), series)
            axes.set_xticks(np.arange(len(levels)), levels, fontsize=8, **turned)
            axes.set_xlim(-0.3, len(levels) - 0.7)
            axes.set_ylabel(title)
            axes.set_ylim(min(0.0, _least(series)), 1.02)
            axes.legend(
                loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0.2, fontsize=8, columnspacing=1
            )
        figure.supxlabel(xlabel, fontsize=10)
    return figure


def _least(series: Sequence[Series]) -> float:
    """The lowest point of the lines and their bands; NaN counts as none."""
    ends = [np.asarray(end, dtype=float) for line in series for end in (line.values, line.low) if end is not None]
    return min((float(end[np.isfinite(end)].min(initial=0.0)) for end in ends), default=0.0)
