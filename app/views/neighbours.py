"""A clip and its neighbours at the chosen layer, playing in step; and how its company changes with depth."""

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from app import analysis, canvas, charts, compute, state
from app.state import plain
from stgcn_lens.errors import RunError
from stgcn_lens.viz import player, theme

SHOWN = 3  # neighbours that play beside the clip: four skeletons fit a row of a laptop's screen


def main() -> None:
    """Draw the page."""
    chosen = state.current()
    source = chosen.source
    make = source.needs("graph")
    if make:
        st.info(f"Neighbours have not been computed for this run. Make them: `{make}`", icon=":material/info:")
        return
    if chosen.clip.position is None:
        st.info("This clip is not among the analysed ones; choose another in the sidebar.")
        return
    table = _neighbours(chosen)
    st.markdown(_sentence(chosen, table))
    if table.empty:
        return
    _play(chosen, table)
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown(
            "**Its NNK neighbours**", help="Weights of the non-negative kernel regression; window-DTW distances."
        )
        st.dataframe(
            table.drop(columns="position"),
            hide_index=True,
            column_config={
                "clip": st.column_config.TextColumn(width=140),
                "class": st.column_config.TextColumn(width=95),
                "weight": st.column_config.ProgressColumn(min_value=0, max_value=1, format="%.2f", width=90),
                "distance": st.column_config.NumberColumn(format="%.2f", width=65),
                "same class": st.column_config.CheckboxColumn("same", width=48),
            },
        )
    with right:
        _company(chosen)


def _neighbours(chosen: state.Selection) -> pd.DataFrame:
    """NNK neighbours of the clip at the layer, heaviest first."""
    graph = analysis.graph(str(chosen.source.path), chosen.source.stamp, chosen.layer)
    rows = chosen.source.rows
    i = chosen.clip.position
    if i is None or i >= len(graph.indices) or int(graph.indices.max(initial=0)) >= len(rows):
        raise RunError(
            f"the graph of layer '{chosen.layer}' does not belong to these clips",
            file=chosen.source.path,
            got=f"{len(graph.indices)} clips",
            expected=len(rows),
            fix=f"run: stgcn-lens graph {chosen.source.path} --force",
        )
    order = [j for j in np.argsort(-graph.weights[i], kind="stable") if graph.weights[i, j] > 0]
    return pd.DataFrame(
        [
            {
                "clip": rows[graph.indices[i, j]].name,
                "class": rows[graph.indices[i, j]].class_name,
                "same class": rows[graph.indices[i, j]].label == chosen.clip.label,
                "weight": float(graph.weights[i, j]),
                "distance": float(graph.distances[i, j]),
                "position": int(graph.indices[i, j]),
            }
            for j in order
        ],
        columns=["clip", "class", "weight", "distance", "same class", "position"],
    )


def _sentence(chosen: state.Selection, table: pd.DataFrame) -> str:
    what = plain(chosen.clip.class_name or "no label")
    if table.empty:
        return f"**{plain(chosen.clip.name)}** ({what}) has no neighbour of positive weight at {plain(chosen.layer)}."
    same = int(table["same class"].sum())
    weight = float(table.loc[table["same class"], "weight"].sum() / table["weight"].sum())
    return (
        f"At **{plain(chosen.layer)}** the clip is described by {len(table)} others, **{same} of them {what}** too "
        f"({weight:.0%} of the weight). Move *Layer* to see its company change."
    )


def _play(chosen: state.Selection, table: pd.DataFrame) -> None:
    shown = [(chosen.clip, "this clip")]
    for _, line in table.head(SHOWN).iterrows():
        weight = f"{line['weight']:.2f}" if line["weight"] >= 0.005 else "< 0.01"
        shown.append((chosen.source.rows[line["position"]], f"weight {weight} · d = {line['distance']:.3g}"))
    panels = []
    explained = chosen.source.has_model
    for row, about in shown:
        saliency, note = None, ""
        if explained:
            seen = compute.explain(chosen.source, row, None)
            clip, layer = seen.clip, compute.shown_layer(seen, chosen.layer)
            saliency, _ = compute.normalised(seen, layer)
            note = "no positive evidence" if seen.no_evidence[layer] else ""
        else:
            clip = chosen.source.clip(row)
        panels.append(
            player.payload(
                clip.xyz,
                clip.valid,
                clip.skeleton,
                saliency=saliency,
                fps=clip.fps,
                name=clip.name,
                title=row.class_name or "no label",
                subtitle=f"{about} · {row.name}",
                note=note,
            )
        )
    scope = (
        f"Grad-CAM of each clip's predicted class at {layer}, relative to each clip's own maximum" if explained else ""
    )
    canvas.show(player.scene(panels, scope=scope, height=270), key="neighbours_player")


def _company(chosen: state.Selection) -> None:
    """Over depth: which part of the clip's neighbours shares its class."""
    rows, i = chosen.source.rows, chosen.clip.position
    labels = np.array([-1 if row.label is None else row.label for row in rows])
    table = []
    for layer in compute.layers(chosen.source):
        try:
            graph = analysis.graph(str(chosen.source.path), chosen.source.stamp, layer)
            weights, near = graph.weights[i], graph.indices[i]
            same = (labels[near] == chosen.clip.label) & (chosen.clip.label is not None)
        except (RunError, IndexError):
            continue  # the page of that layer itself says what is wrong with it
        table += [
            {"layer": layer, "neighbours": "kNN, count", "share": float(same.mean())},
            {
                "layer": layer,
                "neighbours": "NNK, weight",
                "share": float(weights[same].sum() / weights.sum()) if weights.sum() > 0 else 0.0,
            },
        ]
    if not table:
        return
    frame = pd.DataFrame(table)
    order = list(dict.fromkeys(frame["layer"]))
    x = alt.X("layer:N", sort=order, title=None, axis=charts.names(labelAngle=-45))
    colours = alt.Scale(domain=["kNN, count", "NNK, weight"], range=list(theme.SERIES[:2]))
    chart = (
        alt.Chart(frame)
        .mark_line(point=alt.OverlayMarkDef(size=60))
        .encode(
            x=x,
            y=alt.Y("share:Q", title="share of its class", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%")),
            color=alt.Color("neighbours:N", scale=colours, legend=alt.Legend(title=None, orient="top")),
            tooltip=["layer:N", "neighbours:N", alt.Tooltip("share:Q", format=".0%")],
        )
    )
    here = charts.chosen_layer(chosen.layer, x)
    st.markdown("**Neighbours of its own class, layer by layer**")
    nnk = frame[frame["neighbours"] == "NNK, weight"]["share"]
    charts.show(
        (here + chart).properties(height=260),
        alt_text=f"Share of its own class: {nnk.iloc[0]:.0%} at {order[0]}, {nnk.iloc[-1]:.0%} at {order[-1]}.",
    )


main()
