"""What makes a clip sound, and what is said of one that is not."""

import numpy as np
import pytest

from stgcn_lens.data.clip import check
from stgcn_lens.data.transforms import Preprocessing, clean
from stgcn_lens.errors import DataError
from tests.data import people


def test_a_sound_clip_is_returned_as_it_is():
    clip = people.clip(bodies=2)
    assert check(clip) is clip


def test_axes_are_named():
    clip = people.clip(7, 2)
    assert (clip.frames, clip.bodies, clip.skeleton.V) == (7, 2, 25)
    assert clip.xyz.shape == (3, 7, 25, 2)


def test_a_joint_at_the_origin_is_a_joint():
    clip = people.clip()
    assert check(clip.replace(xyz=np.zeros_like(clip.xyz))).valid.all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_named_with_frame_and_joint(value):
    clip = people.clip()
    clip.xyz[1, 5, 8, 0] = value
    with pytest.raises(DataError, match=f"a.skeleton, frame 5: .*{value}.* at joint right_shoulder, expected finite"):
        check(clip, file="a.skeleton")


def test_an_absent_body_may_hold_anything():
    clip = people.without(people.clip(bodies=2), 1, [4])
    clip.xyz[:, 4, :, 1] = np.nan
    assert check(clip) is clip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layout": "kinect20"}, r"does not fit layout 'kinect20': got axes .*\(3, 12, 25, 1\), expected V = 20"),
        ({"xyz": np.zeros((3, 12, 25), np.float32)}, "does not fit layout"),
        ({"xyz": np.zeros((4, 12, 25, 1), np.float32)}, "wrong number of channels: got 4, expected 2 or 3"),
        ({"valid": np.ones((11, 1), bool)}, r"got \(11, 1\), expected \(12, 1\)"),
        ({"valid": np.zeros((12, 1), bool)}, "no body in any frame: got 12 empty frames, expected at least one"),
        ({"xyz": np.zeros((3, 0, 25, 1), np.float32), "valid": np.ones((0, 1), bool)}, "no frames: got 0"),
    ],
)
def test_an_unsound_clip_is_refused_with_both_sides(change, message):
    with pytest.raises(DataError, match=message):
        check(people.clip().replace(**change))


def test_a_coordinate_that_arithmetic_would_overflow_is_refused():
    clip = people.clip(4)
    clip.xyz[1, 2, 5, 0] = 3e38
    with pytest.raises(
        DataError, match=r"frame 2: a coordinate is too large to compute with: got .* at joint left_elbow"
    ):
        check(clip)
    clip.xyz[1, 2, 5, 0] = 1e17
    assert np.isfinite(clean(clip, Preprocessing()).xyz).all()
