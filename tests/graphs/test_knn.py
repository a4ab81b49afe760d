import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgcn_lens.distances import DISTANCES, Pooled, Sequences, WindowDTW, window_dtw
from stgcn_lens.errors import LensError
from stgcn_lens.graphs.knn import Neighbours, knn
from tests.reference.dtw import window_dtw as literal


def brute(distances: np.ndarray, k: int) -> np.ndarray:
    n = len(distances)
    return np.array([[j for j in np.lexsort((np.arange(n), distances[i])) if j != i][:k] for i in range(n)])


def clips(seed: int, count: int, *, coarse: bool = False) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 6, count)
    if coarse:  # few different values: many exact ties and copies
        return [rng.integers(0, 2, (n, 1)).astype(np.float32) for n in lengths]
    return [rng.normal(size=(n, 4)).astype(np.float32) for n in lengths]


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize("k", [1, 5, 39])
def test_equals_sorting_the_full_matrix(name: str, k: int) -> None:
    seqs, row = Sequences.of(clips(1, 40)), DISTANCES[name]
    found = knn(seqs, k, row.config(), tile_bytes=2_000)
    full = row.cdist(seqs, None, row.config())
    np.testing.assert_array_equal(found.indices, brute(full, k))
    np.testing.assert_array_equal(
        found.distances, np.take_along_axis(full, found.indices.astype(int), axis=1).astype(np.float32)
    )
    assert (found.indices.dtype, found.distances.dtype) == (np.int32, np.float32)


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


def test_no_block_is_larger_than_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = []

    def watched(a: Sequences, b: Sequences | None, config: Pooled) -> np.ndarray:
        shapes.append((len(a.windows), len(a if b is None else b)))
        return np.zeros((len(a), len(a if b is None else b)))

    row = DISTANCES["pooled"]
    monkeypatch.setitem(DISTANCES, "pooled", type(row)(**{**vars(row), "cdist": watched}))
    knn(Sequences.of([np.ones((1, 10), np.float32)] * 100), 3, Pooled(), tile_bytes=2_000)
    assert max(2 * rows * 40 + 8 * rows * cols for rows, cols in shapes) <= 2_000
    assert len(shapes) > 10


def test_progress_counts_every_tile_once() -> None:
    seen: list[tuple[int, int]] = []
    knn(
        Sequences.of(clips(5, 20)),
        2,
        WindowDTW(),
        tile_bytes=1,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(i, 210) for i in range(1, 211)]


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
