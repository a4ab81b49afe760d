import numpy as np
import pytest
from scipy import sparse

from stgcn_lens.distances import Sequences, WindowDTW
from stgcn_lens.errors import LensError
from stgcn_lens.graphs import GraphConfig, LayerGeometry, Neighbours, NNKGraph, layer_graph, summary
from stgcn_lens.graphs.smoothness import (
    checked_labels,
    knn_floor,
    label_errors,
    laplacian_label_error,
    laplacian_raw,
    right_votes,
    row_normalised,
)
from tests.reference import smoothness as reference


def clusters(seed: int, sizes: list[int], spread: float, features: int = 6) -> tuple[Sequences, np.ndarray]:
    """Clips of one to four windows around one centre a class."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    centres = rng.normal(size=(len(sizes), features))
    clips = [centres[c] + spread * rng.normal(size=(rng.integers(1, 5), features)) for c in labels]
    return Sequences.of([c.astype(np.float32) for c in clips]), labels


def graphs(seqs: Sequences, k: int = 5) -> tuple[Neighbours, NNKGraph]:
    return layer_graph(seqs, GraphConfig(k=k))


def dense(indices: np.ndarray, rows: np.ndarray) -> np.ndarray:
    out = np.zeros((len(indices), len(indices)))
    np.put_along_axis(out, indices.astype(int), rows, axis=1)
    return out


def test_both_sides_of_the_identity_equal_the_sums_over_all_pairs() -> None:
    seqs, labels = clusters(1, [9, 4, 12, 1], 1.0)
    near, nnk = graphs(seqs)
    for rows in (row_normalised(np.ones((26, 5))), row_normalised(nnk.weights)):
        w = dense(near.indices, rows)
        ours = label_errors(near.indices, rows, labels).mean()
        assert 0.05 < ours < 0.95
        np.testing.assert_allclose(ours, reference.agreement_form(w, labels), atol=1e-14)
        np.testing.assert_allclose(ours, reference.difference_form(w, labels), atol=1e-14)


def test_the_laplacian_form_equals_the_trace_and_lies_in_zero_one() -> None:
    seqs, labels = clusters(2, [9, 9, 9], 1.0)
    _, nnk = graphs(seqs)
    graph = nnk.undirected()
    trace = reference.laplacian_trace(graph.toarray(), labels)
    np.testing.assert_allclose(laplacian_raw(graph, labels), trace, rtol=1e-12)
    value = laplacian_label_error(graph, labels, seed=0)
    np.testing.assert_allclose(value.value, trace / graph.sum(), rtol=1e-12)
    assert 0 < value.ci_low < value.value < value.ci_high < 1
    # All edges between classes: the most that is possible.
    split = sparse.csr_array(np.array([[0, 1.0], [1.0, 0]]))
    assert laplacian_label_error(split, np.array([0, 1]), seed=0).value == 1


def test_pure_clusters_have_no_error_at_all() -> None:
    seqs, labels = clusters(3, [8, 7, 10], 0.001)
    geometry = summary(*graphs(seqs), labels, seed=0)
    for value in (geometry.knn_label_error, geometry.nnk_label_error, geometry.laplacian_label_error):
        assert (value.value, value.ci_low, value.ci_high) == pytest.approx((0, 0, 0), abs=1e-12)
        assert value.chance is not None
        assert value.chance > 0.5
    assert geometry.laplacian_raw == 0
    assert geometry.knn_accuracy.value == 1
    assert geometry.knn_label_error_per_class == pytest.approx((0, 0, 0), abs=1e-12)


def test_random_labels_are_at_chance() -> None:
    rng = np.random.default_rng(4)
    seqs, _ = clusters(4, [150], 1.0)
    labels = rng.integers(0, 5, 150)
    geometry = summary(*graphs(seqs, 10), labels, seed=0)
    values = (geometry.knn_label_error, geometry.nnk_label_error, geometry.laplacian_label_error, geometry.knn_accuracy)
    for value in values:
        assert value.chance is not None
        assert value.ci_low < value.chance < value.ci_high


def test_chance_is_what_two_random_clips_would_give() -> None:
    # For permuted labels any two different clips agree with probability sum_c n_c (n_c - 1) / (N (N - 1)).
    seqs, labels = clusters(5, [20, 30, 10], 1.0)
    expected = 1 - sum(n * (n - 1) for n in (20, 30, 10)) / (60 * 59)
    geometry = summary(*graphs(seqs), labels, seed=0, permutations=1500)
    for value in (geometry.knn_label_error, geometry.nnk_label_error, geometry.laplacian_label_error):
        assert value.chance == pytest.approx(expected, abs=0.01)


def test_the_interval_is_the_standard_error_of_the_mean() -> None:
    seqs, labels = clusters(6, [60, 60], 1.2)
    near, nnk = graphs(seqs)
    errors = label_errors(near.indices, row_normalised(np.ones((120, 5))), labels)
    value = summary(near, nnk, labels, seed=0, resamples=4000, permutations=1).knn_label_error
    half = 1.96 * errors.std() / np.sqrt(120)
    assert value.ci_high - value.value == pytest.approx(half, rel=0.1)
    assert value.value - value.ci_low == pytest.approx(half, rel=0.1)


def test_the_laplacian_interval_is_that_of_graphs_over_resampled_clips() -> None:
    rng = np.random.default_rng(0)
    seqs, labels = clusters(7, [12, 12], 1.2)
    graph = graphs(seqs)[1].undirected()
    w = graph.toarray()
    drawn = []
    for _ in range(2000):
        clips = rng.integers(0, 24, 24)
        sub = w[np.ix_(clips, clips)]
        if sub.sum() > 0:
            drawn.append((sub * (labels[clips][:, None] != labels[clips])).sum() / sub.sum())
    value = laplacian_label_error(graph, labels, seed=0, resamples=2000)
    np.testing.assert_allclose([value.ci_low, value.ci_high], np.quantile(drawn, [0.025, 0.975]), atol=0.03)


def test_one_seed_gives_one_answer_and_another_seed_other_draws() -> None:
    seqs, labels = clusters(8, [15, 15], 1.0)
    made = graphs(seqs)
    one, two = summary(*made, labels, seed=1), summary(*made, labels, seed=1)
    assert one == two
    other = summary(*made, labels, seed=2)
    assert other.knn_label_error.value == one.knn_label_error.value
    assert other.knn_label_error != one.knn_label_error


def test_a_class_with_one_clip_is_all_error_and_an_empty_class_has_no_value() -> None:
    seqs, labels = clusters(9, [10, 1, 10], 0.001)
    labels = np.where(labels == 2, 3, labels)  # no clip of class 2
    geometry = summary(*graphs(seqs), labels, seed=0, classes=5)
    knn, nnk = geometry.knn_label_error_per_class, geometry.nnk_label_error_per_class
    for values in (knn, nnk):
        assert values == (pytest.approx(0, abs=1e-9), pytest.approx(1), None, pytest.approx(0, abs=1e-9), None)
    assert geometry.knn_label_error.value == pytest.approx(1 / 21)


def test_one_class_has_no_error_and_no_chance_of_one() -> None:
    seqs, labels = clusters(10, [12], 1.0)
    geometry = summary(*graphs(seqs), labels, seed=0)
    assert geometry.knn_label_error.value == geometry.knn_label_error.chance == pytest.approx(0, abs=1e-15)


def test_all_distances_zero_and_one_window_a_clip_give_finite_numbers() -> None:
    seqs = Sequences.of([np.ones((1, 3), np.float32)] * 8)
    geometry = summary(*graphs(seqs, 3), np.arange(8) % 2, seed=0)
    assert geometry.sigma == 0
    assert geometry.isolated == 0
    assert geometry.mean_nnk_neighbours == 3
    assert 0 < geometry.knn_label_error.value < 1
    assert geometry.nnk_label_error.value == pytest.approx(geometry.knn_label_error.value, abs=1e-6)
    assert np.isfinite(geometry.laplacian_label_error.value)


def test_a_clip_without_weights_counts_its_candidates_equally() -> None:
    np.testing.assert_allclose(row_normalised(np.array([[0, 0, 0, 0], [1, 3, 0, 0]])), [[0.25] * 4, [0.25, 0.75, 0, 0]])
    tiny = np.array([[1e-45, 1e-45, 0]], np.float32)
    np.testing.assert_allclose(row_normalised(tiny), [[0.5, 0.5, 0]])


def test_isolated_clips_are_counted() -> None:
    seqs, labels = clusters(11, [300], 1.0)
    far = Sequences.of([*(seqs[i] for i in range(300)), np.full((1, 6), 1e7, np.float32)])
    assert summary(*graphs(far, 3), np.append(labels, 0), seed=0, resamples=2, permutations=1).isolated == 1


def test_accuracy_is_the_vote_with_ties_to_the_nearest(rng: np.random.Generator) -> None:
    seqs, _ = clusters(12, [50], 1.0)
    near, _ = graphs(seqs, 6)
    labels = rng.integers(0, 3, 50)
    expected = np.mean([reference.vote(labels[row].tolist()) == y for row, y in zip(near.indices, labels, strict=True)])
    assert right_votes(near, labels).mean() == pytest.approx(expected)
    # One vote each: the nearest wins although its class number is higher.
    tie = Neighbours(np.array([[1, 2], [2, 0], [0, 1]], np.int32), np.array([[1, 2]] * 3, np.float32))
    assert right_votes(tie, np.array([1, 1, 0])).tolist() == [1, 0, 0]


def test_the_mean_number_of_neighbours_counts_weights_above_the_threshold() -> None:
    seqs, labels = clusters(13, [20], 1.0)
    near, nnk = graphs(seqs)
    weights = np.zeros((20, 5), np.float32)
    weights[:, 0], weights[:10, 1], weights[:, 2] = 0.5, 2e-8, 5e-9
    changed = NNKGraph(nnk.indices, nnk.distances, weights, nnk.errors, nnk.kernel, 0.25)
    geometry = summary(near, changed, labels, seed=0, resamples=2, permutations=1)
    assert geometry.mean_nnk_neighbours == 1.5
    assert geometry.indefinite_share == 0.25


def test_smaller_spread_means_smaller_error() -> None:
    found: list[LayerGeometry] = []
    for spread in (0.1, 0.5, 1.0, 3.0):
        seqs, labels = clusters(14, [25] * 4, spread)
        found.append(summary(*graphs(seqs), labels, seed=0, resamples=2, permutations=1))
    for name in ("knn_label_error", "nnk_label_error", "laplacian_label_error"):
        values = [getattr(geometry, name).value for geometry in found]
        assert values == sorted(values)
        assert values[-1] > values[0] + 0.2


def test_per_class_means_weigh_up_to_the_mean() -> None:
    seqs, labels = clusters(17, [12, 9, 15, 4], 1.0)
    geometry = summary(*graphs(seqs), labels, seed=0, resamples=200, permutations=1)
    for value, by_class in (
        (geometry.knn_label_error, geometry.knn_label_error_per_class),
        (geometry.nnk_label_error, geometry.nnk_label_error_per_class),
    ):
        assert np.average(np.array(by_class, float), weights=np.bincount(labels)) == pytest.approx(value.value)


def test_the_laplacian_error_of_a_class_is_its_share_of_the_weight_at_its_clips() -> None:
    seqs, labels = clusters(18, [12, 9, 1, 15], 1.0)
    near, nnk = graphs(seqs)
    geometry = summary(near, nnk, labels, seed=0, resamples=2, permutations=1, classes=5)
    expected = reference.laplacian_per_class(nnk.undirected().toarray(), labels)
    assert geometry.laplacian_label_error_per_class[:4] == pytest.approx(expected)
    assert geometry.laplacian_label_error_per_class[4] is None
    assert geometry.laplacian_interval_per_class[4] is None


def test_intervals_of_a_class_are_those_of_graphs_over_resampled_clips() -> None:
    rng = np.random.default_rng(1)
    seqs, labels = clusters(19, [14, 10, 12], 1.3)
    near, nnk = graphs(seqs)
    geometry = summary(near, nnk, labels, seed=0, resamples=3000, permutations=1)
    errors = label_errors(near.indices, row_normalised(np.ones((36, 5))), labels)
    w = nnk.undirected().toarray()
    means, shares = [], []
    for _ in range(2000):
        drawn = rng.integers(0, 36, 36)
        own = labels[drawn] == 1
        means.append(errors[drawn][own].mean())
        at = w[np.ix_(drawn[own], drawn)]
        if at.sum() > 0:
            shares.append((at * (labels[drawn] != 1)).sum() / at.sum())
    found = geometry.knn_interval_per_class[1], geometry.laplacian_interval_per_class[1]
    for interval, draws in zip(found, (means, shares), strict=True):
        assert interval is not None
        np.testing.assert_allclose(interval, np.quantile(draws, [0.025, 0.975]), atol=0.03)


def test_the_chance_of_a_class_is_the_mean_over_permutations() -> None:
    rng = np.random.default_rng(2)
    seqs, labels = clusters(20, [15, 5, 10], 1.0)
    near, nnk = graphs(seqs)
    rows = row_normalised(nnk.weights)
    found = []
    for _ in range(3000):
        y = rng.permutation(labels)
        found.append([label_errors(near.indices, rows, y)[y == c].mean() for c in range(3)])
    geometry = summary(near, nnk, labels, seed=0, resamples=2, permutations=1, classes=4)
    assert geometry.chance_per_class[:3] == pytest.approx(np.mean(found, axis=0).tolist(), abs=0.01)
    assert geometry.chance_per_class[3] is None


def test_chance_has_a_spread_that_holds_nearly_all_permutations() -> None:
    rng = np.random.default_rng(3)
    seqs, labels = clusters(21, [30, 20], 1.0)
    near, nnk = graphs(seqs)
    geometry = summary(near, nnk, labels, seed=0, resamples=2, permutations=1000)
    graph = nnk.undirected()
    own: dict[str, list[float]] = {"knn_label_error": [], "laplacian_label_error": [], "knn_accuracy": []}
    for _ in range(1000):
        y = rng.permutation(labels)
        own["knn_label_error"].append((y[near.indices] != y[:, None]).mean())
        own["laplacian_label_error"].append(laplacian_raw(graph, y) / graph.sum())
        own["knn_accuracy"].append(right_votes(near, y).mean())
    for name, draws in own.items():
        value = getattr(geometry, name)
        assert value.chance_low < value.chance < value.chance_high
        assert (value.chance, value.chance_low, value.chance_high) == pytest.approx(
            (np.mean(draws), *np.quantile(draws, [0.025, 0.975])), abs=0.03
        )


def test_a_graph_without_edges_has_no_laplacian_error() -> None:
    seqs, labels = clusters(22, [8, 8], 1.0)
    near, nnk = graphs(seqs)
    empty = NNKGraph(nnk.indices, nnk.distances, np.zeros_like(nnk.weights), nnk.errors, nnk.kernel, 0.0)
    geometry = summary(near, empty, labels, seed=0, resamples=5, permutations=3)
    assert np.isnan(geometry.laplacian_label_error.value)
    assert geometry.laplacian_label_error.chance is None
    assert geometry.laplacian_label_error_per_class == (None, None)
    assert geometry.isolated == 16
    assert geometry.nnk_label_error.value == pytest.approx(geometry.knn_label_error.value)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (np.array([0, -1, 1]), "clip 1 has no label"),
        (np.array([0, 1]), r"expected integers \(3,\)"),
        (np.array([0.0, 1.0, 2.0]), "float64"),
    ],
)
def test_labels_that_are_missing_or_of_another_kind_are_refused(labels: np.ndarray, says: str) -> None:
    with pytest.raises(LensError, match=says):
        checked_labels(labels, 3)


def test_graphs_of_two_sets_are_refused() -> None:
    a, b = clusters(15, [10], 1.0)[0], clusters(15, [11], 1.0)[0]
    with pytest.raises(LensError, match="got 11 clips, expected 10"):
        summary(graphs(a)[0], graphs(b)[1], np.zeros(10, int), seed=0)


def test_a_distance_config_takes_what_it_has_from_the_graph_config() -> None:
    assert GraphConfig(band=2, normalise=False).distance_config() == WindowDTW(normalise=False, band=2)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"k": 0}, "k = 0"),
        ({"distance": "wdtw"}, "got wdtw, expected window_dtw or pooled"),
        ({"kernel": "x"}, "expected gaussian or self-tuning"),
        ({"band": -1}, "negative"),
    ],
)
def test_a_wrong_choice_is_refused_when_it_is_made(wrong: dict[str, int], says: str) -> None:
    with pytest.raises(LensError, match=says):
        GraphConfig(**wrong)  # type: ignore[arg-type]


def test_progress_of_a_layer_rises_to_a_hundred() -> None:
    seen: list[tuple[int, int]] = []
    layer_graph(clusters(16, [30], 1.0)[0], GraphConfig(k=3, tile_bytes=2_000), lambda *at: seen.append(at))
    done = [d for d, total in seen if total == 100]
    assert done == sorted(done)
    assert done[-1] == 100
    assert len(done) == len(seen) > 2


def test_the_floor_is_the_error_of_perfect_neighbours() -> None:
    labels = np.array([0] * 5 + [1] * 3 + [2])  # 4, 2 and 0 others of their class
    k = 4
    perfect = np.array([[j for j in range(9) if j != i and labels[j] == labels[i]][:k] for i in range(9)], dtype=object)
    by_hand = np.mean([1 - len(mates) / k for mates in perfect])
    assert knn_floor(labels, k) == pytest.approx(by_hand) == pytest.approx((0 + 3 * 0.5 + 1) / 9)
    assert knn_floor(labels, 1) == pytest.approx(1 / 9)
    assert knn_floor(labels[:5], k) == 0
