"""Along a warping path each frame of a clip finds the frame of the other that belongs to it."""

import numpy as np
import pytest

from stgcn_lens.distances import WindowDTW, window_dtw
from stgcn_lens.studies.warping import frame_map


def windows(frames: int, size: int = 4) -> list[dict[str, float]]:
    starts = range(0, frames, size)
    return [{"first_frame": float(s), "last_frame": float(min(s + size, frames) - 1)} for s in starts]


def test_a_clip_on_itself_stays_where_it_is():
    w = windows(22)
    path = [(i, i) for i in range(len(w))]
    np.testing.assert_allclose(frame_map(path, w, w, (22, 22)), np.arange(22), atol=1e-9)


def test_a_pause_in_the_second_clip_is_jumped_over_by_the_first_and_the_other_way_round():
    # Windows of both: a, b, c; the second rests at b for four windows.
    short, long = windows(12), windows(24)
    path = [(0, 0), (1, 1), (1, 2), (1, 3), (1, 4), (2, 5)]
    there = frame_map(path, short, long, (12, 24))
    back = frame_map([(b, a) for a, b in path], long, short, (24, 12))
    assert there[[0, -1]].tolist() == [0, 23]
    assert back[[0, -1]].tolist() == [0, 11]
    assert np.interp(5.5, np.arange(12), there) == pytest.approx(11.5)  # the middle of b, on the mean of its four
    inside = back[6:18]
    assert (abs(inside - 5.5) < 1e-9).all()  # while it rests, so does the short one


def test_a_slower_copy_is_followed_at_half_its_speed(rng):
    # Each window of the slow clip occurs twice: the best path has no choice but to double every step.
    features = rng.standard_normal((6, 5))
    slow = np.repeat(features, 2, axis=0)
    path, distance = window_dtw.path(features, slow, WindowDTW())
    assert distance == pytest.approx(0, abs=1e-9)
    found = frame_map(path, windows(24), windows(48), (24, 48))
    middle = np.arange(2, 22)
    np.testing.assert_allclose(found[middle], 2 * middle + 0.5, atol=0.51)


@pytest.mark.parametrize("seed", range(20))
def test_time_never_goes_back_and_never_leaves_the_clip(seed):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 40, size=2)
    a, b = windows(int(n)), windows(int(m))
    path, _ = window_dtw.path(rng.standard_normal((len(a), 3)), rng.standard_normal((len(b), 3)), WindowDTW())
    found = frame_map(path, a, b, (int(n), int(m)))
    assert found.shape == (n,)
    assert (np.diff(found) >= 0).all()
    assert found.min() >= 0
    assert found.max() <= m - 1
    assert found[0] == 0
    assert n == 1 or found[-1] == m - 1
