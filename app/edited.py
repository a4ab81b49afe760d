"""The edits of the What if page: their widgets, which the URL keeps, and what they are called."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from stgcn_lens.data.edits import Edits
from stgcn_lens.skeleton import Layout

NOISE: dict[str, float | None] = {"none": None, **{f"{db}_dB": float(db) for db in (40, 30, 20, 15, 10, 5, 0)}}
PACE = {"half": 0.5, "the_same": 1.0, "1.5_times": 1.5, "twice": 2.0, "3_times": 3.0}
LOST = {f"{percent}_percent": percent / 100 for percent in range(0, 100, 10)}
_PLAIN: dict[str, Any] = {
    "freeze": [],
    "hide": [],
    "drop": "0_percent",
    "noise": "none",
    "rotate": 0,
    "pace": "the_same",
    "mirror": False,
}


def choose(layout: Layout) -> Edits:
    """Draw the widgets and return what is asked for."""
    centre = layout.joints[layout.centre]
    joints, parts = {joint: (joint,) for joint in layout.joints}, _parts(layout)
    held = {name: which for name, which in {**parts, **joints}.items() if which != (centre,)}
    freeze = _joints(
        "Hold still", "freeze", held, f"Joints keep the place about the {_words(centre)} that they first have."
    )
    hide = _joints(
        "Hide",
        "hide",
        {**parts, **joints},
        "Nothing is known of them: in space they rest at their own mean place, in a picture they are not detected.",
    )
    left, right = st.columns(2, gap="small")
    with left:
        noise = _one("Noise", "noise", NOISE, "Gaussian, as signal-to-noise ratio of this clip.")
        pace = _one("Length", "pace", PACE, "More frames at the same rate: the body moves slower.")
    with right:
        lost = _one("Frames lost", "drop", LOST, "Chosen at random, and interpolated between those that remain.")
        about = "About the up axis; 2-D: in the picture."
        rotate = st.slider("Turn (°)", -180, 180, 0, 15, key="rotate", bind="query-params", help=about)
    mirror = st.toggle("Mirror left and right", key="mirror", bind="query-params")
    edits = Edits(
        mirror=mirror,
        rotate=float(rotate),
        freeze=_named(freeze, held),
        slow=PACE[pace],
        noise=NOISE[noise],
        drop=LOST[lost],
        hide=_named(hide, {**parts, **joints}),
    )
    st.button("Undo all", on_click=undo, disabled=not edits.any, icon=":material/undo:", width="stretch")
    return edits


def under(kind: str, level: float) -> dict[str, str]:
    """The URL's words for a disturbance of the noise study at a level; empty where the widgets cannot say it."""
    if kind == "gaussian" and f"{level:g}_dB" in NOISE:
        return {"noise": f"{level:g} dB"}
    if kind == "frame_dropout" and f"{100 * level:g}_percent" in LOST:
        return {"drop": f"{100 * level:g} %"}
    if kind == "viewpoint" and level % 15 == 0:
        return {"rotate": f"{level:g}"}
    return {}


def told(edits: Edits, layout: Layout) -> str:
    """What was changed, in words that follow "with"."""
    said = []
    if edits.freeze:
        said.append(f"{_some(edits.freeze, layout)} held still")
    if edits.hide:
        said.append(f"{_some(edits.hide, layout)} hidden")
    if edits.drop:
        said.append(f"{edits.drop:.0%} of the frames lost")
    if edits.noise is not None:
        said.append(f"noise at {edits.noise:g} dB")
    if edits.rotate:
        said.append(f"a turn by {edits.rotate:g}°")
    if edits.slow != 1:
        said.append(f"{edits.slow:g} times the length")
    if edits.mirror:
        said.append("left and right swapped")
    return ", ".join(said[:-1]) + (" and " if len(said) > 1 else "") + (said[-1] if said else "nothing changed")


def _joints(label: str, key: str, options: Mapping[str, Sequence[str]], about: str) -> list[str]:
    kept = [name for name in st.session_state.get(key, ()) if name in options]
    if kept != list(st.session_state.get(key, ())):  # of another layout's body
        st.session_state[key] = kept
    return st.multiselect(
        label,
        list(options),
        key=key,
        bind="query-params",
        format_func=_words,
        placeholder="joints or parts",
        help=about,
    )


def _one(label: str, key: str, options: Mapping[str, Any], about: str) -> str:
    return st.selectbox(
        label,
        list(options),
        index=list(options).index(_PLAIN[key]),
        key=key,
        bind="query-params",
        format_func=lambda name: _words(name).replace(" percent", " %"),
        help=about,
    )


def _named(chosen: Sequence[str], options: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The joints of all that is chosen, each once."""
    return tuple(dict.fromkeys(joint for name in chosen for joint in options[name]))


def _parts(layout: Layout) -> dict[str, tuple[str, ...]]:
    """Body parts of several joints, under names that no joint has."""
    from stgcn_lens.explain.parts import body_parts

    found = {name: tuple(layout.joints[j] for j in places) for name, places in body_parts(layout).items()}
    return {f"whole_{name}": joints for name, joints in found.items() if len(joints) > 1}


def _some(joints: Sequence[str], layout: Layout, most: int = 3) -> str:
    """Joints in words; those of a whole body part as the part."""
    left, named = list(joints), []
    for name, part in _parts(layout).items():
        if set(part) <= set(left):
            named.append(_words(name.replace("whole_", "the ", 1)))
            left = [joint for joint in left if joint not in part]
    named += [_words(joint) for joint in left]
    return ", ".join(named[:most]) + (f" and {len(named) - most} more" if len(named) > most else "")


def _words(name: str) -> str:
    return name.replace("_", " ")


def undo() -> None:
    """Show the clip as it was recorded."""
    for key, value in _PLAIN.items():
        st.session_state[key] = value
