import numpy as np
import pytest

from stgcn_lens.distances import Sequences, WindowDTW
from stgcn_lens.distances.window_dtw import cdist
from stgcn_lens.graphs import Kernel, Neighbours
from stgcn_lens.graphs.knn import knn
from stgcn_lens.graphs.nnk import RIDGE, nnk
from stgcn_lens.graphs.smoothness import row_normalised
from stgcn_lens.graphs.vote import Surroundings, shares, winners
from tests.reference import nnk as reference
from tests.reference.vote import vote

CONFIG = WindowDTW()


@pytest.fixture(scope="module")
def made():
    """Clips of several lengths, their full distances, neighbours and NNK weights."""
    rng = np.random.default_rng(0)
    seqs = Sequences.of([rng.normal(size=(rng.integers(1, 5), 2)) for _ in range(24)])
    neighbours = knn(seqs, 7, CONFIG)
    return cdist(seqs, None, CONFIG), neighbours, nnk(seqs, neighbours, CONFIG)


def surroundings(made, i: int) -> Surroundings:
    distances, neighbours, _ = made
    near = neighbours.indices[i]
    kernel = Kernel.fit("gaussian", neighbours)
    return Surroundings(kernel, i, near, neighbours.distances[i], distances[np.ix_(near, near)])


def test_shares_and_winners_are_the_votes_counted_one_by_one(rng) -> None:
    indices = np.array([rng.permutation(30)[:6] for _ in range(30)])
    weights = rng.random((30, 6)) * (rng.random((30, 6)) < 0.6)
    weights[3] = 0
    weights[4] = [0.25, 0.25, 0.25, 0.25, 0, 0]
    labels = rng.integers(0, 4, 30)
    rows = row_normalised(weights)
    found, won = shares(indices, rows, labels, 5), winners(indices, rows, labels)
    assert found.shape == (30, 5)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    for i in range(30):
        expected, winner = vote(weights[i].tolist(), labels[indices[i]].tolist())
        np.testing.assert_allclose(found[i], [expected.get(label, 0.0) for label in range(5)], atol=1e-12)
        assert won[i] == winner


def test_of_equal_shares_the_nearest_candidate_wins() -> None:
    labels = np.array([0, 1, 2, 2, 1])
    indices = np.array([[2, 1, 4, 3], [1, 2, 3, 4], [4, 3, 0, 0]])
    # The sums differ in their last digits: 0.1 + 0.2 is more than 0.3.
    rows = np.array([[0.3, 0.1, 0.2, 0.0], [0.3, 0.3, 0.0, 0.0], [0.1, 0.1, 0.0, 0.4]]) / 0.6
    assert winners(indices, rows, labels).tolist() == [2, 1, 0]


def test_weights_of_one_clip_are_those_of_the_graph(made) -> None:
    graph = made[2]
    for i in range(len(graph)):
        np.testing.assert_allclose(surroundings(made, i).weights(), graph.weights[i], atol=2e-6)


def test_without_a_candidate_the_others_are_weighed_anew(made) -> None:
    distances, neighbours, _ = made
    sigma = neighbours.distances[:, -1].mean(dtype=np.float64) / 3
    kernel = np.exp(-(distances**2) / (2 * sigma**2))
    grew = 0
    for i in range(0, len(neighbours), 5):
        here = surroundings(made, i)
        for place in range(7):
            left = np.delete(neighbours.indices[i], place)
            found = here.weights(without=place)
            assert found[place] == 0
            values, vectors = np.linalg.eigh(kernel[np.ix_(left, left)])
            k_ss = (vectors * np.maximum(values, 0)) @ vectors.T
            expected = reference.weights(k_ss, kernel[left, i], RIDGE)
            np.testing.assert_allclose(np.delete(found, place), expected, atol=2e-6)
            grew += bool((found > here.weights() + 1e-3).any())
    assert grew  # someone takes the place of who is gone


def test_a_candidate_without_weight_is_not_missed(made) -> None:
    idle = [(i, int(place)) for i in range(24) for place in np.flatnonzero(surroundings(made, i).weights() == 0)]
    assert len(idle) > 24
    for i, place in idle:
        here = surroundings(made, i)
        np.testing.assert_allclose(here.weights(without=place), here.weights(), atol=1e-9)


def test_who_is_out_of_reach_or_alone_leaves_no_weight() -> None:
    kernel = Kernel("gaussian", np.full(3, 1e-3))
    near = np.array([1, 2])
    far = Surroundings(kernel, 0, near, np.array([1e9, 1e9]), np.zeros((2, 2)))
    assert far.weights().tolist() == [0, 0]
    alone = Surroundings(kernel, 0, near[:1], np.array([0.0]), np.zeros((1, 1)))
    assert alone.weights() == pytest.approx([1])
    assert alone.weights(without=0).tolist() == [0]


def test_neighbours_are_positions_in_order() -> None:
    # What the reading of a stored graph relies on: the nearest is first, so that ties go to it.
    seqs = Sequences.of([np.array([[float(x)]]) for x in (0, 3, 1, 7)])
    found = knn(seqs, 2, CONFIG)
    assert isinstance(found, Neighbours)
    assert found.indices[0].tolist() == [2, 1]
