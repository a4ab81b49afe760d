"""A page about a study: its results if they are there, else what it would show and the command that makes it."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app import analysis, state
from app.state import plain


def result(chosen: state.Selection, name: str, shows: str) -> dict[str, Any] | None:
    """RUN/studies/<name>.json; where it is missing the page says so, and None is returned.

    Parameters
    ----------
    shows : what the page would show, as the rest of a sentence that begins with "It would show".
    """
    found = analysis.study(chosen.source.path, name)
    if found is not None:
        return found
    if chosen.source.path is None:
        make = f"`stgcn-lens demo --out runs/demo`, then `stgcn-lens study {name} runs/demo`"
    else:
        target = " --data TARGET" if name == "transfer" else ""
        make = f"`stgcn-lens study {name} {chosen.source.path}{target}`"
    st.info(f"This study has not been made. It would show {shows}. Make it: {make}", icon=":material/info:")
    return None


def verdict(finding: Mapping[str, Any] | None) -> str:
    """A finding's verdict and why, as Markdown; "" where the study has none."""
    if not finding or not finding.get("verdict"):
        return ""
    why = str(finding.get("why") or finding.get("text") or "")
    said = str(finding["verdict"])
    why = why.removeprefix(f"{said}: ")
    return f" The paper's claim is **{plain(said)}** here: {plain(why)}."
