"""The canvas player as a Streamlit component, registered once."""

from collections.abc import Callable

import streamlit as st

from stgcn_lens.viz import player

_component = st.components.v2.component("stgcn_lens_player", css=player.style(), js=player.script())


def show(scene: player.Scene, key: str, on_pick: Callable[[str], None] | None = None) -> None:
    """Play a scene; with the same key its camera, frame and playback outlive a change of data.

    `on_pick` is told what the panel holds whose button was pressed (`player.payload(pick=...)`).
    """

    def picked() -> None:
        what = st.session_state[key].get("pick")
        if on_pick is not None and what:
            on_pick(what)

    # In a list: of a dict Streamlit looks whether parts of it are tables, and imports pandas to know one.
    _component(data=[scene], key=key, on_pick_change=picked)
