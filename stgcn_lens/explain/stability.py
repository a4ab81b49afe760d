"""Does a map stay when the clip hardly changes? Changes of the map relative to those of input, logits and features.

Source: Agarwal et al., "Rethinking stability for attribution-based explanations", arXiv 2203.06877: over disturbed
inputs x' of the same predicted class, with the explanation e and the representation L,

    RIS = max |(e - e') / e| / |(x - x') / x|    ROS = max |(e - e') / e| / |h(x) - h(x')|
    RRS = max |(e - e') / e| / |(L - L') / L|

with h the logits. The quotients are the paper's per entry ("entries"), or ours of norms, |e - e'| / |e| ("norms"):
rectified maps and centred skeletons are full of zeros, at which an entry's own quotient is infinite.
"""

from typing import Literal

import numpy as np

Form = Literal["norms", "entries"]
LEAST = 1e-6  # of a denominator (ours; the paper's eps_min has no value)
FLOOR = 1e-3  # of an entry in a quotient, as a share of the largest (ours)


def change(before: np.ndarray, after: np.ndarray, form: Form = "norms") -> np.ndarray:
    """Relative change of (P, ...) `after` from (...) `before`, (P,); NaN where `before` is zero throughout."""
    base = np.abs(before.astype(np.float64))
    flat = (after.astype(np.float64) - before).reshape(len(after), -1)
    if not base.any():
        return np.full(len(after), np.nan)
    if form == "entries":
        return np.linalg.norm(flat / np.maximum(base, FLOOR * base.max()).reshape(-1), axis=1)
    return np.linalg.norm(flat, axis=1) / np.linalg.norm(base)


def relative(map_change: np.ndarray, cause: np.ndarray, same: np.ndarray) -> float:
    """Decadic logarithm of the largest map change by change of its cause, over the disturbed inputs of `same` class.

    NaN where no disturbed input keeps the class, or the map is zero; a map that never changes is at the floor `LEAST`.
    """
    if not same.any():
        return float("nan")
    quotient = map_change[same] / np.maximum(cause[same], LEAST)
    return float(np.log10(np.maximum(quotient.max(), LEAST)))


def sensitivity(before: np.ndarray, after: np.ndarray) -> float:
    """Captum's sensitivity_max: largest |e - e'| / |e| over disturbed inputs `after` (P, ...); NaN for a zero map.

    Source: Yeh et al., arXiv 1901.09392.
    """
    return float(change(before, after).max())
