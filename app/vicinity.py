"""The NNK graph round the chosen clip, drawn: classes as colours, edges between classes stand out."""

from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from app import analysis, charts, choosing, state
from app.embedding import SHAPES
from stgcn_lens.graphs.vicinity import vicinity
from stgcn_lens.viz import theme

_NAMED = 6  # classes that get a colour and a place in the legend: the most frequent round the clip
OTHER = "other classes"
WITHIN, BETWEEN = "within a class", "between classes"


@st.cache_data(max_entries=64, show_spinner=False)
def tables(
    path: str, stamp: str, layer: str, position: int | None, _rows: Any
) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Lines of clips and of edges, with their places, and how many clips are left out."""
    graph = analysis.graph(path, stamp, layer)
    assert position is not None  # the page is drawn for clips under analysis only
    found = vicinity(graph.indices, graph.weights, position)
    at = found.places()
    rows = [_rows[int(i)] for i in found.clips]
    names = [row.class_name or "no label" for row in rows]
    often = pd.Series(names).value_counts(sort=True).index.tolist()
    shown = [names[0], *(name for name in often if name != names[0])][:_NAMED]
    clips = pd.DataFrame(
        {
            "x": at[:, 0],
            "y": at[:, 1],
            "name": [row.name for row in rows],
            "class": names,
            "shown as": [name if name in shown else OTHER for name in names],
            "steps": found.hops,
        }
    )
    lines = [
        {
            "x": at[a, 0],
            "y": at[a, 1],
            "x2": at[b, 0],
            "y2": at[b, 1],
            "edge": WITHIN if names[a] == names[b] else BETWEEN,
            "weight": float(weight),
            "ends": f"{rows[a].name} · {rows[b].name}",
        }
        for (a, b), weight in zip(found.edges, found.weights, strict=True)
    ]
    return clips, pd.DataFrame(lines, columns=["x", "y", "x2", "y2", "edge", "weight", "ends"]), found.left_out


def draw(chosen: state.Selection, *, height: int) -> None:
    """The drawing; a click on a clip chooses it."""
    source = chosen.source
    clips, edges, left_out = tables(str(source.path), source.stamp, chosen.layer, chosen.clip.position, source.rows)
    between = int((edges["edge"] == BETWEEN).sum())
    near = int((clips["steps"] == 1).sum())
    caption = (
        f"{near} clips one step away, {len(clips) - 1 - near} two; thick: heavy. Dashed: {between} of {len(edges)} "
        f"edges join two classes." + (f" {left_out} clips within reach are left out." if left_out else "")
    )
    st.markdown(
        "**NNK graph round the clip**",
        help="An edge joins a clip to those that describe it (positive weight). Large ring: this clip. Click a clip to "
        "choose it.",
    )
    charts.show(
        lambda: _chart(clips, edges, height),
        kept=(str(source.path), source.stamp, chosen.layer, chosen.clip.position, height),
        alt_text=f"NNK graph of {len(clips)} clips round {chosen.clip.name} at {chosen.layer}. {caption}",
        caption=caption,
        name="nnk-graph",
        key="vicinity",
        on_select=choosing.clip_from("vicinity"),
        selection_mode="pick",
    )


def _chart(clips: pd.DataFrame, edges: pd.DataFrame, height: int) -> Any:
    text = charts.tokens()["text"]
    kinds = list(dict.fromkeys([*clips["shown as"][clips["shown as"] != OTHER]]))
    order = [*kinds, *([OTHER] if (clips["shown as"] == OTHER).any() else [])]
    colours = [*theme.SERIES[: len(kinds)], charts.tokens()["muted"]][: len(order)]
    shapes = [*SHAPES[: len(kinds)], "circle"][: len(order)]
    bare = alt.Axis(labels=False, ticks=False, grid=False, domain=False)
    scale = alt.Scale(domain=[-1.12, 1.12])
    x, y = alt.X("x:Q", axis=bare, title=None, scale=scale), alt.Y("y:Q", axis=bare, title=None, scale=scale)
    kind = alt.Scale(domain=[WITHIN, BETWEEN], range=[charts.tokens()["muted"], theme.SERIES[1]])
    lines = (
        alt.Chart(edges)
        .mark_rule()
        .encode(
            x=x,
            y=y,
            x2=alt.X2("x2"),
            y2=alt.Y2("y2"),
            color=alt.value(charts.tokens()["muted"]),
            opacity=alt.value(0.55),
            strokeWidth=alt.StrokeWidth("weight:Q", scale=alt.Scale(domain=[0, 1], range=[0.7, 5]), legend=None),
            tooltip=[alt.Tooltip("ends:N"), alt.Tooltip("edge:N"), alt.Tooltip("weight:Q", format=".2f")],
        )
    )
    standing_out = lines.transform_filter(alt.datum["edge"] == BETWEEN).encode(
        color=alt.value(kind.range[1]),
        opacity=alt.value(1),
        strokeDash=alt.value([5, 3]),
    )
    legend = alt.Legend(title=None, orient="bottom", columns=3, labelLimit=140, symbolStrokeWidth=0)
    points = (
        alt.Chart(clips)
        .mark_point(filled=True, size=110, opacity=1, cursor="pointer", stroke=text, strokeWidth=0.8)
        .encode(
            x=x,
            y=y,
            color=alt.Color("shown as:N", sort=order, scale=alt.Scale(domain=order, range=colours), legend=legend),
            shape=alt.Shape("shown as:N", sort=order, scale=alt.Scale(domain=order, range=shapes), legend=legend),
            tooltip=[alt.Tooltip("name:N"), alt.Tooltip("class:N"), alt.Tooltip("steps:Q", title="steps away")],
        )
        .add_params(alt.selection_point(name="pick", fields=["name"], on="click", toggle=False))
    )
    here = alt.Chart(clips.head(1)).mark_point(size=420, strokeWidth=2.6, color=text, filled=False).encode(x=x, y=y)
    return alt.layer(lines, standing_out, here, points).properties(height=height)
