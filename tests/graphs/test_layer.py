import numpy as np
import pytest

from stgcn_lens.distances import Pooled, Sequences, WindowDTW
from stgcn_lens.errors import LensError
from stgcn_lens.graphs import GraphConfig, layer_graph, summary
from stgcn_lens.graphs.candidates import distances_of
from stgcn_lens.graphs.knn import knn


def clips(seed: int, count: int) -> Sequences:
    rng = np.random.default_rng(seed)
    return Sequences.of([rng.normal(size=(n, 3)).astype(np.float32) for n in rng.integers(1, 6, count)])


def test_neighbours_and_distances_that_are_there_already_give_the_same_graphs() -> None:
    seqs, config = clips(1, 40), GraphConfig(k=5, kernel="self-tuning")
    near, graph = layer_graph(seqs, config)
    again, rebuilt = layer_graph(seqs, config, neighbours=near, pairs=distances_of(seqs, WindowDTW()))
    assert again is near
    np.testing.assert_array_equal(rebuilt.weights, graph.weights)
    np.testing.assert_array_equal(rebuilt.errors, graph.errors)


def test_neighbours_of_another_graph_are_refused() -> None:
    seqs = clips(2, 20)
    with pytest.raises(LensError, match="neighbours of another graph: got k = 4, expected k = 5"):
        layer_graph(seqs, GraphConfig(k=5), neighbours=knn(seqs, 4, WindowDTW()))
    with pytest.raises(LensError, match="neighbours of another set of clips: got 20 clips, expected 10"):
        layer_graph(seqs.between(0, 10), GraphConfig(k=5), neighbours=knn(seqs, 5, WindowDTW()))


def test_as_few_clips_as_neighbours_are_refused_and_one_more_is_enough() -> None:
    with pytest.raises(LensError) as error:
        layer_graph(clips(3, 5), GraphConfig(k=5))
    assert str(error.value) == "too few clips for 5 neighbours: got 5 clips, expected at least 6; lower k or add clips"
    near, graph = layer_graph(clips(3, 6), GraphConfig(k=5))
    geometry = summary(near, graph, np.array([0, 0, 0, 1, 1, 1]), seed=0, resamples=5, permutations=5)
    assert geometry.knn_label_error.value == pytest.approx(0.6)  # everyone else is a neighbour


@pytest.mark.parametrize("config", [GraphConfig(k=3), GraphConfig(k=3, kernel="self-tuning", distance="pooled")])
@pytest.mark.parametrize("length", [1, 4])
def test_features_that_never_change_give_finite_numbers(config: GraphConfig, length: int) -> None:
    seqs = Sequences.of([np.full((length, 2), 7.0, np.float32)] * 9)
    near, graph = layer_graph(seqs, config)
    assert np.isfinite(graph.weights).all()
    assert np.isfinite(graph.errors).all()
    np.testing.assert_array_equal(near.distances, 0)
    np.testing.assert_array_equal(near.indices[5], [0, 1, 2])  # ties by position
    geometry = summary(near, graph, np.arange(9) % 3, seed=0, resamples=20, permutations=5)
    for value in (geometry.knn_label_error, geometry.nnk_label_error, geometry.laplacian_label_error):
        assert 0 <= value.ci_low <= value.value <= value.ci_high <= 1


def test_one_clip_twice_and_one_class_with_a_single_clip(rng: np.random.Generator) -> None:
    one = rng.normal(size=(10, 3, 4))
    seqs = Sequences.of([*one, one[0], one[0]])
    near, graph = layer_graph(seqs, GraphConfig(k=4))
    np.testing.assert_array_equal(near.indices[0, :2], [10, 11])
    np.testing.assert_allclose(graph.weights[0, :2], 0.5, atol=1e-5)
    np.testing.assert_allclose(graph.weights[0, 2:], 0, atol=1e-5)
    labels = np.array([0] * 11 + [1])
    geometry = summary(near, graph, labels, seed=0, resamples=50, permutations=5)
    assert geometry.knn_label_error_per_class[1] == 1
    assert geometry.knn_interval_per_class[1] == (1, 1)
    assert geometry.knn_floor == pytest.approx(1 / 12)
    assert geometry.chance_per_class[1] == 1


def test_the_distance_of_a_config_has_its_settings() -> None:
    assert GraphConfig(distance="pooled", band=3).distance_config() == Pooled()
