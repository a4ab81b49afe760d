"""Streams against the literal differences of joints and frames."""

import numpy as np

from stgcn_lens.data.streams import bone, motion, stream
from stgcn_lens.data.transforms import Preprocessing, fit
from tests.data import people


def test_streams_are_the_literal_differences():
    clip = people.clip(frames=6)
    layout, x, here = clip.skeleton, clip.xyz, clip.valid
    bones, moves = np.zeros_like(x), np.zeros_like(x)
    for t in range(6):
        for child, parent in layout.bones:
            bones[:, t, child] = x[:, t, child] - x[:, t, parent]
        if t < 5:
            moves[:, t] = x[:, t + 1] - x[:, t]
    np.testing.assert_array_equal(stream(x, here, layout, "joint"), x)
    np.testing.assert_array_equal(stream(x, here, layout, "bone"), bones)
    np.testing.assert_array_equal(stream(x, here, layout, "joint-motion"), moves)
    twice = stream(x, here, layout, "bone-motion")
    np.testing.assert_array_equal(twice[:, :5], bones[:, 1:] - bones[:, :5])
    np.testing.assert_array_equal(twice[:, 5], 0)
    assert (bones[:, :, set(range(25)).difference(c for c, _ in layout.bones).pop()] == 0).all()


def test_motion_is_zero_where_a_body_comes_or_leaves():
    clip = people.without(people.clip(frames=6), 0, [3])
    moves = motion(clip.xyz, clip.valid, clip.skeleton)
    np.testing.assert_array_equal(moves[:, [2, 3, 5]], 0)
    assert (moves[:, [0, 1, 4]] != 0).any(axis=(0, 2, 3)).all()


def test_scores_of_bones_and_steps_are_means_of_two():
    clip = people.clip(frames=4, layout="coco17")
    layout, score = clip.skeleton, clip.xyz[2]
    bones, moves = bone(clip.xyz, layout)[2], motion(clip.xyz, clip.valid, layout)[2]
    for child, parent in layout.bones:
        np.testing.assert_allclose(bones[:, child], (score[:, child] + score[:, parent]) / 2)
    np.testing.assert_allclose(moves[:3], (score[:3] + score[1:]) / 2)
    np.testing.assert_array_equal(moves[3], score[3])


def test_replayed_motion_has_no_jump_from_the_end_to_the_start():
    clip = people.clip(frames=5)
    sample = fit(clip, Preprocessing(frames=12, fit="replay", stream="joint-motion"), bodies=1)
    np.testing.assert_array_equal(sample.x[:, [4, 9]], 0)
    np.testing.assert_array_equal(sample.x[:, 5], clip.xyz[:, 1] - clip.xyz[:, 0])
