"""How every chart of the app is dressed: readable labels on a light and on a dark page."""

from typing import Any

import altair as alt
import streamlit as st

from stgcn_lens.viz import theme


def tokens() -> dict[str, str]:
    """The colours of the page as the reader sees it."""
    return theme.DARK if st.context.theme.type == "dark" else theme.LIGHT


def names(**settings: Any) -> alt.Axis:
    """An axis of names that leaves none out."""
    return alt.Axis(**{"labelOverlap": False, "labelFlush": False, "grid": False, "labelLimit": 190, **settings})


def chosen_layer(layer: str, x: alt.X) -> alt.Chart:
    """A band behind the chosen layer."""
    data = alt.Data(values=[{"layer": layer}])
    return alt.Chart(data).mark_rule(strokeWidth=16, opacity=0.16, color=tokens()["text"]).encode(x=x)


def show(chart: Any, *, alt_text: str, **how: Any) -> None:
    """Draw a chart in the page's colours; `alt_text` says what it shows to those who cannot see it."""
    colours = tokens()
    dressed = chart.configure_axis(
        labelColor=colours["text"],
        titleColor=colours["text"],
        gridColor=colours["grid"],
        labelFontSize=12,
        titleFontSize=12,
    ).configure_legend(labelColor=colours["text"], titleColor=colours["text"], labelFontSize=12)
    st.altair_chart(dressed, alt=alt_text, **how)
