"""The clips of a layer as points that can be clicked, and encircled as a group."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app import charts, choosing, scatter, state
from stgcn_lens.projection.plane import Plane
from stgcn_lens.viz import theme

SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
GROUP = "group"  # where the session keeps the names of the encircled clips
_BESIDE = 12  # classes (ours) whose names fit beside the points


def table(rows: Sequence, positions: np.ndarray, plane: Plane) -> pd.DataFrame:
    """One line a point, for clips `positions` of the rows."""
    shown = [rows[int(position)] for position in positions]
    return pd.DataFrame(
        {
            "x": plane.points[:, 0],
            "y": plane.points[:, 1],
            "name": [row.name for row in shown],
            "class": [row.class_name or "no label" for row in shown],
            "prediction": [
                "right" if row.right else "not known" if row.predicted is None else "wrong" for row in shown
            ],
            "position": positions,
        }
    )


def draw(
    points: pd.DataFrame, chosen: state.Selection, emphasised: str | None, *, caption: str, key: str, height: int
) -> None:
    """The points: class as colour and shape, wrong predictions ringed; a click chooses a clip, a lasso a group."""
    classes = [name for name in chosen.source.classes if name in set(points["class"])]
    classes += sorted(set(points["class"]) - set(classes))
    group = set(st.session_state.get(GROUP, ()))
    strong = points["name"].isin(group) if group else (points["class"] == emphasised) | (emphasised is None)
    wrong = points["prediction"] == "wrong"
    plane, names = points[["x", "y"]].to_numpy(), points["name"].tolist()
    few = len(classes) <= _BESIDE
    data = scatter.payload(
        plane,
        [classes.index(name) for name in points["class"]],
        names,
        classes,
        strong=strong.to_numpy(),
        wrong=wrong.to_numpy(),
        chosen=names.index(chosen.clip.name) if chosen.clip.name in set(names) else -1,
        legend=few,
        height=height,
        alt=f"{len(points)} clips of {len(classes)} classes at {chosen.layer} on a plane; {int(wrong.sum())} wrongly "
        "predicted ones are ringed, the chosen clip has a large ring. Arrow keys go from clip to clip, Enter chooses. "
        "Clips can also be chosen in the sidebar.",
    )

    def encircled(outline: list[list[float]]) -> None:
        inside = scatter.inside(scatter.units(plane), outline)
        if inside.any():
            st.session_state[GROUP] = points["name"][inside].tolist()

    scatter.show(data, key, on_pick=choosing.clip, on_lasso=encircled)
    strength = np.where(strong, 1.0, 0.16)
    tokens = charts.tokens()

    def figure() -> Any:
        return charts.dressed(_figure(points.assign(strength=strength), chosen.clip.name, classes, few, tokens, height))

    charts.under(figure, "embedding", caption)


def _figure(
    points: pd.DataFrame, name: str, classes: Sequence[str], legend: bool, tokens: dict[str, str], height: int
) -> Any:
    """The same as a figure to take away."""
    import altair as alt

    text, wrong = tokens["text"], "datum.prediction === 'wrong'"
    sign = alt.Legend(title=None, orient="right", labelLimit=110, symbolStrokeWidth=0) if legend else None
    colours = [theme.SERIES[i % len(theme.SERIES)] for i in range(len(classes))]
    shapes = [SHAPES[i // len(theme.SERIES) % len(SHAPES)] for i in range(len(classes))]
    axis = alt.Axis(labels=False, ticks=False, grid=False, domain=False)
    x, y = (
        kind(f"{field}:Q", title=None, axis=axis, scale=alt.Scale(zero=False, nice=False, padding=8))
        for kind, field in ((alt.X, "x"), (alt.Y, "y"))
    )
    marks = (
        alt.Chart(points)
        .mark_point(filled=True, size=52)
        .encode(
            x=x,
            y=y,
            color=alt.Color("class:N", sort=classes, scale=alt.Scale(domain=classes, range=colours), legend=sign),
            shape=alt.Shape("class:N", sort=classes, scale=alt.Scale(domain=classes, range=shapes), legend=sign),
            opacity=alt.Opacity("strength:Q", scale=None, legend=None),
            stroke=alt.StrokeValue("transparent", condition={"test": wrong, "value": text}),
            strokeWidth=alt.StrokeWidthValue(0, condition={"test": wrong, "value": 1.8}),
        )
    )
    here = alt.Chart(points[points["name"] == name]).mark_point(size=330, strokeWidth=2.6, color=text, filled=False)
    return alt.layer(here.encode(x=x, y=y), marks).properties(height=height)
