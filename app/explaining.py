"""What of a prediction the neighbours explain, and how each of them is warped onto the clip: read-only, cached."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from app import state
from app.state import plain
from stgcn_lens.errors import LensError
from stgcn_lens.runs import Run
from stgcn_lens.studies.analysed import Analysed
from stgcn_lens.studies.neighbours import NeighboursConfig, look
from stgcn_lens.studies.warping import frame_map


@dataclass(frozen=True, eq=False)
class Told:
    """Of `studies.neighbours`: `about` is its result, or None with the reason in `trouble`."""

    about: dict[str, Any] | None
    trouble: str

    def of(self, name: str) -> dict[str, Any] | None:
        """What it says of one neighbour; None if it is not among those told."""
        return next((row for row in (self.about or {}).get("neighbours", ()) if row["name"] == name), None)

    def frame_map(self, name: str, frames: tuple[int, int]) -> np.ndarray | None:
        """Frame of a neighbour for each frame of the clip, along the warping path; None where nothing is warped."""
        row = self.of(name)
        if self.about is None or row is None or not row["path"]:
            return None
        return frame_map(row["path"], self.about["clip"]["windows"], row["windows"], frames)


@st.cache_resource(max_entries=2, show_spinner=False)
def _analysed(path: str, stamp: str) -> Analysed:
    return Analysed.of(Run(Path(path)))


@st.cache_data(max_entries=128, show_spinner="Asking the neighbours; the first time takes longer ...")
def _told(path: str, stamp: str, clip: str, layer: str) -> Told:
    try:
        return Told(look(_analysed(path, stamp), NeighboursConfig(clip=clip, layer=layer)), "")
    except LensError as error:
        return Told(None, str(error))


def told(chosen: state.Selection) -> Told:
    """What the neighbours of the chosen clip explain at the chosen layer."""
    return _told(str(chosen.source.path), chosen.source.stamp, chosen.clip.name, chosen.layer)


def sentence(found: Told) -> str:
    """The vote of the neighbours beside the prediction, in words."""
    if found.about is None:
        return f"What they explain of the prediction is not known: {plain(found.trouble)}"
    clip, vote = found.about["clip"], found.about["vote"]
    says = plain(clip["predicted"])
    text = f"Their vote is **{plain(vote['winner'])}**"
    text += ", **the prediction**" if vote["agrees"] else f", **not the prediction** ({says})"
    text += f": {vote['predicted_share']:.0%} of the weight speaks for what the network says"
    if clip["predicted"] != clip["class_name"]:
        text += f", {vote['true_share']:.0%} for the true class"
    turning = [row["name"] for row in found.about["neighbours"] if row["without"] and row["without"]["turns_the_vote"]]
    if turning:
        text += f". Without {plain(turning[0])} alone the vote would turn"
    first = next((row["layer"] for row in found.about["layers"] if row["agrees"]), None)
    if first is not None:
        text += f". The vote is the prediction first at {plain(first)}"
    return text + "."
