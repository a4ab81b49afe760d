import itertools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tslearn.metrics import dtw

from stgcn_lens.distances import Sequences, WindowDTW
from stgcn_lens.distances.window_dtw import RELATIVE, cdist, pairs, path
from stgcn_lens.errors import LensError
from tests.reference.dtw import all_paths, window_dtw

BANDS = [None, 0, 1, 3]


def clips(seed: int, count: int, longest: int, features: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, features)).astype(np.float32) for n in rng.integers(1, longest + 1, count)]


@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize("normalise", [True, False])
def test_equals_the_literal_recursion(band: int | None, normalise: bool) -> None:
    these = clips(1, 14, 7, 4)
    ours = cdist(Sequences.of(these), None, WindowDTW(normalise, band))
    literal = [[window_dtw(x, y, normalise, band) for y in these] for x in these]
    np.testing.assert_allclose(ours, literal, rtol=RELATIVE)
    i, j = np.indices(ours.shape).reshape(2, -1)
    exact = pairs(Sequences.of(these), i, j, WindowDTW(normalise, band))
    np.testing.assert_allclose(exact.reshape(ours.shape), literal, rtol=1e-13)


@pytest.mark.parametrize("band", BANDS)
def test_equals_tslearn_without_and_with_a_sakoe_chiba_band(band: int | None) -> None:
    these = clips(2, 16, 12, 9)
    ours = cdist(Sequences.of([x.astype(float) for x in these]), None, WindowDTW(normalise=False, band=band))
    limits = {} if band is None else {"global_constraint": "sakoe_chiba", "sakoe_chiba_radius": band}
    theirs = [[dtw(x.astype(float), y.astype(float), **limits) for y in these] for x in these]
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 5), (2, 6), (3, 4), (5, 4)])
def test_is_the_best_of_all_warping_paths(n: int, m: int, rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(n, 3)), rng.normal(size=(m, 3))
    best = min(sum(((x[i] - y[j]) ** 2).sum() for i, j in steps) for steps in all_paths(n, m))
    ours = cdist(Sequences.of([x]), Sequences.of([y]), WindowDTW())[0, 0]
    np.testing.assert_allclose(ours, np.sqrt(best / (n + m)), rtol=1e-13)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 9),
    m=st.integers(1, 9),
    features=st.integers(1, 17),
    band=st.sampled_from(BANDS),
)
def test_distance_and_path_agree_with_the_literal_recursion(
    seed: int, n: int, m: int, features: int, band: int | None
) -> None:
    rng = np.random.default_rng(seed)
    x, y = (rng.integers(-2, 3, (length, features)).astype(np.float32) for length in (n, m))
    config = WindowDTW(band=band)
    expected = window_dtw(x, y, band=band)
    assert cdist(Sequences.of([x]), Sequences.of([y]), config)[0, 0] == pytest.approx(expected, rel=1e-13)
    steps, distance = path(x, y, config)
    assert distance == pytest.approx(expected, rel=1e-13)
    assert steps[0] == (0, 0)
    assert steps[-1] == (n - 1, m - 1)
    assert all((b[0] - a[0], b[1] - a[1]) in {(1, 1), (1, 0), (0, 1)} for a, b in itertools.pairwise(steps))
    cost = sum(((x[i].astype(float) - y[j]) ** 2).sum() for i, j in steps)
    assert np.sqrt(cost / (n + m)) == pytest.approx(expected, rel=1e-13)


def test_the_path_of_a_clip_to_itself_is_the_diagonal(rng: np.random.Generator) -> None:
    x = rng.normal(size=(6, 4))
    assert path(x, x, WindowDTW()) == ([(i, i) for i in range(6)], 0.0)


def test_lingering_in_a_window_costs_nothing(rng: np.random.Generator) -> None:
    x = rng.normal(size=(5, 8)).astype(np.float32)
    slow = np.repeat(x, [1, 3, 2, 1, 4], axis=0)
    assert cdist(Sequences.of([x]), Sequences.of([slow]), WindowDTW())[0, 0] == 0


def test_a_narrower_band_never_shortens_a_distance() -> None:
    seqs = Sequences.of(clips(3, 20, 10, 5))
    widths = [cdist(seqs, None, WindowDTW(band=band)) for band in (0, 1, 2, 4, 10, None)]
    for narrow, wide in itertools.pairwise(widths):
        assert (narrow >= wide).all()
    assert (widths[0] > widths[-1]).any()
    np.testing.assert_array_equal(widths[-2], widths[-1])


def test_neighbour_lists_are_those_of_float64_where_float32_products_fail() -> None:
    # Features far from the origin and close to each other: norms 1e7 times the squared distances.
    rng = np.random.default_rng(4)
    windows = (300 + 0.1 * rng.normal(size=(360, 96))).astype(np.float32)
    wide = windows.astype(np.float64).reshape(120, 3, 96)
    costs = ((wide[:, None, :, None] - wide[None, :, None]) ** 2).sum(axis=-1)  # (120, 120, 3, 3)
    sums = [sum(costs[:, :, i, j] for i, j in steps) for steps in all_paths(3, 3)]
    exact = np.sqrt(np.min(sums, axis=0) / 6).argsort(axis=1, kind="stable")
    ours = cdist(Sequences(windows, np.arange(0, 361, 3)), None, WindowDTW()).argsort(axis=1, kind="stable")
    assert (exact == ours).mean() >= 0.999
    flat = wide.reshape(120, -1).astype(np.float32)
    norms = (flat**2).sum(axis=1)
    products = (norms[:, None] + norms - 2 * flat @ flat.T).argsort(axis=1, kind="stable")
    plain = ((wide[:, None] - wide[None]) ** 2).sum(axis=(2, 3)).argsort(axis=1, kind="stable")
    assert (plain == products).mean() < 0.9, "the trap this test is about has gone"


def test_many_threads_at_once_get_what_one_gets() -> None:
    seqs = Sequences.of(clips(5, 40, 8, 20))
    i, j = np.triu_indices(40, 1)
    alone = pairs(seqs, i, j, WindowDTW())
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda _: pairs(seqs, i, j, WindowDTW()), range(12)))
    for found in together:
        np.testing.assert_array_equal(found, alone)


def test_a_negative_band_is_refused() -> None:
    with pytest.raises(LensError, match="got -1, expected 0 or more"):
        WindowDTW(band=-1)


def test_importing_compiles_nothing_and_loads_no_torch() -> None:
    code = (
        "import sys, stgcn_lens.graphs.search, stgcn_lens.graphs.nnk\n"
        "from numba.core.dispatcher import Dispatcher\n"
        "ours = [module for name, module in sys.modules.items() if name.startswith('stgcn_lens')]\n"
        "found = {f for module in ours for f in vars(module).values() if isinstance(f, Dispatcher)}\n"
        "assert len(found) > 10 and not any(f.signatures for f in found), found\n"
        "assert 'torch' not in sys.modules and 'tslearn' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("features", [3, 1500, 6400])
def test_quick_distances_of_float32_windows_are_good_to_a_millionth(features: int, rng: np.random.Generator) -> None:
    # Centres far from the origin, clips close to each other, several chunks of features.
    these = [40 + rng.normal(size=(n, features)).astype(np.float32) for n in (3, 8, 1, 5, 8)]
    seqs = Sequences.of([x.astype(np.float32) for x in [*these, *[x * np.float32(1 + 1e-5) for x in these]]])
    i, j = np.indices((10, 10)).reshape(2, -1)
    quick = cdist(seqs, None, WindowDTW())
    np.testing.assert_allclose(quick.ravel(), pairs(seqs, i, j, WindowDTW()), rtol=1e-6, atol=0)
    assert RELATIVE < 1e-4


@pytest.mark.parametrize("scale", [1e-40, 1e-22, 1e20, 1e30])
def test_numbers_whose_squares_single_precision_does_not_hold(scale: float, rng: np.random.Generator) -> None:
    seqs = Sequences.of([(scale * rng.normal(size=(n, 9))).astype(np.float32) for n in (2, 4, 1, 3)])
    i, j = np.indices((4, 4)).reshape(2, -1)
    exact = pairs(seqs, i, j, WindowDTW()).reshape(4, 4)
    assert ((exact > 0) == ~np.eye(4, dtype=bool)).all()
    np.testing.assert_allclose(cdist(seqs, None, WindowDTW()), exact, rtol=1e-6)
    np.testing.assert_allclose(cdist(seqs, seqs, WindowDTW()), exact, rtol=1e-6)


@pytest.mark.parametrize(("setting", "value"), [("_TABLE_BYTES", 1), ("_SIDE", 1), ("_SIDE", 9), ("_WINDOWS", 1)])
def test_how_the_work_is_cut_changes_nothing(setting: str, value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seqs, config = Sequences.of(clips(6, 45, 9, 30)), WindowDTW(band=1)
    i, j = np.indices((45, 45)).reshape(2, -1)
    whole, listed = cdist(seqs, None, config), pairs(seqs, i, j, config)
    monkeypatch.setattr(f"stgcn_lens.distances.window_dtw.{setting}", value)
    np.testing.assert_array_equal(cdist(seqs, None, config), whole)
    np.testing.assert_array_equal(pairs(seqs, i, j, config), listed)
