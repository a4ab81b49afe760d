"""A page's own ways to change the selection: a click on a point of a chart chooses as the sidebar does.

To be called in a callback, before the script runs again: the widgets of the sidebar then draw what is chosen here, and
the browser writes it into the URL.
"""

from collections.abc import Callable, Sequence

import streamlit as st

EVERY = "all classes"  # of the sidebar's "Show clips of": the filter that hides no clip


def clip(name: str) -> None:
    """Choose a clip; a filter that might hide it is let go."""
    st.session_state["clip"] = name
    st.session_state["only"] = EVERY


def layer(name: str) -> None:
    """Choose a layer."""
    st.session_state["layer"] = name


def clip_from(chart: str) -> Callable[[], None]:
    """For a chart's `on_select`: a click on a point that has a "name" chooses that clip."""
    return lambda: _take(chart, "name", clip)


def layer_from(chart: str, field: str = "layer") -> Callable[[], None]:
    """For a chart's `on_select`: a click on a point chooses the layer in a field of it."""
    return lambda: _take(chart, field, layer)


def clip_from_lines(table: str, names: Sequence[str]) -> Callable[[], None]:
    """For a table's `on_select`: a click on a line chooses the clip of that line."""

    def taken() -> None:
        lines = st.session_state[table]["selection"]["rows"]
        if lines:
            clip(str(names[lines[0]]))

    return taken


def _take(chart: str, field: str, choose: Callable[[str], None]) -> None:
    picked = st.session_state[chart]["selection"].get("pick") or []
    if picked:
        choose(picked[0][field])
