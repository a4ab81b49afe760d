"""At which layer the network begins to tell actions apart: label errors over depth, and which joints it looks at."""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from app import analysis, charts, state
from stgcn_lens.skeleton import get_layout
from stgcn_lens.viz import theme

MEASURES = {"knn_label_error": "kNN", "nnk_label_error": "NNK", "laplacian_label_error": "Laplacian (NNK)"}
KEYS = ("value", "ci_low", "ci_high", "chance")
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
    else:
        rows = analysis.layer_table(str(chosen.source.path), chosen.source.stamp)
        st.markdown(sentence(rows))
        st.markdown("**Label error over depth**", help=HELP)
        _curves(rows, chosen.layer)
        _table(rows)
    _heat_map(chosen)


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
    if floor := rows[0].get("knn_floor"):
        text += f"Some classes have no more than k clips: perfect neighbours would leave **{floor:.2f}**. "
    return text.replace("_", "\\_") + "Click a point to choose its layer."


def _stays(errors: list[dict[str, float]], start: int) -> bool:
    return all(error["ci_high"] < errors[0]["ci_low"] for error in errors[start:])


def _curves(rows: list[dict[str, Any]], layer: str) -> None:
    order = [row["layer"] for row in rows]
    table = pd.DataFrame(
        [
            {
                "layer": row["layer"],
                "measure": label,
                **{k: row[key].get(k) for k in KEYS},
            }
            for row in rows
            for key, label in MEASURES.items()
        ]
    )
    legend = alt.Legend(title=None, orient="top", symbolOpacity=1)
    colour = alt.Color(
        "measure:N",
        sort=list(MEASURES.values()),
        scale=alt.Scale(domain=list(MEASURES.values()), range=list(theme.SERIES[: len(MEASURES)])),
        legend=legend,
    )
    x = alt.X("layer:N", sort=order, title=None, axis=charts.names(labelAngle=-30), scale=alt.Scale(padding=0.4))
    top = float(np.nanmax(table[["ci_high", "chance"]].to_numpy(dtype=float)))
    y = alt.Scale(domain=[0, min(1.0, top * 1.05)])
    base = alt.Chart(table).encode(x=x, color=colour)
    band = base.mark_area(opacity=0.18).encode(
        y=alt.Y("ci_low:Q", scale=y, title="label error (band: 95 % interval)"), y2="ci_high:Q"
    )
    chance = base.mark_line(strokeDash=[3, 4], strokeWidth=1.3).encode(y="chance:Q", detail="measure:N")
    line = base.mark_line(strokeWidth=2).encode(y="value:Q")
    pick = alt.selection_point(name="pick", fields=["layer"], on="click", toggle=False)
    points = (
        base.mark_point(filled=True, size=70, opacity=1)
        .encode(
            y="value:Q",
            shape=alt.Shape("measure:N", sort=list(MEASURES.values()), legend=legend),
            tooltip=[
                "layer:N",
                "measure:N",
                *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("value", "ci_low", "ci_high", "chance")),
            ],
        )
        .add_params(pick)
    )
    here = charts.chosen_layer(layer, x)
    ends = "; ".join(
        f"{label} from {rows[0][key]['value']:.2f} to {rows[-1][key]['value']:.2f}" for key, label in MEASURES.items()
    )
    charts.show(
        (here + band + chance + line + points).properties(height=300),
        key="curves",
        on_select=_pick_layer,
        selection_mode="pick",
        alt_text=f"Label error of {len(rows)} layers, {order[0]} to {order[-1]}: {ends}. Numbers in the table below.",
    )
    st.caption("Dashed: chance, from permuted labels. Grey: the chosen layer.")


def _pick_layer() -> None:
    picked = st.session_state["curves"]["selection"].get("pick") or []
    if picked:
        st.session_state["layer"] = picked[0]["layer"]


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
                **{f"{label} error": interval(row[key]) for key, label in MEASURES.items()},
                "kNN accuracy": (row.get("knn_accuracy") or {}).get("value"),
                **{label: _mean(row.get(key)) for key, label in extra.items()},
            }
            for row in rows
        ]
    )
    number = st.column_config.NumberColumn(format="%.2f")
    two = ("kNN accuracy", *(label for key, label in extra.items() if key != "channels"))
    st.dataframe(table, hide_index=True, column_config=dict.fromkeys(two, number), height="content")
    st.download_button("Table as CSV", table.to_csv(index=False), "layers.csv", "text/csv", on_click="ignore")


def _mean(value: Any) -> float | None:
    """A number, the mean of a number per clip, or nothing."""
    return None if value is None else float(np.mean(value["value"] if isinstance(value, dict) else value))


def _heat_map(chosen: state.Selection) -> None:
    make = chosen.source.needs("explain")
    if make:
        st.info(f"Saliency has not been computed for this run. Make it: `{make}`", icon=":material/info:")
        return
    source = chosen.source
    available = [row["layer"] for row in source.run.read_json("saliency/saliency.json")["layers"]]
    if not available:
        st.info("This run holds no saliency maps.")
        return
    layer = chosen.layer if chosen.layer in available else (available[0] if chosen.layer == "input" else available[-1])
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
    ramp = ["#" + bytes(colour).hex() for colour in theme.SALIENCY[::15]]
    chart = (
        alt.Chart(table)
        .mark_rect()
        .encode(
            x=alt.X("joint:N", sort=names, title=None, axis=charts.names(labelAngle=-45)),
            y=alt.Y("class:N", sort=list(source.classes), title=None, axis=charts.names()),
            color=alt.Color("saliency:Q", scale=alt.Scale(range=ramp, domainMin=0), legend=alt.Legend(title="mean")),
            tooltip=["class:N", "joint:N", alt.Tooltip("saliency:Q", format=".3f")],
        )
        .properties(height=max(160, 19 * table["class"].nunique() + 90))
    )
    charts.show(chart, alt_text=f"Mean saliency of each joint for each class. Most salient joint: {spoken}.")
    with st.expander("As a table"):
        st.dataframe(table.pivot(index="class", columns="joint", values="saliency")[names].round(3))


main()
