"""At which layer the network begins to tell actions apart: label errors over depth, and its clips at one layer."""

from contextlib import nullcontext
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from app import analysis, charts, choosing, curves, embedding, group, single, state, takeaway
from app.state import plain
from stgcn_lens.errors import LensError, RunError
from stgcn_lens.projection import PROJECTIONS
from stgcn_lens.skeleton import get_layout

EVERY = "all classes"
HELP = (
    "Share of a clip's neighbours, by weight, that belong to another class: 0 is perfectly smooth. kNN: equal weights. "
    "NNK: weights of the non-negative kernel regression (Shekkizhar and Ortega 2020). Laplacian: tr(Y'LY) / sum of "
    "weights on the undirected NNK graph. Das, Shekkizhar and Ortega, arXiv 2312.07777. "
    "By default windows of 8 frames, k = 15, and the warped cost divided by the number of windows: our choices."
)


def main() -> None:
    """Draw the page."""
    chosen = state.current()
    make = chosen.source.needs("graph")
    if make:
        st.info(f"The layers of this run have not been analysed. Do it: `{make}`", icon=":material/info:")
        _heat_map(chosen)
        return
    rows = analysis.layer_table(str(chosen.source.path), chosen.source.stamp)
    said = sentence(rows)
    st.markdown(said)
    left, right = st.columns(2, gap="medium")
    with left:
        of = st.selectbox("Curves of", [EVERY, *chosen.source.classes], key="of", bind="query-params", help=HELP)
        _curves(chosen, rows, None if of == EVERY else of)
    with right:
        _plane(chosen, None if of == EVERY else of)
    left, right = st.columns(2, gap="medium")
    with left:
        scene = single.play(chosen, "layers_player")
    with right:
        group.show(chosen)
    with st.expander("Numbers of every layer"):
        _table(rows)
    _heat_map(chosen)
    takeaway.view("Layers", said.replace("\\", "").replace("**", ""), scene)


def sentence(rows: list[dict[str, Any]]) -> str:
    """What the curves say, in words, from their numbers."""
    knn = [row["knn_label_error"] for row in rows]
    values, names = [float(error["value"]) for error in knn], [row["layer"] for row in rows]
    first, last = values[0], values[-1]
    how = "falls" if last < first else "does not fall"
    text = f"The kNN label error {how} from **{first:.2f}** ({names[0]}) to **{last:.2f}** ({names[-1]})"
    text += f", chance being {float(knn[0]['chance']):.2f}. " if knn[0].get("chance") is not None else ". "
    if len(values) > 1:
        drops = -np.diff(values)
        steepest = int(drops.argmax())
        if last < first:
            text += f"Its largest step is at **{names[steepest + 1]}** ({-drops[steepest]:.2f}). "
        clear = next((i for i in range(1, len(rows)) if knn[i]["ci_high"] < knn[0]["ci_low"]), None)
        if clear is not None:
            text += (
                f"From **{names[clear]}** on the interval lies below the input's. "
                if _stays(knn, clear)
                else (f"At **{names[clear]}** the interval is first below the input's. ")
            )
        else:
            text += "No layer's interval lies below the input's. "
    if (floor := rows[0].get("knn_floor") or 0) >= 0.005:
        text += f"Some classes have no more than k clips: perfect neighbours would leave **{floor:.2f}**. "
    return text.replace("_", "\\_") + "Click a point to choose its layer or its clip."


def _stays(errors: list[dict[str, float]], start: int) -> bool:
    return all(error["ci_high"] < errors[0]["ci_low"] for error in errors[start:])


def _curves(chosen: state.Selection, rows: list[dict[str, Any]], of: str | None) -> None:
    number = None if of is None else chosen.source.classes.index(of)
    table = curves.of_all(rows) if number is None else curves.of_class(rows, number)
    if table.empty:
        st.info(f"No clip of {plain(of or '')} is among those analysed.")
        return
    study = analysis.study(chosen.source.path, "layers")
    beside = curves.of_controls(study, of)
    who = "" if of is None else f" for {of}"
    caption = "Dashed: chance, from permuted labels. Grey: the chosen layer."
    if beside.empty:
        caption += f" Controls to compare with: `stgcn-lens study layers {chosen.source.path}`"
    curves.draw(
        table,
        beside,
        chosen.layer,
        alt_text=f"{curves.spoken(table)}{who}. Numbers in the table below.",
        caption=caption,
        key="curves",
        height=250,
        on_select=choosing.layer_from("curves"),
    )


def _plane(chosen: state.Selection, of: str | None) -> None:
    """The clips of the layer, laid out."""
    source = chosen.source
    name = st.segmented_control(
        "Clips laid out by",
        list(PROJECTIONS),
        default="pca",
        required=True,
        format_func=lambda row: PROJECTIONS[row].title,
        key="projection",
        bind="query-params",
        help="Each clip is the mean of its windows at the layer. Colour and shape: class. Ring: wrongly predicted. "
        "Large ring: the chosen clip. Hover for names; drag a line round some for a group (with Shift a box); a class "
        "chosen at *Curves of* stands out.",
    )
    row = PROJECTIONS[name or "pca"]
    about = nullcontext() if row.quick else st.spinner(f"Laying out the clips by {row.title} ...", show_time=True)
    try:
        with about:
            positions, plane = analysis.plane(str(source.path), source.stamp, chosen.layer, name or "pca")
    except RunError:
        raise
    except LensError as error:
        st.warning(str(error))
        return
    points = embedding.table(source.rows, positions, plane)
    shown = f"{len(points):,} clips"
    if len(points) < len(source.rows):
        shown = f"{len(points):,} of {len(source.rows):,} clips, drawn by chance (seed 0)"
    caption = f"{shown} at {plain(chosen.layer)}; {plane.note}. {row.about} Ring: wrongly predicted."
    embedding.draw(points, chosen, of, caption=caption, key="embedding", height=270)


def _table(rows: list[dict[str, Any]]) -> None:
    interval = lambda e: f"{e['value']:.3f} [{e['ci_low']:.3f}, {e['ci_high']:.3f}]"  # noqa: E731
    extra = {
        "channels": "channels",
        "mean_nnk_neighbours": "NNK neighbours",
        "overlap_input": "overlap with input",
        "overlap_previous": "overlap with previous",
        "indefinite_share": "indefinite kernels",
    }
    table = pd.DataFrame(
        [
            {
                "layer": row["layer"],
                **{f"{label} error": interval(row[key]) for key, label in curves.MEASURES.items()},
                "kNN accuracy": (row.get("knn_accuracy") or {}).get("value"),
                **{label: _mean(row.get(key)) for key, label in extra.items()},
            }
            for row in rows
        ]
    )
    number = st.column_config.NumberColumn(format="%.2f")
    two = ("kNN accuracy", *(label for key, label in extra.items() if key != "channels"))
    st.dataframe(table, hide_index=True, column_config=dict.fromkeys(two, number), height="content")
    takeaway.table(table, "layers")


def _mean(value: Any) -> float | None:
    """A number, the mean of a number per clip, or nothing."""
    return None if value is None else float(np.mean(value["value"] if isinstance(value, dict) else value))


def _heat_map(chosen: state.Selection) -> None:
    make = chosen.source.needs("explain")
    if make:
        st.info(f"Saliency has not been computed for this run. Make it: `{make}`", icon=":material/info:")
        return
    source = chosen.source
    layer = group.stored_layer(chosen)
    if layer is None:
        return
    values = analysis.class_by_joint(str(source.path), source.stamp, layer)
    joints = get_layout(source.layout).joints
    names = [joint.replace("_", " ") for joint in joints]
    cells = [
        {"class": source.classes[c], "joint": names[v], "saliency": float(values[c, v])}
        for c in range(len(values))
        for v in range(len(names))
        if np.isfinite(values[c, v])
    ]
    st.markdown(
        f"**Joints that speak for each class at {layer}**".replace("_", "\\_"),
        help="Mean over frames and over the clips of a class, each map divided by its own maximum in this layer.",
    )
    if layer != chosen.layer:
        st.caption(f"The {chosen.layer} layer has no map of its own; shown: {layer}.")
    if not cells:
        st.info("No class has a clip among those analysed.")
        return
    table = pd.DataFrame(cells)
    best = table.loc[table.groupby("class", sort=False)["saliency"].idxmax()]
    spoken = ", ".join(f"{row['class']}: {row['joint']}" for _, row in best.iterrows())
    chart = (
        alt.Chart(table)
        .mark_rect()
        .encode(
            x=alt.X("joint:N", sort=names, title=None, axis=charts.names(labelAngle=-45)),
            y=alt.Y("class:N", sort=list(source.classes), title=None, axis=charts.names()),
            color=alt.Color("saliency:Q", scale=charts.heat(), legend=alt.Legend(title="mean")),
            tooltip=[alt.Tooltip("class:N"), alt.Tooltip("joint:N"), alt.Tooltip("saliency:Q", format=".3f")],
        )
        .properties(height=max(160, 19 * table["class"].nunique() + 90))
    )
    charts.show(
        chart,
        alt_text=f"Mean saliency of each joint for each class. Most salient joint: {spoken}.",
        name="class-by-joint",
    )
    with st.expander("As a table"):
        st.dataframe(table.pivot(index="class", columns="joint", values="saliency")[names].round(3))


main()
