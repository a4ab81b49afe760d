"""Levels of collapse and the verdict: the rules as they are written, on curves that are known."""

import numpy as np
import pytest

from stgcn_lens.data.noise import NOISES
from stgcn_lens.studies.noise.findings import finding_2
from stgcn_lens.studies.noise.results import chance
from stgcn_lens.studies.noise.thresholds import accuracy_halves, crossing, geometry_breaks, in_words

DB, SHARE = NOISES["gaussian"], NOISES["joint_dropout"]


def test_half_lies_between_two_levels_on_a_straight_line() -> None:
    found = accuracy_halves(DB, [40, 20, 10, 0], [0.9, 0.8, 0.5, 0.1], 0.9)
    assert found.state == "within"
    assert found.level == pytest.approx(10 - 10 * (0.5 - 0.45) / (0.5 - 0.1))
    assert in_words(found, DB, [40, 0], "accuracy halves") == "accuracy halves at 8.75 dB"


def test_a_finite_clean_level_is_where_the_curve_begins_and_decibels_have_none() -> None:
    found = crossing(SHARE, [0.4, 0.8], [0.2, 0.1], 0.8, 0.5)
    assert found.level == pytest.approx(0.2)
    assert crossing(DB, [40, 20], [0.2, 0.1], 0.8, 0.5).state == "before"
    assert "already, the mildest" in in_words(crossing(DB, [40, 20], [0.2, 0.1], 0.8, 0.5), DB, [40, 20], "it breaks")


def test_never_and_nothing_to_lose_are_answers() -> None:
    never = crossing(DB, [40, 20], [0.8, 0.7], 0.8, 0.5)
    assert (never.level, never.state) == (None, "never")
    assert in_words(never, DB, [40, 20], "accuracy halves") == "accuracy halves not within the levels (40 to 20 dB)"
    assert geometry_breaks(DB, [40], [0.95], clean=0.9, chance=0.9).state == "no gap"


def test_the_first_crossing_counts() -> None:
    found = crossing(SHARE, [0.1, 0.2, 0.3, 0.4], [0.9, 0.4, 0.9, 0.0], 1.0, 0.5)
    assert found.level == pytest.approx(0.18)


def test_geometry_breaks_where_half_of_the_gap_to_chance_is_gone() -> None:
    found = geometry_breaks(SHARE, [0.5, 1.0], [0.3, 0.9], clean=0.1, chance=0.9)
    assert found.level == pytest.approx(0.5 + 0.5 * (0.5 - 0.3) / (0.9 - 0.3))


def test_chance_is_what_permuted_labels_give_on_average(rng) -> None:
    labels, near = np.array([0] * 7 + [1] * 4 + [3] * 9), rng.integers(0, 19, (20, 5))
    near += near >= np.arange(20)[:, None]  # anybody but oneself
    errors = []
    for _ in range(4000):
        some = rng.permutation(labels)
        errors.append((some[near] != some[:, None]).mean())
    assert chance(labels) == pytest.approx(np.mean(errors), abs=0.005)


def network(low: float, value: float, high: float, level: float = 20.0) -> dict:
    change = {"value": value, "ci_low": low, "ci_high": high}
    row = {"layer": "block_2", "knn_label_error": {"change": change}}
    return {"last_block": "block_2", "conditions": [{"kind": "gaussian", "level": level, "layers": [row]}]}


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [
        ((0.001, 0.01, 0.03), "confirmed"),
        ((-0.01, 0.0, 0.01), "confirmed"),
        ((0.02, 0.03, 0.031), "undecided"),
        ((0.031, 0.05, 0.07), "refuted"),
        ((-0.09, -0.05, -0.031), "refuted"),
        ((-0.04, 0.0, 0.02), "undecided"),
    ],
)
def test_the_verdict_follows_the_rule(ends, verdict) -> None:
    found = finding_2(network(*ends), "recorded")
    assert found["verdict"] == verdict
    said = f"{verdict}: with noise on clips as recorded, at 20 dB, the kNN label error of block_2"
    assert found["text"].startswith(f"{said} moves by {ends[1]:+.3f}")


def test_without_twenty_decibels_there_is_no_verdict() -> None:
    found = finding_2(network(0, 0, 0, level=10.0), "recorded")
    assert (found["verdict"], found["value"]) == ("undecided", None)
    assert "was not run" in found["text"]
