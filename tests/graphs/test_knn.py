from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgcn_lens.distances import DISTANCES, Pooled, Sequences, WindowDTW, get_distance, window_dtw
from stgcn_lens.errors import LensError
from stgcn_lens.graphs.knn import Neighbours, knn, merge
from stgcn_lens.graphs.search import Method, plan
from tests.reference.dtw import window_dtw as literal

METHODS: tuple[Method, ...] = get_args(Method)


def brute(distances: np.ndarray, k: int) -> np.ndarray:
    n = len(distances)
    return np.array([[j for j in np.lexsort((np.arange(n), distances[i])) if j != i][:k] for i in range(n)])


def clips(seed: int, count: int, *, coarse: bool = False) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 6, count)
    if coarse:  # few different values: many exact ties and copies
        return [rng.integers(0, 2, (n, 1)).astype(np.float32) for n in lengths]
    return [rng.normal(size=(n, 4)).astype(np.float32) for n in lengths]


def exact(seqs: Sequences, config: object) -> np.ndarray:
    """All distances, (N, N), from sums of differences in float64."""
    n = len(seqs)
    i, j = np.indices((n, n)).reshape(2, -1)
    return get_distance(config).pairs(seqs, i, j, config).reshape(n, n)


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize("k", [1, 5, 39])
@pytest.mark.parametrize("method", METHODS)
def test_equals_sorting_the_full_matrix(name: str, k: int, method: Method) -> None:
    seqs, row = Sequences.of(clips(1, 40)), DISTANCES[name]
    found = knn(seqs, k, row.config(), method=method, tile_bytes=2_000)
    full = exact(seqs, row.config())
    np.testing.assert_array_equal(found.indices, brute(full, k))
    np.testing.assert_array_equal(
        found.distances, np.take_along_axis(full, found.indices.astype(int), axis=1).astype(np.float32)
    )
    assert (found.indices.dtype, found.distances.dtype) == (np.int32, np.float32)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(6, 70),
    features=st.integers(1, 600),
    scale=st.sampled_from([1e-3, 1.0, 50.0]),
    shift=st.sampled_from([0.0, 100.0]),
    single=st.booleans(),
    config=st.sampled_from([WindowDTW(), WindowDTW(normalise=False), WindowDTW(band=0), WindowDTW(band=2), Pooled()]),
    method=st.sampled_from(METHODS),
)
def test_copies_near_copies_and_far_origins_leave_the_lists_exact(
    seed: int, count: int, features: int, scale: float, shift: float, single: bool, config: object, method: Method
) -> None:
    rng = np.random.default_rng(seed)
    these = [shift + scale * rng.normal(size=(n, features)) for n in rng.integers(1, 12, count)]
    for _ in range(count // 5):
        these[rng.integers(count)] = these[rng.integers(count)].copy()
        like = these[rng.integers(count)]
        these[rng.integers(count)] = like + 1e-6 * rng.normal(size=like.shape)
    seqs = Sequences.of([clip.astype(np.float32 if single else np.float64) for clip in these])
    k = int(rng.integers(1, min(count - 1, 16) + 1))
    full = exact(seqs, config)
    found = knn(seqs, k, config, method=method)
    np.testing.assert_array_equal(found.indices, brute(full, k))
    quick = get_distance(config).cdist(seqs, None, config)
    np.testing.assert_array_equal(quick, quick.T)
    np.testing.assert_allclose(quick, full, rtol=1e-5, atol=0)  # what is at zero is at zero in both


def test_the_order_in_which_units_are_merged_does_not_matter(rng: np.random.Generator) -> None:
    seqs = Sequences.of(clips(7, 50))
    for method in METHODS:
        search = plan(seqs, 4, WindowDTW(), method=method, tile_bytes=2_000)
        assert len({unit.name for unit in search.units}) == len(search.units)
        parts = [search.run(search.units[i]) for i in rng.permutation(len(search.units))]
        merged, whole = merge(50, 4, parts), knn(seqs, 4, WindowDTW())
        np.testing.assert_array_equal(merged.indices, whole.indices)
        np.testing.assert_array_equal(merged.distances, whole.distances)


def test_agrees_with_the_literal_distance() -> None:
    these = clips(2, 25)
    full = np.array([[literal(x, y) for y in these] for x in these])
    np.testing.assert_array_equal(knn(Sequences.of(these), 6, WindowDTW()).indices, brute(full, 6))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(2, 30), tile_bytes=st.sampled_from([1, 300, 3_000, 1 << 26]))
def test_ties_go_to_the_lower_position_whatever_the_tiles(seed: int, count: int, tile_bytes: int) -> None:
    seqs = Sequences.of(clips(seed, count, coarse=True))
    k = min(4, count - 1)
    found = knn(seqs, k, WindowDTW(), tile_bytes=tile_bytes)
    np.testing.assert_array_equal(found.indices, brute(window_dtw.cdist(seqs, None, WindowDTW()), k))


def test_permuting_the_clips_permutes_the_lists(rng: np.random.Generator) -> None:
    these, order = clips(3, 30), rng.permutation(30)
    before = knn(Sequences.of(these), 7, WindowDTW())
    after = knn(Sequences.of([these[i] for i in order]), 7, WindowDTW())
    np.testing.assert_array_equal(order[after.indices], before.indices[order])
    np.testing.assert_array_equal(after.distances, before.distances[order])


def test_a_copy_is_the_nearest_and_a_clip_never_its_own_neighbour() -> None:
    these = clips(4, 20)
    found = knn(Sequences.of([*these, *these]), 3, WindowDTW())
    np.testing.assert_array_equal(found.indices[:, 0], [*range(20, 40), *range(20)])
    np.testing.assert_array_equal(found.distances[:, 0], 0)
    assert (found.indices != np.arange(40)[:, None]).all()


def test_without_any_distance_the_lowest_positions_are_the_neighbours() -> None:
    found = knn(Sequences.of([np.ones((2, 3), np.float32)] * 5), 2, WindowDTW())
    np.testing.assert_array_equal(found.indices, [[1, 2], [0, 2], [0, 1], [0, 1], [0, 1]])


@pytest.mark.parametrize("method", METHODS)
def test_progress_rises_to_the_whole(method: Method) -> None:
    seen: list[tuple[int, int]] = []
    told = lambda done, total: seen.append((done, total))  # noqa: E731
    knn(Sequences.of(clips(5, 20)), 2, WindowDTW(), method=method, tile_bytes=2_000, progress=told)
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]
    assert len({total for _, total in seen}) == 1


@pytest.mark.parametrize("count", [1, 3])
def test_too_few_clips_say_how_many_are_needed(count: int) -> None:
    with pytest.raises(LensError, match=rf"3 neighbours: got {count} clips, expected at least 4; lower k"):
        knn(Sequences.of(clips(6, count)), 3, WindowDTW())


def test_no_neighbours_are_refused() -> None:
    with pytest.raises(LensError, match="k = 0"):
        knn(Sequences.of(clips(6, 4)), 0, WindowDTW())


def test_a_list_knows_its_size() -> None:
    found = Neighbours(np.zeros((7, 2), np.int32), np.zeros((7, 2), np.float32))
    assert (len(found), found.k) == (7, 2)
