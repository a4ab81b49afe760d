"""Which class is taken for which, the clips of one such pair, and what in them speaks for the wrong class."""

from functools import partial

import altair as alt
import pandas as pd
import streamlit as st

from app import canvas, charts, compute, contrasts, live, state, takeaway, why
from app.sources import ClipRow
from app.state import plain
from stgcn_lens.viz import player, theme

WRONG, RIGHT = "wrong_class", "true_class"
PRINTED = 30  # classes up to which the counts are printed in the cells (ours: they are legible)


def main() -> None:
    """Draw the page."""
    chosen = state.current()
    if st.session_state.pop("open_clip", False):
        st.switch_page("views/clip.py", query_params={})  # None would try to clear what widgets hold
    sides = contrasts.told_rows(chosen.source)
    if not sides:
        make = chosen.source.needs("train")
        text = f" Train a network: `{make}`" if make else ""
        st.info(f"No clip here has both a class and a prediction, so none is confused.{text}", icon=":material/info:")
        return
    side = next(iter(sides))
    if len(sides) > 1:
        side = st.segmented_control(
            "Clips of split", list(sides), default=side, required=True, key="split", bind="query-params"
        )
    rows, classes = sides[side], list(chosen.source.classes)
    counts = _counts(rows)
    says = _sentence(rows, counts, classes)
    st.markdown(says)
    left, right = st.columns([1.35, 1], gap="medium")
    with right:
        true, predicted = _pair(counts, classes)
        group = contrasts.Group.of(rows, true, predicted)
        _clips(chosen, group, true, predicted)
    with left:
        _matrix(counts, classes, true, predicted)
    scene = None
    if true != predicted and group.confused:
        if chosen.source.has_model:
            scene = _players(chosen, group, true, predicted)
            why.show(chosen, group, true, predicted, side)
        else:
            st.info("Why they are confused can only be asked of a run with a model.", icon=":material/info:")
    takeaway.view("Confusions", says, scene)


def _counts(rows: list[ClipRow]) -> dict[tuple[int, int], int]:
    """(true, predicted) -> clips, for pairs that occur."""
    found: dict[tuple[int, int], int] = {}
    for row in rows:
        pair = (row.label, row.predicted)
        found[pair] = found.get(pair, 0) + 1  # type: ignore[index, arg-type]
    return found


def _mistakes(counts: dict[tuple[int, int], int]) -> list[tuple[int, int]]:
    """Pairs that are confused, the most frequent first."""
    wrong = [pair for pair in counts if pair[0] != pair[1]]
    return sorted(wrong, key=lambda pair: (-counts[pair], pair))


def _sentence(rows: list[ClipRow], counts: dict[tuple[int, int], int], classes: list[str]) -> str:
    wrong = _mistakes(counts)
    if not wrong:
        return (
            f"All **{len(rows)}** clips are recognised. Change one in *What if* until it is not, or choose another run."
        )
    a, b = wrong[0]
    of = sum(n for (true, _), n in counts.items() if true == a)
    return (
        f"**{sum(counts[pair] for pair in wrong)} of {len(rows)}** clips are taken for another class, most often "
        f"**{plain(classes[a])}** for **{plain(classes[b])}** ({counts[a, b]} of {of}). Click a cell to see its clips."
    )


def _pair(counts: dict[tuple[int, int], int], classes: list[str]) -> tuple[int, int]:
    """The cell that is looked at: two widgets that a click on the matrix sets too."""
    first = (_mistakes(counts) or sorted(counts))[0]
    left, right = st.columns(2, gap="small")
    with left:
        true = st.selectbox("True class", classes, index=first[0], key="true", bind="query-params")
    with right:
        predicted = st.selectbox("Taken for", classes, index=first[1], key="predicted", bind="query-params")
    return classes.index(true), classes.index(predicted)


def _clips(chosen: state.Selection, group: contrasts.Group, true: int, predicted: int) -> None:
    classes = chosen.source.classes
    if not group.confused:
        what = "recognised" if true == predicted else f"taken for {plain(classes[predicted])}"
        st.info(f"No clip of {plain(classes[true])} is {what}.", icon=":material/info:")
        return
    shown = sorted(group.confused, key=lambda row: -(row.confidence or 0))
    table = pd.DataFrame([{"clip": row.name, "confidence": row.confidence} for row in shown])
    n = len(shown)
    how = "recognised" if true == predicted else f"taken for {plain(classes[predicted])}"
    st.caption(f"{n} clip{'s' * (n > 1)} {how}. Choose one: it opens on the Clip page.")
    key = f"cell_{true}_{predicted}"
    st.dataframe(
        table,
        hide_index=True,
        height="content" if n < 9 else 330,
        key=key,
        on_select=partial(_open, key, [row.name for row in shown]),
        selection_mode="single-row",
        column_config={
            "confidence": st.column_config.ProgressColumn(min_value=0, max_value=1, format="percent", width=110)
        },
        alt=f"Clips of {classes[true]} that are taken for {classes[predicted]}, with the network's confidence.",
    )


def _open(key: str, names: list[str]) -> None:
    """A chosen line of the table becomes the selected clip, and the Clip page opens on it."""
    picked = st.session_state[key]["selection"]["rows"]
    if picked:
        st.session_state["clip"] = names[picked[0]]
        st.session_state["only"] = "all classes"
        st.session_state["open_clip"] = True


def _matrix(counts: dict[tuple[int, int], int], classes: list[str], true: int, predicted: int) -> None:
    """Cells that hold a clip; the others are left empty."""
    size = {a: sum(n for (t, _), n in counts.items() if t == a) for a, _ in counts}
    table = pd.DataFrame(
        [
            {"true": classes[a], "predicted": classes[b], "clips": n, "share": n / size[a], "right": a == b}
            for (a, b), n in counts.items()
        ]
    )
    ramp = ["#" + bytes(colour).hex() for colour in theme.SALIENCY[::15]]
    step = max(12, min(24, 620 // len(classes)))
    axis = charts.names(labelAngle=-45, labelLimit=110, labelOverlap=len(classes) > 60)
    x = alt.X("predicted:N", sort=classes, scale=alt.Scale(domain=classes), title="predicted", axis=axis)
    y = alt.Y("true:N", sort=classes, scale=alt.Scale(domain=classes), title="true", axis=charts.names(labelLimit=170))
    pick = alt.selection_point(name="cell", fields=["true", "predicted"], on="click", toggle=False)
    base = alt.Chart(table).encode(x=x, y=y)
    shade = alt.Color("share:Q", scale=alt.Scale(range=ramp, domain=[0, 1]), legend=None)
    cells = base.mark_rect(cursor="pointer", stroke=charts.tokens()["grid"], strokeWidth=0.5).encode(
        color=shade,
        tooltip=[
            alt.Tooltip("true:N"),
            alt.Tooltip("predicted:N"),
            alt.Tooltip("clips:Q"),
            alt.Tooltip("share:Q", format=".0%", title="of the true class"),
        ],
    )
    layers = [cells.add_params(pick)]
    if len(classes) <= PRINTED:
        ink = alt.condition(alt.datum.share > 0.6, alt.value("#16191d"), alt.value("#ffffff"))
        layers.append(base.mark_text(fontSize=11, tooltip=None).encode(text=alt.Text("clips:Q"), color=ink))
    here = alt.Chart(alt.Data(values=[{"true": classes[true], "predicted": classes[predicted]}])).mark_rect(
        filled=False, stroke=charts.tokens()["accent"], strokeWidth=3
    )
    wrong = "; ".join(f"{classes[a]} for {classes[b]}: {counts[a, b]}" for a, b in _mistakes(counts)[:10])
    charts.show(
        alt.layer(*layers, here.encode(x=x, y=y)).properties(height=step * len(classes)),
        key="matrix",
        on_select=partial(_pick_cell, classes),
        selection_mode="cell",
        alt_text=f"Confusion matrix of {len(classes)} classes. Confused most: {wrong or 'none'}.",
        name="confusions",
        caption="Colour: share of the true class's clips, dark 0 to bright 1. Empty: no clip.",
    )


def _pick_cell(classes: list[str]) -> None:
    picked = st.session_state["matrix"]["selection"].get("cell") or []
    if picked and {picked[0].get("true"), picked[0].get("predicted")} <= set(classes):
        st.session_state["true"], st.session_state["predicted"] = picked[0]["true"], picked[0]["predicted"]


def _players(chosen: state.Selection, group: contrasts.Group, true: int, predicted: int) -> player.Scene:
    """One confused clip beside a recognised one, in step, painted with what sets the two classes apart."""
    source, classes = chosen.source, chosen.source.classes
    confused = {row.name: row for row in group.confused}
    recognised = {row.name: row for row in (*group.true, *group.predicted)}
    one, two, three = st.columns([1, 1, 1.3], gap="small")
    with one:
        first = confused[st.selectbox("Confused clip", list(confused), key="confused", bind="query-params")]
    with two:
        second = None
        if recognised:
            second = recognised[
                st.selectbox(
                    "Recognised clip",
                    list(recognised),
                    key="recognised",
                    bind="query-params",
                    format_func=lambda name: f"{name} · {recognised[name].class_name}",
                )
            ]
    with three:
        names = {WRONG: f"for {classes[predicted]}", RIGHT: f"for {classes[true]}"}
        speaks = st.segmented_control(
            "What speaks more for the one class than for the other",
            list(names),
            default=WRONG,
            required=True,
            key="speaks",
            bind="query-params",
            format_func=names.__getitem__,
        )
    of, against = (predicted, true) if speaks == WRONG else (true, predicted)
    rows = [first, *([second] if second else [])]
    seen = [live.look(source, ("clip", row.number), partial(source.clip, row), of, against) for row in rows]
    layer = compute.shown_layer(seen[0], chosen.layer)
    peak = max(float(one.maps[layer].max(initial=0)) for one in seen)
    panels = [
        player.payload(
            one.clip.xyz,
            one.clip.valid,
            one.clip.skeleton,
            saliency=one.maps[layer] / (peak or 1.0),
            fps=one.clip.fps,
            name=one.clip.name,
            title=f"{'confused' if row is first else 'recognised'}: {row.class_name}",
            subtitle=f"taken for {classes[row.predicted]} · {row.name}",  # type: ignore[index]
            note="nothing speaks for it here" if one.no_evidence[layer] else "",
        )
        for row, one in zip(rows, seen, strict=True)
    ]
    scope = (
        f"Grad-CAM of “{classes[of]}” minus “{classes[against]}” at {layer}, positive part; "
        f"both relative to the larger maximum ({peak:.2g})"
    )
    scene = player.scene(panels, scope=scope, height=330)
    canvas.show(scene, key="confusion_player")
    filmed = [
        takeaway.Filmed(
            one.clip,
            one.maps[layer] / (peak or 1.0),
            panel["title"],
            panel["subtitle"],
            arrays={f"map_{layer}": one.maps[layer], "probabilities": one.probabilities},
        )
        for one, panel in zip(seen, panels, strict=True)
    ]
    takeaway.clips(filmed, scene, name="confusion", method=takeaway.GRADCAM)
    return scene


main()
