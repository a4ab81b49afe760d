"""Recordings of one's own: what was understood of them, every fault, and then a loaded model's view of each clip."""

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from app import canvas, charts, compute, live, state, uploads
from app.state import plain
from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.relayout import joint_mapping, relayout
from stgcn_lens.errors import DataError, LensError
from stgcn_lens.studies.one_clip import Seen
from stgcn_lens.viz import player, theme

MISSING = 5  # joints that are told by name


def main() -> None:
    """Draw the page."""
    chosen = state.current()
    brought = _bring()
    if brought is None:
        return
    _understood(brought)
    _explore(chosen, brought)


def _bring() -> uploads.Brought | None:
    """The upload that this session holds; a new one replaces it."""
    from stgcn_lens.data.readers import READERS

    left, right = st.columns([2.6, 1], gap="medium", vertical_alignment="bottom")
    with left:
        given = st.file_uploader(
            f"Recordings of a body: one file, or several that belong together (at most {uploads.MOST_FILES} files and "
            f"{uploads.MOST_MB} MB)",
            accept_multiple_files=True,
            max_upload_size=uploads.MOST_MB,
            key="brought_files",
            on_change=_forget,
            help="Formats are known by content, not by name. An archive (.zip, .tar.gz) of them will do.",
        )
    with right:
        st.download_button(
            "A sample to try",
            uploads.sample,
            uploads.SAMPLE,
            "text/plain",
            on_click="ignore",
            icon=":material/download:",
            width="stretch",
            help="A made-up kick in the format of NTU RGB+D. Nothing that you bring is kept.",
        )
    if given and not {"brought", "brought_error"} & set(st.session_state):
        _read([(one.name, one.getvalue()) for one in given])
    elif not given and "brought" in st.session_state:  # of an earlier visit to this page
        st.button("Forget this recording", on_click=_forget, icon=":material/delete:")
    if "brought_error" in st.session_state:
        st.error(plain(st.session_state["brought_error"]), title="This cannot be read", icon=":material/error:")
        return None
    if "brought" not in st.session_state:
        st.markdown(
            "Drop a recording here to see what is understood of it, and then what the chosen run's model sees in it. "
            "No recording at hand? Take the sample."
        )
        table = pd.DataFrame([{"format": r.name, "what it looks like": r.what, "layout": r.layout} for r in READERS])
        st.dataframe(table, hide_index=True, height="content", alt="The formats that can be read.")
        return None
    return st.session_state["brought"]


def _read(files: list[tuple[str, bytes]]) -> None:
    """Read them into this session, or keep why they cannot be read."""
    place = st.empty()
    try:
        with place.status("Reading ...") as told:
            found = uploads.read(files, lambda done, n: told.update(label=f"Reading {done} of {n}"))
        st.session_state["brought"] = found
    except LensError as error:
        st.session_state["brought_error"] = str(error)
    place.empty()


def _forget() -> None:
    for key in ("brought", "brought_error", "brought_clip"):
        st.session_state.pop(key, None)


def _understood(brought: uploads.Brought) -> None:
    """What the files hold, before any model looks at them."""
    info = brought.info
    facts = {
        "Format": info.format,
        "Clips": f"{info.clips:,}",
        "Layout": f"{info.layout} · {info.joints} joints",
        "Bodies at once": str(max(info.at_once, default=0)),
        "Frames": f"{info.shortest:,}" if info.shortest == info.longest else f"{info.shortest:,} to {info.longest:,}",
        "Rate": f"{info.fps:g} a second" if info.fps > 0 else "not known",
    }
    cells = st.columns([1, 0.6, 1.5, 0.9, 0.9, 1], gap="small")
    for cell, (name, value) in zip(cells, facts.items(), strict=True):
        with cell:
            st.markdown(f":gray[{name}]  \n**{plain(value)}**")
    lost = sorted(((share, joint) for joint, share in info.missing.items() if share > 0), reverse=True)
    names = ", ".join(f"{joint.replace('_', ' ')} {share:.1%}" for share, joint in lost[:MISSING])
    more = f" and {len(lost) - MISSING} more" if len(lost) > MISSING else ""
    missing = f"Joints missing: {plain(names)}{more}." if lost else "No joint is ever missing."
    faults = (*info.faults, *info.earlier, *info.unusable)
    st.markdown(f"{missing} {'**' + _counted(len(faults), 'fault') + '**:' if faults else 'No fault was found.'}")
    if faults:
        kinds = {"clip": "left out", "frames": "kept in part", "nothing": "noted"}
        unusable = len(info.faults) + len(info.earlier)
        table = pd.DataFrame(
            [
                {
                    "file": one.file,
                    "what": "training leaves it out" if i >= unusable else kinds[one.dropped],
                    "why": one.reason,
                }
                for i, one in enumerate(faults)
            ]
        )
        st.dataframe(table, hide_index=True, height="content" if len(table) < 4 else 180)
    with st.expander("Everything that was understood"):
        st.code(info.text(), language=None)


def _explore(chosen: state.Selection, brought: uploads.Brought) -> None:
    if not chosen.source.has_model:
        st.info("Choose a run with a model in the sidebar to see what it makes of these clips.", icon=":material/info:")
        return
    names = [clip.name for clip in brought.clips]
    if len(names) > 1:
        of = f" of the first {len(names)}" if brought.info.clips > len(names) else ""
        picked = st.selectbox(f"Clip{of}", range(len(names)), format_func=names.__getitem__, key="brought_clip")
    else:
        picked = 0
    try:
        clip, notes = _fitted(chosen, brought.clips[picked])
        target = None if chosen.target == state.PREDICTED else chosen.source.classes.index(chosen.target)
        seen = live.look(chosen.source, ("brought", brought.key, picked), lambda: clip, target)
    except DataError as error:
        st.error(plain(str(error)), title="The model cannot look at this clip", icon=":material/error:")
        _play(chosen, brought.clips[picked], None)
        return
    best = int(seen.probabilities.argmax())
    label = brought.clips[picked].label
    own = f" The file calls it {plain(list(brought.info.classes)[label])}." if label is not None else ""
    st.markdown(
        f"Of the {len(chosen.source.classes)} actions that it knows, the model takes this clip for "
        f"**{plain(chosen.source.classes[best])}** ({seen.probabilities[best]:.0%}).{own}"
    )
    if notes:
        with st.expander(f"{plain(brought.clips[picked].layout)} is read as {plain(clip.layout)}, joint by joint"):
            st.code("\n".join(notes), language=None)
    left, right = st.columns([2.3, 1], gap="medium")
    with left:
        _play(chosen, clip, seen)
    with right:
        _bars(chosen, seen)


def _fitted(chosen: state.Selection, clip: Clip) -> tuple[Clip, tuple[str, ...]]:
    """The clip on the model's layout, and what to say of that; `DataError` if it cannot be put there."""
    loaded = compute.model(str(chosen.source.model), chosen.source.stamp).loaded
    notes: tuple[str, ...] = ()
    if clip.layout != loaded.layout.name:
        notes = joint_mapping(clip.layout, loaded.layout.name).notes or ("every joint has one of its own name",)
        clip = relayout(clip, loaded.layout.name)
    loaded.check(ClipSet.from_clips([clip.replace(evidence=None)], ()), file=clip.name)
    return clip, notes


def _play(chosen: state.Selection, clip: Clip, seen: Seen | None) -> None:
    shown, saliency, note, scope = (seen.clip if seen else clip), None, "", ""
    if seen:
        layer = compute.shown_layer(seen, chosen.layer)
        peak = float(seen.maps[layer].max(initial=0))
        saliency = seen.maps[layer] / (peak or 1.0)
        target = chosen.source.classes[seen.target]
        note = f"No positive evidence for “{target}” in {layer}." if seen.no_evidence[layer] else ""
        scope = f"Grad-CAM for “{target}” at {layer}, relative to this clip's maximum ({peak:.2g})"
    panel = player.payload(
        shown.xyz,
        shown.valid,
        shown.skeleton,
        saliency=saliency,
        fps=shown.fps,
        name=clip.name,
        title=clip.name,
        note=note,
    )
    canvas.show(player.scene([panel], scope=scope, height=380), key="brought_player")


def _bars(chosen: state.Selection, seen: Seen, most: int = 6) -> None:
    classes = chosen.source.classes
    order = np.argsort(-seen.probabilities, kind="stable")[:most]
    table = pd.DataFrame([{"class": classes[c], "probability": float(seen.probabilities[c])} for c in order])
    chart = (
        alt.Chart(table)
        .mark_bar(color=theme.SERIES[0])
        .encode(
            x=alt.X("probability:Q", scale=alt.Scale(domain=[0, 1]), title=None, axis=alt.Axis(format=".0%")),
            y=alt.Y("class:N", sort=None, title=None, axis=charts.names()),
            tooltip=[alt.Tooltip("class:N"), alt.Tooltip("probability:Q", format=".1%")],
        )
        .properties(height=30 * len(order) + 40)
    )
    said = "; ".join(f"{classes[c]} {seen.probabilities[c]:.0%}" for c in order)
    st.markdown("**Prediction**")
    charts.show(chart, alt_text=f"Class probabilities: {said}.")


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"


main()
