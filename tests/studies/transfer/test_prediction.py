"""The predicted cut, the best cuts and the score of predictors, against slow twins and by hand."""

import numpy as np
import pytest

from stgcn_lens.intervals import draws
from stgcn_lens.studies.transfer.prediction import best_cuts, conclusion, predicted, resampled, score

HOW = {"seed": 0, "resamples": 300}
N = 60


def flat(*levels: float, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """(K, N) label errors of these means."""
    rng = np.random.default_rng(seed)
    each = rng.normal(0, 1, (len(levels), N))
    each -= each.mean(axis=1, keepdims=True)
    return np.array(levels)[:, None] + noise * each


def test_resampled_means_are_those_of_the_draws_one_by_one():
    values = np.random.default_rng(0).random((3, 20))
    found = resampled(values, seed=4, resamples=25)
    times = np.concatenate(list(draws(20, 25, 4)))
    for r in range(25):
        clips = np.repeat(np.arange(20), times[r])
        assert found[r] == pytest.approx([values[k][clips].mean() for k in range(3)])


def test_without_noise_the_smoothest_layer_is_predicted():
    assert predicted(flat(0.5, 0.4, 0.2, 0.3, 0.6), **HOW) == 2
    assert predicted(flat(0.5, 0.4, 0.3, 0.2, 0.1), **HOW) == 4
    assert predicted(flat(0.1, 0.2, 0.3), **HOW) == 0


def test_of_equal_layers_the_deepest_is_predicted():
    assert predicted(flat(0.5, 0.2, 0.2, 0.2, 0.4), **HOW) == 3


def test_a_layer_counts_as_smooth_where_its_paired_difference_reaches_zero():
    errors = flat(0.5, 0.2, 0.22, 0.24, 0.5, noise=0.2)
    times = np.concatenate(list(draws(N, 300, 0)))
    low = [np.quantile([(t @ (errors[k] - errors[1])) / N for t in times], 0.025) for k in range(5)]
    expected = max(k for k in range(5) if low[k] <= 0)
    assert expected in (2, 3)  # else this shows nothing
    assert predicted(errors, **HOW) == expected


def test_noise_that_all_layers_share_does_not_hide_a_difference():
    shared = np.random.default_rng(1).random(N)
    assert predicted(np.stack([shared + 0.3, shared, shared + 0.01]), **HOW) == 1


def test_the_strict_best_is_the_highest_and_equals_count_the_wide_best_cannot_be_told_from_it():
    right = np.zeros((4, N))
    right[0, :30], right[1, :50], right[2, 10:60], right[3, :49] = 1, 1, 1, 1
    strict, wide = best_cuts(right, **HOW)
    assert strict == [1, 2]
    assert wide == [1, 2, 3]  # one clip less is no difference that can be told


def test_the_score_of_predictors_by_hand():
    """Two cells over cuts at layers 0, 1, 3, 6: the best are at layer 1 and at layer 6."""
    first, second = np.zeros((4, N)), np.zeros((4, N))
    for row, count in enumerate((20, 60, 40, 0)):
        first[row, :count] = 1
    for row, count in enumerate((0, 20, 40, 60)):
        second[row, :count] = 1
    found = score({"a": 1, "b": 3}, {("1", 0): first, ("full", 0): second}, [0, 1, 3, 6], **HOW)
    by_name = {row["predictor"]: row for row in found}
    assert by_name["a"]["strict"] == {"within_one": 0.5, "distance": 2.5}
    assert by_name["b"]["strict"] == {"within_one": 0.5, "distance": 2.5}
    assert by_name["a"]["accuracy_lost"] == pytest.approx((0 + 40 / 60) / 2)
    # At random: of layers 0 1 3 6, near 1 are 0 and 1, near 6 only itself; distances 1 0 2 5 and 6 5 3 0.
    assert by_name["random"]["strict"] == {"within_one": pytest.approx(3 / 8), "distance": pytest.approx(22 / 8)}
    assert by_name["random"]["accuracy_lost"] == pytest.approx((60 - 30 + 60 - 30) / 2 / 60)
    assert all(row["cells"] == 2 for row in found)


def test_the_middle_is_that_of_the_depth_not_of_the_cuts_that_were_run():
    depths, cuts = [0, 4, 8, 9, 10], ("input", "block_4", "block_8", "block_9", "block_10")
    errors, right = flat(0.5, 0.4, 0.3, 0.2, 0.1), {("1", 0): np.ones((5, N))}
    found = conclusion({"knn": errors, "nnk": errors}, right, [], cuts, depths, **HOW)
    assert {row["predictor"]: row["cut"] for row in found["scores"]}["middle"] == "block_4"


def test_the_conclusion_says_the_predicted_cut_and_its_distances_in_words():
    cuts, depths = ("input", "block_2", "block_4"), [0, 2, 4]
    right = np.zeros((3, N))
    right[0, :50], right[1, :20], right[2, :10] = 1, 1, 1
    best = [
        {"shots": "5", "seed": 0, "strict": ["input"], "wide": ["input"]},
        {"shots": "5", "seed": None, "strict": ["input"], "wide": ["input", "block_2"]},
    ]
    errors = {"knn": flat(0.5, 0.1, 0.4), "nnk": flat(0.5, 0.3, 0.2)}
    found = conclusion(errors, {("5", 0): right}, best, cuts, depths, **HOW)
    assert (found["knn"], found["nnk"]) == ({"cut": "block_2"}, {"cut": "block_4"})
    assert len(found["by_shots"]) == 1
    told = found["by_shots"][0]
    assert (told["predicted"], told["distance"], told["distance_wide"]) == ("block_2", 2, 0)
    assert [(row["predictor"], row["cut"]) for row in found["scores"]] == [
        ("smoothness", "block_2"),
        ("smoothness (NNK)", "block_4"),
        ("last", "block_4"),
        ("middle", "block_2"),
        ("input", "input"),
        ("random", None),
    ]
    assert "predicts the cut block_2: within one layer of the best cut in 0% of 1 cases" in found["sentence"]
    assert "gives away 0.500 of top-1" in found["sentence"]
