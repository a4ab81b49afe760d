"""The one selection (run, clip, layer, class, method), chosen in the sidebar, kept on every page and in the URL."""

import argparse
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from app import compute, sources
from stgcn_lens.errors import LensError

PREDICTED = "predicted"
NO_OTHER = "no other class"
EVERY, WRONG = "all classes", "wrongly classified"
MANY = 300  # clips that the list holds; of larger sets others are found by typing their name (ours)
DEMO = "demo model"
SYNTHETIC = "Demo model – synthetic data"  # noqa: RUF001


@dataclass(frozen=True, eq=False)
class Selection:
    """What every page shows.

    `target` is a class name, or "predicted"; `against` the name of the class that it is held against, or "no other
    class"; `method` a key of `EXPLAINERS`; `places` the runs that can be chosen, by name.
    """

    source: sources.Source
    clip: sources.ClipRow
    layer: str
    target: str
    method: str
    against: str
    places: dict[str, Path | None]

    def wanted(self) -> int | None:
        """The class to explain; None: the predicted one."""
        return None if self.target == PREDICTED else self.source.classes.index(self.target)

    def other(self) -> int | None:
        """The class that it is held against, if any."""
        return None if self.against == NO_OTHER else self.source.classes.index(self.against)


def unlike(against: int | None, target: int | None, predicted: int | None) -> int | None:
    """The class that one is held against; None where that would be itself, which explains nothing."""
    return None if against == (predicted if target is None else target) else against


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
            help="What in this clip speaks for this class? By default, the predicted one.",
        )
        against = st.selectbox(
            "rather than",
            [NO_OTHER, *source.classes],
            key="against",
            bind="query-params",
            help="Explain by how much the score of the class exceeds the score of this one.",
        )
        method = st.selectbox(
            "Method",
            [*compute.QUICK, *compute.SLOW],
            key="method",
            bind="query-params",
            help="How the evidence is found; `stgcn-lens explain --help` says more. The first six answer at once.",
        )
    return Selection(source, clip, layer, target, method, against, found)


def warm(arguments: Sequence[str], *, live: bool = False) -> bool:
    """Have ready what the app opens on, before anybody asks; whatever is wrong with it is said to them, not here.

    `live`: with the network, so that it is there for the next question. Returns whether a page that is opened now
    would have to wait for the network.
    """
    path = next(iter(places(arguments).values()))
    with suppress(LensError):
        source = sources.open_source(str(path or ""), sources.stamp(path))
        by_name, best = _listed(str(source.path), source.stamp, EVERY, source)
        if live and source.has_model:
            compute.live(source, by_name[best])
        elif source.path is None:
            compute.explain(source, by_name[best], None)
        else:
            return source.has_model
    return False


def _clip(source: sources.Source) -> sources.ClipRow:
    wanted = st.selectbox(
        "Show clips of",
        [EVERY, WRONG, *source.classes],
        key="only",
        bind="query-params",
    )
    by_name, best = _listed(str(source.path), source.stamp, wanted, source)
    if not by_name:
        st.caption("No clip is wrongly classified." if wanted == WRONG else "This class has no clip here.")
        by_name, best = _listed(str(source.path), source.stamp, EVERY, source)
    names = list(by_name)
    many = len(names) > MANY
    shown = [best, *(name for name in names[:MANY] if name != best)] if many else names
    name = st.selectbox(
        "Clip",
        shown,
        index=shown.index(best),
        key="clip",
        bind="query-params",
        accept_new_options=many,
        help=f"{len(names)} clips. {source.listed}" + f" Listed: {MANY}; any other by typing its name." * many,
    )
    if name in by_name:
        return by_name[name]
    everything, _ = _listed(str(source.path), source.stamp, EVERY, source)
    if name not in everything:
        st.caption(f"No clip is called {plain(str(name)[:80])}. Shown: {plain(best)}.")
    return everything.get(str(name), by_name[best])


@st.cache_resource(max_entries=32, show_spinner=False)
def _listed(path: str, stamp: str, wanted: str, _source: sources.Source) -> tuple[dict[str, sources.ClipRow], str]:
    """The clips that are wanted, by name, and the one to open on: the surest of those classified rightly."""
    rows = [
        row
        for row in _source.rows
        if wanted == EVERY
        or (wanted == WRONG and row.label is not None and row.predicted not in (None, row.label))
        or row.class_name == wanted
    ]
    best = max(rows, key=lambda row: (row.right, row.confidence or 0.0), default=None)
    return {row.name: row for row in rows}, "" if best is None else best.name


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
