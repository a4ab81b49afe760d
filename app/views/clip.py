"""One clip, playing, with the evidence of the chosen layer for the chosen class painted on it."""

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from app import canvas, compute, state
from app.state import plain
from stgcn_lens.viz import player


def main() -> None:
    """Draw the page."""
    chosen = state.current()
    if not compute.has_model(chosen.source):
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
    clip = compute.clip_of(chosen.source, chosen.clip.number)
    make = chosen.source.needs("train")
    st.info(f"No model here yet, so no saliency. Make one: `{make}`", icon=":material/info:")
    title = f"{clip.name} · {chosen.clip.class_name or 'no label'}"
    panel = player.payload(clip.xyz, clip.valid, clip.skeleton, fps=clip.fps, name=clip.name, title=title)
    canvas.show(player.scene([panel], height=440), key="clip")


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
        where = (
            f"At {plain(layer)} the evidence for *{plain(classes[seen.target])}* peaks in the **{plain(joint)}** "
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
    canvas.show(player.scene([panel], scope=scope, peak="1", height=440), key="clip")


def _bars(chosen: state.Selection, seen: compute.Explained, most: int = 5) -> None:
    classes = chosen.source.classes
    order = np.argsort(-seen.probabilities, kind="stable")[:most]
    role = lambda c: "true" if c == chosen.clip.label else "other"  # noqa: E731
    table = pd.DataFrame(
        {
            "class": [classes[c] for c in order],
            "probability": [float(seen.probabilities[c]) for c in order],
            "shown": [f"{seen.probabilities[c]:.1%}" + (" ← true" if role(c) == "true" else "") for c in order],
        }
    )
    names = alt.Y("class:N", sort=None, title=None, axis=alt.Axis(labelLimit=130, ticks=False, domain=False))
    bars = (
        alt.Chart(table)
        .mark_bar(height=13)
        .encode(x=alt.X("probability:Q", scale=alt.Scale(domain=[0, 1.35]), axis=None), y=names)
    )
    labels = bars.mark_text(align="left", dx=4, baseline="middle").encode(text="shown:N")
    spoken = ", ".join(f"{c} {p}" for c, p in zip(table["class"], table["shown"], strict=True))
    st.markdown("**Prediction**")
    st.altair_chart((bars + labels).properties(height=24 * len(table)), alt=f"Class probabilities: {spoken}")


def _joints(seen: compute.Explained, layer: str) -> None:
    saliency, _ = compute.normalised(seen, layer)
    there = seen.clip.valid[:, None]
    frames = np.maximum(there.sum(axis=0), 1)
    mean, peak = (saliency * there).sum(axis=0) / frames, saliency.max(axis=0)  # (V, M)
    bodies = [m for m in range(seen.clip.bodies) if seen.clip.valid[:, m].any()]
    table = pd.DataFrame(
        [
            {
                "joint": name.replace("_", " ") + (f" · body {m + 1}" if len(bodies) > 1 else ""),
                "mean": float(mean[v, m]),
                "peak": float(peak[v, m]),
                "peak at (s)": float(saliency[:, v, m].argmax()) / seen.clip.fps,
            }
            for m in bodies
            for v, name in enumerate(seen.clip.skeleton.joints)
        ]
    ).sort_values("mean", ascending=False, kind="stable")
    st.markdown(
        "**Joints**", help="Mean over the clip's frames and peak, relative to the clip's maximum in this layer."
    )
    bar = lambda label: st.column_config.ProgressColumn(label, min_value=0, max_value=1, format="%.2f")  # noqa: E731
    st.dataframe(
        table,
        hide_index=True,
        height=318,
        column_config={
            "mean": bar("mean"),
            "peak": st.column_config.NumberColumn(format="%.2f"),
            "peak at (s)": st.column_config.NumberColumn(format="%.1f"),
        },
    )


main()
