"""The canvas player as a Streamlit component, registered once."""

import streamlit as st

from stgcn_lens.viz import player

_component = st.components.v2.component("stgcn_lens_player", css=player.style(), js=player.script())


def show(scene: player.Scene, key: str) -> None:
    """Play a scene; with the same key its camera, frame and playback outlive a change of data."""
    _component(data=scene, key=key)
