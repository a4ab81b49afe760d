"""At which level something gives way: where a curve over the levels first falls to a limit.

The rules, fixed before any run. Accuracy halves where top-1 first is at most half of the clean one. The geometry of a
layer breaks where half of its clean gap is gone: the gap between the kNN label error of permuted labels (chance) and
the layer's own. Half, because a gap does not vanish under any finite noise while its half is told apart from both ends.
Between two levels the curve is taken as linear in the level's unit, and the first crossing from the mild side counts. A
kind whose clean level is finite starts from it; decibels start at their mildest level, since clean lies at infinity.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from stgcn_lens.data.noise import Noise

State = Literal["within", "before", "never", "no gap"]


@dataclass(frozen=True)
class Crossing:
    """Where a curve reaches its limit.

    Attributes
    ----------
    level : in the kind's unit; None unless it lies among the levels.
    state : "within" the levels, "before": already at the mildest, "never" within them, "no gap": nothing to lose.
    """

    level: float | None
    state: State


def crossing(row: Noise, levels: Sequence[float], values: Sequence[float], clean: float, limit: float) -> Crossing:
    """The level at which a curve first is at most `limit`.

    Parameters
    ----------
    levels, values : of the curve, mild levels first.
    clean : value without noise, above the limit; else there is nothing to lose.
    """
    if not clean > limit:
        return Crossing(None, "no gap")
    at, had = row.clean, clean
    for level, value in zip(levels, values, strict=True):
        if value <= limit:
            if not np.isfinite(at):
                return Crossing(float(level), "before")
            share = (had - limit) / (had - value)
            return Crossing(float(at + share * (level - at)), "within")
        at, had = level, value
    return Crossing(None, "never")


def accuracy_halves(row: Noise, levels: Sequence[float], accuracy: Sequence[float], clean: float) -> Crossing:
    """Where top-1 is half of the clean one."""
    return crossing(row, levels, accuracy, clean, clean / 2)


def geometry_breaks(
    row: Noise, levels: Sequence[float], errors: Sequence[float], clean: float, chance: float
) -> Crossing:
    """Where half of the gap between chance and the clean label error is gone."""
    gaps = [chance - error for error in errors]
    return crossing(row, levels, gaps, chance - clean, (chance - clean) / 2)


def in_words(found: Crossing, row: Noise, levels: Sequence[float], what: str) -> str:
    """The answer as a sentence without its full stop."""
    if found.state == "within":
        return f"{what} at {found.level:.3g} {row.unit}"
    if found.state == "before":
        return f"{what} at {found.level:g} {row.unit} already, the mildest level"
    if found.state == "no gap":
        return f"{what}: nothing to lose even without noise"
    return f"{what} not within the levels ({levels[0]:g} to {levels[-1]:g} {row.unit})"
