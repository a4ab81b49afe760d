"""The clips of a layer as points that can be clicked, and boxed into a group."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from app import charts, choosing, state
from stgcn_lens.projection.plane import Plane
from stgcn_lens.viz import theme

SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
GROUP = "group"  # where the session keeps the names of the boxed clips
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
    """The points: class as colour and shape, wrong predictions ringed; a click chooses a clip, a box a group."""
    classes = [name for name in chosen.source.classes if name in set(points["class"])]
    classes += sorted(set(points["class"]) - set(classes))
    group = set(st.session_state.get(GROUP, ()))
    points = points.assign(
        strength=[
            1.0 if (name in group if group else emphasised in (None, label)) else 0.16
            for name, label in zip(points["name"], points["class"], strict=True)
        ]
    )
    text = charts.tokens()["text"]
    few = len(classes) <= _BESIDE
    legend = alt.Legend(title=None, orient="right", labelLimit=110, symbolStrokeWidth=0) if few else None
    colours = [theme.SERIES[i % len(theme.SERIES)] for i in range(len(classes))]
    shapes = [SHAPES[i // len(theme.SERIES) % len(SHAPES)] for i in range(len(classes))]
    axis = alt.Axis(labels=False, ticks=False, grid=False, domain=False)
    x = alt.X("x:Q", title=None, axis=axis, scale=alt.Scale(zero=False, nice=False, padding=8))
    y = alt.Y("y:Q", title=None, axis=axis, scale=alt.Scale(zero=False, nice=False, padding=8))
    wrong = "datum.prediction === 'wrong'"
    marks = (
        alt.Chart(points)
        .mark_point(filled=True, size=52, cursor="pointer")
        .encode(
            x=x,
            y=y,
            color=alt.Color("class:N", sort=classes, scale=alt.Scale(domain=classes, range=colours), legend=legend),
            shape=alt.Shape("class:N", sort=classes, scale=alt.Scale(domain=classes, range=shapes), legend=legend),
            opacity=alt.Opacity("strength:Q", scale=None, legend=None),
            stroke=alt.StrokeValue("transparent", condition={"test": wrong, "value": text}),
            strokeWidth=alt.StrokeWidthValue(0, condition={"test": wrong, "value": 1.8}),
            tooltip=[alt.Tooltip("name:N"), alt.Tooltip("class:N"), alt.Tooltip("prediction:N")],
        )
        .add_params(
            alt.selection_point(name="pick", fields=["name"], on="click", toggle=False),
            alt.selection_interval(name="box"),
        )
    )
    here = (
        alt.Chart(points[points["name"] == chosen.clip.name])
        .mark_point(size=330, strokeWidth=2.6, color=text, filled=False)
        .encode(x=x, y=y, tooltip=[alt.Tooltip("name:N"), alt.Tooltip("class:N"), alt.Tooltip("prediction:N")])
    )
    wrongs = int((points["prediction"] == "wrong").sum())
    charts.show(
        alt.layer(here, marks).properties(height=height),
        key=key,
        on_select=lambda: _picked(points, key),
        selection_mode=["pick", "box"],
        alt_text=f"{len(points)} clips of {len(classes)} classes at {chosen.layer} on a plane; {wrongs} wrongly "
        f"predicted ones are ringed, the chosen clip has a large ring. Clips can also be chosen in the sidebar.",
        name="embedding",
        caption=caption,
    )


def _picked(points: pd.DataFrame, key: str) -> None:
    """Take over what is newly clicked or boxed: a click leaves a box as it is, and the other way round."""
    found = st.session_state[key]["selection"]
    pick, box = found.get("pick") or [], found.get("box") or {}
    before = st.session_state.get(f"{key} before", ([], {}))
    st.session_state[f"{key} before"] = (pick, box)
    if box and box != before[1]:
        inside = np.ones(len(points), bool)
        for axis, (low, high) in box.items():
            inside &= points[axis].between(low, high).to_numpy()
        if inside.any():
            st.session_state[GROUP] = points["name"][inside].tolist()
    if pick and pick != before[0]:
        choosing.clip(pick[0]["name"])
