"""Finding 1 of the paper, early layers hold general motion and only later ones tell actions apart, judged on one run.

The rule, written down before any run. Let r be the kNN label error of the last block divided by that of the input, with
the 95 % percentile interval over resampled clips, the same draws for both errors.

- confirmed: r <= 0.6 with the upper end of its interval, and the whole interval of the untrained control's r lies above
  that of r.
- refuted: the lower end of the interval of r lies above 0.6; or the control shows the same fall, that is, its r is at
  most 0.6 and no higher than the upper end of the interval of r.
- undecided: anything else; so is a run without the control, unless its own interval refutes.
"""

from dataclasses import asdict
from typing import Any

import numpy as np

from stgcn_lens import intervals
from stgcn_lens.intervals import Value

MOST = 0.6  # of the input's label error that may be left at the last block
RULE = (
    "confirmed if the kNN label error of the last block is at most 0.6 of the input's with the upper end of the "
    "ratio's interval, and the untrained control's interval lies wholly above; refuted if the lower end is above 0.6, "
    "or the control falls to 0.6 and no less far; else undecided"
)


def ratio(above: np.ndarray, below: np.ndarray, *, seed: int, resamples: int) -> Value:
    """Mean of one number a clip, (N,), divided by the mean of another, with its interval over the same resamples.

    NaN where the second is zero; resamples in which it is are left out.
    """
    drawn = [_divided(block @ above, block @ below) for block in intervals.counts(len(above), resamples, seed)]
    return intervals.of_statistics(float(_divided(above.sum(), below.sum())), np.concatenate(drawn))


def finding(trained: Value, untrained: Value | None) -> dict[str, Any]:
    """The verdict on the ratios of a run and of its untrained control: `verdict`, `why`, `rule` and both ratios."""
    return {
        "finding": 1,
        "claim": "early layers hold general motion, and only later ones tell actions apart",
        **_judged(trained, untrained),
        "rule": RULE,
        "ratio": asdict(trained),
        "untrained_ratio": None if untrained is None else asdict(untrained),
    }


def _judged(trained: Value, untrained: Value | None) -> dict[str, str]:
    said = f"the last block keeps {_span(trained)} of the input's kNN label error"
    if not np.isfinite(trained.value):
        return {"verdict": "undecided", "why": "the kNN label error of the input is zero: there is nothing to fall"}
    if trained.ci_low > MOST:
        return {"verdict": "refuted", "why": f"{said}, more than {MOST} with its whole interval"}
    if untrained is None:
        return {"verdict": "undecided", "why": f"{said}; the untrained control was not run"}
    other = f"the untrained control keeps {_span(untrained)}"
    if trained.ci_high <= MOST and untrained.ci_low > trained.ci_high:
        return {"verdict": "confirmed", "why": f"{said}, at most {MOST} with its whole interval; {other}, wholly above"}
    if untrained.value <= min(MOST, trained.ci_high):
        return {"verdict": "refuted", "why": f"{said}, but {other}: it shows the same fall"}
    return {"verdict": "undecided", "why": f"{said}; {other}: the rule decides neither way"}


def _span(value: Value) -> str:
    return f"{value.value:.2f} [{value.ci_low:.2f}, {value.ci_high:.2f}]"


def _divided(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    above, below = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
