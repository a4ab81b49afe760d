"""Why one class is taken for another, as the Confusions page tells it: sentences, a heat map, every layer."""

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from app import charts, contrasts, state
from app.state import plain
from stgcn_lens.errors import RunError
from stgcn_lens.skeleton import get_layout

HELP = (
    "Grad-CAM of the score of one class minus that of the other. The confused clips are held against the recognised "
    "clips of either class: difference of means with a bootstrap interval over clips, Hedges' g, and a permutation "
    "test corrected for the number of joints."
)


def show(chosen: state.Selection, group: contrasts.Group, true: int, predicted: int, side: str) -> None:
    """What the run holds about a pair of classes; where that is nothing, the way to make it."""
    source, names = chosen.source, (chosen.source.classes[true], chosen.source.classes[predicted])
    st.markdown(f"**Why {plain(names[0])} is taken for {plain(names[1])}**", help=HELP)
    try:
        found = contrasts.stored(source, *names, side)
    except RunError as error:
        st.warning(plain(str(error)), icon=":material/warning:")
        found = None
    if found is None:
        found = _work(chosen, group, true, predicted, side)
    if found is None:
        return
    rows = {row["layer"]: row for row in found.told["layers"]}
    layer = chosen.layer if chosen.layer in rows else (next(iter(rows)) if chosen.layer == "input" else list(rows)[-1])
    st.markdown(plain(found.told["text"]))
    for against in ("from_true", "from_predicted"):
        st.markdown(f"- {plain(rows[layer][against]['text'])}")
    left, right = st.columns([1.6, 1], gap="medium")
    with left:
        _heat_map(found, layer, source.layout, names)
    with right:
        _by_layer(found)


def _work(
    chosen: state.Selection, group: contrasts.Group, true: int, predicted: int, side: str
) -> contrasts.Contrast | None:
    """Explain on a click where the clips are few; else the command."""
    source, classes = chosen.source, chosen.source.classes
    if group.size > contrasts.FEW:
        line = contrasts.command(source, classes[true], classes[predicted], side)
        st.info(f"{group.size} clips take a while. Explain them in a terminal:", icon=":material/terminal:")
        st.code(line, language="bash")
        return None
    if not st.button(f"Explain from {group.size} clips, at every layer", icon=":material/compare:", key="explain"):
        return None
    place = st.empty()
    with place.container():
        shown = st.progress(0.0, "Explaining ...")
        st.button("Cancel", key="cancel")  # a click ends this run of the script at its next word to the page

    def tell(done: int, n: int) -> None:
        shown.progress(done / n, f"Explaining clip {done} of {n}")

    found = contrasts.explain(source, group, true, predicted, side, tell)
    place.empty()
    return found


def _heat_map(found: contrasts.Contrast, layer: str, layout: str, names: tuple[str, str], most: int = 14) -> None:
    """Mean map of the confused clips minus that of the recognised ones of their own class: joints x parts."""
    groups = {name: found.arrays[f"{layer}/{name}"] for name in ("confused", "true")}
    if not all(map(len, groups.values())):
        st.caption("No clip of the true class is recognised: there is nothing to hold the confused ones against.")
        return
    table = groups["confused"].mean(axis=0) - groups["true"].mean(axis=0)  # (V, P)
    joints = [joint.replace("_", " ") for joint in get_layout(layout).joints]
    order = np.argsort(-np.abs(table).sum(axis=1), kind="stable")[:most]
    parts = table.shape[1]
    when = [f"{100 * p // parts}-{100 * (p + 1) // parts} %" for p in range(parts)]
    cells = pd.DataFrame(
        [{"joint": joints[v], "part": when[p], "difference": float(table[v, p])} for v in order for p in range(parts)]
    )
    top = float(np.abs(table).max()) or 1.0
    chart = (
        alt.Chart(cells)
        .mark_rect()
        .encode(
            x=alt.X("part:O", sort=when, title="part of the clip", axis=charts.names(labelAngle=-45)),
            y=alt.Y("joint:N", sort=[joints[v] for v in order], title=None, axis=charts.names()),
            color=alt.Color(
                "difference:Q",
                scale=alt.Scale(scheme="purpleorange", domain=[-top, top], domainMid=0, reverse=True),
                legend=alt.Legend(title=None, format=".1g"),
            ),
            tooltip=[alt.Tooltip("joint:N"), alt.Tooltip("part:O"), alt.Tooltip("difference:Q", format="+.3g")],
        )
        .properties(height=20 * len(order) + 70)
    )
    v, p = np.unravel_index(int(np.abs(table).argmax()), table.shape)
    sign = names[0] if table[v, p] > 0 else names[1]
    charts.show(
        chart,
        alt_text=f"Confused minus recognised clips at {layer}. Largest: {joints[v]} at {when[p]}, for {sign}.",
        name="why",
        caption=f"Confused minus recognised clips of {plain(names[0])} at {plain(layer)}. Below zero: the confused "
        f"ones speak more for {plain(names[1])} there. The {len(order)} joints that differ most.",
    )


def _by_layer(found: contrasts.Contrast) -> None:
    table = []
    for row in found.told["layers"]:
        most = row["from_true"]["most"]
        table.append(
            {
                "layer": row["layer"],
                "differs most at": most["joint"].replace("_", " ") if most else "too few clips",
                "shown": bool(most and most["shown"]),
            }
        )
    st.dataframe(
        pd.DataFrame(table),
        hide_index=True,
        height="content",
        column_config={"shown": st.column_config.CheckboxColumn("shown", help="The test leaves chance out.", width=60)},
    )
