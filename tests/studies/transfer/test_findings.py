"""Accuracies with intervals, their ratio to tuning everything, and the verdict."""

import numpy as np
import pytest

from stgcn_lens.intervals import draws
from stgcn_lens.studies.transfer.findings import accuracies, bests, finding_3, ratio

HOW = {"seed": 0, "resamples": 200}
N = 200
LAYERS = ["input", *(f"block_{i}" for i in range(1, 11))]


def hits(count: int, start: int = 0) -> np.ndarray:
    found = np.zeros(N, bool)
    found[start : start + count] = True
    return found


def study(full: tuple[int, ...], three: tuple[int, ...]) -> dict:
    return {("input", "full", s): hits(n) for s, n in enumerate(full)} | {
        ("block_7", "full", s): hits(n) for s, n in enumerate(three)
    }


def verdict(full: tuple[int, ...], three: tuple[int, ...], largest: float = 0.05) -> dict:
    rows = accuracies(study(full, three), ("input", "block_7"), ("full",), range(len(full)), **HOW)
    return finding_3(rows, LAYERS, largest)


def test_accuracy_is_the_mean_over_seeds_with_an_interval_over_clips():
    rows = accuracies(study((100, 120), (80, 80)), ("input", "block_7"), ("full",), (0, 1), **HOW)
    whole, three = rows
    assert (whole["cut"], whole["value"], whole["seeds"], whole["n"]) == ("input", 0.55, [0.5, 0.6], N)
    assert whole["sd"] == pytest.approx(0.1 / np.sqrt(2))
    assert whole["ci_low"] < 0.55 < whole["ci_high"]
    assert whole["to_full"] == {"value": 1.0, "ci_low": 1.0, "ci_high": 1.0}
    assert three["to_full"]["value"] == pytest.approx(0.4 / 0.55)


def test_the_interval_of_a_ratio_is_paired_over_clips():
    above, below = np.random.default_rng(0).random((2, 50))
    found = ratio(above, below, seed=3, resamples=80)
    times = np.concatenate(list(draws(50, 80, 3))).astype(float)
    each = [(t * above).sum() / (t * below).sum() for t in times]
    assert found["value"] == pytest.approx(above.sum() / below.sum())
    assert (found["ci_low"], found["ci_high"]) == pytest.approx(tuple(np.quantile(each, [0.025, 0.975])))
    assert ratio(above, np.zeros(50), seed=0, resamples=5) is None


def test_scratch_is_told_for_all_clips_only():
    found = study((100,), (80,)) | {("scratch", "full", 0): hits(60)}
    found |= {(cut, "1", 0): hits(10) for cut in ("input", "block_7")}
    rows = accuracies(found, ("input", "block_7"), ("1", "full"), (0,), **HOW)
    assert [(row["cut"], row["shots"]) for row in rows] == [
        ("input", "1"),
        ("block_7", "1"),
        ("input", "full"),
        ("block_7", "full"),
        ("scratch", "full"),
    ]
    assert rows[-1]["to_full"]["value"] == pytest.approx(0.6)
    assert rows[-1]["sd"] is None


@pytest.mark.parametrize(
    ("three", "expected"),
    [((160, 160), "confirmed"), ((156, 156), "undecided"), ((100, 110), "refuted")],
)
def test_the_verdict_follows_the_interval_of_the_ratio(three, expected):
    found = verdict((160, 160), three)
    assert found["verdict"] == expected
    low, high = found["ratio"]["ci_low"], found["ratio"]["ci_high"]
    assert expected == ("confirmed" if low >= 0.95 else "refuted" if high < 0.95 else "undecided")
    assert "frozen up to block_7" in found["why"]
    assert "2 seeds, n = 200" in found["why"]


def test_where_nothing_was_learned_nothing_is_judged():
    found = verdict((12,), (12,))
    assert found["verdict"] == "not judged"
    assert "no better than always one class, 0.050" in found["why"]
    assert verdict((0,), (0,))["verdict"] == "not judged"


def test_what_was_not_run_is_not_judged():
    rows = accuracies({("input", "full", 0): hits(100)}, ("input",), ("full",), (0,), **HOW)
    found = finding_3(rows, LAYERS, 0.05)
    assert (found["verdict"], found["why"]) == ("not judged", "not run on all training clips: cut block_7")
    assert finding_3(rows, LAYERS[:4], 0.05)["why"] == "the network has 3 blocks"


def test_best_cuts_are_told_for_every_seed_and_for_their_mean():
    found = {("input", "5", 0): hits(100), ("block_1", "5", 0): hits(90)}
    found |= {("input", "5", 1): hits(20), ("block_1", "5", 1): hits(90)}
    rows = bests(found, ("input", "block_1"), ("5",), (0, 1), **HOW)
    assert [(row["seed"], row["strict"]) for row in rows] == [(0, ["input"]), (1, ["block_1"]), (None, ["block_1"])]
    assert rows[-1]["top1"] == pytest.approx(0.45)
    assert rows[1]["wide"] == ["block_1"]
