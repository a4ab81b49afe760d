"""One clip, playing, with the evidence of the chosen layer for the chosen class painted on it."""

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from app import canvas, charts, compute, state
from app.state import plain
from stgcn_lens.viz import player, theme


def main() -> None:
    """Draw the page."""
    chosen = state.current()
    if not chosen.source.has_model:
        _bare(chosen)
        return
    target = None if chosen.target == state.PREDICTED else chosen.source.classes.index(chosen.target)
    seen = compute.explain(chosen.source, chosen.clip, target)
    layer = compute.shown_layer(seen, chosen.layer)
    st.markdown(_sentence(chosen, seen, layer))
    left, right = st.columns([2.3, 1], gap="medium")
    with left:
        if layer != chosen.layer:
            st.caption(f"The {chosen.layer} layer has no map of its own: Grad-CAM needs a block. Shown: {layer}.")
        _play(chosen, seen, layer)
    with right:
        _bars(chosen, seen)
        _joints(seen, layer)


def _bare(chosen: state.Selection) -> None:
    """A run without a model: the clip alone."""
    clip = chosen.source.clip(chosen.clip)
    make = chosen.source.needs("train")
    if make is None:  # trained, but by a network that no file holds
        text = "This run's network was given from Python (docs/adapter.md). Its saliency is in the report."
    else:
        text = f"No model here yet, so no saliency. Make one: `{make}`"
    st.info(text, icon=":material/info:")
    title = f"{clip.name} · {chosen.clip.class_name or 'no label'}"
    panel = player.payload(clip.xyz, clip.valid, clip.skeleton, fps=clip.fps, name=clip.name, title=title)
    canvas.show(player.scene([panel], height=480), key="clip_player")


def _sentence(chosen: state.Selection, seen: compute.Explained, layer: str) -> str:
    row, classes = chosen.clip, chosen.source.classes
    best = int(seen.probabilities.argmax())
    says = f"the model says **{plain(classes[best])}** ({seen.probabilities[best]:.0%})"
    truth = f"True: **{plain(row.class_name)}**, {says}" if row.class_name else f"No label; {says}"
    mark = "" if row.label is None else (" :green[✓ right]." if best == row.label else " :red[✗ wrong].")
    if seen.no_evidence[layer]:
        where = f"At {plain(layer)} nothing in this clip speaks for *{plain(classes[seen.target])}*."
    else:
        joint, frame = _peak(seen, layer)
        # A network that takes all joints as one vector does not tell them apart.
        alike = float(np.ptp(seen.maps[layer], axis=1).max()) <= 1e-4 * float(seen.maps[layer].max())
        place = "is the same for every joint and peaks" if alike else f"peaks in the **{plain(joint)}**"
        where = (
            f"At {plain(layer)} the evidence for *{plain(classes[seen.target])}* {place} "
            f"at {frame / seen.clip.fps:.1f} s."
        )
    return f"{truth}{mark or '.'} {where} Move *Layer* to see where the network looks at each depth."


def _peak(seen: compute.Explained, layer: str) -> tuple[str, int]:
    frame, joint, _ = np.unravel_index(int(seen.maps[layer].argmax()), seen.maps[layer].shape)
    return seen.clip.skeleton.joints[joint].replace("_", " "), int(frame)


def _play(chosen: state.Selection, seen: compute.Explained, layer: str) -> None:
    saliency, peak = compute.normalised(seen, layer)
    target = chosen.source.classes[seen.target]
    panel = player.payload(
        seen.clip.xyz,
        seen.clip.valid,
        seen.clip.skeleton,
        saliency=saliency,
        evidence=seen.clip.evidence,
        fps=seen.clip.fps,
        name=seen.clip.name,
        title=seen.clip.name,
        subtitle=f"evidence for “{target}” at {layer}",
        note=f"No positive evidence for “{target}” in {layer}." if seen.no_evidence[layer] else "",
    )
    scope = f"Grad-CAM, relative to this clip's maximum in this layer ({peak:.2g})"
    canvas.show(player.scene([panel], scope=scope, peak="1", height=480), key="clip_player")


def _bars(chosen: state.Selection, seen: compute.Explained, most: int = 5) -> None:
    classes = chosen.source.classes
    order = np.argsort(-seen.probabilities, kind="stable")[:most]
    shown = [f"{classes[c]} · {seen.probabilities[c]:.1%}{' ← true' if c == chosen.clip.label else ''}" for c in order]
    table = pd.DataFrame({"class": shown, "probability": [float(seen.probabilities[c]) for c in order]})
    y = alt.Y("class:N", sort=None, axis=None, scale=alt.Scale(paddingInner=0))
    x = alt.X("probability:Q", scale=alt.Scale(domain=[0, 1]), axis=None)
    base = alt.Chart(table).encode(y=y)
    bars = base.mark_bar(height=6, yOffset=8, color=theme.SERIES[0]).encode(x=x)
    names = base.mark_text(align="left", baseline="middle", dy=-3, fontSize=13, color=charts.tokens()["text"]).encode(
        x=alt.value(0), text="class:N"
    )
    st.markdown("**Prediction**")
    charts.show((bars + names).properties(height=32 * len(table)), alt_text=f"Class probabilities: {'; '.join(shown)}")


def _joints(seen: compute.Explained, layer: str) -> None:
    saliency, _ = compute.normalised(seen, layer)
    there = seen.clip.valid[:, None]
    frames = np.maximum(there.sum(axis=0), 1)
    mean, peak = (saliency * there).sum(axis=0) / frames, saliency.max(axis=0)  # (V, M)
    bodies = [m for m in range(seen.clip.bodies) if seen.clip.valid[:, m].any()]
    table = pd.DataFrame(
        [
            {
                "joint": name.replace("_", " "),
                "body": m + 1,
                "mean": float(mean[v, m]),
                "peak": float(peak[v, m]),
                "peak at (s)": float(saliency[:, v, m].argmax()) / seen.clip.fps,
            }
            for m in bodies
            for v, name in enumerate(seen.clip.skeleton.joints)
        ]
    ).sort_values("mean", ascending=False, kind="stable")
    st.markdown("**Joints**", help="Mean over frames, and peak, relative to the clip's maximum in this layer.")
    st.dataframe(
        table,
        hide_index=True,
        height=318,
        column_config={
            "joint": st.column_config.TextColumn(width=108),
            "body": st.column_config.NumberColumn(width=42) if len(bodies) > 1 else None,
            "mean": st.column_config.ProgressColumn(min_value=0, max_value=1, format="%.2f", width=88),
            "peak": st.column_config.NumberColumn(format="%.2f", width=52),
            "peak at (s)": st.column_config.NumberColumn("at (s)", format="%.1f", width=52),
        },
    )


main()
