from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgcn_lens.distances import Sequences, WindowDTW, nearest
from stgcn_lens.distances.window_dtw import pairs


def clips(seed: int, count: int, features: int = 5) -> Sequences:
    rng = np.random.default_rng(seed)
    these = [rng.integers(-1, 2, (n, features)).astype(np.float32) for n in rng.integers(1, 6, count)]
    return Sequences.of(these)


def exact(seqs: Sequences, config: WindowDTW) -> np.ndarray:
    n = len(seqs)
    full = pairs(seqs, *np.indices((n, n)).reshape(2, -1), config).reshape(n, n)
    np.fill_diagonal(full, np.inf)
    return full


def lists(full: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(full, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(full, order, axis=1)


BOUNDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": lambda full: np.where(np.isinf(full), np.inf, 0),
    "half": lambda full: full / 2,
    "near": lambda full: full * (1 - 1e-6),
    "some": lambda full: np.where(np.arange(full.size).reshape(full.shape) % 3, full * (1 - 1e-6), 0.1 * full),
}


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(3, 40),
    name=st.sampled_from(list(BOUNDS)),
    config=st.sampled_from([WindowDTW(), WindowDTW(normalise=False, band=1)]),
)
def test_any_bounds_give_the_lists_of_all_distances(seed: int, count: int, name: str, config: WindowDTW) -> None:
    seqs = clips(seed, count, 2)  # few different values: ties and copies
    full, k = exact(seqs, config), min(4, count - 1)
    places, distances, refined = nearest.nearest(seqs, 0, BOUNDS[name](full).astype(np.float32), k, config)
    expected = lists(full, k)
    np.testing.assert_array_equal(places, expected[0])
    np.testing.assert_array_equal(distances, expected[1])
    assert count * k <= refined <= count * (count - 1)


def test_good_bounds_leave_little_to_do_and_none_leave_all(rng: np.random.Generator) -> None:
    seqs = Sequences.of([rng.normal(size=(3, 8)).astype(np.float32) for _ in range(50)])
    full = exact(seqs, WindowDTW())
    refined = {
        name: nearest.nearest(seqs, 0, make(full).astype(np.float32), 5, WindowDTW())[2]
        for name, make in BOUNDS.items()
    }
    assert refined["near"] == 50 * 5
    assert refined["near"] < refined["some"] < refined["half"] <= refined["none"] == 50 * 49


@pytest.mark.parametrize(("setting", "value"), [("_ENTRIES", 20), ("_KEPT_BYTES", 0), ("_KEPT_BYTES", 2000)])
def test_little_room_changes_nothing(setting: str, value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seqs = clips(7, 40, 3)
    full = exact(seqs, WindowDTW())
    lower = (0.6 * full).astype(np.float32)
    usual = nearest.nearest(seqs, 0, lower, 6, WindowDTW())
    monkeypatch.setattr(nearest, setting, value)
    for ours, theirs in zip(nearest.nearest(seqs, 0, lower, 6, WindowDTW()), usual, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_some_clips_among_some_others() -> None:
    seqs = clips(8, 40, 4)
    full = exact(seqs, WindowDTW())
    lower = (0.8 * full[25:33, 10:30]).astype(np.float32)
    places, distances, _ = nearest.nearest(seqs, 25, lower, 7, WindowDTW(), others=10)
    expected = lists(full[25:33, 10:30], 7)
    np.testing.assert_array_equal(places, 10 + expected[0])
    np.testing.assert_array_equal(distances, expected[1])
