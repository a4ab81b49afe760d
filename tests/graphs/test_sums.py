import numpy as np
import pytest
from scipy import sparse

from stgcn_lens.graphs.sums import Edges, of_classes, right_votes
from tests.reference import smoothness as reference


def edges(rng: np.random.Generator, n: int) -> tuple[Edges, np.ndarray]:
    dense = rng.random((n, n)) * (rng.random((n, n)) < 0.3)
    return Edges.of_graph(sparse.csr_array(dense)), dense


def test_the_share_between_classes_is_that_of_all_pairs_for_every_labeling(rng: np.random.Generator) -> None:
    found, dense = edges(rng, 40)
    labelings = rng.integers(0, 4, (30, 40)).astype(np.int32)
    expected = [(dense * (y[:, None] != y)).sum() / dense.sum() for y in labelings]
    np.testing.assert_allclose(found.share_between(labelings), expected, rtol=1e-12)


def test_many_small_weights_lose_no_digits() -> None:
    indices = np.tile(np.arange(1, 16), (20_000, 1))
    found = Edges.of_lists(indices, np.full(indices.shape, 1 / 15))
    labels = np.arange(20_000) % 2
    share = found.share_between(labels[None].astype(np.int32))[0]
    assert share == pytest.approx((labels[indices] != labels[:, None]).mean(), rel=1e-14)


def test_lists_and_graphs_give_the_same_edges(rng: np.random.Generator) -> None:
    indices = np.stack([rng.permutation(12)[:4] for _ in range(12)]).astype(np.int32)
    weights = (rng.random((12, 4)) * (rng.random((12, 4)) < 0.6)).astype(np.float32)
    dense = np.zeros((12, 12))
    np.put_along_axis(dense, indices.astype(int), weights.astype(float), axis=1)
    for found in (Edges.of_lists(indices, weights), Edges.of_graph(sparse.csr_array(dense))):
        back = np.zeros((12, 12))
        back[found.rows, found.columns] = found.weights
        np.testing.assert_array_equal(back, dense)


def test_no_edges_have_no_share() -> None:
    none = Edges.of_lists(np.zeros((3, 1), np.int32), np.zeros((3, 1)))
    assert np.isnan(none.share_between(np.zeros((2, 3), np.int32))).all()


def test_resampled_edges_count_as_often_as_both_ends(rng: np.random.Generator) -> None:
    found, dense = edges(rng, 15)
    labels = rng.integers(0, 3, 15)
    drawn = rng.multinomial(15, np.full(15, 1 / 15), size=9).astype(np.uint16)
    other, total = found.resampled(labels, 4, drawn)
    for r, times in enumerate(drawn.astype(float)):
        weighted = dense * np.outer(times, times)
        for c in range(4):
            here = weighted[labels == c]
            assert total[r, c] == pytest.approx(here.sum(), abs=1e-12)
            assert other[r, c] == pytest.approx(here[:, labels != c].sum(), abs=1e-12)


def test_votes_are_counted_as_by_hand(rng: np.random.Generator) -> None:
    indices = np.stack([rng.permutation(30)[:7] for _ in range(30)]).astype(np.int32)
    labelings = rng.integers(0, 3, (20, 30)).astype(np.int32)
    expected = [
        sum(reference.vote(y[row].tolist()) == own for row, own in zip(indices, y, strict=True)) for y in labelings
    ]
    np.testing.assert_array_equal(right_votes(indices, labelings), expected)


def test_sums_of_classes_are_those_of_the_clips_drawn(rng: np.random.Generator) -> None:
    values, labels = rng.random((2, 10)), rng.integers(0, 3, 10)
    drawn = rng.multinomial(10, np.full(10, 0.1), size=6).astype(np.uint16)
    found = of_classes(values, labels, 3, drawn)
    for s in range(2):
        for r in range(6):
            clips = np.repeat(np.arange(10), drawn[r])
            expected = [values[s, clips[labels[clips] == c]].sum() for c in range(3)]
            np.testing.assert_allclose(found[s, r], expected, atol=1e-12)
