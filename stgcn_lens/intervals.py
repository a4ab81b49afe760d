"""A number with its bootstrap interval and its chance level."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from stgcn_lens.errors import LensError

CONFIDENCE = 0.95  # percentile interval
_CHUNK = 1 << 22  # entries of one (resamples, N) block


@dataclass(frozen=True)
class Value:
    """A statistic over clips.

    Attributes
    ----------
    value : the statistic.
    ci_low, ci_high : ends of the 95 % percentile interval over resampled clips.
    chance : the same statistic when labels are permuted (mean), or None where labels play no part.
    """

    value: float
    ci_low: float
    ci_high: float
    chance: float | None = None


def counts(n: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each of n clips is drawn in each resample: blocks (resamples, n) of float64, rows summing to n."""
    if resamples < 1:
        raise LensError("no resamples", got=resamples, expected="at least 1")
    rng = np.random.default_rng([seed, 0])
    step = max(1, _CHUNK // n)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        yield rng.multinomial(n, np.full(n, 1 / n), size=size).astype(np.float64)


def of_statistics(value: float, resampled: np.ndarray, chance: float | None = None) -> Value:
    """The interval from the statistic's value on every resample, (R,); those that are NaN are left out."""
    resampled = resampled[np.isfinite(resampled)]
    if not len(resampled):
        return Value(value, value, value, chance)
    low, high = np.quantile(resampled, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Value(value, float(low), float(high), chance)


def of_mean(per_clip: np.ndarray, *, seed: int, resamples: int = 1000, chance: float | None = None) -> Value:
    """The mean of one number a clip, (N,), with its interval over resampled clips.

    The same seed draws the same clips: values of two layers over the same clips can be compared draw by draw.
    """
    drawn = [block @ per_clip / len(per_clip) for block in counts(len(per_clip), resamples, seed)]
    return of_statistics(float(per_clip.mean()), np.concatenate(drawn), chance)


def chance_level(
    statistic: Callable[[np.ndarray], float], labels: np.ndarray, *, seed: int, permutations: int = 200
) -> float:
    """Mean of `statistic(labels)` over random permutations of the labels, (N,)."""
    if permutations < 1:
        raise LensError("no permutations", got=permutations, expected="at least 1")
    rng = np.random.default_rng([seed, 1])
    return float(np.mean([statistic(rng.permutation(labels)) for _ in range(permutations)]))
