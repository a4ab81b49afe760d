import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgcn_lens.distances import Sequences, WindowDTW, bounds
from stgcn_lens.distances.bounds import Sketch, lower_bounds
from stgcn_lens.distances.projection import DIRECTIONS, directions
from stgcn_lens.distances.window_dtw import pairs

CONFIGS = [WindowDTW(), WindowDTW(normalise=False), WindowDTW(band=0), WindowDTW(band=2)]


def exact(seqs: Sequences, config: WindowDTW) -> np.ndarray:
    n = len(seqs)
    return pairs(seqs, *np.indices((n, n)).reshape(2, -1), config).reshape(n, n)


def ragged(seed: int, count: int, features: int, kind: type = np.float32) -> Sequences:
    rng = np.random.default_rng(seed)
    # Some directions matter more than others, as in a network.
    strength = np.exp(-np.arange(features) / 8)
    return Sequences.of([(rng.normal(size=(n, features)) * strength).astype(kind) for n in rng.integers(1, 24, count)])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(2, 70),
    features=st.sampled_from([1, 2, 7, DIRECTIONS, DIRECTIONS + 1, DIRECTIONS + 2, 130, 300]),
    scale=st.sampled_from([1e-6, 1.0, 1e6]),
    shift=st.sampled_from([0.0, 1e4]),
    single=st.booleans(),
    config=st.sampled_from(CONFIGS),
)
def test_no_bound_exceeds_the_distance(
    seed: int, count: int, features: int, scale: float, shift: float, single: bool, config: WindowDTW
) -> None:
    rng = np.random.default_rng(seed)
    these = [shift + scale * rng.normal(size=(n, features)) for n in rng.integers(1, 7, count)]
    these[0] = these[-1].copy()
    seqs = Sequences.of([clip.astype(np.float32 if single else np.float64) for clip in these])
    found = lower_bounds(Sketch.of(seqs), (0, count), config)
    full = exact(seqs, config)
    np.fill_diagonal(full, np.inf)
    assert (found <= full).all()
    assert np.isinf(np.diag(found)).all()


@pytest.mark.parametrize("config", CONFIGS)
def test_where_nothing_is_left_out_the_bound_is_the_distance(config: WindowDTW) -> None:
    seqs = ragged(1, 40, DIRECTIONS)
    found, full = lower_bounds(Sketch.of(seqs), (0, 40), config), exact(seqs, config)
    apart = ~np.eye(40, dtype=bool)
    np.testing.assert_allclose(found[apart], full[apart], rtol=1e-4)


def test_the_length_of_the_rest_is_a_coordinate() -> None:
    seqs = ragged(2, 30, 200)
    sketch, (centre, basis) = Sketch.of(seqs), directions(seqs)
    np.testing.assert_allclose(basis.T @ basis, np.eye(DIRECTIONS), atol=1e-12)
    lengths = np.linalg.norm(seqs.windows - centre, axis=1)
    np.testing.assert_allclose(np.linalg.norm(sketch.coordinates, axis=1), lengths * sketch.scale, rtol=1e-6)
    # Two windows that differ only outside the directions are told apart by it; the second is not in the sample.
    windows = np.zeros((2000, 200))
    windows[:, : DIRECTIONS - 1] = np.random.default_rng(3).normal(size=(2000, DIRECTIONS - 1))
    windows[1] = windows[0]
    windows[1, -1] = 5.0
    found = lower_bounds(Sketch.of(Sequences(windows, np.arange(2001))), (0, 1), WindowDTW(normalise=False))
    assert found[0, 1] == pytest.approx(5.0, rel=1e-3)


def test_better_bounds_come_from_principal_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    seqs = ragged(4, 60, 300)
    good = lower_bounds(Sketch.of(seqs), (0, 60), WindowDTW())
    turned = np.linalg.qr(np.random.default_rng(5).normal(size=(300, DIRECTIONS)))[0]
    monkeypatch.setattr(bounds, "directions", lambda a: (directions(a)[0], turned))
    poor = lower_bounds(Sketch.of(seqs), (0, 60), WindowDTW())
    full, apart = exact(seqs, WindowDTW()), ~np.eye(60, dtype=bool)
    assert (poor <= full)[apart].all()
    assert (good / full)[apart].mean() > 0.99 > 0.7 > (poor / full)[apart].mean()


def test_rows_by_themselves_get_the_same_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    seqs = ragged(6, 75, 100)
    sketch = Sketch.of(seqs)
    whole = lower_bounds(sketch, (0, 75), WindowDTW(band=1))
    parts = [lower_bounds(sketch, rows, WindowDTW(band=1)) for rows in [(0, 1), (1, 40), (40, 75)]]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-6)
    monkeypatch.setattr(bounds, "_TABLE_BYTES", 1000)  # as for clips so long that few fit side by side
    np.testing.assert_allclose(lower_bounds(sketch, (0, 75), WindowDTW(band=1)), whole, rtol=1e-6)


@pytest.mark.parametrize("features", [3, 100])
def test_constant_features_have_the_bound_zero(features: int) -> None:
    seqs = Sequences.of([np.full((n, features), 7.0, dtype=np.float32) for n in (1, 3, 2)])
    found = lower_bounds(Sketch.of(seqs), (0, 3), WindowDTW())
    np.testing.assert_array_equal(found[~np.eye(3, dtype=bool)], 0)
