import doctest

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from stgcn_lens.distances import Sequences, WindowDTW, window_dtw
from stgcn_lens.errors import DataError, LensError
from stgcn_lens.graphs import GraphConfig, estimators, layer_graph
from stgcn_lens.graphs.estimators import KNN, NNK
from stgcn_lens.graphs.export import to_csr
from stgcn_lens.graphs.nnk import RIDGE
from tests.reference import nnk as reference

BOTH = pytest.mark.parametrize("estimator", [KNN(n_neighbors=4), NNK(n_neighbors=4)], ids=["KNN", "NNK"])


def clips(seed: int, count: int, features: int = 3) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, features)) for n in rng.integers(1, 6, count)]


@pytest.mark.filterwarnings("ignore")  # scikit-learn's checks warn about what they try
@parametrize_with_checks([KNN(n_neighbors=3), NNK(n_neighbors=3)])
def test_scikit_learn_finds_nothing_wrong(estimator: BaseEstimator, check: object) -> None:
    if "array_api" in str(check):  # needs SCIPY_ARRAY_API to be set before scipy is imported; arrays here are numpy's
        return
    check(estimator)  # type: ignore[operator]


def test_the_example_of_the_module_holds() -> None:
    failed, attempted = doctest.testmod(estimators)
    assert failed == 0
    assert attempted > 5


@BOTH
def test_a_clone_has_the_settings_and_nothing_of_the_fit(estimator: KNN | NNK) -> None:
    changed = clone(estimator).set_params(n_neighbors=6, distance="pooled", band=2)
    again = clone(changed.fit(clips(1, 20)))
    assert again.get_params() == changed.get_params()
    assert again.get_params()["distance"] == "pooled"
    with pytest.raises(NotFittedError):
        again.kneighbors()
    with pytest.raises(NotFittedError):
        again.kneighbors_graph()


def test_fitting_gives_the_graphs_of_a_layer() -> None:
    these = clips(2, 30)
    near, graph = layer_graph(Sequences.of(these), GraphConfig(k=4, kernel="self-tuning"))
    nnk = NNK(n_neighbors=4, kernel="self-tuning").fit(these)
    np.testing.assert_array_equal(nnk.graph_.weights, graph.weights)
    distances, positions = nnk.kneighbors()
    np.testing.assert_array_equal(positions, near.indices)
    np.testing.assert_array_equal(distances, near.distances)
    np.testing.assert_array_equal(
        nnk.kneighbors_graph(mode="weights").toarray(), to_csr(near.indices, graph.weights).toarray()
    )
    np.testing.assert_array_equal(nnk.kneighbors_graph().toarray(), to_csr(near.indices, graph.weights).toarray() > 0)
    knn = KNN(n_neighbors=4).fit(these)
    np.testing.assert_array_equal(knn.kneighbors_graph(mode="weights").toarray(), to_csr(near.indices).toarray())
    np.testing.assert_array_equal(knn.kneighbors_graph(mode="distance").data, near.distances.ravel())
    assert isinstance(knn.kneighbors_graph(), sparse.csr_array)


@BOTH
def test_all_ways_to_hand_over_the_clips_are_one(estimator: KNN | NNK, rng: np.random.Generator) -> None:
    box = rng.normal(size=(15, 3, 4))
    found = [
        clone(estimator).fit(given).kneighbors_graph(mode="weights").toarray()
        for given in (box, list(box), tuple(box), [clip.tolist() for clip in box], Sequences.of(list(box)))
    ]
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])
    flat = rng.normal(size=(15, 4))
    single = [row[None] for row in flat]
    np.testing.assert_array_equal(
        clone(estimator).fit(flat).kneighbors()[0], clone(estimator).fit(single).kneighbors()[0]
    )


def test_new_clips_are_looked_up_among_the_fitted() -> None:
    fitted, new = clips(3, 25), clips(4, 9)
    knn = KNN(n_neighbors=5).fit(fitted)
    distances, positions = knn.kneighbors(new)
    full = window_dtw.cdist(Sequences.of(new), Sequences.of(fitted), WindowDTW())
    order = np.argsort(full, axis=1, kind="stable")[:, :5]
    np.testing.assert_array_equal(positions, order)
    np.testing.assert_allclose(distances, np.take_along_axis(full, order, axis=1), rtol=1e-6)
    assert knn.kneighbors(new, 2, return_distance=False).shape == (9, 2)
    assert knn.kneighbors_graph(new, 7).shape == (9, 25)
    # A fitted clip that is handed over is its own nearest neighbour.
    np.testing.assert_array_equal(knn.kneighbors(fitted, 1, return_distance=False)[:, 0], np.arange(25))


def test_ties_of_new_clips_go_to_the_lower_position(rng: np.random.Generator) -> None:
    fitted = rng.integers(0, 2, (200, 1)).astype(float)
    zeros, ones = np.flatnonzero(fitted[:, 0] == 0), np.flatnonzero(fitted[:, 0] == 1)
    found = KNN(n_neighbors=60).fit(fitted).kneighbors(np.array([[0.0], [0.9]]), return_distance=False)
    np.testing.assert_array_equal(found, [zeros[:60], ones[:60]])


def test_blocks_of_new_clips_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    knn, new = KNN(n_neighbors=3).fit(clips(5, 20)), clips(6, 10)
    whole = knn.kneighbors(new)
    monkeypatch.setattr(estimators, "_PAIRS", 50)
    for ours, theirs in zip(knn.kneighbors(new), whole, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kernel", ["gaussian", "self-tuning"])
def test_new_clips_are_rebuilt_from_the_fitted(kernel: str) -> None:
    fitted, new = clips(7, 25), clips(8, 6)
    nnk = NNK(n_neighbors=5, kernel=kernel).fit(fitted)
    found = nnk.kneighbors_graph(new, mode="weights").toarray()
    assert found.shape == (6, 25)
    between = window_dtw.cdist(Sequences.of(fitted), None, WindowDTW())
    to = window_dtw.cdist(Sequences.of(new), Sequences.of(fitted), WindowDTW())
    for i in range(6):
        s = np.argsort(to[i], kind="stable")[:5]
        widths = nnk.graph_.kernel.widths
        own = to[i, s[-1]] / 3 if kernel == "self-tuning" else widths[0]
        k_ss = np.exp(-(between[np.ix_(s, s)] ** 2) / (2 * np.outer(widths[s], widths[s])))
        k_si = np.exp(-(to[i, s] ** 2) / (2 * own * widths[s]))
        np.testing.assert_allclose(found[i, s], reference.weights(k_ss, k_si, RIDGE), atol=1e-5)


@BOTH
def test_another_number_of_neighbours_can_be_asked_for(estimator: KNN | NNK) -> None:
    these = clips(9, 20)
    fitted, wider = clone(estimator).fit(these), clone(estimator).set_params(n_neighbors=9).fit(these)
    np.testing.assert_array_equal(fitted.kneighbors(None, 9)[1], wider.kneighbors()[1])
    for n in (2, 9):
        there = fitted.kneighbors_graph(None, n, mode="weights").toarray()
        fresh = clone(estimator).set_params(n_neighbors=n).fit(these).kneighbors_graph(mode="weights").toarray()
        np.testing.assert_array_equal(there, fresh)


def test_copies_keep_their_edges_of_length_zero() -> None:
    graph = KNN(n_neighbors=2).fit(np.ones((4, 3))).kneighbors_graph(mode="distance")
    assert graph.nnz == 8
    np.testing.assert_array_equal(graph.data, 0)


@BOTH
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ([np.zeros((2, 3)), np.zeros((2, 4))], "clip 1 has another number of features: got 4, expected 3"),
        ([np.zeros((2, 3)), np.zeros(3)], r"clip 1 is no array of windows: got float64 of shape \(3,\)"),
        ([np.zeros((2, 3)), np.full((2, 3), "a")], "clip 1 is no array of windows"),
        ([np.zeros((2, 3)), np.zeros((0, 3))], "clip 1 has no window"),
        ([np.zeros((2, 3)), np.full((1, 3), np.nan)], "a feature of clip 1 is not a finite number"),
        ([np.zeros((2, 3))] * 4, "too few clips for 4 neighbours: got 4 clips, expected at least 5; lower k or add"),
    ],
)
def test_clips_that_make_no_set_are_refused(estimator: KNN | NNK, wrong: list[np.ndarray], says: str) -> None:
    with pytest.raises((DataError, LensError), match=says):
        clone(estimator).fit(wrong)


@BOTH
def test_wrong_settings_and_requests_are_said(estimator: KNN | NNK) -> None:
    these = clips(10, 12)
    for settings, says in (
        ({"n_neighbors": 0}, "no neighbours to look for: got k = 0"),
        ({"distance": "cosine"}, "no such distance: got cosine"),
    ):
        with pytest.raises(LensError, match=says):
            clone(estimator).set_params(**settings).fit(these)
    fitted = clone(estimator).fit(these)
    with pytest.raises(LensError, match="no such kind of graph: got weight, expected connectivity or distance or"):
        fitted.kneighbors_graph(mode="weight")
    with pytest.raises(LensError, match="too few fitted clips for 13 neighbours: got 12"):
        fitted.kneighbors(clips(11, 2), 13)
    with pytest.raises(LensError, match="two different layers"):
        fitted.kneighbors(clips(11, 2, features=5))


@BOTH
def test_a_fit_that_fails_leaves_the_one_before(estimator: KNN | NNK) -> None:
    fitted = clone(estimator).fit(clips(12, 12))
    before = fitted.kneighbors_graph(mode="weights").toarray()
    with pytest.raises(LensError):
        fitted.fit(clips(13, 3))
    np.testing.assert_array_equal(fitted.kneighbors_graph(mode="weights").toarray(), before)
