"""The chosen clip as it plays beside the charts of a page, with what the chosen layer sees in it."""

import streamlit as st

from app import canvas, panels, state, takeaway
from app.state import plain
from stgcn_lens.viz import player


def play(chosen: state.Selection, key: str) -> player.Scene | None:
    """Play it; None where the clips cannot be read, which the page then says. `key` is the player's, of the page."""
    if chosen.source.clips is None:
        st.info(f"The clips of this run cannot be read, so none plays: {plain(chosen.source.trouble)}")
        return None
    row = chosen.clip
    said = "" if row.predicted is None else f", taken for {chosen.source.classes[row.predicted]}"
    asked, subtitle = panels.Asked.of(chosen), f"{row.class_name or 'no label'}{said}"
    shown = panels.panel(chosen.source, row, chosen.layer, asked, title=row.name, subtitle=subtitle)
    scene = player.scene([shown.panel], scope=shown.scope, height=250)
    canvas.show(scene, key=key)
    takeaway.clips([shown.filmed], scene, name="clip", method=asked.method)
    return scene
