"""A number with its bootstrap interval and its chance level."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from stgcn_lens.errors import LensError

CONFIDENCE = 0.95  # of percentile intervals
_CHUNK = 1 << 22  # entries of one (resamples, N) block
_KEPT = 1 << 26  # entries of draws that are kept for the next statistic of the same clips, 128 MiB


@dataclass(frozen=True)
class Value:
    """A statistic over clips.

    Attributes
    ----------
    value : the statistic.
    ci_low, ci_high : ends of the 95 % percentile interval over resampled clips.
    chance : the same statistic when labels are permuted (mean), or None where labels play no part.
    chance_low, chance_high : 95 % of the permutations lie between them.
    """

    value: float
    ci_low: float
    ci_high: float
    chance: float | None = None
    chance_low: float | None = None
    chance_high: float | None = None


def draws(n: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each of n clips is drawn in each resample: blocks (resamples, n) of uint16, rows summing to n.

    The same for the same seed, whatever the statistic: values of two layers over the same clips can be compared draw
    by draw.
    """
    if resamples < 1:
        raise LensError("no resamples", got=resamples, expected="at least 1")
    if n * resamples <= _KEPT:
        yield _kept_draws(n, resamples, seed)
    else:
        yield from _draw(n, resamples, seed)


def counts(n: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """The `draws` as small blocks of float64."""
    step = max(1, _CHUNK // n)
    for block in draws(n, resamples, seed):
        for start in range(0, len(block), step):
            yield block[start : start + step].astype(np.float64)


def permutations(labels: np.ndarray, count: int, seed: int) -> Iterator[np.ndarray]:
    """Random permutations of the labels (N,): blocks (permutations, N) of int32."""
    if count < 1:
        raise LensError("no permutations", got=count, expected="at least 1")
    rng = np.random.default_rng([seed, 1])
    step = max(1, _CHUNK // len(labels))
    for start in range(0, count, step):
        yield np.stack([rng.permutation(labels) for _ in range(min(step, count - start))]).astype(np.int32)


def of_statistics(value: float, resampled: np.ndarray, permuted: np.ndarray | None = None) -> Value:
    """The interval from the statistic's value on every resample, (R,), those that are NaN left out.

    Its chance level is that of the values for `permuted` labels, (P,).
    """
    chance = (None, None, None) if permuted is None else (float(permuted.mean()), *_ends(permuted, value))
    return Value(value, *_ends(resampled, value), *chance)


def of_mean(per_clip: np.ndarray, *, seed: int, resamples: int = 1000) -> Value:
    """The mean of one number a clip, (N,), with its interval over resampled clips."""
    drawn = [block @ per_clip / len(per_clip) for block in counts(len(per_clip), resamples, seed)]
    return of_statistics(float(per_clip.mean()), np.concatenate(drawn))


def _ends(values: np.ndarray, otherwise: float) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    if not len(values):
        return otherwise, otherwise
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


@lru_cache(maxsize=1)
def _kept_draws(n: int, resamples: int, seed: int) -> np.ndarray:
    drawn = np.concatenate(list(_draw(n, resamples, seed)))
    drawn.flags.writeable = False
    return drawn


def _draw(n: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng([seed, 0])
    step = max(1, _CHUNK // n)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        yield rng.multinomial(n, np.full(n, 1 / n), size=size).astype(np.uint16)
