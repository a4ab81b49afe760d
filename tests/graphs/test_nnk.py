import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgcn_lens.distances import Pooled, Sequences, WindowDTW, get_distance, window_dtw
from stgcn_lens.errors import LensError, WorkError
from stgcn_lens.graphs.candidates import candidate_pairs, distances_of
from stgcn_lens.graphs.kernel import Kernel
from stgcn_lens.graphs.knn import Neighbours, knn
from stgcn_lens.graphs.nnk import RESIDUAL, RIDGE, NNKGraph, kkt_residual, nearest_psd, nnk, solve
from tests.reference import nnk as reference


def clips(seed: int, count: int, features: int = 4, longest: int = 5) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, features)).astype(np.float32) for n in rng.integers(1, longest + 1, count)]


def graph(these: list[np.ndarray], k: int, kernel: str = "gaussian", band: int | None = None) -> NNKGraph:
    seqs = Sequences.of(these)
    return nnk(seqs, knn(seqs, k, WindowDTW(band=band)), WindowDTW(band=band), kernel=kernel)


def dense(found: NNKGraph) -> np.ndarray:
    out = np.zeros((len(found), len(found)))
    np.put_along_axis(out, found.indices.astype(int), found.weights.astype(float), axis=1)
    return out


@pytest.mark.parametrize("k", [1, 2, 9])
def test_weights_errors_and_undirected_graph_equal_those_made_node_by_node_with_scipy(k: int) -> None:
    these = clips(1, 60)
    found = graph(these, k)
    theta, errors = reference.graph(window_dtw.cdist(Sequences.of(these), None, WindowDTW()), k, RIDGE)
    np.testing.assert_allclose(dense(found), theta, atol=3e-7)
    np.testing.assert_allclose(found.errors, errors, atol=1e-7)
    np.testing.assert_allclose(found.undirected().toarray(), reference.undirected(theta, errors), atol=3e-7)
    assert (found.weights.dtype, found.errors.dtype) == (np.float32, np.float64)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(1, 20),
    rank=st.integers(1, 20),
    copies=st.sampled_from([None, 0.0, 1e-9, 1e-6, 1e-4]),
    scale=st.sampled_from([1e-3, 0.3, 1.0, 10.0]),
)
def test_the_solution_is_optimal_for_any_kernel(
    seed: int, k: int, rank: int, copies: float | None, scale: float
) -> None:
    rng = np.random.default_rng(seed)
    points = scale * rng.normal(size=(6, k + 1, rank))
    if copies is not None:
        half = (k + 1) // 2
        points[:, :half] = points[:, -half:] + copies * rng.normal(size=(6, half, rank))
    squared = ((points[:, :, None] - points[:, None]) ** 2).sum(axis=-1)
    kernels = np.exp(-squared / 2)
    k_ss, k_si = kernels[:, 1:, 1:], kernels[:, 1:, 0]
    theta = solve(k_ss, k_si)
    assert (theta >= 0).all()
    gradient = np.einsum("nij,nj->ni", k_ss, theta) - k_si
    assert gradient.min() >= -RESIDUAL
    assert np.abs(gradient[theta > 0]).max(initial=0) <= RESIDUAL
    objective = [0.5 * t @ m @ t - t @ v for t, m, v in zip(theta, k_ss, k_si, strict=True)]
    other = [reference.weights(m, v, RIDGE) for m, v in zip(k_ss, k_si, strict=True)]
    theirs = [0.5 * t @ m @ t - t @ v for t, m, v in zip(other, k_ss, k_si, strict=True)]
    np.testing.assert_allclose(objective, theirs, atol=1e-7)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(2, 12), rank=st.integers(1, 14))
def test_candidates_that_leave_again_are_dealt_with(seed: int, k: int, rank: int) -> None:
    # Similarities of both signs, where one that entered early is often not wanted in the end.
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(4, k, rank))
    kernels = factors @ factors.swapaxes(1, 2) / rank + 0.05 * np.eye(k)
    targets = 0.1 * rng.normal(size=(4, k))
    theta = solve(kernels, targets)
    for t, matrix, target in zip(theta, kernels, targets, strict=True):
        other = reference.weights(matrix, target, RIDGE)
        ours, theirs = (0.5 * x @ matrix @ x - x @ target for x in (t, other))
        assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-7)


def test_many_problems_are_solved_as_one_alone_is(rng: np.random.Generator) -> None:
    points = rng.normal(size=(700, 9, 3))
    kernels = np.exp(-((points[:, :, None] - points[:, None]) ** 2).sum(axis=-1) / 2)
    targets = np.exp(-(points**2).sum(axis=-1) / 2)
    together, sound = solve(kernels, targets), nearest_psd(kernels)[0]
    for b in (0, 1, 63, 64, 350, 699):
        np.testing.assert_array_equal(together[b], solve(kernels[b : b + 1], targets[b : b + 1])[0])
        np.testing.assert_array_equal(sound[b], kernels[b])
    assert solve(kernels[:0], targets[:0]).shape == (0, 9)


def test_what_cannot_be_solved_is_said() -> None:
    for broken in (np.array([[1.0, -2.0], [-2.0, 1.0]]), np.full((2, 2), np.nan)):
        with pytest.raises(WorkError, match="the NNK weights did not converge"):
            solve(broken[None], np.ones((1, 2)))


def test_the_residual_sees_each_kind_of_fault() -> None:
    kernels, targets = np.eye(2)[None], np.array([[0.5, 0.25]])
    assert kkt_residual(kernels, targets, np.array([[0.5, 0.25]]))[0] == 0
    assert kkt_residual(kernels, targets, np.array([[0.5, 0.0]]))[0] == 0.25  # one that should enter
    assert kkt_residual(kernels, targets, np.array([[-0.1, 0.25]]))[0] >= 0.1  # negative
    assert kkt_residual(kernels, targets, np.array([[1.0, 0.25]]))[0] == 0.5  # too large


def test_copies_share_the_weight_equally() -> None:
    these = clips(2, 12)
    found = graph([these[0], *these, *these[1:4]], 8)
    weights = dense(found)
    # Clip 0 and clip 1 are the same: each is rebuilt by the other alone.
    assert weights[0, 1] == pytest.approx(1, abs=1e-5)
    assert weights[0].sum() == pytest.approx(1, abs=1e-5)
    assert found.errors[0] == pytest.approx(0, abs=1e-6)
    # Clips 2 and 13 are the same; whoever has both as candidates uses them alike.
    both = (found.indices == 2).any(axis=1) & (found.indices == 13).any(axis=1)
    assert both.sum() >= 1
    np.testing.assert_allclose(weights[both, 2], weights[both, 13], atol=1e-5)


def test_a_neighbour_behind_a_nearer_one_gets_no_weight() -> None:
    line = [np.array([[x]], dtype=np.float32) for x in (0.0, 1.0, 1.4, -1.0, 30.0, 31.0, 32.0, 33.0)]
    found = graph(line, 3)
    np.testing.assert_array_equal(dense(found)[0] > 1e-8, [False, True, False, True, False, False, False, False])


def test_permuting_the_clips_permutes_the_weights(rng: np.random.Generator) -> None:
    these, order = clips(3, 40), rng.permutation(40)
    before, after = graph(these, 8), graph([these[i] for i in order], 8)
    np.testing.assert_allclose(dense(after), dense(before)[np.ix_(order, order)], atol=1e-6)


def test_scaling_the_features_changes_no_weight() -> None:
    these = clips(4, 30)
    for kernel in ("gaussian", "self-tuning"):
        small, large = graph(these, 6, kernel), graph([1024 * c for c in these], 6, kernel)
        np.testing.assert_allclose(small.weights, large.weights, atol=1e-6)
        assert large.kernel.sigma == pytest.approx(1024 * small.kernel.sigma)


def test_all_clips_alike_share_equally_and_nothing_is_nan() -> None:
    for kernel in ("gaussian", "self-tuning"):
        found = graph([np.ones((2, 3), np.float32)] * 6, 3, kernel)
        assert found.kernel.sigma == 0
        np.testing.assert_allclose(found.weights, 1 / 3, atol=1e-6)
        np.testing.assert_allclose(found.errors, 0, atol=1e-7)
        assert found.indefinite_share == 0


def test_a_clip_out_of_the_kernels_reach_has_no_weights_and_no_nan() -> None:
    these = [*clips(5, 400, features=2, longest=1), np.full((1, 2), 1e6, np.float32)]
    found = graph(these, 3)
    assert np.isfinite(found.weights).all()
    assert found.errors[-1] == pytest.approx(0.5)
    np.testing.assert_array_equal(found.weights[-1], 0)
    assert (found.weights[:-1] > 0).any(axis=1).all()


def test_the_gaussian_width_is_a_third_of_the_mean_kth_distance_and_self_tuning_each_clips_own() -> None:
    near = Neighbours(np.zeros((2, 2), np.int32), np.array([[1, 3], [2, 9]], np.float32))
    one, own = Kernel.fit("gaussian", near), Kernel.fit("self-tuning", near)
    np.testing.assert_allclose(one.widths, [2, 2])
    np.testing.assert_allclose(own.widths, [1, 3])
    i, j = np.array([0, 0]), np.array([0, 1])
    np.testing.assert_allclose(np.exp(-one.exponent(np.array([2.0, 4.0]), i, j)), np.exp([-0.5, -2.0]))
    np.testing.assert_allclose(np.exp(-own.exponent(np.array([2.0, 3.0]), i, j)), np.exp([-2.0, -1.5]))
    with pytest.raises(LensError, match="got cosine, expected gaussian or self-tuning"):
        Kernel.fit("cosine", near)


def test_equal_density_makes_both_kernels_the_same() -> None:
    ring = [np.array([[np.cos(a), np.sin(a)]]) for a in np.arange(12) * np.pi / 6]
    np.testing.assert_allclose(graph(ring, 4).weights, graph(ring, 4, "self-tuning").weights, atol=1e-5)


def test_an_indefinite_neighbourhood_is_projected_and_counted() -> None:
    # Four points with distances that no Euclidean space holds: 0 and 1, 2 and 3 far, all else near.
    d = np.full((4, 4), 1.0)
    d[0, 1] = d[1, 0] = d[2, 3] = d[3, 2] = 4.0
    np.fill_diagonal(d, 0)
    kernel = np.exp(-(d**2) / 8)
    assert np.linalg.eigvalsh(kernel)[0] < -0.1
    definite = np.exp(-((np.arange(4)[:, None] - np.arange(4)) ** 2) / 2.0)
    slightly = definite - (np.linalg.eigvalsh(definite)[0] + 1e-12) * np.eye(4)  # below zero by no more than rounding
    projected, changed = nearest_psd(np.stack([kernel, definite, np.ones((4, 4)), slightly]))
    np.testing.assert_array_equal(changed, [True, False, False, False])
    np.testing.assert_array_equal(projected[1], definite)
    np.testing.assert_allclose(projected[3], slightly, atol=1e-11)
    assert (np.linalg.eigvalsh(projected) > -1e-13).all()
    values, vectors = np.linalg.eigh(kernel)
    np.testing.assert_allclose(
        projected[0], sum(max(v, 0) * np.outer(u, u) for v, u in zip(values, vectors.T, strict=True)), atol=1e-14
    )
    theta = solve(projected, np.full((4, 4), 0.5))
    assert (theta >= 0).all()


def test_warped_clips_can_be_indefinite_and_euclidean_ones_cannot() -> None:
    rng = np.random.default_rng(7)
    these = [rng.integers(0, 2, (n, 1)).astype(np.float32) for n in rng.integers(3, 9, 80)]
    shares = {}
    for config in (WindowDTW(normalise=False, band=1), Pooled()):
        seqs = Sequences.of([c + 0.01 * rng.normal(size=c.shape).astype(np.float32) for c in these])
        found = nnk(seqs, knn(seqs, 12, config), config)
        shares[type(config)] = found.indefinite_share
        assert 0 <= found.indefinite_share <= 1
        assert np.isfinite(found.weights).all()
    assert shares[WindowDTW] > 0
    assert shares[Pooled] == 0


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    these = clips(8, 50)
    whole = graph(these, 6)
    monkeypatch.setattr("stgcn_lens.graphs.candidates._CHUNK_BYTES", 8 * 36 * 7)
    monkeypatch.setattr("stgcn_lens.graphs.candidates._PAIRS", 10)
    seen: list[tuple[int, int]] = []
    seqs = Sequences.of(these)
    parts = nnk(seqs, knn(seqs, 6, WindowDTW()), WindowDTW(), progress=lambda done, total: seen.append((done, total)))
    np.testing.assert_array_equal(parts.weights, whole.weights)
    assert {(done, 50) for done in (7, 14, 21, 28, 35, 42, 49, 50)} < set(seen)
    assert seen == sorted(seen)


def test_distances_can_come_from_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stgcn_lens.graphs.candidates._PAIRS", 50)
    seqs = Sequences.of(clips(20, 60))
    near = knn(seqs, 6, WindowDTW())
    lists = list(candidate_pairs(near.indices))
    assert len(lists) > 3
    assert all((i < j).all() for i, j in lists)
    saved = iter([distances_of(seqs, WindowDTW())(i, j) for i, j in lists])
    asked: list[tuple[np.ndarray, np.ndarray]] = []

    def read(i: np.ndarray, j: np.ndarray) -> np.ndarray:
        asked.append((i, j))
        return next(saved)

    replayed, usual = nnk(seqs, near, WindowDTW(), pairs=read), nnk(seqs, near, WindowDTW())
    np.testing.assert_array_equal(replayed.weights, usual.weights)
    np.testing.assert_array_equal(replayed.errors, usual.errors)
    for (i, j), (k, m) in zip(asked, lists, strict=True):
        np.testing.assert_array_equal((i, j), (k, m))


def test_pairs_are_the_distances_of_the_set_for_every_distance() -> None:
    seqs = Sequences.of(clips(21, 20))
    i, j = np.triu_indices(20, 1)
    for config in (WindowDTW(), WindowDTW(normalise=False, band=1), Pooled()):
        expected = get_distance(config).pairs(seqs, i, j, config)
        np.testing.assert_array_equal(distances_of(seqs, config)(i, j), expected)


def test_each_pair_of_candidates_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    real = window_dtw._between

    def watched(a: Sequences, b: Sequences, i: np.ndarray, j: np.ndarray, config: WindowDTW) -> np.ndarray:
        asked.extend(zip(i.tolist(), j.tolist(), strict=True))
        return real(a, b, i, j, config)

    seqs = Sequences.of(clips(9, 40))
    near = knn(seqs, 5, WindowDTW())
    monkeypatch.setattr(window_dtw, "_between", watched)
    nnk(seqs, near, WindowDTW())
    wanted = {(min(a, b), max(a, b)) for row in near.indices.tolist() for a in row for b in row if a != b}
    assert sorted(asked) == sorted(wanted)


def test_the_undirected_graph_is_symmetric_and_takes_the_better_rebuilt_end() -> None:
    kernel = Kernel("gaussian", np.ones(4))
    found = NNKGraph(
        indices=np.array([[1], [2], [1], [0]], np.int32),
        distances=np.ones((4, 1), np.float32),
        weights=np.array([[0.9], [0.5], [0.7], [0.2]], np.float32),
        errors=np.array([0.3, 0.1, 0.1, 0.2]),
        kernel=kernel,
        indefinite_share=0.0,
    )
    expected = np.zeros((4, 4))
    expected[1, 2] = expected[2, 1] = 0.7  # equal errors: the larger
    expected[0, 3] = expected[3, 0] = 0.2  # 3 is rebuilt better than 0, and needs 0
    # 0 needs 1, but 1 is rebuilt better and does not need 0: no edge.
    np.testing.assert_allclose(found.undirected().toarray(), expected)


def test_neighbours_of_another_set_are_refused() -> None:
    seqs = Sequences.of(clips(10, 12))
    near = knn(seqs, 3, WindowDTW())
    with pytest.raises(LensError, match="got 12 clips, expected 8"):
        nnk(seqs.between(0, 8), near, WindowDTW())
