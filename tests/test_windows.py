import numpy as np
import pytest
import torch

from stgcn_lens.windows import cut, extent, frame_features
from tests.reference import windows as reference


def windows(rows: np.ndarray, window: int, step: int | None = None, stride: int = 1, how: str = "mean") -> np.ndarray:
    """Windows of one clip."""
    found, counts = cut(torch.from_numpy(rows)[None], np.array([len(rows)]), *extent(window, step, stride), how)
    assert counts.tolist() == [len(found)]
    return found.numpy()


@pytest.mark.parametrize("how", ["mean", "concatenate"])
@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize(("window", "step"), [(8, None), (8, 4), (8, 1), (7, 3), (3, None), (10, 7), (1, None)])
def test_windows_of_clips_of_all_lengths_at_once_equal_the_literal_ones(window, step, stride, how, rng) -> None:
    lengths = np.array([*range(1, 20), 64])
    features = rng.normal(size=(len(lengths), 64, 5))
    found, counts = cut(torch.from_numpy(features), lengths, *extent(window, step, stride), how)
    parts = np.split(found.numpy(), np.cumsum(counts)[:-1])
    for clip, length, part in zip(features, lengths, parts, strict=True):
        wanted = np.array(reference.windows(clip[:length].tolist(), window, step, how, stride))
        np.testing.assert_allclose(part, wanted, rtol=1e-12, atol=1e-12)


def test_a_last_partial_window_counts() -> None:
    ramp = np.arange(10.0)[:, None]
    assert windows(ramp, 4).ravel().tolist() == [1.5, 5.5, 8.5]
    assert windows(ramp, 8, stride=2).ravel().tolist() == [1.5, 5.5, 8.5]
    assert windows(ramp, 4, how="concatenate")[-1].tolist() == [8, 9, 9, 9]


def test_a_clip_shorter_than_a_window_has_one() -> None:
    ramp = np.arange(3.0)[:, None]
    assert windows(ramp, 8).tolist() == [[1.0]]
    assert windows(ramp, 8, how="concatenate").tolist() == [[0, 1, 2, 2, 2, 2, 2, 2]]


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_overlapping_windows_cover_all_rows_and_none_begins_past_the_need(step) -> None:
    for rows in range(1, 30):
        # Concatenated row numbers tell which rows a window was cut from.
        found = windows(np.arange(float(rows))[:, None], 5, step, how="concatenate")
        assert set(found.ravel()) == set(range(rows))
        assert all(rows - 1 not in window for window in found[:-1])


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_frame_features_are_the_mean_over_the_bodies_present(stride, rng) -> None:
    frames = np.array([1, 5, 8, 11])
    activation = rng.normal(size=(4, 3, 2, -(-12 // stride), 4))
    present = rng.random((4, 12, 3)) < 0.5
    present[:, 0] = False
    found = frame_features(torch.from_numpy(activation), present, frames, stride).numpy()
    assert found.shape == (4, -(-11 // stride), 8)
    for clip, rows in enumerate(found):
        wanted = np.array(reference.frame_features(activation[clip], present[clip], frames[clip], stride))
        np.testing.assert_allclose(rows[: len(wanted)], wanted, atol=1e-12)
        assert not rows[len(wanted) :].any()


def test_an_absent_body_has_no_say(rng) -> None:
    activation, present = torch.from_numpy(rng.normal(size=(1, 2, 3, 6, 4))), np.array([[[True, False]] * 6])
    alone = frame_features(activation, present, np.array([6]), 1)
    activation[:, 1] = 1e6
    assert torch.equal(frame_features(activation, present, np.array([6]), 1), alone)
    np.testing.assert_allclose(alone[0], activation[0, 0].permute(1, 0, 2).reshape(6, -1))


def test_what_lies_past_a_clip_has_no_say(rng) -> None:
    activation, present = rng.normal(size=(2, 1, 3, 6, 4)), np.ones((2, 24, 1), bool)
    activation[0, :, :, 3:] = np.nan  # rows of frames 12 and later
    features = frame_features(torch.from_numpy(activation), present, np.array([11, 24]), 4)
    found, counts = cut(features, np.array([3, 6]), *extent(8, None, 4), "mean")
    assert counts.tolist() == [2, 3]
    assert torch.isfinite(found).all()


def test_what_is_not_finite_in_a_clip_stays_in_that_clip(rng) -> None:
    activation, present = rng.normal(size=(3, 1, 3, 8, 4)), np.ones((3, 8, 1), bool)
    activation[1, 0, 2, 5] = np.inf
    found, counts = cut(
        frame_features(torch.from_numpy(activation), present, np.array([8, 8, 8]), 1), np.array([8, 8, 8]), 4, 4, "mean"
    )
    sound = torch.isfinite(found).all(dim=1).reshape(3, 2)
    assert counts.tolist() == [2, 2, 2]
    assert sound.any(dim=1).tolist() == sound.all(dim=1).tolist() == [True, False, True]
