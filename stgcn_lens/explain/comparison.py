"""Signed maps of two groups of clips, set side by side: at which joints, and when, they differ.

The maps of clips of different length come to the same axes, joints x equal parts of the clip; columns of such numbers
are compared by the difference of the groups' means, with a bootstrap interval over clips, an effect size and a
permutation test that is corrected for looking at many columns at once.
"""

from dataclasses import dataclass

import numpy as np

from stgcn_lens import intervals
from stgcn_lens.errors import LensError
from stgcn_lens.explain.upsample import to_frames
from stgcn_lens.intervals import Value

LEVEL = 1 - intervals.CONFIDENCE  # of p, for a difference to count as shown
_CHUNK = 1 << 22  # entries of one (permutations, N) block


def in_parts(map: np.ndarray, stride: int, present: np.ndarray, parts: int) -> tuple[np.ndarray, float]:
    """A layer's map summed over bodies and over equal parts of the clip, and the sum of its absolute values.

    Rows of the layer are placed on frames as everywhere (`upsample.to_frames`); a frame that lies across the border of
    two parts is divided between them, so the parts sum to the whole, and a clip may have fewer frames than parts.

    Parameters
    ----------
    map : (T_l, V, M), signed; rows past the real frames do not count.
    stride : total temporal stride of the layer.
    present : (frames, M) bool, which bodies are there in each real frame; where one is not, its cells do not count.
    parts : how many, P.

    Returns
    -------
    (V, P) float64, and the sum over (frame, joint, body) cells of |map|.
    """
    frames = len(present)
    cells = to_frames(map, stride, frames).astype(np.float64) * present[:, None]
    # In P-ths of a frame, frame t covers [t P, (t + 1) P) and part p covers [p frames, (p + 1) frames).
    begin, part = np.arange(frames)[:, None] * parts, np.arange(parts)[None] * frames
    overlap = np.minimum(begin + parts, part + frames) - np.maximum(begin, part)
    share = np.maximum(overlap, 0) / parts  # (frames, P), rows summing to one
    return np.einsum("tvm,tp->vp", cells, share), float(np.abs(cells).sum())


@dataclass(frozen=True)
class Column:
    """One number a clip, in two groups.

    Attributes
    ----------
    a, b : mean of either group, with its interval.
    difference : a - b.
    effect : Hedges' g, the difference in units of the pooled standard deviation, corrected for few clips; None where
        neither group varies.
    p : probability of a difference this large at any of the columns that were compared together if clips belonged to
        the groups by chance.
    excess, p_excess : the same for what the column differs by beyond the mean of all columns.
    shown : whether the interval of `difference` leaves zero out and p is at most `LEVEL`.
    """

    a: Value
    b: Value
    difference: Value
    effect: float | None
    p: float
    excess: Value
    p_excess: float
    shown: bool


def compare(
    a: np.ndarray, b: np.ndarray, *, seed: int, resamples: int = 1000, permutations: int = 2000
) -> list[Column]:
    """Where two groups of clips differ.

    Parameters
    ----------
    a, b : (Na, J) and (Nb, J), J numbers of each clip.
    seed : of resamples and permutations.
    resamples : bootstrap resamples, of the clips of each group by themselves.
    permutations : of which clip is in which group. Over each the largest absolute difference among the J columns
        counts [Nichols, Holmes 2002, "Nonparametric permutation tests for functional neuroimaging"]; p is at least
        1 / (permutations + 1).

    Raises
    ------
    LensError
        If a group has fewer than two clips, or the groups have other columns.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        got = f"{a.shape} and {b.shape}"
        raise LensError("not two groups of clips", got=got, expected="(Na, J) and (Nb, J), at least 2 clips each")
    a, b = a.astype(np.float64), b.astype(np.float64)
    # Differences do not see where zero lies. Relative to one clip, a column that is the same for all is exactly zero,
    # and no rounding is taken for a difference.
    zero = a[0]
    drawn_a, drawn_b = _resampled(a - zero, resamples, 2 * seed), _resampled(b - zero, resamples, 2 * seed + 1)
    difference, drawn = (a - zero).mean(axis=0) - (b - zero).mean(axis=0), drawn_a - drawn_b
    excess, drawn_excess = (d - d.mean(axis=-1, keepdims=True) for d in (difference, drawn))
    largest, largest_excess = _largest(a - zero, b - zero, seed, permutations)
    effects = hedges(a - zero, b - zero)
    columns = []
    for j in range(a.shape[1]):
        value = intervals.of_statistics(float(difference[j]), drawn[:, j])
        p = _probability(abs(difference[j]), largest)
        columns.append(
            Column(
                a=intervals.of_statistics(float(a[:, j].mean()), drawn_a[:, j] + zero[j]),
                b=intervals.of_statistics(float(b[:, j].mean()), drawn_b[:, j] + zero[j]),
                difference=value,
                effect=float(effects[j]) if np.isfinite(effects[j]) else None,
                p=p,
                excess=intervals.of_statistics(float(excess[j]), drawn_excess[:, j]),
                p_excess=_probability(abs(excess[j]), largest_excess),
                shown=(value.ci_low > 0 or value.ci_high < 0) and p <= LEVEL + 1e-12,
            )
        )
    return columns


def hedges(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Hedges' g of each column, (J,); NaN where neither group varies.

    Source: Hedges 1981, "Distribution theory for Glass's estimator of effect size", with the usual approximation
    1 - 3 / (4 (Na + Nb) - 9) of its correction.
    """
    freedom = len(a) + len(b) - 2
    squares = sum(((group - group.mean(axis=0)) ** 2).sum(axis=0) for group in (a, b))
    spread = np.sqrt(squares / freedom)
    gap = a.mean(axis=0) - b.mean(axis=0)
    ratio = np.divide(gap, spread, out=np.full(a.shape[1], np.nan), where=spread > 0)
    return np.asarray(ratio * (1 - 3 / (4 * (len(a) + len(b)) - 9)))


def _resampled(x: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Means of the columns over resampled clips, (resamples, J)."""
    return np.concatenate([drawn @ x / len(x) for drawn in intervals.counts(len(x), resamples, seed)])


def _largest(a: np.ndarray, b: np.ndarray, seed: int, permutations: int) -> tuple[np.ndarray, np.ndarray]:
    """Over permuted groups, the largest |difference| and |excess| among the columns, (permutations,) each."""
    if permutations < 1:
        raise LensError("no permutations", got=permutations, expected="at least 1")
    both, rng = np.concatenate([a, b]), np.random.default_rng([seed, 2])
    both = both - both.mean(axis=0)  # the sum over one group is then minus that over the other
    step = max(1, _CHUNK // len(both))
    found: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for start in range(0, permutations, step):
        order = rng.random((min(step, permutations - start), len(both))).argsort(axis=1)
        inside = (order < len(a)).astype(np.float64)
        difference = inside @ both * (1 / len(a) + 1 / len(b))
        found[0].append(np.abs(difference).max(axis=1))
        found[1].append(np.abs(difference - difference.mean(axis=1, keepdims=True)).max(axis=1))
    return np.concatenate(found[0]), np.concatenate(found[1])


def _probability(value: float, by_chance: np.ndarray) -> float:
    """Share of chance values at least as large, the observed one counted among them."""
    return float((1 + (by_chance >= value * (1 - 1e-9)).sum()) / (1 + len(by_chance)))
