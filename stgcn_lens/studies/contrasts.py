"""The maps of confused clips beside those of recognised ones: joints, parts of the clip, and what they say in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from stgcn_lens.explain.comparison import LEVEL, Column, compare
from stgcn_lens.intervals import Value
from stgcn_lens.runs import plain

GROUPS = ("confused", "true", "predicted")  # confused; recognised clips of the true class; of the predicted one
LEAST = 3  # ours: of fewer clips an interval says nothing


@dataclass(frozen=True)
class Names:
    """What the sentences speak of: the two classes, and the joints of the layout."""

    true: str
    predicted: str
    joints: tuple[str, ...]

    def joint(self, number: int) -> str:
        """In words."""
        return self.joints[number].replace("_", " ")


class Settings(Protocol):
    """What of the study's configuration matters here."""

    @property
    def scale(self) -> str: ...  # noqa: D102
    @property
    def resamples(self) -> int: ...  # noqa: D102
    @property
    def permutations(self) -> int: ...  # noqa: D102
    @property
    def seed(self) -> int: ...  # noqa: D102


def contrast(tables: Mapping[str, np.ndarray], names: Names, layer: str, config: Settings) -> dict[str, Any]:
    """`from_true` and `from_predicted`: how the confused clips differ from the recognised ones of either class.

    Parameters
    ----------
    tables : of each of `GROUPS`, each clip's contrastive map as joints x parts, (n, V, P).

    Each holds the comparison of every joint (over the whole clip) and of every part (over all joints), p corrected for
    the number of joints or of parts, not for that of layers; the joint that differs most, and when; a sentence. With
    fewer than `LEAST` clips in either group there is only a sentence, which says so.
    """
    return {f"from_{group}": _against(group, tables, names, layer, config) for group in GROUPS[1:]}


def counted(names: Names, sizes: Mapping[str, int], people: Mapping[str, int], split: str) -> str:
    """How many clips there are, of how many people, in words; `people` lacks the groups in which that is not known."""

    def many(group: str) -> str:
        of = f" of {_plural(people[group], 'person', 'people')}" if people.get(group) else ""
        return f"{_plural(sizes[group], 'clip', 'clips')}{of}"

    alone = people.get("confused") == 1 < sizes["confused"]
    caution = " All of one person: what differs may be the person." if alone else ""
    were = "was" if sizes["confused"] == 1 else "were"
    return (
        f"{many('confused')} in class '{names.true}' {were} taken for '{names.predicted}' (split '{split}'). "
        f"Recognised: {many('true')} in '{names.true}', {many('predicted')} in '{names.predicted}'.{caution}"
    )


def _against(
    group: str, tables: Mapping[str, np.ndarray], names: Names, layer: str, config: Settings
) -> dict[str, Any]:
    confused, others = tables["confused"], tables[group]
    about: dict[str, Any] = {"confused": len(confused), "recognised": len(others)}
    whose = f"the recognised clips of '{names.true if group == 'true' else names.predicted}'"
    sizes = ((len(confused), "confused"), (len(others), "recognised"))
    few = [_plural(n, f"{what} clip", f"{what} clips") for n, what in sizes if n < LEAST]
    if few:
        text = f"At {layer}, against {whose}: not shown, {' and '.join(few)}; at least {LEAST} are needed."
        return {**about, "joints": None, "parts": None, "most": None, "text": text}

    def columns(a: np.ndarray, b: np.ndarray) -> list[Column]:
        return compare(a, b, seed=config.seed, resamples=config.resamples, permutations=config.permutations)

    joints, parts = (columns(confused.sum(axis=axis), others.sum(axis=axis)) for axis in (2, 1))
    count = confused.shape[2]
    most = max(range(len(joints)), key=lambda j: (joints[j].shown, abs(joints[j].difference.value)))
    when = _spans(columns(confused[:, most], others[:, most]), joints[most].difference.value)
    return {
        **about,
        "joints": [{"joint": name, **_told(column)} for name, column in zip(names.joints, joints, strict=True)],
        "parts": [{"from": p / count, "to": (p + 1) / count, **_told(column)} for p, column in enumerate(parts)],
        "most": {"joint": names.joints[most], "shown": joints[most].shown, "when": when},
        "text": _sentence(joints[most], names, names.joint(most), when, layer, whose, config.scale),
    }


def _told(column: Column) -> dict[str, Any]:
    told = {
        name: {end: value[end] for end in ("value", "ci_low", "ci_high")} if isinstance(value, dict) else value
        for name, value in plain(column).items()
    }
    return {"confused": told.pop("a"), "recognised": told.pop("b"), **told}


def _spans(parts: Sequence[Column], sign: float) -> list[tuple[float, float]]:
    """Runs of parts of the clip, from and to in [0, 1], that are shown to differ in the direction of the whole."""
    spans: list[tuple[float, float]] = []
    for p, column in enumerate(parts):
        if column.shown and column.difference.value * sign > 0:
            begin, end = p / len(parts), (p + 1) / len(parts)
            if spans and spans[-1][1] == begin:
                begin = spans.pop()[0]
            spans.append((begin, end))
    return spans


def _sentence(
    column: Column,
    names: Names,
    joint: str,
    when: Sequence[tuple[float, float]],
    layer: str,
    whose: str,
    scale: str,
) -> str:
    """What one layer's comparison says."""
    many = _plural(len(names.joints), "joint", "joints")
    numbers = f"difference {_span(column.difference)}, Hedges' g {_signed(column.effect)}, {_p(column.p)} for {many}"
    if not column.shown:
        return f"At {layer}, against {whose}: not shown; most at the {joint} ({numbers})."
    of = " of its clip's evidence" if scale == "clip" else " of a clip's mean evidence"
    alone = (
        "more than the other joints do" if column.p_excess <= LEVEL else "no more than other joints, as far as shown"
    )
    return (
        f"At {layer}, against {whose}, the confused ones differ most at the {joint}, {_times(when)}: there they speak "
        f"for {_side(column.a, names)}, {_span(column.a)}{of} over the whole clip, the recognised ones for "
        f"{_side(column.b, names)}, {_span(column.b)} ({numbers}; {alone}, {_p(column.p_excess)})."
    )


def _side(value: Value, names: Names) -> str:
    """For which class a mean over clips speaks, if its interval leaves zero out."""
    if value.ci_low > 0:
        return f"'{names.true}'"
    return f"'{names.predicted}'" if value.ci_high < 0 else "neither of the two"


def _times(when: Sequence[tuple[float, float]]) -> str:
    """Parts of a clip in words."""
    known = {(0.0, 1.0): "throughout", (0.0, 0.5): "in the first half", (0.5, 1.0): "in the second half"}
    if not when:
        return "at no part of the clip by itself"
    return " and ".join(known.get((a, b), f"from {100 * a:.0f} % to {100 * b:.0f} % of the clip") for a, b in when)


def _plural(n: int, one: str, more: str) -> str:
    return f"{n} {one if n == 1 else more}"


def _p(p: float) -> str:
    return f"p {p:.3f}" if p >= 0.001 else "p < 0.001"


def _span(value: Value) -> str:
    return f"{_signed(value.value)} [{_signed(value.ci_low)}, {_signed(value.ci_high)}]"


def _signed(value: float | None) -> str:
    """Three digits, with its sign."""
    return "not defined" if value is None else f"{value:+.3g}"
