"""How a clip's neighbourhood changes with depth: whose class it is, who stays, who comes, who goes."""

from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from app import analysis, charts, choosing, compute, state
from app.state import plain
from stgcn_lens.errors import RunError
from stgcn_lens.graphs.vicinity import changes
from stgcn_lens.viz import theme

_LINES = 16  # neighbours told one by one (ours): those that weigh most over all layers


@dataclass(frozen=True, eq=False)
class Company:
    """Layer by layer: which part of kNN and NNK neighbours is of the clip's class; and the NNK weights, by position."""

    layers: list[str]
    shares: pd.DataFrame
    weights: list[dict[int, float]]


def of(chosen: state.Selection) -> Company:
    """What the graphs of all layers say of the clip; layers whose graph is damaged are left out."""
    rows, i = chosen.source.rows, chosen.clip.position
    labels = np.array([-1 if row.label is None else row.label for row in rows])
    layers, lines, weights = [], [], []
    for layer in compute.layers(chosen.source):
        try:
            graph = analysis.graph(str(chosen.source.path), chosen.source.stamp, layer)
            weight, near = graph.weights[i], graph.indices[i]
            same = (labels[near] == chosen.clip.label) & (chosen.clip.label is not None)
        except (RunError, IndexError):
            continue  # the page of that layer itself says what is wrong with it
        nnk = float(weight[same].sum() / weight.sum()) if weight.sum() > 0 else 0.0
        layers.append(layer)
        lines += [
            {"layer": layer, "neighbours": "kNN, count", "share": float(same.mean())},
            {"layer": layer, "neighbours": "NNK, weight", "share": nnk},
        ]
        weights.append({int(j): float(w) for j, w in zip(near, weight, strict=True) if w > 0})
    return Company(layers, pd.DataFrame(lines, columns=["layer", "neighbours", "share"]), weights)


def sentence(company: Company, layer: str) -> str:
    """Who stays, comes and goes on the way to a layer, in words; "" at the first."""
    at = company.layers.index(layer) if layer in company.layers else 0
    if at == 0:
        return ""
    change = changes([frozenset(weights) for weights in company.weights])[at - 1]
    return (
        f"From {plain(company.layers[at - 1])} to **{plain(layer)}** {len(change.stay)} of its NNK neighbours stay, "
        f"{len(change.come)} come, {len(change.go)} go."
    )


def draw_shares(company: Company, chosen: state.Selection, *, height: int) -> None:
    """Over depth: which part of the clip's neighbours shares its class."""
    st.markdown("**Neighbours of its own class, layer by layer**")
    nnk = company.shares[company.shares["neighbours"] == "NNK, weight"]["share"]
    ends = f"{nnk.iloc[0]:.0%} at {company.layers[0]}, {nnk.iloc[-1]:.0%} at {company.layers[-1]}"
    charts.show(
        lambda: _shares(company, chosen.layer).properties(height=height),
        kept=(str(chosen.source.path), chosen.source.stamp, chosen.layer, chosen.clip.position, height),
        alt_text=f"Share of its own class by NNK weight: {ends}.",
        caption="Grey: the chosen layer.",
        name="own-class",
    )


def draw_changes(company: Company, chosen: state.Selection) -> None:
    """One line a neighbour, one column a layer: a mark where it is a neighbour, as large as its weight."""
    rows, own = chosen.source.rows, chosen.clip.class_name
    total: dict[int, float] = {}
    for weights in company.weights:
        for j, weight in weights.items():
            total[j] = total.get(j, 0.0) + weight
    listed = sorted(total, key=lambda j: -total[j])[:_LINES]
    first = {j: next(at for at, weights in enumerate(company.weights) if j in weights) for j in listed}
    listed.sort(key=lambda j: (first[j], -total[j]))
    label = {j: f"{rows[j].name} · {rows[j].class_name or 'no label'}" for j in listed}
    kinds = ["its class", "another class"]
    table = pd.DataFrame(
        [
            {
                "layer": layer,
                "neighbour": label[j],
                "name": rows[j].name,
                "weight": weights[j],
                "class": kinds[0] if rows[j].class_name == own else kinds[1],
            }
            for layer, weights in zip(company.layers, company.weights, strict=True)
            for j in listed
            if j in weights
        ]
    )
    st.markdown(
        "**Who stays, who comes, who goes**",
        help="The NNK neighbours that weigh most over all layers, in the order in which they appear. Click one to "
        "choose it.",
    )
    if table.empty:
        st.caption("The clip has no neighbour of positive weight at any layer.")
        return
    told = f"{len(listed)} of {len(total)} clips that are NNK neighbours at some layer; size: weight."
    charts.show(
        lambda: _marks(table, [label[j] for j in listed], kinds, company.layers, chosen.layer),
        kept=(str(chosen.source.path), chosen.source.stamp, chosen.layer, chosen.clip.position),
        alt_text=f"{told} {sum(rows[j].class_name == own for j in listed)} of those listed are of the clip's class.",
        caption=told,
        name="stay-come-go",
        key="changes",
        on_select=choosing.clip_from("changes"),
        selection_mode="pick",
    )


def _shares(company: Company, layer: str) -> Any:
    x = alt.X("layer:N", sort=company.layers, title=None, axis=charts.names(labelAngle=-45))
    colours = alt.Scale(domain=["kNN, count", "NNK, weight"], range=list(theme.SERIES[:2]))
    lines = (
        alt.Chart(company.shares)
        .mark_line(point=alt.OverlayMarkDef(size=60))
        .encode(
            x=x,
            y=alt.Y("share:Q", title="share of its class", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%")),
            color=alt.Color("neighbours:N", scale=colours, legend=alt.Legend(title=None, orient="top")),
            tooltip=[alt.Tooltip("layer:N"), alt.Tooltip("neighbours:N"), alt.Tooltip("share:Q", format=".0%")],
        )
    )
    return charts.chosen_layer(layer, x) + lines


def _marks(table: pd.DataFrame, lines: list[str], kinds: list[str], layers: list[str], layer: str) -> Any:
    x = alt.X(
        "layer:N",
        sort=layers,
        title=None,
        axis=charts.names(labelAngle=-45),
        scale=alt.Scale(domain=layers),
    )
    marks = (
        alt.Chart(table)
        .mark_point(filled=True, opacity=1, cursor="pointer")
        .encode(
            x=x,
            y=alt.Y("neighbour:N", sort=lines, title=None, axis=charts.names(labelLimit=260)),
            size=alt.Size("weight:Q", scale=alt.Scale(domain=[0, 1], range=[25, 240]), legend=None),
            color=alt.Color(
                "class:N",
                scale=alt.Scale(domain=kinds, range=[theme.SERIES[0], theme.SERIES[1]]),
                legend=alt.Legend(title=None, orient="top"),
            ),
            shape=alt.Shape("class:N", scale=alt.Scale(domain=kinds, range=["circle", "diamond"]), legend=None),
            tooltip=[alt.Tooltip("neighbour:N"), alt.Tooltip("layer:N"), alt.Tooltip("weight:Q", format=".2f")],
        )
        .add_params(alt.selection_point(name="pick", fields=["name"], on="click", toggle=False))
    )
    return (charts.chosen_layer(layer, x) + marks).properties(height=20 * len(lines) + 90)
