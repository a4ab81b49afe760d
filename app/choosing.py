"""A page's own ways to change the selection: a click on a point of a chart chooses as the sidebar does.

To be called in a callback, before the script runs again: the widgets of the sidebar then draw what is chosen here, and
the browser writes it into the URL.
"""

import streamlit as st

EVERY = "all classes"  # of the sidebar's "Show clips of": the filter that hides no clip


def clip(name: str) -> None:
    """Choose a clip; a filter that might hide it is let go."""
    st.session_state["clip"] = name
    st.session_state["only"] = EVERY


def layer(name: str) -> None:
    """Choose a layer."""
    st.session_state["layer"] = name
