from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgcn_lens.distances import Pooled, Sequences, WindowDTW, on_gpu
from stgcn_lens.errors import LensError
from stgcn_lens.graphs import search
from stgcn_lens.graphs.knn import knn, merge, refined_share
from stgcn_lens.graphs.search import Method, Partial, Plan, plan

BOTH = pytest.mark.parametrize("method", ["pruned", "exhaustive"])


def clips(seed: int, count: int, features: int = 4) -> Sequences:
    rng = np.random.default_rng(seed)
    return Sequences.of([rng.normal(size=(n, features)).astype(np.float32) for n in rng.integers(1, 6, count)])


def done(work: Plan) -> list[Partial]:
    return [work.run(unit) for unit in work.units]


@BOTH
def test_planning_again_gives_the_same_units_that_cover_all_clips(method: Method) -> None:
    first, second = (plan(clips(1, 50), 3, WindowDTW(), method=method, tile_bytes=1500) for _ in range(2))
    assert first.units == second.units
    assert [clip for unit in first.units for clip in range(unit.start, unit.stop)] == list(range(50))
    assert first.units[1].name == "rows_00007_00014"
    assert len({unit.name for unit in first.units}) == 8


@BOTH
def test_a_unit_gives_the_same_in_a_plan_of_its_own(method: Method) -> None:
    seqs = clips(2, 30)
    whole = done(plan(seqs, 4, WindowDTW(), method=method, tile_bytes=1200))
    for number in (2, 0):
        again = plan(seqs, 4, WindowDTW(), method=method, tile_bytes=1200)
        found = again.run(again.units[number])
        assert (found.rows, found.bounded, found.refined) == (
            whole[number].rows,
            whole[number].bounded,
            whole[number].refined,
        )
        np.testing.assert_array_equal(found.indices, whole[number].indices)
        np.testing.assert_array_equal(found.distances, whole[number].distances)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(2, 40),
    rows=st.integers(1, 40),
    method=st.sampled_from(["pruned", "exhaustive"]),
    config=st.sampled_from([WindowDTW(), WindowDTW(band=0), Pooled()]),
)
def test_units_of_any_size_in_any_order_make_the_same_lists(
    seed: int, count: int, rows: int, method: Method, config: object
) -> None:
    rng = np.random.default_rng(seed)
    seqs = Sequences.of([rng.integers(0, 2, (n, 2)).astype(np.float32) for n in rng.integers(1, 5, count)])
    k = int(rng.integers(1, count))
    found = done(plan(seqs, k, config, method=method, tile_bytes=4 * count * rows))
    merged = merge(count, k, [found[i] for i in rng.permutation(len(found))])
    whole = knn(seqs, k, config)
    np.testing.assert_array_equal(merged.indices, whole.indices)
    np.testing.assert_array_equal(merged.distances, whole.distances)
    assert 0 < refined_share(found) <= 1


@BOTH
def test_every_pair_is_looked_at_once(method: Method) -> None:
    seqs = clips(3, 41)
    found = done(plan(seqs, 2, WindowDTW(), method=method, tile_bytes=1500))
    assert sum(part.bounded for part in found) == 41 * 40
    assert (sum(part.refined for part in found) == 41 * 40) == (method == "exhaustive")


@BOTH
def test_parts_that_are_missing_double_or_of_another_search_are_refused(method: Method) -> None:
    found = done(plan(clips(4, 20), 3, WindowDTW(), method=method, tile_bytes=500))
    with pytest.raises(LensError, match="missing or double"):
        merge(20, 3, found[1:])
    with pytest.raises(LensError, match="missing or double"):
        merge(20, 3, [*found, found[0]])
    with pytest.raises(LensError, match="another search: got 3 neighbours"):
        merge(20, 4, found)
    with pytest.raises(LensError, match="another search"):
        merge(12, 3, found)


def test_too_little_memory_for_a_tile_is_said_once_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    seqs = clips(5, 60)
    usual, real = knn(seqs, 5, WindowDTW()), search.lower_bounds

    def scarce(sketch: object, rows: tuple[int, int], config: WindowDTW) -> np.ndarray:
        if rows[1] - rows[0] > 10:
            raise MemoryError
        return real(sketch, rows, config)  # type: ignore[arg-type]

    monkeypatch.setattr(search, "lower_bounds", scarce)
    with pytest.warns(UserWarning, match="too little memory for 60 clips at a time; taking 30") as said:
        found = knn(seqs, 5, WindowDTW())
    assert len(said) == 1
    np.testing.assert_array_equal(found.indices, usual.indices)
    np.testing.assert_array_equal(found.distances, usual.distances)


def test_little_free_memory_makes_small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    seqs, sizes, real = clips(6, 50), [], search.lower_bounds

    def watched(sketch: object, rows: tuple[int, int], config: WindowDTW) -> np.ndarray:
        sizes.append(rows[1] - rows[0])
        return real(sketch, rows, config)  # type: ignore[arg-type]

    monkeypatch.setattr(search, "lower_bounds", watched)
    monkeypatch.setattr(search, "room", lambda: 4 * 50 * 8)
    found = knn(seqs, 3, WindowDTW())
    assert max(sizes) == 8
    np.testing.assert_array_equal(found.indices, knn(seqs, 3, WindowDTW(), method="exhaustive").indices)


def test_a_device_does_the_whole_of_a_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    seqs, real = clips(7, 30), on_gpu.nearest

    def here(*args: object, device: str, **settings: object) -> object:
        assert device == "cuda"
        return real(*args, device="cpu", **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(on_gpu, "nearest", here)
    work = plan(seqs, 4, WindowDTW(), device="cuda")
    assert len(work.units) == 1
    found, usual = merge(30, 4, done(work)), knn(seqs, 4, WindowDTW())
    np.testing.assert_array_equal(found.indices, usual.indices)
    np.testing.assert_allclose(found.distances, usual.distances, rtol=1e-6)


def test_impossible_searches_are_refused() -> None:
    seqs = clips(8, 5)
    with pytest.raises(LensError, match="got guessed, expected pruned or exhaustive"):
        plan(seqs, 2, WindowDTW(), method="guessed")  # type: ignore[arg-type]
    with pytest.raises(LensError, match="0 bytes"):
        plan(seqs, 2, WindowDTW(), tile_bytes=0)
    with pytest.raises(LensError, match="expected WindowDTW or Pooled"):
        plan(seqs, 2, object())


@BOTH
def test_clips_of_one_window_identical_clips_and_constant_features(method: Method) -> None:
    one = Sequences.of([np.full((1, 3), value, np.float32) for value in (0, 1, 3, 7)])
    np.testing.assert_array_equal(knn(one, 1, WindowDTW(), method=method).indices[:, 0], [1, 0, 1, 2])
    for seqs in (
        Sequences.of([np.ones((n, 100), np.float32) for n in (1, 2, 3, 1, 5, 2)]),
        clips(9, 1).take(np.zeros(6, int)),
    ):
        found = knn(seqs, 3, WindowDTW(), method=method)
        np.testing.assert_array_equal(found.indices[[0, 5]], [[1, 2, 3], [0, 1, 2]])
        np.testing.assert_array_equal(found.distances, 0)


@BOTH
def test_a_far_larger_clip_is_no_ones_neighbour(method: Method) -> None:
    seqs = clips(10, 20)
    windows = seqs.windows.copy()
    windows[: seqs.offsets[1]] *= 1e30
    found = knn(replace(seqs, windows=windows), 18, WindowDTW(), method=method)
    assert (found.indices[1:] != 0).all()
    assert np.isfinite(found.distances).all()
