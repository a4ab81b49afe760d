"""A clip and its neighbours at the chosen layer, playing in step; and how its company changes with depth."""

import numpy as np
import pandas as pd
import streamlit as st

from app import analysis, canvas, choosing, company, explaining, panels, state, takeaway, vicinity
from app.state import plain
from stgcn_lens.errors import RunError
from stgcn_lens.viz import player

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
    found = explaining.told(chosen)
    through = company.of(chosen)
    said = " ".join([_sentence(chosen, table), explaining.sentence(found), company.sentence(through, chosen.layer)])
    st.markdown(said)
    scene = None if table.empty else _play(chosen, table, found)
    left, right = st.columns(2, gap="medium")
    with left:
        vicinity.draw(chosen, height=400)
    with right:
        if not table.empty:
            _table(table, found)
        if through.layers:
            company.draw_shares(through, chosen, height=200)
    if through.layers:
        company.draw_changes(through, chosen)
    takeaway.view("Neighbours", said.replace("\\", "").replace("**", "").replace("*", ""), scene)


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
        f"({weight:.0%} of the weight)."
    )


def _play(chosen: state.Selection, table: pd.DataFrame, found: explaining.Told) -> player.Scene | None:
    if chosen.source.clips is None:
        st.info(f"The clips of this run cannot be read, so none plays: {plain(chosen.source.trouble)}")
        return None
    asked, own = panels.Asked.of(chosen), f"this clip · {chosen.clip.name}"
    lead = panels.panel(chosen.source, chosen.clip, chosen.layer, asked, subtitle=own)
    shown, warped = [lead], 0
    for _, line in table.head(SHOWN).iterrows():
        row = chosen.source.rows[line["position"]]
        weight = f"{line['weight']:.2f}" if line["weight"] >= 0.005 else "< 0.01"
        about = f"weight {weight} · d = {line['distance']:.3g} · {row.name}"
        there = panels.length(chosen.source, row)
        along = found.frame_map(row.name, (lead.filmed.clip.frames, there))
        warped += along is not None
        shown.append(panels.panel(chosen.source, row, chosen.layer, asked, subtitle=about, frame_map=along))
    step = "in step along the warping path" if warped else "by the share of their length"
    scene = player.scene(
        [each.panel for each in shown], scope=f"{lead.scope}; time {step}" if lead.scope else "", height=250
    )
    canvas.show(scene, key="neighbours_player")
    takeaway.clips([each.filmed for each in shown], scene, name="neighbours", method=asked.method)
    return scene


def _table(table: pd.DataFrame, found: explaining.Told) -> None:
    """The neighbours one by one; a click on a line chooses the clip."""
    st.markdown(
        "**Its NNK neighbours**",
        help="Weights of the non-negative kernel regression; window-DTW distances. *Without it*: share of the weight "
        "that would speak for the predicted class had this neighbour not been there. Choose a line to go to its clip.",
    )
    told = [found.of(name) for name in table["clip"]]
    without = [None if row is None or row["without"] is None else row["without"]["predicted_share"] for row in told]
    shown = table.drop(columns="position").assign(**{"without it": without})

    st.dataframe(
        shown,
        hide_index=True,
        height=min(38 + 35 * len(shown), 215),
        key="neighbours_table",
        on_select=choosing.clip_from_lines("neighbours_table", table["clip"].tolist()),
        selection_mode="single-row",
        column_config={
            "clip": st.column_config.TextColumn(width=112),
            "class": st.column_config.TextColumn(width=80),
            "weight": st.column_config.ProgressColumn(min_value=0, max_value=1, format="%.2f", width=70),
            "distance": st.column_config.NumberColumn(format="%.2f", width=55),
            "same class": st.column_config.CheckboxColumn("same", width=42),
            "without it": st.column_config.NumberColumn(format="percent", width=62),
        },
    )
    takeaway.table(shown, "neighbours")


main()
