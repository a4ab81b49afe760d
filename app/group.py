"""A group of clips that was encircled on the plane: who they are, and where their evidence lies on average."""

from collections import Counter

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from app import analysis, charts, embedding, state
from app.state import plain
from stgcn_lens.skeleton import get_layout

_MOST = 500  # clips whose maps are averaged (ours): a second of reading
_TOLD = 4  # classes named in the sentence


def show(chosen: state.Selection) -> None:
    """The group's classes, and its mean map at the layer."""
    names = set(st.session_state.get(embedding.GROUP, ()))
    members = [row for row in chosen.source.rows if row.name in names and row.position is not None]
    if not members:
        st.caption("Draw a line round some points: their classes and their mean saliency appear here.")
        return
    counts = Counter(row.class_name or "no label" for row in members).most_common()
    wrong = sum(row.predicted is not None and not row.right for row in members)
    told = ", ".join(f"{plain(name)} {n}" for name, n in counts[:_TOLD])
    more = f" and {len(counts) - _TOLD} more classes" if len(counts) > _TOLD else ""
    st.markdown(f"**Group of {len(members)} clips**: {told}{more}; {wrong} wrongly predicted.")
    st.button("Let the group go", on_click=_forget, type="tertiary", icon=":material/close:")
    _saliency(chosen, members)


def _forget() -> None:
    st.session_state.pop(embedding.GROUP, None)


def _saliency(chosen: state.Selection, members: list) -> None:
    if (make := chosen.source.needs("explain")) is not None:
        st.info(f"No stored saliency to average. Make it: `{make}`", icon=":material/info:")
        return
    source = chosen.source
    layer = stored_layer(chosen)
    if layer is None:
        return
    some = sorted(row.position for row in members)
    if len(some) > _MOST:
        some = [some[i] for i in np.linspace(0, len(some) - 1, _MOST).round().astype(int)]
    values = analysis.group_map(str(source.path), source.stamp, layer, tuple(some))
    joints = [joint.replace("_", " ") for joint in get_layout(source.layout).joints]
    bins = len(values)
    cells = pd.DataFrame(
        [
            {"part of the clip": (b + 0.5) / bins, "joint": joints[v], "saliency": float(values[b, v])}
            for b in range(bins)
            for v in range(len(joints))
        ]
    )
    ends = alt.Axis(labelExpr="datum.value < 0.5 ? 'start' : 'end'", labelAngle=0, values=[0.5 / bins, 1 - 0.5 / bins])
    chart = (
        alt.Chart(cells)
        .mark_rect()
        .encode(
            x=alt.X("part of the clip:O", title="time", axis=ends),
            y=alt.Y("joint:N", sort=joints, title=None, axis=charts.names()),
            color=alt.Color("saliency:Q", scale=charts.heat(), legend=alt.Legend(title="mean")),
            tooltip=[
                alt.Tooltip("joint:N"),
                alt.Tooltip("part of the clip:Q", format=".0%"),
                alt.Tooltip("saliency:Q", format=".3f"),
            ],
        )
        .properties(height=18 * len(joints) + 50)
    )
    best = cells.loc[cells["saliency"].idxmax()]
    st.caption(
        f"Mean Grad-CAM of {len(some)} clips at {layer} for their predicted classes, each relative to its own maximum, "
        f"time stretched to the same length. It peaks at the {best['joint']}, "
        f"{best['part of the clip']:.0%} into the clip."
    )
    charts.show(
        chart,
        alt_text=f"Mean saliency of the group by joint and part of the clip, largest at the {best['joint']}, "
        f"{best['part of the clip']:.0%} into the clip.",
        name="group-saliency",
    )


def stored_layer(chosen: state.Selection) -> str | None:
    """The layer whose stored maps stand for the chosen one; None where the run holds no maps."""
    about = chosen.source.run.read_json("saliency/saliency.json")
    available = [row["layer"] for row in about["layers"]]
    if not available or about.get("signed"):
        st.info("This run holds no unsigned saliency maps.")
        return None
    if chosen.layer in available:
        return chosen.layer
    return str(available[0] if chosen.layer == "input" else available[-1])
