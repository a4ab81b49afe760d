"""From tunings to accuracies with intervals, best cuts, and the verdict on the paper's third finding.

**Finding 3** (arXiv 2312.07777: fine-tuning later layers suffices between related tasks). The rule, written down before
any run: on all training clips, the accuracy with the last three blocks tuned is divided by that with everything tuned,
both averaged over seeds, clip by clip over the same resampled test clips. "confirmed" where the lower end of the 95 %
percentile interval is at least 0.95; "refuted" where its upper end is below 0.95; else "undecided". It is "not judged"
where one of the two cuts, or full, was not run, or where tuning everything does no better than always naming the class
with the most test clips (the lower end of its accuracy's interval is not above that class's share): a ratio of two
accuracies at chance would confirm anything.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stgcn_lens.intervals import of_mean, of_statistics
from stgcn_lens.runs import plain
from stgcn_lens.studies.transfer.config import FULL
from stgcn_lens.studies.transfer.prediction import best_cuts, resampled

ENOUGH, LAST = 0.95, 3  # of full tuning's accuracy, by tuning so many blocks
INPUT, SCRATCH = "input", "scratch"
RULE = (
    f"confirmed where tuning the last {LAST} blocks reaches at least {ENOUGH:g} of the accuracy of tuning everything "
    f"(lower end of the 95 % interval of the ratio, paired over test clips, averaged over seeds, all training clips); "
    f"refuted where the upper end is below {ENOUGH:g}; else undecided"
)

Hits = Mapping[tuple[str, str, int], np.ndarray]  # (cut, shots, seed) -> (n_test,) bool


def accuracies(
    hits: Hits, cuts: Sequence[str], shots: Sequence[str], seeds: Sequence[int], *, seed: int, resamples: int
) -> list[dict[str, Any]]:
    """One row for each cut and number of shots, scratch among the cuts where it was run.

    A row has the mean top-1 over seeds with its interval over test clips, the seeds' own values and their standard
    deviation, and the ratio to tuning everything with as many shots (`to_full`, None where that was not run).
    """
    rows = []
    for count in dict.fromkeys((*shots, FULL)):  # scratch is trained on all clips, whatever the cuts are
        full = _mean(hits, INPUT, count, seeds)
        for cut in (*cuts, SCRATCH):
            mine = _mean(hits, cut, count, seeds)
            if mine is None:
                continue
            each = [float(hits[cut, count, s].mean()) for s in seeds]
            value = of_mean(mine, seed=seed, resamples=resamples)
            rows.append(
                {
                    "cut": cut,
                    "shots": count,
                    "value": value.value,
                    "ci_low": value.ci_low,
                    "ci_high": value.ci_high,
                    "seeds": each,
                    "sd": float(np.std(each, ddof=1)) if len(each) > 1 else None,
                    "n": len(mine),
                    "to_full": None if full is None else ratio(mine, full, seed=seed, resamples=resamples),
                }
            )
    return rows


def ratio(above: np.ndarray, below: np.ndarray, *, seed: int, resamples: int) -> dict[str, Any] | None:
    """Mean of one number a clip divided by that of another, with its interval; None where the latter is zero."""
    if not below.any():
        return None
    drawn = resampled(np.stack([above, below]), seed=seed, resamples=resamples)
    divided = np.divide(drawn[:, 0], drawn[:, 1], out=np.full(len(drawn), np.nan), where=drawn[:, 1] > 0)
    found = of_statistics(float(above.mean() / below.mean()), divided)
    return {"value": found.value, "ci_low": found.ci_low, "ci_high": found.ci_high}


def bests(
    hits: Hits, cuts: Sequence[str], shots: Sequence[str], seeds: Sequence[int], *, seed: int, resamples: int
) -> list[dict[str, Any]]:
    """For each number of shots the best cuts: of each seed, and (`seed` None) of the mean over seeds."""
    rows = []
    for count in shots:
        alone = [np.stack([hits[cut, count, s] for cut in cuts]).astype(float) for s in seeds]
        for which, right in [*zip(seeds, alone, strict=True), (None, np.mean(alone, axis=0))]:
            strict, wide = best_cuts(right, seed=seed, resamples=resamples)
            rows.append(
                {
                    "shots": count,
                    "seed": which,
                    "strict": [cuts[k] for k in strict],
                    "wide": [cuts[k] for k in wide],
                    "top1": float(right.mean(axis=1).max()),
                }
            )
    return rows


def finding_3(rows: Sequence[Mapping[str, Any]], layers: Sequence[str], largest: float) -> dict[str, Any]:
    """The verdict, from the rows of `accuracies` and the network's layers from input to the last block.

    `largest` is the share of the class with the most test clips.
    """
    about: dict[str, Any] = {"finding": 3, "rule": RULE, "cut": None, "ratio": None}
    if len(layers) <= LAST + 1:
        return about | {"verdict": "not judged", "why": f"the network has {len(layers) - 1} blocks"}
    cut = layers[-1 - LAST]
    known = {row["cut"]: row for row in rows if row["shots"] == FULL}
    missing = [name for name in (INPUT, cut) if name not in known]
    if missing:
        return about | {"verdict": "not judged", "why": f"not run on all training clips: cut {' and '.join(missing)}"}
    whole, found = known[INPUT], known[cut]["to_full"]
    if found is None or whole["ci_low"] <= largest:
        why = f"tuning everything gives top-1 {whole['value']:.3f} [{whole['ci_low']:.3f}, {whole['ci_high']:.3f}], "
        return about | {"verdict": "not judged", "why": f"{why}no better than always one class, {largest:.3f}"}
    low, high = found["ci_low"], found["ci_high"]
    verdict = "confirmed" if low >= ENOUGH else "refuted" if high < ENOUGH else "undecided"
    why = (
        f"tuning the last {LAST} blocks (frozen up to {cut}) gives top-1 {known[cut]['value']:.3f}, tuning everything "
        f"{whole['value']:.3f}: ratio {found['value']:.3f} [{low:.3f}, {high:.3f}], "
        f"{(count := len(known[cut]['seeds']))} seed{'s' * (count != 1)}, n = {known[cut]['n']}"
    )
    return about | {"verdict": verdict, "why": why, "cut": cut, "ratio": plain(found)}


def _mean(hits: Hits, cut: str, shots: str, seeds: Sequence[int]) -> np.ndarray | None:
    """Share of seeds that get each test clip right, (n_test,); None where it was not run."""
    if (cut, shots, seeds[0]) not in hits:
        return None
    return np.mean([hits[cut, shots, s] for s in seeds], axis=0)
