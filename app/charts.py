"""How every chart of the app is dressed: readable labels on a light and on a dark page, and what can be taken away.

Encodings are given as objects (`alt.Y("value:Q")`), not as strings: for each string Altair looks through its whole
grammar, some milliseconds each.
"""

from collections.abc import Callable
from typing import Any

import altair as alt
import streamlit as st
from altair.utils import schemapi

from app import takeaway
from stgcn_lens.viz import theme

# Altair checks every part of a chart against the grammar, over and over: half of the time that a page takes. The tests
# switch it on again (`to_dict` below has a switch of its own, which follows this one).
schemapi.DEBUG_MODE = False
alt.data_transformers.disable_max_rows()  # what a chart is given is thinned out before


def tokens() -> dict[str, str]:
    """The colours of the page as the reader sees it."""
    return theme.DARK if st.context.theme.type == "dark" else theme.LIGHT


def names(**settings: Any) -> alt.Axis:
    """An axis of names that leaves none out."""
    return alt.Axis(**{"labelOverlap": False, "labelFlush": False, "grid": False, "labelLimit": 190, **settings})


def heat() -> alt.Scale:
    """Saliency from 0 up, in the colours that it has everywhere."""
    return alt.Scale(range=["#" + bytes(colour).hex() for colour in theme.SALIENCY[::15]], domainMin=0)


def chosen_layer(layer: str, x: alt.X) -> alt.Chart:
    """A band behind the chosen layer."""
    data = alt.Data(values=[{"layer": layer}])
    return alt.Chart(data).mark_rule(strokeWidth=16, opacity=0.16, color=tokens()["text"]).encode(x=x)


def show(
    chart: Any, *, alt_text: str, name: str = "", caption: str = "", kept: tuple[Any, ...] = (), **how: Any
) -> None:
    """Draw a chart in the page's colours, and under it what of it can be taken away.

    Parameters
    ----------
    chart : the chart, or what makes it.
    kept : all that the chart depends on but the theme: it is then made once for all who see the same.
    alt_text : says what it shows to those who cannot see it.
    name : of the figure, a part of its file's name; without one nothing is offered.
    caption : a line under it.
    how : passed on to `st.vega_lite_chart`.
    """
    make = chart if callable(chart) else lambda: chart
    if kept:
        spec = _spec((name, *kept), tokens() is theme.DARK, make)
    else:
        spec = dressed(make()).to_dict(validate=schemapi.DEBUG_MODE)
    st.vega_lite_chart(spec, alt=alt_text, **how)
    if name:
        under(lambda: dressed(make()), name, caption)


@st.cache_data(max_entries=128, show_spinner=False)
def _spec(kept: tuple[Any, ...], dark: bool, _make: Callable[[], Any]) -> dict[str, Any]:
    """A chart as Vega-Lite; Altair takes some 50 ms for one."""
    return dict(dressed(_make()).to_dict(validate=schemapi.DEBUG_MODE))


def dressed(chart: Any) -> Any:
    """A chart in the page's colours."""
    colours = tokens()
    words: dict[str, Any] = {"labelColor": colours["text"], "titleColor": colours["text"]}
    return chart.configure(
        axis=alt.AxisConfig(**words, gridColor=colours["grid"], labelFontSize=12, titleFontSize=12),
        legend=alt.LegendConfig(**words, labelFontSize=12, symbolOpacity=1),
        header=alt.HeaderConfig(**words),
    )


def under(chart: Callable[[], Any], name: str, caption: str = "") -> None:
    """A figure's caption, and beside it what of the figure can be taken away, made when it is asked for."""
    text, offer = st.columns([3.1, 1], gap="small")
    text.caption(caption)
    with offer:
        takeaway.figure(chart, name, tokens()["background"])
