import numpy as np
import pytest

from stgcn_lens import intervals
from stgcn_lens.errors import LensError


def test_every_resample_draws_as_many_clips_as_there_are() -> None:
    drawn = np.concatenate(list(intervals.draws(30, 50, seed=1)))
    assert drawn.shape == (50, 30)
    np.testing.assert_array_equal(drawn.sum(axis=1), 30)
    np.testing.assert_array_equal(np.concatenate(list(intervals.counts(30, 50, seed=1))), drawn)
    assert (np.concatenate(list(intervals.draws(30, 50, seed=2))) != drawn).any()


def test_draws_are_the_same_whether_kept_or_made_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = np.concatenate(list(intervals.draws(30, 50, seed=1)))
    monkeypatch.setattr(intervals, "_KEPT", 0)
    monkeypatch.setattr(intervals, "_CHUNK", 100)
    pieces = list(intervals.draws(30, 50, seed=1))
    assert len(pieces) > 10
    np.testing.assert_array_equal(np.concatenate(pieces), kept)
    np.testing.assert_array_equal(np.concatenate(list(intervals.counts(30, 50, seed=1))), kept)


def test_nobody_can_spoil_the_draws_of_the_next() -> None:
    (drawn,) = intervals.draws(5, 4, seed=1)
    with pytest.raises(ValueError, match="read-only"):
        drawn[0, 0] = 9


def test_permutations_hold_the_same_labels_in_another_order(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.repeat(np.arange(4), [5, 3, 2, 10])
    whole = np.concatenate(list(intervals.permutations(labels, 12, seed=3)))
    assert whole.shape == (12, 20)
    np.testing.assert_array_equal(np.sort(whole, axis=1), np.tile(labels, (12, 1)))
    assert len(np.unique(whole, axis=0)) == 12
    monkeypatch.setattr(intervals, "_CHUNK", 45)
    np.testing.assert_array_equal(np.concatenate(list(intervals.permutations(labels, 12, seed=3))), whole)


def test_a_mean_has_the_interval_of_its_standard_error(rng: np.random.Generator) -> None:
    per_clip = rng.normal(size=400)
    value = intervals.of_mean(per_clip, seed=0, resamples=3000)
    assert value.value == pytest.approx(per_clip.mean())
    assert (value.chance, value.chance_low, value.chance_high) == (None, None, None)
    half = 1.96 * per_clip.std() / 20
    assert (value.ci_high - value.value, value.value - value.ci_low) == pytest.approx((half, half), rel=0.1)


def test_resamples_without_a_value_are_left_out() -> None:
    value = intervals.of_statistics(0.5, np.array([0.4, np.nan, 0.4, np.inf]), np.array([0.8, 0.9]))
    assert (value.ci_low, value.ci_high) == (0.4, 0.4)
    assert value.chance == pytest.approx(0.85)
    assert 0.8 < value.chance_low < value.chance_high < 0.9  # type: ignore[operator]
    assert intervals.of_statistics(0.5, np.array([np.nan])) == intervals.Value(0.5, 0.5, 0.5)


def test_no_draws_at_all_are_refused() -> None:
    with pytest.raises(LensError, match="no resamples: got 0, expected at least 1"):
        next(intervals.draws(3, 0, seed=0))
    with pytest.raises(LensError, match="no permutations: got 0, expected at least 1"):
        next(intervals.permutations(np.arange(3), 0, seed=0))
