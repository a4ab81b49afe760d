"""Label errors over depth: rows for a chart from what the run and its study of layers hold, and the chart itself."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from app import charts
from stgcn_lens.viz import theme

MEASURES = {"knn_label_error": "kNN", "nnk_label_error": "NNK", "laplacian_label_error": "Laplacian (NNK)"}
KEYS = ("value", "ci_low", "ci_high", "chance")
CONTROLS = {"untrained": "untrained network", "shuffled": "trained on shuffled labels"}


def of_all(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """One line a layer and measure, over all clips."""
    return pd.DataFrame(
        [
            {"layer": row["layer"], "measure": label, **{k: row[key].get(k) for k in KEYS}}
            for row in rows
            for key, label in MEASURES.items()
        ],
        columns=["layer", "measure", *KEYS],
    )


def of_class(rows: Iterable[Mapping[str, Any]], number: int) -> pd.DataFrame:
    """One line a layer and measure, over the clips of one class; none where the run does not tell of it."""
    lines = []
    for row in rows:
        for key, label in MEASURES.items():
            value = _at(row.get(f"{key}_per_class"), number)
            if value is None:
                continue
            interval = _at(row.get(f"{key.removesuffix('_label_error')}_interval_per_class"), number) or (value, value)
            ends = {"ci_low": interval[0], "ci_high": interval[1], "chance": _at(row.get("chance_per_class"), number)}
            lines.append({"layer": row["layer"], "measure": label, "value": value, **ends})
    return pd.DataFrame(lines, columns=["layer", "measure", *KEYS])


def of_controls(study: Mapping[str, Any] | None, name: str | None = None) -> pd.DataFrame:
    """The kNN label error of the control networks, of all clips or of a class by name; empty without the study."""
    networks = (study or {}).get("networks") or {}
    lines = []
    for control, label in CONTROLS.items():
        about = networks.get(control) or {}
        if name is None:
            errors = {row["layer"]: (row.get("knn_label_error") or {}).get("value") for row in about.get("rows") or ()}
        else:
            told: Mapping[str, Any] = next(
                (row for row in about.get("classes") or () if row.get("class_name") == name), {}
            )
            errors = told.get("knn_label_error") or {}
        lines += [
            {"layer": layer, "control": label, "value": float(value)}
            for layer, value in errors.items()
            if value is not None
        ]
    return pd.DataFrame(lines, columns=["layer", "control", "value"])


def draw(
    table: pd.DataFrame,
    beside: pd.DataFrame,
    layer: str,
    *,
    alt_text: str,
    caption: str,
    key: str,
    height: int,
    on_select: Callable[[], None],
) -> None:
    """Curves with their intervals and chance lines; controls in grey; a click on a point is told to `on_select`."""
    order = list(dict.fromkeys(table["layer"]))
    legend = alt.Legend(title=None, orient="top", symbolOpacity=1)
    colour = alt.Color(
        "measure:N",
        sort=list(MEASURES.values()),
        scale=alt.Scale(domain=list(MEASURES.values()), range=list(theme.SERIES[: len(MEASURES)])),
        legend=legend,
    )
    x = alt.X("layer:N", sort=order, title=None, axis=charts.names(labelAngle=-40), scale=alt.Scale(padding=0.4))
    reached = [*table["ci_high"].dropna(), *table["chance"].dropna(), *beside["value"]]
    y = alt.Scale(domain=[0, min(1.0, max([0.05, *reached]) * 1.05)])
    base = alt.Chart(table).encode(x=x, color=colour)
    band = base.mark_area(opacity=0.18).encode(
        y=alt.Y("ci_low:Q", scale=y, title="label error (band: 95 % interval)"), y2=alt.Y2("ci_high:Q")
    )
    chance = base.mark_line(strokeDash=[3, 4], strokeWidth=1.3).encode(
        y=alt.Y("chance:Q"), detail=alt.Detail("measure:N")
    )
    line = base.mark_line(strokeWidth=2).encode(y=alt.Y("value:Q"))
    pick = alt.selection_point(name="pick", fields=["layer"], on="click", toggle=False)
    points = (
        base.mark_point(filled=True, size=70, opacity=1, cursor="pointer")
        .encode(
            y=alt.Y("value:Q"),
            shape=alt.Shape("measure:N", sort=list(MEASURES.values()), legend=legend),
            tooltip=[
                alt.Tooltip("layer:N"),
                alt.Tooltip("measure:N"),
                *(alt.Tooltip(f"{name}:Q", format=".3f") for name in KEYS),
            ],
        )
        .add_params(pick)
    )
    parts = [charts.chosen_layer(layer, x), band, chance, line]
    if len(beside):
        known = [name for name in CONTROLS.values() if (beside["control"] == name).any()]
        dashes = alt.Scale(domain=known, range=[[8, 3], [2, 2]][: len(known)])
        legend = alt.Legend(title="kNN of a control", orient="bottom", symbolType="stroke", titleOrient="left")
        parts.append(
            alt.Chart(beside[beside["layer"].isin(order)])
            .mark_line(strokeWidth=1.8, color=charts.tokens()["muted"])
            .encode(
                x=x,
                y=alt.Y("value:Q"),
                strokeDash=alt.StrokeDash("control:N", sort=known, scale=dashes, legend=legend),
                tooltip=[alt.Tooltip("layer:N"), alt.Tooltip("control:N"), alt.Tooltip("value:Q", format=".3f")],
            )
        )
        height += 35
    charts.show(
        alt.layer(*parts, points).properties(height=height),
        key=key,
        on_select=on_select,
        selection_mode="pick",
        alt_text=alt_text,
        name="label-errors",
        caption=caption,
    )


def spoken(table: pd.DataFrame) -> str:
    """From where to where each measure goes, for those who cannot see the chart."""
    parts = []
    for measure, lines in table.groupby("measure", sort=False):
        first, last = lines.iloc[0], lines.iloc[-1]
        parts.append(f"{measure} from {first['value']:.2f} to {last['value']:.2f}")
    order = list(dict.fromkeys(table["layer"]))
    return f"Label error of {len(order)} layers, {order[0]} to {order[-1]}: {'; '.join(parts)}"


def _at(values: Any, number: int) -> Any:
    """Entry of a list that may be missing, too short, or hold nothing there."""
    if not isinstance(values, list) or number >= len(values):
        return None
    value = values[number]
    return None if isinstance(value, float) and not np.isfinite(value) else value
