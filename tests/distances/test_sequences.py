import numpy as np
import pytest

from stgcn_lens.distances import Sequences
from stgcn_lens.errors import DataError


def ragged(rng: np.random.Generator, lengths: list[int], features: int = 5) -> Sequences:
    return Sequences.of([rng.normal(size=(n, features)).astype(np.float32) for n in lengths])


def test_a_clip_owns_its_windows_in_views_and_copies(rng: np.random.Generator) -> None:
    clips = [rng.normal(size=(n, 3)).astype(np.float32) for n in (2, 1, 4, 3)]
    seqs = Sequences.of(clips)
    assert [int(n) for n in seqs.lengths] == [2, 1, 4, 3]
    np.testing.assert_array_equal(seqs[2], clips[2])
    np.testing.assert_array_equal(seqs.between(1, 4)[1], clips[2])
    assert np.shares_memory(seqs.between(1, 4).windows, seqs.windows)
    np.testing.assert_array_equal(seqs.take(np.array([3, 0]))[1], clips[0])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_not_finite_names_the_clip_window_and_feature(rng: np.random.Generator, bad: float) -> None:
    clips = [rng.normal(size=(n, 3)).astype(np.float32) for n in (2, 1, 4)]
    clips[2][1, 0] = bad
    with pytest.raises(DataError, match=r"clip 2 is not a finite number \(window 1, feature 0\).*finite"):
        Sequences.of(clips)


def test_a_late_value_that_is_not_finite_is_found_in_a_memory_map(tmp_path) -> None:  # type: ignore[no-untyped-def]
    windows = np.lib.format.open_memmap(tmp_path / "w.npy", mode="w+", dtype=np.float32, shape=(200_000, 60))
    windows[199_999, 7] = np.nan
    with pytest.raises(DataError, match=r"clip 99999 .*window 1, feature 7"):
        Sequences(np.load(tmp_path / "w.npy", mmap_mode="r"), np.arange(0, 200_001, 2))


def test_a_clip_without_windows_is_named() -> None:
    with pytest.raises(DataError, match="clip 1 has no window"):
        Sequences(np.zeros((4, 2), dtype=np.float32), np.array([0, 2, 2, 4]))


@pytest.mark.parametrize(
    ("windows", "offsets", "says"),
    [
        (np.zeros((4, 2), np.float32), [0, 3], "0 to 3, expected 0 to 4"),
        (np.zeros((4, 2), np.float32), [1, 4], "1 to 4, expected 0 to 4"),
        (np.zeros((4, 2), np.float32), [0], "without clips"),
        (np.zeros((4, 2, 1), np.float32), [0, 4], "expected float32 or float64"),
        (np.zeros((4, 2), np.int32), [0, 4], "int32"),
        (np.zeros((4, 2), np.float16), [0, 4], "float16"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(windows: np.ndarray, offsets: list[int], says: str) -> None:
    with pytest.raises(DataError, match=says):
        Sequences(windows, np.array(offsets))
