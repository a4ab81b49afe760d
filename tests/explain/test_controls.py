"""The two maps that know nothing of a network."""

import numpy as np
import pytest

from stgcn_lens.data.streams import stream
from stgcn_lens.explain.controls import motion, motion_of_input, random_map
from tests.data import people


@pytest.fixture
def clip():
    return people.without(people.clip(12, 2, layout="ntu25", seed=3, name="a", label=0, subject=1), 1, [0, 1, 5])


def test_motion_of_what_a_network_is_fed_is_that_of_the_clip(clip) -> None:
    speed = motion_of_input(clip.xyz, clip.valid, clip.skeleton, "joint")
    assert speed.any()
    assert np.allclose(speed * clip.fps, motion(clip), rtol=1e-5)


def test_motion_of_bones_is_how_they_turn_and_of_a_motion_stream_its_length(clip) -> None:
    layout = clip.skeleton
    for name in ("bone", "bone-motion", "joint-motion"):
        x = stream(clip.xyz, clip.valid, layout, name)
        found = motion_of_input(x, clip.valid, layout, name)
        assert found.shape == clip.xyz.shape[1:]
        if name == "bone":
            step = np.linalg.norm(np.diff(x, axis=1), axis=0)
            assert np.allclose(found[1:-1, :, 0], (step[1:, :, 0] + step[:-1, :, 0]) / 2, atol=1e-6)
        else:
            assert np.allclose(found, np.linalg.norm(x, axis=0) * clip.valid[:, None], atol=1e-6)


def test_random_maps_are_uniform_and_known_by_their_seed() -> None:
    map = random_map((50, 20, 2), [1, 2])
    assert map.dtype == np.float32
    assert abs(map.mean() - 0.5) < 0.02
    assert np.array_equal(map, random_map((50, 20, 2), [1, 2]))
    assert abs(np.corrcoef(map.ravel(), random_map((50, 20, 2), [1, 3]).ravel())[0, 1]) < 0.1
