"""From which layer on a network must learn anew for other classes or another set, beside what smoothness foretells."""

from collections.abc import Mapping
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from app import charts, choosing, single, state, studies, takeaway
from app.state import plain
from stgcn_lens.viz import player, theme

SCRATCH = "scratch"
_SHOWS = (
    "the accuracy on other classes or another set when all layers up to a cut stay as they are, beside the label error "
    "of the frozen layers, and the cut that smoothness alone foretells"
)
_GRID = {"view": "layers"}  # of the Clip page
_ENDS = ("value", "ci_low", "ci_high")


def main() -> None:
    """Draw the page."""
    chosen = state.current()
    study = studies.result(chosen, "transfer", _SHOWS)
    if study is None:
        return
    accuracy = accuracies(study)
    said = sentence(study, accuracy)
    st.markdown(said)
    left, right = st.columns(2, gap="medium")
    with left:
        _accuracy(study, accuracy, chosen)
    with right:
        _errors(study, chosen)
    scene = _one_clip(study, accuracy, chosen)
    _scores(study)
    takeaway.table(accuracy, "transfer-accuracy")
    takeaway.view("Transfer", said.replace("\\", "").replace("**", ""), scene)


def accuracies(study: Mapping[str, Any]) -> pd.DataFrame:
    """One line a cut and number of clips a class: mean accuracy over seeds with its interval."""
    keep = ("cut", "shots", *_ENDS, "n")
    found = [{key: row.get(key) for key in keep} for row in study.get("accuracy") or ()]
    return pd.DataFrame(found, columns=keep)


def sentence(study: Mapping[str, Any], accuracy: pd.DataFrame) -> str:
    """What the study found, from its numbers."""
    told = accuracy[accuracy["cut"] != SCRATCH]
    if told.empty:
        return "No cut has been tuned yet."
    most = list(dict.fromkeys(told["shots"]))[-1]
    rows = told[told["shots"] == most]
    best, everything = rows.loc[rows["value"].idxmax()], rows[rows["cut"] == "input"]
    shots = "all training clips" if most == "full" else f"{most} clips a class"
    text = f"With {shots} the best cut is **{plain(best['cut'])}**: accuracy **{best['value']:.2f}**"
    if len(everything):
        text += f", where tuning everything gives {everything.iloc[0]['value']:.2f}"
    scratch = accuracy[(accuracy["cut"] == SCRATCH) & (accuracy["shots"] == most)]
    if len(scratch):
        text += f" and training from scratch {scratch.iloc[0]['value']:.2f}"
    text += "."
    prediction = study.get("prediction") or {}
    if prediction.get("sentence"):
        text += f" {plain(prediction['sentence'])}"
    return text + studies.verdict((study.get("findings") or {}).get("finding_3"))


def _order(study: Mapping[str, Any]) -> list[str]:
    return list(study.get("layers") or study.get("cuts") or ())


def _accuracy(study: Mapping[str, Any], accuracy: pd.DataFrame, chosen: state.Selection) -> None:
    data, scratch = accuracy[accuracy["cut"] != SCRATCH], accuracy[accuracy["cut"] == SCRATCH]
    order, shots = _order(study), list(dict.fromkeys(accuracy["shots"]))
    x = alt.X(
        "cut:N", sort=order, title="frozen up to", axis=charts.names(labelAngle=-40), scale=alt.Scale(domain=order)
    )
    colour = alt.Color(
        "shots:N",
        sort=shots,
        scale=alt.Scale(domain=shots, range=[theme.SERIES[i % len(theme.SERIES)] for i in range(len(shots))]),
        legend=alt.Legend(title="clips a class", orient="top"),
    )
    base = alt.Chart(data).encode(x=x, color=colour)
    y = alt.Y("ci_low:Q", title="accuracy on the target", scale=alt.Scale(domain=[0, 1]))
    tips = [alt.Tooltip("cut:N"), alt.Tooltip("shots:N"), *(alt.Tooltip(f"{key}:Q", format=".3f") for key in _ENDS)]
    parts = [
        base.mark_area(opacity=0.15).encode(y=y, y2=alt.Y2("ci_high:Q"), detail=alt.Detail("shots:N")),
        base.mark_line().encode(y=alt.Y("value:Q")),
        base.mark_point(filled=True, size=65, opacity=1, cursor="pointer")
        .encode(y=alt.Y("value:Q"), tooltip=tips)
        .add_params(alt.selection_point(name="pick", fields=["cut"], on="click", toggle=False)),
    ]
    if len(scratch):
        parts.append(
            alt.Chart(scratch)
            .mark_rule(strokeDash=[6, 4], size=1.6)
            .encode(y=alt.Y("value:Q"), color=colour, tooltip=tips)
        )
    foretold = ((study.get("prediction") or {}).get("knn") or {}).get("cut")
    if foretold in order:
        mark = alt.Chart(pd.DataFrame({"cut": [foretold]})).mark_rule(
            strokeDash=[2, 3], size=2, color=charts.tokens()["text"]
        )
        parts.insert(0, mark.encode(x=x))
    st.markdown("**Accuracy when all layers up to a cut stay as they are**")
    charts.show(
        alt.layer(*parts).properties(height=300),
        alt_text=f"Accuracy on the target for {len(order)} cuts and {len(shots)} numbers of clips; smoothness "
        f"foretells {foretold}.",
        caption="Dotted upright: the cut that smoothness foretells. Dashed level: trained from scratch. Click a point "
        "to choose its layer.",
        name="transfer-accuracy-chart",
        key="transfer_cuts",
        on_select=choosing.layer_from("transfer_cuts", "cut"),
        selection_mode="pick",
    )


def _errors(study: Mapping[str, Any], chosen: state.Selection) -> None:
    """Label errors of the target's clips at the frozen layers."""
    found = [
        {
            "layer": row["layer"],
            "clips": f"{row['measure'].upper().replace('KNN', 'kNN')}, {row['side']}",
            **{key: row.get(key) for key in (*_ENDS, "chance")},
        }
        for row in study.get("label_errors") or ()
    ]
    st.markdown(
        "**Label error of the target's clips at the frozen layers**",
        help="Of the network as it was trained on the source: what its layers know of classes that it never saw. The "
        "cut is foretold from the training clips alone.",
    )
    if not found:
        st.info("The label errors have not been worked out.")
        return
    data = pd.DataFrame(found)
    kinds, order = list(dict.fromkeys(data["clips"])), _order(study)
    x = alt.X("layer:N", sort=order, title=None, axis=charts.names(labelAngle=-40), scale=alt.Scale(domain=order))
    scale = alt.Scale(domain=kinds, range=[theme.SERIES[i % len(theme.SERIES)] for i in range(len(kinds))])
    base = alt.Chart(data).encode(
        x=x, color=alt.Color("clips:N", sort=kinds, scale=scale, legend=alt.Legend(title=None, orient="top"))
    )
    tips = [
        alt.Tooltip("layer:N"),
        alt.Tooltip("clips:N"),
        *(alt.Tooltip(f"{key}:Q", format=".3f") for key in (*_ENDS, "chance")),
    ]
    y = alt.Y("ci_low:Q", title="label error", scale=alt.Scale(domainMin=0))
    band = base.mark_area(opacity=0.12).encode(y=y, y2=alt.Y2("ci_high:Q"))
    line = base.mark_line(point=alt.OverlayMarkDef(size=55)).encode(y=alt.Y("value:Q"), tooltip=tips)
    chance = base.mark_line(strokeDash=[3, 4], strokeWidth=1).encode(y=alt.Y("chance:Q"), detail=alt.Detail("clips:N"))
    here = [charts.chosen_layer(chosen.layer, x)] if chosen.layer in order else []
    charts.show(
        alt.layer(*here, band, chance, line).properties(height=300),
        alt_text=f"Label error of the target's clips at {len(order)} frozen layers.",
        caption="Dashed: chance. Grey: the chosen layer.",
        name="transfer-label-errors",
    )


def _one_clip(study: Mapping[str, Any], accuracy: pd.DataFrame, chosen: state.Selection) -> player.Scene | None:
    """What the network, cut at the chosen layer, has seen of the chosen clip, and what that cut is worth."""
    if not chosen.source.has_model:
        return None
    left, right = st.columns([1.5, 1], gap="medium")
    with left:
        scene = single.play(chosen, "transfer_player")
    with right:
        st.markdown(f"**{plain(chosen.clip.name)} at {plain(chosen.layer)}**")
        st.markdown(worth(study, accuracy, chosen.layer))
        st.page_link("views/neighbours.py", label="Its neighbours at this layer", icon=":material/hub:")
        st.page_link(
            "views/clip.py", label="All its layers side by side", icon=":material/grid_view:", query_params=_GRID
        )
    return scene


def worth(study: Mapping[str, Any], accuracy: pd.DataFrame, layer: str) -> str:
    """What the study says of the cut at a layer, in words."""
    rows = accuracy[(accuracy["cut"] == layer) & accuracy["value"].notna()]
    if rows.empty:
        return f"The study made no cut at {plain(layer)}. Click a point of the curves to choose one of its cuts."
    told = [f"{row['value']:.2f} with {_shots(row['shots'])}" for _, row in rows.iterrows()]
    text = f"Frozen up to here, the network reaches {', '.join(told)} on the target."
    foretold = ((study.get("prediction") or {}).get("knn") or {}).get("cut")
    return text + (" Smoothness foretells this cut." if foretold == layer else "")


def _shots(shots: Any) -> str:
    return "all clips" if shots == "full" else f"{shots} {'clip' if str(shots) == '1' else 'clips'} a class"


def _scores(study: Mapping[str, Any]) -> None:
    """How often each way to foretell the cut is right."""
    rows = (study.get("prediction") or {}).get("scores") or ()
    if rows:
        st.markdown("**How well the cut is foretold**", help=str((study.get("prediction") or {}).get("rule") or ""))
        table = pd.DataFrame(
            [
                {
                    "foretold by": row["predictor"],
                    "cut": row.get("cut") or "",
                    "within one layer of the best": (row.get("strict") or {}).get("within_one"),
                    "of those not told apart from it": (row.get("wide") or {}).get("within_one"),
                    "layers off": (row.get("strict") or {}).get("distance"),
                    "accuracy given away": row.get("accuracy_lost"),
                }
                for row in rows
            ]
        )
        share = st.column_config.NumberColumn(format="percent")
        st.dataframe(
            table,
            hide_index=True,
            column_config={
                "within one layer of the best": share,
                "of those not told apart from it": share,
                "layers off": st.column_config.NumberColumn(format="%.2f"),
                "accuracy given away": st.column_config.NumberColumn(format="%.3f"),
            },
        )
        takeaway.table(table, "transfer-scores")
    target = study.get("target") or {}
    notes = [
        *(target.get("notes") or ()),
        *(f"{row['clip']} left out: {row['reason']}" for row in target.get("dropped") or ()),
    ]
    for note in notes[:6]:
        st.caption(plain(str(note)))


main()
