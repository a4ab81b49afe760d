"""Two or more runs: the same curves overlaid, and the clips on which two of them disagree."""

import altair as alt
import pandas as pd
import streamlit as st

from app import charts, choosing, comparing, state, takeaway
from app.state import plain
from stgcn_lens.viz import theme

_DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3])
_SHAPES = ("circle", "square", "triangle-up", "diamond")
_SHOWS = "the label errors of two or more runs over depth, with their intervals, and the clips on which they disagree"


def main() -> None:
    """Draw the page."""
    chosen = state.current()
    if chosen.source.path is None:
        st.info(
            f"Choose a run in the sidebar. This page would show {_SHOWS}. Make one: `stgcn-lens demo`",
            icon=":material/info:",
        )
        return
    ready, missing = comparing.find(chosen.source.path)
    here = chosen.source.path.name
    others = [name for name in ready if name != here]
    if here not in ready or not others:
        lacking = {here: missing[here]} if here in missing else missing
        make = "; ".join(f"`{command}`" for command in list(lacking.values())[:3])
        text = f"Nothing to compare yet: two analysed runs in one folder are needed. It would show {_SHOWS}."
        st.info(text + (f" Make it: {make}" if make else " Train another: `stgcn-lens train`"), icon=":material/info:")
        return
    left, right = st.columns(2, gap="medium")
    beside = left.multiselect(
        f"Compare {plain(here)} with",
        others,
        default=[comparing.alike(chosen.source.path, {name: ready[name] for name in others})],
        key="beside",
        bind="query-params",
        help="Analysed runs in the same folder.",
        placeholder="Choose one or more runs",
    )
    measure = right.selectbox(
        "Measure over depth",
        list(comparing.MEASURES),
        format_func=comparing.MEASURES.__getitem__,
        key="compared",
        bind="query-params",
    )
    if not beside:
        st.info("Choose at least one run to compare with.")
        return
    runs = [comparing.read(name, ready[name]) for name in (here, *beside)]
    said = comparing.sentence(runs)
    st.markdown(plain(said).replace("\\*\\*", "**"))
    if warned := comparing.warning(runs):
        st.warning(plain(warned))
    left, right = st.columns([1.35, 1], gap="medium")
    with left:
        _curves(runs, measure, chosen)
    with right:
        _table(runs)
    _clips(runs[0], runs[1])
    if missing:
        with st.expander(f"Not analysed yet: {len(missing)}"):
            for name, command in missing.items():
                st.markdown(f"{plain(name)}: `{command}`")
    takeaway.view("Compare", said.replace("**", ""))


def _curves(runs: list[comparing.Compared], measure: str, chosen: state.Selection) -> None:
    data, names = comparing.lines(runs, measure), [run.name for run in runs]
    st.markdown(f"**{comparing.MEASURES[measure]} over depth**")
    if data.empty:
        st.info("These runs do not tell of it.")
        return
    count = range(len(names))
    colour = alt.Color(
        "run:N",
        sort=names,
        scale=alt.Scale(domain=names, range=[theme.SERIES[i % len(theme.SERIES)] for i in count]),
        legend=alt.Legend(title=None, orient="top", labelLimit=180),
    )
    dash = alt.StrokeDash(
        "run:N", sort=names, legend=None, scale=alt.Scale(domain=names, range=[_DASHES[i % 4] for i in count])
    )
    shape = alt.Shape(
        "run:N", sort=names, legend=None, scale=alt.Scale(domain=names, range=[_SHAPES[i % 4] for i in count])
    )
    x = alt.X("depth:Q", title="depth: 0 the input, 1 the last block", scale=alt.Scale(domain=[0, 1], padding=8))
    y = alt.Y("value:Q", title=comparing.MEASURES[measure], scale=alt.Scale(zero=True))
    base = alt.Chart(data).encode(x=x, color=colour)
    tips = [alt.Tooltip("run:N"), alt.Tooltip("layer:N")]
    tips += [alt.Tooltip(f"{key}:Q", format=".3f") for key in ("value", "ci_low", "ci_high")]
    parts = [base.mark_line().encode(y=y, strokeDash=dash)]
    if data["ci_low"].notna().any():
        parts.insert(
            0,
            base.mark_area(opacity=0.16).encode(
                y=alt.Y("ci_low:Q", title=comparing.MEASURES[measure]), y2=alt.Y2("ci_high:Q")
            ),
        )
    pick = alt.selection_point(name="pick", fields=["run", "layer"], on="click", toggle=False)
    parts.append(
        base.mark_point(filled=True, size=65, opacity=1, cursor="pointer")
        .encode(y=y, shape=shape, tooltip=tips)
        .add_params(pick)
    )
    ends = data.groupby("run", sort=False)["value"].agg(["first", "last"])
    spoken = "; ".join(f"{name} from {row['first']:.2f} to {row['last']:.2f}" for name, row in ends.iterrows())
    charts.show(
        alt.layer(*parts).properties(height=330),
        alt_text=f"{comparing.MEASURES[measure]} from the input to the last block: {spoken}.",
        caption=f"Band: 95 % interval over clips. Click a point of {plain(runs[0].name)} to choose its layer.",
        name="compare",
        key="compare_curves",
        on_select=lambda: _picked(runs[0].name),
        selection_mode="pick",
    )


def _picked(here: str) -> None:
    picked = st.session_state["compare_curves"]["selection"].get("pick") or []
    if picked and picked[0].get("run") == here:
        choosing.layer(picked[0]["layer"])


def _table(runs: list[comparing.Compared]) -> None:
    table = comparing.table(runs)
    shown = table.set_index("run").T.reset_index().rename(columns={"index": ""})
    st.markdown("**Numbers**")
    st.dataframe(shown.map(_short), hide_index=True)
    takeaway.table(table, "compare-runs")
    paths = " ".join(str(run.path) for run in runs)
    st.caption(f"As a page with all figures: `stgcn-lens compare {paths}`")


def _short(value: object) -> str:
    """A cell as text: columns of this table hold names and numbers."""
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return "–"  # noqa: RUF001
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _clips(a: comparing.Compared, b: comparing.Compared) -> None:
    """Clips that only one of the two takes for what they are; a click on a line chooses the clip."""
    table = comparing.disagreements(a, b)
    counts = table["right"].value_counts()
    st.markdown(
        f"**{len(table)} clips on which {plain(a.name)} and {plain(b.name)} disagree**: "
        f"{int(counts.get(a.name, 0))} only {plain(a.name)} gets right, "
        f"{int(counts.get(b.name, 0))} only {plain(b.name)}.",
        help="Choose a line to go to its clip.",
    )
    if table.empty:
        return

    st.dataframe(
        table,
        hide_index=True,
        height=min(38 + 35 * len(table), 260),
        key="disagreements",
        on_select=choosing.clip_from_lines("disagreements", table["clip"].tolist()),
        selection_mode="single-row",
        column_config={"confidence": st.column_config.NumberColumn(f"confidence of {a.name}", format="%.2f")},
    )
    takeaway.table(table, "disagreements")


main()
