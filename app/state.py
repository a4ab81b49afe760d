"""The one selection (run, clip, layer, class), chosen in the sidebar, kept on every page and in the URL."""

import argparse
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from app import compute, sources

PREDICTED = "predicted"
DEMO = "demo model"
SYNTHETIC = "Demo model – synthetic data"  # noqa: RUF001


@dataclass(frozen=True, eq=False)
class Selection:
    """What every page shows. `target` is a class name, or "predicted"."""

    source: sources.Source
    clip: sources.ClipRow
    layer: str
    target: str


def current() -> Selection:
    """The selection of this run of the script."""
    return st.session_state["selection"]


def choose(arguments: Sequence[str]) -> Selection:
    """Draw the sidebar and return what is chosen in it."""
    found = places(arguments)
    with st.sidebar:
        name = st.selectbox("Run", list(found), key="run", bind="query-params", help="A run folder or the demo model.")
        source = sources.open_source(str(found[name] or ""), sources.stamp(found[name]))
        if source.synthetic:
            st.badge(SYNTHETIC, icon=":material/science:", color="orange")
        clip = _clip(source)
        layers = compute.layers(source)
        layer = st.select_slider(
            "Layer",
            layers,
            value=_default_layer(layers),
            key="layer",
            bind="query-params",
            help="From the coordinates (input) over the blocks to the class scores (logits).",
        )
        target = st.selectbox(
            "Evidence for class",
            [PREDICTED, *source.classes],
            key="class",
            bind="query-params",
            help="Grad-CAM answers: what in this clip speaks for this class? By default, the predicted one.",
        )
    return Selection(source, clip, layer, target)


def _clip(source: sources.Source) -> sources.ClipRow:
    wanted = st.selectbox(
        "Show clips of",
        ["all classes", "wrongly classified", *source.classes],
        key="only",
        bind="query-params",
    )
    rows = [
        row
        for row in source.rows
        if wanted == "all classes"
        or (wanted == "wrongly classified" and row.label is not None and row.predicted not in (None, row.label))
        or row.class_name == wanted
    ]
    if not rows:
        st.caption(f"No clip is {wanted}." if wanted == "wrongly classified" else "This class has no clip here.")
        rows = list(source.rows)
    by_name = {row.name: row for row in rows}
    best = max(range(len(rows)), key=lambda i: (rows[i].right, rows[i].confidence or 0.0))
    name = st.selectbox(
        "Clip",
        list(by_name),
        index=best,
        key="clip",
        bind="query-params",
        help=f"{len(rows)} clips. {source.listed}",
    )
    return by_name[name]


def _default_layer(layers: Sequence[str]) -> str:
    blocks = [layer for layer in layers if layer not in ("input", "logits")]
    return (blocks or list(layers))[-1]


def places(arguments: Sequence[str]) -> dict[str, Path | None]:
    """Runs that can be chosen, the one to open on first, the demo model last."""
    run, root = given(arguments)
    found = sources.find_runs(root)
    ordered = [*([run] if run else []), *(path for path in found if path != run)]
    named: dict[str, Path | None] = {}
    for path in ordered:
        named.setdefault(path.name if path.name not in named else str(path), path)
    return {**named, DEMO: None}


def given(arguments: Sequence[str]) -> tuple[Path | None, Path]:
    """The run that the app was started on, if any, and the folder whose runs can be chosen."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--run", default=os.environ.get("STGCN_LENS_RUN"))
    parser.add_argument("--root", default=os.environ.get("STGCN_LENS_ROOT"))
    parser.add_argument("path", nargs="?")
    told, _ = parser.parse_known_args(list(arguments))
    run = Path(told.run or told.path).resolve() if told.run or told.path else None
    root = Path(told.root).resolve() if told.root else (run.parent if run else Path("runs").resolve())
    return run, root


def plain(text: str) -> str:
    """Text from data as Markdown that shows it as it is: a class called `<script>` or `![x](y)` stays a name."""
    return re.sub(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])", r"\\\1", text)
