"""Points on a plane as a Streamlit component: a click chooses one, a line drawn round some encircles them."""

import base64
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from stgcn_lens.viz import player, theme

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "stgcn_lens_scatter",
    css=(_HERE / "scatter.css").read_text(encoding="utf-8"),
    js=f"{player.drawing()}\n{(_HERE / 'scatter.js').read_text(encoding='utf-8')}",
)
STRONG, WRONG = 1, 2  # bits of a point's flags


def units(points: np.ndarray) -> np.ndarray:
    """(P, 2) points in [0, 1], each axis stretched to its range; an axis that does not vary lies at one half."""
    low, span = points.min(axis=0, initial=np.inf), np.ptp(points, axis=0) if len(points) else np.ones(2)
    return np.where(span > 0, (points - low) / np.where(span > 0, span, 1), 0.5)


def payload(
    points: np.ndarray,
    of: Sequence[int],
    names: Sequence[str],
    classes: Sequence[str],
    *,
    strong: np.ndarray,
    wrong: np.ndarray,
    chosen: int = -1,
    legend: bool = True,
    height: int = 270,
    alt: str = "",
) -> dict[str, Any]:
    """What the component is given.

    Parameters
    ----------
    points : (P, 2), x to the right, y up. of : (P,) number of each point's class in `classes`.
    strong, wrong : (P,) bool; what is not strong is pale, what is wrong is ringed.
    chosen : number of the point with the large ring; -1: none. alt: says what is shown.
    """
    flags = strong.astype(np.uint8) * STRONG | wrong.astype(np.uint8) * WRONG
    return {
        "xy": _text(np.rint(units(points) * 65535).astype("<u2")),
        "of": _text(np.asarray(of, dtype="<u2")),
        "flags": _text(flags),
        "names": list(names),
        "classes": list(classes),
        "colours": list(theme.SERIES),
        "chosen": chosen,
        "legend": legend,
        "height": height,
        "alt": alt,
    }


def inside(points: np.ndarray, outline: Sequence[Sequence[float]]) -> np.ndarray:
    """(P,) bool: which points lie in a closed outline, by the even-odd rule; both in the units of `units`."""
    corners = np.asarray(outline, dtype=float).reshape(-1, 2)
    x, y = points[:, 0], points[:, 1]
    odd = np.zeros(len(points), bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 != y1:
            odd ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) / (y1 - y0) * (x1 - x0))
    return odd


def show(
    data: dict[str, Any], key: str, *, on_pick: Callable[[str], None], on_lasso: Callable[[list[list[float]]], None]
) -> None:
    """Draw the points.

    Parameters
    ----------
    on_pick : is told the name of the point that was clicked. on_lasso : the outline that was drawn, in `units`.
    """

    def told(what: str, take: Callable[[Any], None]) -> Callable[[], None]:
        def taken() -> None:
            value = st.session_state[key].get(what)
            if value:
                take(value)

        return taken

    _component(data=[data], key=key, on_pick_change=told("pick", on_pick), on_lasso_change=told("lasso", on_lasso))


def _text(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode()
