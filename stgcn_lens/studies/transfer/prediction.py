"""The cut that smoothness alone predicts, and how near it comes to the cut that tuning finds best.

**The rule, written down before any run.** Of the layers up to which the network may be frozen, take the deepest one
whose label error on the target's training clips cannot be told from the least: the 95 % percentile interval of the
difference, clip by clip over the same resampled clips, reaches down to zero. Why: tuned blocks get nothing but what the
cut lets through. While the error falls with depth, the source's task sorts the target's clips too, and tuning those
layers anew could only lose what came for free; where it rises again the layers have begun to mix what the target tells
apart, and have to be tuned. Among layers that are as smooth as the best, the deepest leaves the fewest weights to a few
clips. No test clip and no tuning has a say. The kNN label error decides; that of NNK is beside it.

**The score.** For every number of shots and every seed, the best cut is the one of the highest test accuracy; of equal
ones each counts as best, and their number is told. The distance is counted in layers. Beside this strict best stands
a wide one: every cut whose accuracy cannot be told from the best one's (the interval of the paired difference over test
clips reaches zero). Three predictors that look at nothing are scored likewise: the last block always, the cut nearest
to the middle of the depth always, and input always (tune everything); and the mean over all cuts, which is what a draw
at random would get.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stgcn_lens import intervals
from stgcn_lens.intervals import CONFIDENCE

NEAR = 1  # layers that still count as near
RULE = (
    "the deepest layer whose kNN label error on the target's training clips cannot be told from the least "
    "(95 % interval of the paired difference reaches zero)"
)


def resampled(values: np.ndarray, *, seed: int, resamples: int) -> np.ndarray:
    """Means of each row of (K, N) over resampled clips, (R, K); the same draws for all rows of all calls."""
    blocks = intervals.counts(values.shape[1], resamples, seed)
    return np.concatenate([block @ values.T / values.shape[1] for block in blocks])


def alike(values: np.ndarray, best: int, sign: int, *, seed: int, resamples: int) -> np.ndarray:
    """Which rows of (K, N) have a mean that cannot be told from that of row `best`, (K,) bool.

    `sign` 1: less is better, so a row is told apart where its difference to the best lies wholly above zero; -1: below.
    """
    drawn = sign * resampled(values, seed=seed, resamples=resamples)
    low = np.quantile(drawn - drawn[:, [best]], (1 - CONFIDENCE) / 2, axis=0)
    return low <= 0


def predicted(errors: np.ndarray, *, seed: int, resamples: int) -> int:
    """The cut of the rule, as a row of the label errors (K, n) of the training clips at K cuts in order of depth."""
    least = int(errors.mean(axis=1).argmin())
    return int(np.flatnonzero(alike(errors, least, 1, seed=seed, resamples=resamples)).max())


def best_cuts(right: np.ndarray, *, seed: int, resamples: int) -> tuple[list[int], list[int]]:
    """Rows of (K, n_test), right or not (or the share of seeds): the strict best, and those that are like the best."""
    mean = right.mean(axis=1)
    strict = np.flatnonzero(mean >= mean.max() - 1e-12)
    wide = alike(right, int(strict[0]), -1, seed=seed, resamples=resamples)
    return strict.tolist(), np.flatnonzero(wide).tolist()


def score(
    predictors: Mapping[str, int], right: Mapping[tuple[str, int], np.ndarray], depths: Sequence[int], **how: int
) -> list[dict[str, Any]]:
    """How near each predictor comes, over all numbers of shots and seeds.

    Parameters
    ----------
    predictors : name -> row of the cut that it always names.
    right : (shots, seed) -> (K, n_test) bool, of K cuts.
    depths : (K,) place of each cut among the network's layers.
    how : seed and resamples of the intervals.

    Returns
    -------
    A row for each predictor, and one for a draw at random.
    """
    place = np.asarray(depths)
    bests = {cell: best_cuts(hits, **how) for cell, hits in right.items()}

    def row(name: str, rows: Sequence[int]) -> dict[str, Any]:
        about: dict[str, Any] = {"predictor": name, "cells": len(right)}
        lost = [np.mean(hits.mean(axis=1).max() - hits.mean(axis=1)[list(rows)]) for hits in right.values()]
        about["accuracy_lost"] = float(np.mean(lost))
        for kind, which in (("strict", 0), ("wide", 1)):
            far = np.array([[np.abs(place[best[which]] - place[r]).min() for r in rows] for best in bests.values()])
            about[kind] = {"within_one": float((far <= NEAR).mean()), "distance": float(far.mean())}
        return about

    found = [row(name, [cut]) for name, cut in predictors.items()]
    return [*found, row("random", range(len(place)))]


def conclusion(
    errors: Mapping[str, np.ndarray],
    right: Mapping[tuple[str, int], np.ndarray],
    best: Sequence[Mapping[str, Any]],
    cuts: Sequence[str],
    depths: Sequence[int],
    **how: int,
) -> dict[str, Any]:
    """The predicted cut, how far from the best it lies for each number of shots, and the score of all predictors.

    Parameters
    ----------
    errors : measure -> (K, n) of the training clips at K cuts. `right`, `depths`, `how` : see `score`.
    best : rows of `findings.bests`.
    """
    found = {name: predicted(values, **how) for name, values in errors.items()}
    names = {"smoothness": found["knn"], "smoothness (NNK)": found["nnk"]}
    names |= {"last": len(cuts) - 1, "middle": int(np.abs(np.asarray(depths) - depths[-1] / 2).argmin()), "input": 0}
    scores = score(names, right, depths, **how)
    for row in scores:
        row["cut"] = cuts[names[row["predictor"]]] if row["predictor"] in names else None
    far = lambda others: min(abs(depths[cuts.index(other)] - depths[found["knn"]]) for other in others)  # noqa: E731
    by_shots = [
        {
            "shots": row["shots"],
            "predicted": cuts[found["knn"]],
            "strict": row["strict"],
            "wide": row["wide"],
            "distance": far(row["strict"]),
            "distance_wide": far(row["wide"]),
        }
        for row in best
        if row["seed"] is None
    ]
    own, last, middle = scores[0], scores[2], scores[3]
    sentence = (
        f"Smoothness alone predicts the cut {cuts[found['knn']]}: within one layer of the best cut in "
        f"{own['strict']['within_one']:.0%} of {own['cells']} cases (shots x seeds), where always the last block has "
        f"{last['strict']['within_one']:.0%}, always the middle {middle['strict']['within_one']:.0%} and a draw at "
        f"random {scores[-1]['strict']['within_one']:.0%}; it gives away {own['accuracy_lost']:.3f} of top-1 "
        f"(last {last['accuracy_lost']:.3f}, middle {middle['accuracy_lost']:.3f})."
    )
    return {
        "rule": RULE,
        **{name: {"cut": cuts[row]} for name, row in found.items()},
        "by_shots": by_shots,
        "scores": scores,
        "sentence": sentence,
    }
