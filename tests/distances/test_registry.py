"""What every row of DISTANCES promises."""

from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest

from stgcn_lens.distances import DISTANCES, Distance, Sequences, get_distance
from stgcn_lens.errors import LensError

LENGTHS = [3, 1, 7, 4, 4, 2, 6, 1, 5, 9]
ROWS = pytest.mark.parametrize("row", DISTANCES.values(), ids=lambda row: row.name)


@pytest.fixture
def clips(rng: np.random.Generator) -> list[np.ndarray]:
    return [(5 + rng.normal(size=(n, 6))).astype(np.float32) for n in LENGTHS]


def test_keys_are_names_and_configs_tell_the_rows_apart() -> None:
    assert [row.name for row in DISTANCES.values()] == list(DISTANCES)
    for row in DISTANCES.values():
        assert get_distance(row.config()) is row
    with pytest.raises(LensError, match="expected WindowDTW or Pooled"):
        get_distance(object())


@ROWS
def test_the_config_is_frozen_and_has_defaults(row: Distance) -> None:
    config = row.config()
    for field in fields(row.config):
        with pytest.raises(FrozenInstanceError):
            setattr(config, field.name, None)


@ROWS
def test_symmetric_with_zero_self_distance_and_positive_otherwise(row: Distance, clips: list[np.ndarray]) -> None:
    matrix = row.cdist(Sequences.of(clips), None, row.config())
    assert matrix.shape == (10, 10)
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_array_equal(np.diag(matrix), 0)
    assert (matrix[~np.eye(10, dtype=bool)] > 0).all()


@ROWS
def test_against_itself_or_another_set_is_the_same(row: Distance, clips: list[np.ndarray]) -> None:
    seqs, config = Sequences.of(clips), row.config()
    both = row.cdist(seqs, seqs, config)
    np.testing.assert_array_equal(both, row.cdist(seqs, None, config))
    np.testing.assert_array_equal(both[:4, 4:], row.cdist(seqs.between(0, 4), seqs.between(4, 10), config))


@ROWS
def test_permuting_the_clips_permutes_the_matrix(
    row: Distance, clips: list[np.ndarray], rng: np.random.Generator
) -> None:
    order = rng.permutation(10)
    before = row.cdist(Sequences.of(clips), None, row.config())
    after = row.cdist(Sequences.of([clips[i] for i in order]), None, row.config())
    np.testing.assert_array_equal(after, before[np.ix_(order, order)])


@ROWS
def test_pairs_are_entries_of_the_matrix(row: Distance, clips: list[np.ndarray], rng: np.random.Generator) -> None:
    seqs, config = Sequences.of(clips), row.config()
    i, j = rng.integers(0, 10, (2, 60))
    np.testing.assert_allclose(row.pairs(seqs, i, j, config), row.cdist(seqs, None, config)[i, j], rtol=1e-5)
    assert row.pairs(seqs, np.array([], int), np.array([], int), config).shape == (0,)


@ROWS
def test_exact_copies_are_at_distance_zero_far_from_the_origin(row: Distance, rng: np.random.Generator) -> None:
    clip = (1e4 + rng.normal(size=(5, 300))).astype(np.float32)
    assert row.cdist(Sequences.of([clip]), Sequences.of([clip.copy()]), row.config())[0, 0] == 0


@ROWS
def test_a_memory_map_gives_what_memory_gives(row: Distance, clips: list[np.ndarray], tmp_path) -> None:  # type: ignore[no-untyped-def]
    seqs = Sequences.of(clips)
    np.save(tmp_path / "w.npy", seqs.windows)
    np.save(tmp_path / "o.npy", seqs.offsets)
    mapped = Sequences(np.load(tmp_path / "w.npy", mmap_mode="r"), np.load(tmp_path / "o.npy", mmap_mode="r"))
    np.testing.assert_array_equal(row.cdist(mapped, None, row.config()), row.cdist(seqs, None, row.config()))


@ROWS
def test_order_of_windows_matters_as_stated(row: Distance, clips: list[np.ndarray]) -> None:
    backwards = row.cdist(Sequences.of([clips[9]]), Sequences.of([clips[9][::-1]]), row.config())[0, 0]
    assert (backwards > 1e-3) == row.ordered


@ROWS
def test_sets_of_two_layers_and_pairs_outside_the_set_are_refused(row: Distance, clips: list[np.ndarray]) -> None:
    seqs, config = Sequences.of(clips), row.config()
    with pytest.raises(LensError, match="6 and 3 features"):
        row.cdist(seqs, Sequences.of([np.zeros((2, 3), np.float32)]), config)
    with pytest.raises(LensError, match="got clip 10, expected 0 to 9"):
        row.pairs(seqs, np.array([0, 10]), np.array([1, 1]), config)
    with pytest.raises(LensError, match="clip -1"):
        row.pairs(seqs, np.array([0, 1]), np.array([1, -1]), config)
    with pytest.raises(LensError, match=r"\(2,\) and \(1,\)"):
        row.pairs(seqs, np.array([0, 1]), np.array([1]), config)
