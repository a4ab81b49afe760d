"""One clip, playing, with the evidence of the chosen layer for the chosen class painted on it."""

from functools import partial
from html import escape

import numpy as np
import streamlit as st

from app import canvas, compute, joints, opening, scenes, state, stored, takeaway, trust
from app.state import plain
from stgcn_lens.data.clip import Clip
from stgcn_lens.viz import player, theme

VIEWS = ("single", "layers", "compare")
SCALES = ("own scale", "shared scale")
_BARS = (
    "<style>.sl-bar{font-size:.85rem;line-height:1.3;margin-bottom:.35rem}.sl-bar div{height:6px;min-width:1px}</style>"
)
HELP = "single: one map. layers: every layer at once. compare: this map beside another layer, method or run."


def main() -> None:
    """Draw the page."""
    chosen = state.current()
    if not chosen.source.has_model:
        _bare(chosen)
        return
    if opening.loading.is_set() and chosen.source.path is not None:
        _soon(chosen)
        return
    seen = _seen(chosen)
    if seen is None:
        _wait(chosen)
        return
    layer = compute.shown_layer(seen, chosen.layer)
    st.markdown(_sentence(chosen, seen, layer))
    with st.container(horizontal=True, vertical_alignment="center"):
        view = st.segmented_control(
            "View",
            VIEWS,
            default=VIEWS[0],
            key="view",
            bind="query-params",
            label_visibility="collapsed",
            required=True,
        )
        beside, shared = _compared(chosen, seen, layer, view), view != VIEWS[0] and _shared()
        corner = st.empty()
    if layer != chosen.layer:
        st.caption(_instead(chosen, seen, layer))
    if view == "layers":
        shown = [scenes.Shown(seen, name, name, chosen.source.classes, pick=name) for name in seen.maps]
        scene = scenes.play(shown, shared=shared, height=165, heat=False)
        canvas.show(scene, key="clip_player", on_pick=_open_layer)
        st.caption("*Open* shows a layer alone. All play the same frame; drag one and all turn.")
    elif view == "compare":
        shown = list(scenes.pair(chosen, seen, layer, beside))
        scene = scenes.play(shown, shared=shared, height=270, heat=True)
        canvas.show(scene, key="clip_player")
        st.markdown(scenes.agreement(*shown))
    else:
        shown = [scenes.Shown(seen, layer, chosen.clip.name, chosen.source.classes)]
        scene, listed = scenes.play(shown, height=400, heat=True), joints.joints(seen, layer)
        left, right = st.columns([2.3, 1], gap="medium")
        with left:
            canvas.show(scene, key="clip_player")
        with right:
            _bars(chosen, seen.probabilities)
            trust.card(chosen, seen, layer)
            joints.show(listed)
    with corner:
        name = "clip" if view == VIEWS[0] else view
        takeaway.clips(scenes.films(shown, shared=shared), scene, name=name, beside=partial(_table, seen, layer))


def _table(seen: compute.Explained, layer: str) -> None:
    takeaway.csv(lambda: joints.csv(joints.joints(seen, layer)), "joints")


def _seen(chosen: state.Selection) -> compute.Explained | None:
    """The explanation that is asked for; None where it takes long and nobody has asked for it aloud."""
    target = chosen.wanted()
    against = state.unlike(chosen.other(), target, chosen.clip.predicted)
    if against != chosen.other():
        st.caption("A class rather than itself explains nothing; shown is the evidence for the class alone.")
    if chosen.method in compute.QUICK:
        return compute.explain(chosen.source, chosen.clip, target, chosen.method, against)
    if target is None:
        said = compute.explain(chosen.source, chosen.clip, None)
        target = int(said.probabilities.argmax())
    found = stored.explained(chosen.source, chosen.clip, target, chosen.method, against)
    if found is not None:
        return found
    key = (str(chosen.source.path), chosen.source.stamp, chosen.clip.number, target, chosen.method, against)
    asked = st.session_state.setdefault("asked", set())
    if key not in asked:
        st.session_state["asking"] = key
        return None
    with st.spinner(f"{chosen.method} ...", show_time=True):
        return compute.explain(chosen.source, chosen.clip, target, chosen.method, against)


def _soon(chosen: state.Selection) -> None:
    """The clip alone while the network is being loaded; the page comes back by itself once it is."""
    row, classes = chosen.clip, chosen.source.classes
    said = f"True: **{plain(row.class_name)}**. " if row.class_name else ""
    if row.predicted is not None:
        said += f"The model said **{plain(classes[row.predicted])}**. "
    st.markdown(f"{said}The network is being loaded; what it sees follows in a moment.")
    _still(chosen, chosen.source.clip(row))
    _follow()


@st.fragment(run_every=0.2)
def _follow() -> None:
    if not opening.loading.is_set():
        st.rerun()


def _wait(chosen: state.Selection) -> None:
    """A slow method: the clip without its map, a button, and the command that makes it for good."""
    seen = compute.explain(chosen.source, chosen.clip, chosen.wanted())
    text = f"{chosen.method} asks the network {compute.SLOW[chosen.method]}: seconds to minutes."
    if chosen.source.path is not None:
        text += (
            f" For good, and for more clips: `stgcn-lens explain {chosen.source.path} --method {chosen.method} "
            "--clips 20`; the page then reads it."
        )
    st.warning(text, icon=":material/hourglass_empty:")
    if st.button(f"Compute {chosen.method} for this clip", key="compute"):
        st.session_state["asked"].add(st.session_state["asking"])
        st.rerun()
    left, right = st.columns([2.3, 1], gap="medium")
    with left:
        _still(chosen, seen.clip)
    with right:
        _bars(chosen, seen.probabilities)


def _compared(chosen: state.Selection, seen: compute.Explained, layer: str, view: str) -> str:
    """What the map is compared with, where that is the view."""
    if view != "compare":
        return ""
    return st.selectbox(
        "Beside it",
        scenes.beside(chosen, seen, layer),
        key="beside",
        bind="query-params",
        label_visibility="collapsed",
        width=260,
    )


def _shared() -> bool:
    scale = st.segmented_control(
        "Colours",
        SCALES,
        default=SCALES[0],
        key="scale",
        bind="query-params",
        label_visibility="collapsed",
        required=True,
    )
    return scale == SCALES[1]


def _open_layer(name: str) -> None:
    """A layer of the grid was opened: it is the chosen one now, alone."""
    st.session_state["layer"] = name
    st.session_state["view"] = VIEWS[0]


def _instead(chosen: state.Selection, seen: compute.Explained, layer: str) -> str:
    if list(seen.maps) == ["input"]:
        return f"{seen.method} explains the input, not single layers. Shown: input."
    return f"The {chosen.layer} layer has no map of its own: {seen.method} needs a block. Shown: {layer}."


def _bare(chosen: state.Selection) -> None:
    """A run without a model: the clip alone."""
    clip = chosen.source.clip(chosen.clip)
    make = chosen.source.needs("train")
    if make is None:  # trained, but by a network that no file holds
        text = "This run's network was given from Python (docs/adapter.md). Its saliency is in the report."
    else:
        text = f"No model here yet, so no saliency. Make one: `{make}`"
    st.info(text, icon=":material/info:")
    _still(chosen, clip)


def _still(chosen: state.Selection, clip: Clip) -> None:
    """A clip without saliency."""
    title = f"{clip.name} · {chosen.clip.class_name or 'no label'}"
    panel = player.payload(clip.xyz, clip.valid, clip.skeleton, fps=clip.fps, name=clip.name, title=title)
    canvas.show(player.scene([panel], height=400), key="clip_player")


def _sentence(chosen: state.Selection, seen: compute.Explained, layer: str) -> str:
    row, classes = chosen.clip, chosen.source.classes
    best = int(seen.probabilities.argmax())
    says = f"the model says **{plain(classes[best])}** ({seen.probabilities[best]:.0%})"
    truth = f"True: **{plain(row.class_name)}**, {says}" if row.class_name else f"No label; {says}"
    mark = "" if row.label is None else (" :green[✓ right]." if best == row.label else " :red[✗ wrong].")
    target = f"*{plain(classes[seen.target])}*"
    if seen.against is not None:
        target += f" rather than *{plain(classes[seen.against])}*"
    if seen.no_evidence[layer]:
        where = f"At {plain(layer)} nothing in this clip speaks for {target}."
    else:
        joint, frame = _peak(seen, layer)
        # A network that takes all joints as one vector does not tell them apart.
        alike = float(np.ptp(seen.maps[layer], axis=1).max()) <= 1e-4 * float(seen.maps[layer].max())
        place = "is the same for every joint and peaks" if alike else f"peaks in the **{plain(joint)}**"
        where = f"At {plain(layer)} the evidence for {target} {place} at {frame / seen.clip.fps:.1f} s."
    return f"{truth}{mark or '.'} {where} Move *Layer* to see where the network looks at each depth."


def _peak(seen: compute.Explained, layer: str) -> tuple[str, int]:
    frame, joint, _ = np.unravel_index(int(seen.maps[layer].argmax()), seen.maps[layer].shape)
    return seen.clip.skeleton.joints[joint].replace("_", " "), int(frame)


def _bars(chosen: state.Selection, probabilities: np.ndarray, most: int = 5) -> None:
    # Not a chart: the library that draws those takes as long to reach the browser as all the rest of this page.
    classes = chosen.source.classes
    order = np.argsort(-probabilities, kind="stable")[:most]
    bars = []
    for c in order:
        says = f"{classes[c]} · {probabilities[c]:.1%}{' ← true' if c == chosen.clip.label else ''}"
        long = f"width:{probabilities[c]:.2%}"
        bars.append(f'<div class="sl-bar">{escape(says)}<div style="{long};background:{theme.SERIES[0]}"></div></div>')
    st.markdown("**Prediction**")
    st.html(f"{_BARS}{''.join(bars)}")


main()
