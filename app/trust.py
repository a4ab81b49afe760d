"""Whether a map deserves trust: the run's scores, and, where evidence was planted, what it finds in this very clip."""

import numpy as np
import streamlit as st

from app import compute, state, stored
from app.state import plain
from stgcn_lens.explain.controls import motion, random_map
from stgcn_lens.explain.localisation import average_precision

DRAWS = 4  # random maps, as in `explain.localisation` (ours)
HELP = (
    "A map that does not beat plain motion explains nothing that motion would not. Average precision: how well the "
    "map ranks the cells (joint, frame) that carry the class above all others; 1 is perfect, a random map gets about "
    "the share of such cells. Scores of a whole run also remove the cells that a map calls important and watch the "
    "prediction fall (`stgcn-lens score --help`)."
)
SAYS = {"yes": ":green[yes]", "no": ":red[no]", "not shown": ":orange[not shown]"}


def card(chosen: state.Selection, seen: compute.Explained, layer: str) -> None:
    """What is known about the map on screen, in words."""
    st.markdown("**Can this map be trusted?**", help=HELP)
    found = found_evidence(seen, layer, chosen.clip.number)
    if found is not None:
        st.markdown(_of_clip(*found))
    st.markdown(_of_run(chosen, seen.method, layer))


def found_evidence(seen: compute.Explained, layer: str, number: int) -> tuple[float, float, float] | None:
    """Average precision of the map, of motion and of random maps on the clip's planted evidence; None without any."""
    clip = seen.clip
    if clip.evidence is None or not (clip.evidence & clip.valid[:, None]).any():
        return None
    random = [random_map(clip.evidence.shape, [number, draw]) for draw in range(DRAWS)]
    chance = float(np.mean([average_precision(map, clip.evidence, clip.valid) for map in random]))
    return (
        average_precision(seen.maps[layer], clip.evidence, clip.valid),
        average_precision(motion(clip), clip.evidence, clip.valid),
        chance,
    )


def _of_clip(mine: float, moving: float, chance: float) -> str:
    how = ":green[better than motion]" if mine > moving else ":red[no better than motion]"
    how = how if mine > chance else ":red[no better than chance]"
    return (
        f"On this clip it finds the planted evidence {how}: average precision **{mine:.2f}**, "
        f"motion {moving:.2f}, random {chance:.2f}."
    )


def _of_run(chosen: state.Selection, method: str, layer: str) -> str:
    source = chosen.source
    if source.path is None:
        return "Over many clips: not scored. Make a run and score it: `stgcn-lens demo`, `stgcn-lens score runs/demo`."
    make = f"`stgcn-lens score {source.path} --methods {method}`"
    if source.needs("score") is not None:
        return f"Over many clips: not scored yet. Do it: {make}"
    scores = stored.scores(str(source.path), source.stamp, source)
    if (method, layer) not in scores["verdicts"]:
        return f"This run's scores do not hold {plain(method)} at {plain(layer)}. Make them: {make}"
    better, why = scores["verdicts"][method, layer]
    says = SAYS.get(better, plain(better))
    return f"On {scores['n']} clips of this run, better than motion: **{says}** ({plain(why)})."
