import numpy as np
import pytest

from stgcn_lens.distances import Sequences, pooled
from stgcn_lens.errors import LensError
from stgcn_lens.graphs import Neighbours, compare, jaccard, linear_cka, overlap
from stgcn_lens.graphs.compare import hsic, mean_windows


def lists(indices: list[list[int]]) -> Neighbours:
    array = np.array(indices, np.int32)
    return Neighbours(array, np.zeros(array.shape, np.float32))


def test_overlap_is_shared_over_all_and_does_not_ask_for_order(rng: np.random.Generator) -> None:
    a = np.array([rng.permutation(30)[:8] for _ in range(25)])
    b = np.array([rng.permutation(30)[:5] for _ in range(25)])
    expected = [len(set(x) & set(y)) / len(set(x) | set(y)) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    np.testing.assert_allclose(jaccard(a, b), expected)
    np.testing.assert_allclose(jaccard(a, a[:, ::-1]), 1)


def test_overlap_of_a_layer_with_itself_is_one_and_of_strangers_zero() -> None:
    a, b = lists([[1, 2], [2, 3], [3, 1], [1, 2]]), lists([[3, 4], [0, 4], [0, 4], [0, 4]])
    same = overlap(a, a, seed=0)
    assert (same.value, same.ci_low, same.ci_high, same.chance) == (1, 1, 1, None)
    assert overlap(a, b, seed=0).value == 0
    half = overlap(a, lists([[1, 2], [2, 3], [0, 4], [0, 4]]), seed=0)
    assert half.value == 0.5
    assert half.ci_low < 0.5 < half.ci_high
    with pytest.raises(LensError, match="got 4 and 1 clips"):
        overlap(a, lists([[1, 2]]), seed=0)


def test_alignment_equals_its_definition_through_both_routes(rng: np.random.Generator) -> None:
    for n, d, e in ((40, 3, 5), (6, 50, 30)):
        x, y = rng.normal(size=(n, d)), rng.normal(size=(n, e))
        x[:, 0] += y[:, 0]
        centre = np.eye(n) - 1 / n
        k, m = centre @ x @ x.T @ centre, centre @ y @ y.T @ centre
        expected = np.trace(k @ m) / np.sqrt(np.trace(k @ k) * np.trace(m @ m))
        assert linear_cka(x, y) == pytest.approx(expected, rel=1e-10)
        assert 0 < linear_cka(x, y) < 1


def test_alignment_ignores_rotation_scale_and_offset(rng: np.random.Generator) -> None:
    x = rng.normal(size=(30, 7))
    rotation = np.linalg.qr(rng.normal(size=(7, 7)))[0]
    assert linear_cka(x, 3 * x @ rotation + 5) == pytest.approx(1)
    assert linear_cka(x, rng.normal(size=(30, 7))) < 0.6


def test_features_that_do_not_vary_have_no_alignment(rng: np.random.Generator) -> None:
    assert np.isnan(linear_cka(np.ones((5, 3), np.float32), rng.normal(size=(5, 3))))
    with pytest.raises(LensError, match="two sets"):
        linear_cka(np.zeros((5, 3)), np.zeros((4, 3)))


@pytest.mark.parametrize("shapes", [(40, 30, 21), (7, 30, 21)])
def test_blocks_change_nothing(
    shapes: tuple[int, int, int], rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    n, d, e = shapes
    x, y = rng.normal(size=(n, d)).astype(np.float32), rng.normal(size=(n, e)).astype(np.float32)
    lists = np.stack([rng.permutation(50)[:6] for _ in range(n)])
    whole = linear_cka(x, y), hsic(x, x), hsic(x, x.copy()), jaccard(lists, lists[::-1])
    monkeypatch.setattr(compare, "_BLOCK_BYTES", 8 * n * 4)
    parts = linear_cka(x, y), hsic(x, x), hsic(x, x.copy()), jaccard(lists, lists[::-1])
    for ours, theirs in zip(parts, whole, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    assert whole[1] == pytest.approx(whole[2], rel=1e-12)


def test_features_of_a_clip_are_the_mean_of_its_windows(rng: np.random.Generator) -> None:
    seqs = Sequences.of([rng.normal(size=(n, 5)) for n in (1, 4, 2)])
    np.testing.assert_allclose(mean_windows(seqs), pooled.means(seqs).windows, atol=1e-7)
    assert mean_windows(seqs).dtype == np.float32
