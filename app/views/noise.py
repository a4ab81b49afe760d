"""What disturbed recordings do to accuracy, to the neighbourhoods of every layer, and to its saliency."""

from collections.abc import Mapping
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from app import charts, choosing, edited, state, studies, takeaway
from app.state import plain
from stgcn_lens.viz import theme

KINDS = {
    "gaussian": "Gaussian noise",
    "joint_dropout": "joints lost",
    "frame_dropout": "frames lost",
    "jitter": "jitter in time",
    "viewpoint": "turned",
    "second_body": "second body lost",
}
MEASURES = {
    "knn_label_error": "kNN label error",
    "nnk_label_error": "NNK label error",
    "laplacian_label_error": "Laplacian label error",
    "overlap": "overlap with the clean graph",
    "rank_correlation": "rank correlation of saliency with the clean one",
}
CLEAN = "clean"
_SHOWS = "how accuracy, label errors, neighbourhoods and saliency change as the recordings get worse"


def main() -> None:
    """Draw the page."""
    chosen = state.current()
    if asked := st.session_state.pop("open_what_if", None):
        st.switch_page("views/what_if.py", query_params=asked)
    study = studies.result(chosen, "noise", _SHOWS)
    if study is None:
        return
    kinds = {about["kind"]: about for about in study["kinds"]}
    left, right = st.columns(2, gap="medium")
    kind = left.selectbox(
        "Disturbance",
        list(kinds),
        format_func=lambda name: KINDS.get(name, name),
        key="kind",
        bind="query-params",
        help="Applied to the clips as they were recorded, before anything else is done to them.",
    )
    measure = right.selectbox(
        "Measure of every layer",
        list(MEASURES),
        format_func=MEASURES.__getitem__,
        key="measure",
        bind="query-params",
    )
    about, table = kinds[kind], lines(study, kind)
    said = sentence(study, kind)
    st.markdown(said)
    if table.empty:
        st.info("No level of this disturbance has been worked out.")
        return
    left, right = st.columns(2, gap="medium")
    with left:
        _accuracy(table, about)
    with right:
        _layers(table, about, measure, chosen)
    _one_clip(study, kind, chosen)
    _told(study, kind)
    takeaway.table(table, f"noise-{kind}")
    takeaway.view("Noise", said.replace("\\", "").replace("**", ""))


def lines(study: Mapping[str, Any], kind: str) -> pd.DataFrame:
    """One line a network, level, layer ("" for accuracy) and measure, the clean clips first."""
    found = []
    for network in study["networks"]:
        clean = {"level": CLEAN, **network["clean"]}
        hurt = [
            {**condition, "level": _level(condition["level"])}
            for condition in network["conditions"]
            if condition["kind"] == kind
        ]
        for condition in (clean, *hurt):
            here = {"network": network["name"], "level": condition["level"]}
            found.append({**here, "layer": "", "measure": "accuracy", **_ends(condition["accuracy"])})
            for layer in condition["layers"]:
                found += [
                    {**here, "layer": layer["layer"], "measure": measure, **_ends(layer[measure])}
                    for measure in MEASURES
                    if layer.get(measure) is not None
                ]
    columns = ["network", "level", "layer", "measure", "value", "ci_low", "ci_high"]
    return pd.DataFrame(found, columns=columns)


def sentence(study: Mapping[str, Any], kind: str) -> str:
    """What the first network does under this disturbance, from its numbers."""
    network = study["networks"][0]
    hurt = [condition for condition in network["conditions"] if condition["kind"] == kind]
    if not hurt:
        return "Nothing has been worked out for this disturbance."
    worst, last = hurt[-1], network["last_block"]
    unit = next((about["unit"] for about in study["kinds"] if about["kind"] == kind), None) or ""
    at = "" if worst["level"] is None else f" at {worst['level']:g} {unit}".rstrip()
    after = {layer["layer"]: layer for layer in worst["layers"]}.get(last)
    before = {layer["layer"]: layer for layer in network["clean"]["layers"]}.get(last)
    text = f"{KINDS.get(kind, kind).capitalize()}{at}: accuracy goes from "
    text += f"**{network['clean']['accuracy']['value']:.2f}** to **{worst['accuracy']['value']:.2f}**"
    if after is not None and before is not None:
        a, b = before["knn_label_error"]["value"], after["knn_label_error"]["value"]
        text += f", the kNN label error of {plain(last)} from **{a:.2f}** to **{b:.2f}**"
        if after.get("rank_correlation"):
            text += f"; its saliency keeps a rank correlation of {after['rank_correlation']['value']:.2f}"
    text += "."
    finding = (network.get("findings") or {}).get("finding_2") if kind == "gaussian" else None
    return text + studies.verdict(finding)


def _level(level: float | None) -> str:
    return "lost" if level is None else f"{level:g}"


def _ends(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value.get(key) for key in ("value", "ci_low", "ci_high")}


def _axis(table: pd.DataFrame, about: Mapping[str, Any]) -> alt.X:
    order = list(dict.fromkeys(table["level"]))
    unit = f" ({about['unit']})" if about.get("unit") else ""
    title = f"level{unit}, worse to the right"
    return alt.X("level:N", sort=order, title=title, axis=charts.names(labelAngle=0), scale=alt.Scale(padding=0.4))


def _accuracy(table: pd.DataFrame, about: Mapping[str, Any]) -> None:
    data = table[table["measure"] == "accuracy"]
    networks = list(dict.fromkeys(data["network"]))
    colour = alt.Color(
        "network:N",
        sort=networks,
        scale=alt.Scale(domain=networks, range=[theme.SERIES[i % len(theme.SERIES)] for i in range(len(networks))]),
        legend=alt.Legend(title=None, orient="top") if len(networks) > 1 else None,
    )
    base = alt.Chart(data).encode(x=_axis(table, about), color=colour)
    scale = alt.Scale(domain=[0, 1])
    band = base.mark_area(opacity=0.18).encode(
        y=alt.Y("ci_low:Q", scale=scale, title="accuracy"), y2=alt.Y2("ci_high:Q")
    )
    tips = [alt.Tooltip("network:N"), alt.Tooltip("level:N")]
    tips += [alt.Tooltip(f"{key}:Q", format=".3f") for key in ("value", "ci_low", "ci_high")]
    line = base.mark_line(point=alt.OverlayMarkDef(size=60)).encode(y=alt.Y("value:Q"), tooltip=tips)
    st.markdown("**Accuracy**")
    first, last = data.iloc[0]["value"], data[data["network"] == networks[0]].iloc[-1]["value"]
    charts.show(
        (band + line).properties(height=290),
        alt_text=f"Accuracy from {first:.2f} clean to {last:.2f} at the worst level.",
        caption="Band: 95 % interval over clips.",
        name="noise-accuracy",
    )


def _layers(table: pd.DataFrame, about: Mapping[str, Any], measure: str, chosen: state.Selection) -> None:
    """The measure at every layer of the first network; a click chooses the layer."""
    data = table[(table["measure"] == measure) & (table["network"] == table["network"].iloc[0])]
    st.markdown(f"**{MEASURES[measure].capitalize()} of every layer**".replace("Knn", "kNN").replace("Nnk", "NNK"))
    if data.empty:
        st.info("This measure has not been worked out.")
        return
    order = list(dict.fromkeys(data["layer"]))
    data = data.assign(here=[layer == chosen.layer for layer in data["layer"]])
    seen = [0.0, 0.85] if charts.tokens() is theme.LIGHT else [0.25, 1.0]  # neither pale on white nor dark on black
    ramp = alt.Scale(domain=order, scheme=alt.SchemeParams(name="viridis", extent=seen))
    tips = [alt.Tooltip("layer:N"), alt.Tooltip("level:N")]
    tips += [alt.Tooltip(f"{key}:Q", format=".3f") for key in ("value", "ci_low", "ci_high")]
    legend = alt.Legend(title=None, columns=1, labelLimit=80, symbolSize=60, symbolStrokeWidth=1, rowPadding=1)
    base = alt.Chart(data).encode(
        x=_axis(table, about),
        y=alt.Y("value:Q", title=MEASURES[measure], scale=alt.Scale(zero=True)),
        color=alt.Color("layer:N", sort=order, scale=ramp, legend=legend),
        detail=alt.Detail("layer:N"),
    )
    line = base.mark_line().encode(
        strokeWidth=alt.condition("datum.here", alt.value(5), alt.value(1.6)), tooltip=[alt.Tooltip("layer:N")]
    )
    pick = alt.selection_point(name="pick", fields=["layer"], on="click", toggle=False)
    points = base.mark_point(filled=True, size=60, opacity=1, cursor="pointer").encode(tooltip=tips).add_params(pick)
    charts.show(
        (line + points).properties(height=290),
        alt_text=f"{MEASURES[measure]} of {len(order)} layers, {order[0]} to {order[-1]}, clean to worst.",
        caption=f"Thick: the chosen layer, {plain(chosen.layer)}. Click a point to choose its layer.",
        name=f"noise-{measure.replace('_', '-')}",
        key="noise_layers",
        on_select=choosing.layer_from("noise_layers"),
        selection_mode="pick",
    )


def _one_clip(study: Mapping[str, Any], kind: str, chosen: state.Selection) -> None:
    """Links to the chosen clip under this disturbance, at the levels that What if knows."""
    levels = [row["level"] for row in study["networks"][0]["conditions"] if row["kind"] == kind]
    known = [(level, found) for level in levels if level is not None and (found := edited.under(kind, level))]
    if not known or not chosen.source.has_model:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"See {plain(chosen.clip.name)} at", width="content")
        for level, found in known:
            label = f"{level:g} dB" if kind == "gaussian" else f"{level:g}°" if kind == "viewpoint" else f"{level:.0%}"
            st.button(label, key=f"see {level:g}", on_click=_see, args=(found,))


def _see(found: Mapping[str, Any]) -> None:
    """What if opens with these edits, and no others."""
    edited.undo()
    st.session_state["open_what_if"] = found


def _told(study: Mapping[str, Any], kind: str) -> None:
    """Where accuracy halves and geometry breaks, what was not run, and what to remark."""
    for network in study["networks"]:
        texts = [
            row["text"]
            for key in ("accuracy_halves", "geometry_breaks")
            for row in network.get(key) or ()
            if row["kind"] == kind
        ]
        if texts:
            st.caption(f"{plain(network['name'])}: {plain('; '.join(texts))}.")
    beside = study.get("beside") or {}
    remarks = [*([beside["text"]] if beside.get("text") else []), *(study.get("remarks") or ())]
    remarks += [
        f"{KINDS.get(row['kind'], row['kind'])} was not run: {row['why']}" for row in study.get("not_run") or ()
    ]
    for remark in remarks:
        st.caption(plain(str(remark)))


main()
