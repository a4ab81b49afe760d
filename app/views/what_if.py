"""One clip, changed: what the network then says of it, where it looks, and which clips lie near it."""

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from app import canvas, charts, compute, edited, live, state, takeaway
from app.state import plain
from stgcn_lens.data.edits import Edits, edit
from stgcn_lens.skeleton import get_layout
from stgcn_lens.studies.one_clip import Difference, Seen, difference, measured
from stgcn_lens.viz import player, theme

SAME = 1e-3  # what the network is fed may differ by so much of a spine's length and counts as the same (ours)
ALIKE = 0.98  # Pearson's r of two maps above which they are called alike (ours)
BEFORE, AFTER = "as recorded", "changed"


def main() -> None:
    """Draw the page."""
    chosen = state.current()
    if not chosen.source.has_model:
        st.info("Nothing can be asked of a run without a model. Choose another in the sidebar.", icon=":material/info:")
        return
    source, row = chosen.source, chosen.clip
    recorded = source.clip(row)
    left, right = st.columns([1, 2.9], gap="medium")
    with left:
        edits = edited.choose(get_layout(recorded.layout))
    whole = ("clip", row.number)
    target = chosen.wanted()
    against = state.unlike(chosen.other(), target, row.predicted)
    before = live.look(source, whole, lambda: recorded, target, against)
    # The same class before and after, so that the maps answer one question.
    key = (*whole, edits) if edits.any else whole
    after = live.look(source, key, lambda: edit(recorded, edits), before.target, against)
    layer = compute.shown_layer(before, chosen.layer)
    told = difference(before, after, layer)
    with right:
        says = _sentence(chosen, edits, before, after, told, layer)
        st.markdown(says)
        scene = _play(chosen, edits, before, after, layer, against)
    one, two, three = st.columns([1, 1.15, 1.25], gap="medium")
    with one:
        _probabilities(chosen, before, after)
    with two:
        _joints(before, told, layer)
    with three:
        _neighbours(chosen, edits, before, after, key)
    takeaway.view("What if", says, scene)


def _sentence(chosen: state.Selection, edits: Edits, before: Seen, after: Seen, told: Difference, layer: str) -> str:
    classes = chosen.source.classes
    was, now = int(before.probabilities.argmax()), int(after.probabilities.argmax())
    recorded = f"**{plain(classes[was])}** ({before.probabilities[was]:.0%})"
    if not edits.any:
        return f"As recorded the model says {recorded}. Change the clip on the left and see what that does."
    says = f"With {plain(edited.told(edits, before.clip.skeleton))} the model says "
    says += f"**{plain(classes[now])}** ({after.probabilities[now]:.0%})"
    if now == was:
        says += f", as before ({before.probabilities[was]:.0%})."
    else:
        says += f" instead of {recorded}."
    if after.sample.x.shape == before.sample.x.shape and np.allclose(after.sample.x, before.sample.x, atol=SAME):
        return f"{says} :blue[The preprocessing undoes this change: the network is fed the same.]"
    if told.likeness is None:
        return f"{says} At {plain(layer)} one of the two maps is empty."
    alike = "looks at the same places" if told.likeness >= ALIKE else "looks elsewhere"
    much = f", with {told.strength:.2g} times the evidence" if told.strength is not None else ""
    return f"{says} At {plain(layer)} it {alike} (maps correlated by {told.likeness:.2f}){much}."


def _play(
    chosen: state.Selection, edits: Edits, before: Seen, after: Seen, layer: str, against: int | None
) -> player.Scene:
    classes = chosen.source.classes
    peak = max(float(seen.maps[layer].max(initial=0)) for seen in (before, after))
    hidden = [after.clip.skeleton.index(joint) for joint in edits.hide]
    panels, filmed = [], []
    for seen, name in ((before, BEFORE), (after, AFTER)):
        clip, saliency = seen.clip, seen.maps[layer] / (peak or 1.0)
        if name == AFTER and hidden:
            xyz = clip.xyz.copy()
            xyz[:, :, hidden] = np.nan  # the player leaves out what is not a number
            clip = clip.replace(xyz=xyz)
        said = int(seen.probabilities.argmax())
        subtitle = f"{classes[said]} · {seen.probabilities[said]:.0%}"
        panels.append(
            player.payload(
                clip.xyz,
                clip.valid,
                clip.skeleton,
                saliency=saliency,
                fps=clip.fps,
                name=f"{clip.name} {name}",
                title=name,
                subtitle=subtitle,
                note="no positive evidence" if seen.no_evidence[layer] else "",
            )
        )
        arrays = {f"map_{layer}": seen.maps[layer], "probabilities": seen.probabilities}
        filmed.append(takeaway.Filmed(clip, saliency, name, subtitle, arrays=arrays))
    what = f"“{classes[before.target]}”" + ("" if against is None else f" over “{classes[against]}”")
    scope = f"Grad-CAM for {what} at {layer}, both relative to the larger maximum ({peak:.2g})"
    scene = player.scene(panels, scope=scope, height=330)
    canvas.show(scene, key="what_if_player")
    takeaway.clips(filmed, scene, name="what-if", method=takeaway.GRADCAM)
    return scene


def _probabilities(chosen: state.Selection, before: Seen, after: Seen, most: int = 3) -> None:
    classes = chosen.source.classes
    order = list(
        dict.fromkeys(int(c) for seen in (before, after) for c in np.argsort(-seen.probabilities, kind="stable")[:most])
    )
    table = pd.DataFrame(
        [
            {"class": classes[c], "clip": name, "probability": float(seen.probabilities[c])}
            for c in order
            for seen, name in ((before, BEFORE), (after, AFTER))
        ]
    )
    bars = (
        alt.Chart(table)
        .mark_bar()
        .encode(
            x=alt.X(
                "probability:Q",
                scale=alt.Scale(domain=[0, 1]),
                title=None,
                axis=alt.Axis(format=".0%", values=[0, 0.5, 1]),
            ),
            y=alt.Y("class:N", sort=[classes[c] for c in order], title=None, axis=charts.names(labelLimit=110)),
            yOffset=alt.YOffset("clip:N", sort=[BEFORE, AFTER]),
            color=_two_colours(),
            tooltip=[alt.Tooltip("class:N"), alt.Tooltip("clip:N"), alt.Tooltip("probability:Q", format=".1%")],
        )
        .properties(height=44 * len(order) + 60)
    )
    said = "; ".join(f"{classes[c]} {before.probabilities[c]:.0%} then {after.probabilities[c]:.0%}" for c in order)
    st.markdown("**Prediction**")
    charts.show(bars, alt_text=f"Class probabilities before and after: {said}.", name="prediction")


def _joints(before: Seen, told: Difference, layer: str, most: int = 6) -> None:
    shares = [table.sum(axis=1) for table in (told.before, told.after)]
    order = np.argsort(-np.abs(shares[1] - shares[0]) - 1e-3 * shares[0], kind="stable")[:most]
    names = [joint.replace("_", " ") for joint in before.clip.skeleton.joints]
    table = pd.DataFrame(
        [
            {"joint": names[v], "clip": name, "share": float(share[v])}
            for v in order
            for share, name in zip(shares, (BEFORE, AFTER), strict=True)
        ]
    )
    chart = (
        alt.Chart(table)
        .mark_bar()
        .encode(
            x=alt.X("share:Q", title=None, axis=alt.Axis(format=".0%", tickCount=4)),
            y=alt.Y("joint:N", sort=[names[v] for v in order], title=None, axis=charts.names(labelLimit=110)),
            yOffset=alt.YOffset("clip:N", sort=[BEFORE, AFTER]),
            color=_two_colours(),
            tooltip=[alt.Tooltip("joint:N"), alt.Tooltip("clip:N"), alt.Tooltip("share:Q", format=".1%")],
        )
        .properties(height=44 * len(order) + 60)
    )
    st.markdown(
        f"**Evidence at {plain(layer)}, by joint**",
        help="Each joint's share of the whole map, summed over frames and people; joints whose share changes most.",
    )
    said = "; ".join(f"{names[v]} {shares[0][v]:.0%} then {shares[1][v]:.0%}" for v in order)
    charts.show(chart, alt_text=f"Share of the evidence before and after: {said}.", name="evidence")


def _two_colours() -> alt.Color:
    scale = alt.Scale(domain=[BEFORE, AFTER], range=[theme.SERIES[5], theme.SERIES[1]])
    return alt.Color("clip:N", scale=scale, legend=alt.Legend(title=None, orient="bottom", columns=1))


def _neighbours(chosen: state.Selection, edits: Edits, before: Seen, after: Seen, key: tuple) -> None:
    source, layer = chosen.source, chosen.layer
    st.markdown(
        f"**Nearest clips at {plain(layer)}**",
        help="Exact distances (window DTW unless the run's graphs say otherwise) to the clips that are embedded, "
        "of the clip as recorded and of the changed one.",
    )
    company = live.company(source, layer)
    if company is None:
        st.info(f"No clip of this run is embedded yet: `{source.needs('embed')}`", icon=":material/info:")
        return
    if company.large and not st.toggle(f"Search {company.windows.nbytes / 1e9:.1f} GB of windows", key="search"):
        st.caption("This layer's windows are many; the search takes a while and runs when you switch it on.")
        return
    where, folder = company.place(chosen.clip), str(source.model)
    own, found = [], []
    for seen, name in ((before, ("clip", chosen.clip.number)), (after, key)):
        mine = live.windows(folder, source.stamp, repr(name), source, seen)[layer]
        own.append(mine)
        found.append(live.nearest(folder, source.stamp, layer, repr(name), where, mine, company))
    table = _set_beside(chosen, company, own, found)
    st.markdown(_company_told(chosen, table, edits, own, company, where))
    st.dataframe(
        table.drop(columns="same"),
        hide_index=True,
        height=min(38 + 35 * len(table), 300),
        column_config={
            "clip": st.column_config.TextColumn(width=130),
            "class": st.column_config.TextColumn(width=120),
            BEFORE: st.column_config.NumberColumn("d before", format="%.3g", width=58),
            AFTER: st.column_config.NumberColumn("d after", format="%.3g", width=58),
            "": st.column_config.TextColumn(width=52),
        },
    )


def _set_beside(
    chosen: state.Selection, company: live.Company, own: list[np.ndarray], found: list[tuple[np.ndarray, np.ndarray]]
) -> pd.DataFrame:
    """Neighbours before and after, nearest now first, with both distances of each."""
    (old, _), (new, _) = found
    union = np.array(list(dict.fromkeys([*new.tolist(), *old.tolist()])), dtype=np.int64)
    ways = [measured(mine, company.windows, company.offsets, union, company.distance) for mine in own]
    kind = {(True, True): "stays", (False, True): "comes", (True, False): "goes"}
    return pd.DataFrame(
        [
            {
                "": kind[bool(np.isin(p, old)), bool(np.isin(p, new))],
                "class": company.rows[p].class_name,
                BEFORE: float(was),
                AFTER: float(now),
                "clip": company.rows[p].name,
                "same": company.rows[p].label == chosen.clip.label,
            }
            for p, was, now in zip(union, *ways, strict=True)
        ]
    )


def _company_told(
    chosen: state.Selection,
    table: pd.DataFrame,
    edits: Edits,
    own: list[np.ndarray],
    company: live.Company,
    where: int | None,
) -> str:
    then, now = table[table[""] != "comes"], table[table[""] != "goes"]
    what = plain(chosen.clip.class_name or "of no class")
    others = any(row.label == chosen.clip.label and row.number != chosen.clip.number for row in company.rows)
    same = f"{int(now['same'].sum())} of {len(now)} are {what}" if others else f"no other clip here is {what}"
    if not edits.any:
        return f"{same[0].upper()}{same[1:]}."
    stay = int((table[""] == "stays").sum())
    earlier = f" ({int(then['same'].sum())} before)" if others else ""
    text = f"{stay} of {len(then)} stay; {same}{earlier}."
    if where is not None:
        moved = measured(own[1], company.windows, company.offsets, np.array([where]), company.distance)[0]
        text += f" The change moved the clip by {moved:.3g}; its nearest neighbour was {then[BEFORE].min():.3g} away."
    return text


main()
