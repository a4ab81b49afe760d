"""Numbers of the results as lines of a figure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from stgcn_lens.viz.figures import Series


def line(label: str, entries: Iterable[Mapping[str, Any]], key: str, *, x: Sequence[float] | None = None) -> Series:
    """The value of every entry under that key with its interval; what is missing leaves a gap."""
    held = [entry[key] or {} for entry in entries]
    value, low, high = (floats(each.get(part) for each in held) for part in ("value", "ci_low", "ci_high"))
    return Series(label, value, low, high, x=x)


def floats(values: Iterable[float | None]) -> np.ndarray:
    """Numbers, NaN where there is none."""
    return np.array([np.nan if value is None else value for value in values], dtype=float)
