"""Where a layer's rows sit in time, from the model's frames to the clip's own."""

import numpy as np
import pytest
import torch

from stgcn_lens.data.rows import present_rows, rows
from stgcn_lens.errors import LensError
from stgcn_lens.explain.gradcam import grad_cam
from stgcn_lens.explain.upsample import normalise, to_clip, to_frames
from tests.explain.mock import Mock


def series(*values: float) -> np.ndarray:
    """A map of one joint of one body."""
    return np.array(values, dtype=np.float32)[:, None, None]


@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 8, 9, 64])
def test_valid_rows_are_those_whose_frame_is_real(frames: int, stride: int) -> None:
    assert rows(frames, stride) == sum(1 for tau in range(100) if tau * stride < frames)


def test_rows_sit_at_their_stride_with_lines_between_and_a_constant_end() -> None:
    up = to_frames(series(0, 4, 2), 4, 11)
    assert up.dtype == np.float32
    assert up[:, 0, 0].tolist() == [0, 1, 2, 3, 4, 3.5, 3, 2.5, 2, 2, 2]


def test_stride_one_changes_nothing(rng: np.random.Generator) -> None:
    map = rng.random((7, 3, 2), dtype=np.float32)
    assert np.array_equal(to_frames(map, 1, 7), map)


@pytest.mark.parametrize("frames", [5, 6, 7, 8])
def test_rows_of_padding_do_not_leak_into_real_frames(frames: int, rng: np.random.Generator) -> None:
    map = rng.random((16, 3, 2), dtype=np.float32)
    valid = map[: rows(frames, 4)]
    assert np.array_equal(to_frames(map, 4, frames), to_frames(valid, 4, frames))


@pytest.mark.parametrize("frame", [8, 12, 20])
def test_an_impulse_lands_on_its_own_frame_at_every_stride(frame: int) -> None:
    model = Mock(strides=(1, 2, 2))
    with torch.no_grad():
        for block in model.blocks:
            # Nothing but a symmetric kernel over time, and evidence that grows with the input.
            block.temporal.weight[:] = torch.tensor([0.5, 1.0, 0.5])[:, None]
            for part in (block.graph, block.residual, model.head):
                part.weight.abs_()
            for part in (block.graph, block.residual, block.temporal, block.norm):
                part.bias.zero_()
            block.norm.reset_running_stats()
            block.norm.weight.fill_(1)
    x = torch.zeros(1, 3, 33, 5, 1)
    x[:, :, frame] = 1
    maps = grad_cam(model, x, torch.tensor([0])).maps
    assert [len(m[0]) for m in maps.values()] == [33, 17, 9]
    for name, map in maps.items():
        course = to_frames(map[0], model.strides[name], 33).sum(axis=(1, 2))
        assert course.argmax() == frame
        centre = (course * np.arange(33)).sum() / course.sum()
        assert centre == pytest.approx(frame, abs=1e-4)


@pytest.mark.parametrize(
    ("map", "stride", "frames"),
    [(series(1, 2), 2, 5), (series(1), 1, 0), (np.ones((3, 2)), 1, 3), (np.ones((0, 2, 1)), 1, 1), (series(1), 0, 1)],
)
def test_a_map_that_cannot_span_the_frames_is_refused(map: np.ndarray, stride: int, frames: int) -> None:
    with pytest.raises(LensError, match="does not span"):
        to_frames(map, stride, frames)


def test_a_body_is_in_a_row_if_it_is_in_any_of_its_frames() -> None:
    present = np.zeros((7, 2), dtype=bool)
    present[:, 0] = True
    present[3, 1] = present[6, 1] = True
    assert present_rows(present, 2)[:, 1].tolist() == [False, True, False, True]
    assert present_rows(present, 4, frames=3)[:, 1].tolist() == [False]
    assert np.array_equal(present_rows(present, 1), present)
    assert present_rows(present, 4).shape == (rows(7, 4), 2)


def test_frames_that_were_not_resampled_keep_their_map(rng: np.random.Generator) -> None:
    map = rng.random((9, 3, 2), dtype=np.float32)
    assert np.array_equal(to_clip(map, np.arange(9.0), 9), map)


@pytest.mark.parametrize(("model", "clip"), [(64, 31), (64, 150), (5, 9), (2, 2), (3, 1)])
def test_a_straight_line_stays_one_at_any_rate(model: int, clip: int) -> None:
    source = np.linspace(0, clip - 1, model)
    back = to_clip(series(*source), source, clip)
    assert np.allclose(back[:, 0, 0], np.arange(clip), atol=1e-4)


def test_a_peak_stays_at_its_moment() -> None:
    source = np.linspace(0, 99, 64)
    back = to_clip(series(*np.exp(-((source - 40) ** 2) / 50)), source, 100)
    assert back[:, 0, 0].argmax() == 40


def test_frames_the_model_never_saw_get_zero() -> None:
    back = to_clip(series(3, 5), np.array([2.0, 3.0]), 6)
    assert back[:, 0, 0].tolist() == [0, 0, 3, 5, 0, 0]
    within_a_frame = to_clip(series(3, 5), np.array([0.5, 2.5]), 4)
    assert within_a_frame[[0, 3], 0, 0].tolist() == [3, 5]


def test_frames_that_share_a_position_count_as_their_mean() -> None:
    assert to_clip(series(1, 2, 6), np.zeros(3), 1).ravel().tolist() == [3]


@pytest.mark.parametrize(
    ("source", "message"),
    [([0.0, 1.0], "frame positions differ"), ([0, 2, 1], "must not fall"), ([0, 1, np.nan], "must not fall")],
)
def test_positions_that_make_no_sense_are_refused(source: list[float], message: str) -> None:
    with pytest.raises(LensError, match=message):
        to_clip(series(1, 2, 3), np.array(source), 3)


def test_each_scope_of_normalisation_has_its_own_peak() -> None:
    maps = [series(0, 1, 2), series(0, 8), series(0, 0, 0)]
    by_clip, by_layer, by_none = ([m.ravel().tolist() for m in normalise(maps, s)] for s in ("clip", "layer", "none"))
    assert by_clip == [[0, 0.5, 1], [0, 1], [0, 0, 0]]
    assert by_layer == [[0, 0.125, 0.25], [0, 1], [0, 0, 0]]
    assert by_none == [[0, 1, 2], [0, 8], [0, 0, 0]]


def test_signs_survive_normalisation() -> None:
    assert normalise([series(-4, 2)])[0].ravel().tolist() == [-1, 0.5]


def test_an_unknown_scope_is_refused() -> None:
    with pytest.raises(LensError, match="got 'frame', expected one of clip, layer, none"):
        normalise([series(1)], "frame")  # type: ignore[arg-type]
