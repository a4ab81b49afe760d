"""People keep their slots from frame to frame, in whatever order the detector lists them."""

import numpy as np
import pytest

from stgcn_lens.data.parsing.tracking import MAX_SLOTS, REACH, by_number, follow


def at(x, y=0.0, missing=()):
    """A body 1 wide and 2 high (size 2.24) at a place, with 4 joints and scores of 0.9."""
    body = np.array([[0, 0, 0.9], [1, 0, 0.9], [0, 2, 0.9], [1, 2, 0.9]])
    body[:, :2] += (x, y)
    body[list(missing)] = 0
    return body


def slots(*frames):
    """Slots of the bodies of each frame, (number, bodies) or bodies alone."""
    numbered = [frame if isinstance(frame, tuple) else (t, frame) for t, frame in enumerate(frames)]
    at_frame = np.array([t for t, bodies in numbered for _ in bodies], np.int64)
    joints = np.array([body for _, bodies in numbered for body in bodies], np.float32).reshape(-1, 4, 3)
    found = follow(at_frame, joints).tolist()
    return [[found.pop(0) for _ in bodies] for _, bodies in numbered]


def test_two_people_keep_their_slots_when_the_file_exchanges_them():
    assert slots([at(0), at(5)], [at(5.1), at(0.1)], [at(0.2), at(5.2)], [at(5.3), at(0.3)]) == [
        [0, 1],
        [1, 0],
        [0, 1],
        [1, 0],
    ]


def test_a_third_person_in_front_in_the_file_gets_a_slot_behind():
    assert slots([at(0), at(5)], [at(-5), at(0), at(5)], [at(5), at(-5), at(0)]) == [[0, 1], [2, 0, 1], [1, 2, 0]]


def test_someone_who_leaves_and_returns_finds_the_slot_again():
    left = [[at(0), at(5)], *[[at(0)]] * 6]
    assert slots(*left, [at(5.8), at(0)])[-1] == [1, 0]
    assert slots(*left, [at(9), at(0)])[-1] == [1, 0]  # the longer someone was away, the further it may be


def test_a_jump_beyond_reach_is_another_person():
    size = np.hypot(1, 2)
    assert slots([at(0)], [at(REACH * size - 0.01)]) == [[0], [0]]
    assert slots([at(0)], [at(REACH * size + 0.01)]) == [[0], [1]]
    assert slots((0, [at(0)]), (2, [at(2 * REACH * size - 0.01)])) == [[0], [0]]


def test_the_closest_pair_is_joined_first():
    assert slots([at(0)], [at(0.5), at(0.1)]) == [[0], [1, 0]]
    assert slots([at(0), at(0.8)], [at(0.7), at(1)]) == [[0, 1], [1, 0]]


def test_only_joints_that_both_have_are_compared():
    assert slots([at(0), at(5)], [at(5, missing=[0, 1]), at(0, missing=[2])]) == [[0, 1], [1, 0]]
    assert slots([at(0, missing=[0]), at(5)], [at(5), at(0.6, 1.2, [1, 2, 3])]) == [[0, 1], [1, 0]]  # by centres


def test_bodies_without_any_joint_are_no_harm():
    nothing = at(0, missing=[0, 1, 2, 3])
    found = slots([nothing, nothing], [nothing, at(3)], [at(3)])
    assert [len(set(frame)) for frame in found] == [2, 2, 1]


def test_frames_in_any_order_give_the_same_slots():
    rng = np.random.default_rng(0)
    frames = np.repeat(np.arange(20), 3)
    joints = np.array([at(4 * m + 0.05 * t) for t in range(20) for m in range(3)])
    order = rng.permutation(60)
    again = follow(frames[order], joints[order])
    by_body = again[np.argsort(order)].reshape(20, 3)
    assert (by_body == by_body[0]).all()
    assert sorted(by_body[0]) == [0, 1, 2]


def test_moving_and_scaling_everything_changes_no_slot():
    rng = np.random.default_rng(1)
    frames = np.repeat(np.arange(30), 4)
    joints = np.array([at(3 * m, rng.normal()) for t in range(30) for m in rng.permutation(4)])
    moved = joints * [100, 100, 1] + [50, -20, 0]
    np.testing.assert_array_equal(follow(frames, joints), follow(frames, moved))


def test_no_two_of_a_frame_share_a_slot_and_there_are_at_most_so_many():
    rng = np.random.default_rng(2)
    frames = np.sort(rng.integers(0, 12, 700))
    frames[-100:] = 12  # more than there are slots
    joints = np.concatenate([rng.uniform(0, 1e6, (700, 4, 2)), np.ones((700, 4, 1))], axis=-1)
    found = follow(frames, joints)
    assert found.max() == MAX_SLOTS - 1
    assert (found[-100:] >= 0).sum() == MAX_SLOTS
    for frame in range(13):
        here = found[(frames == frame) & (found >= 0)]
        assert len(set(here)) == len(here)


def test_nobody_needs_no_slot():
    assert follow(np.zeros(0, np.int64), np.zeros((0, 4, 3))).tolist() == []
    assert by_number(np.zeros(0, np.int64), []).tolist() == []


def test_numbers_give_slots_in_the_order_in_which_they_come():
    frames = np.array([0, 0, 1, 2, 2])
    assert by_number(frames, [9, 3, 3, 9, 5]).tolist() == [0, 1, 1, 0, 2]
    assert by_number(frames, ["b", "a", "a", "b", "c"]).tolist() == [0, 1, 1, 0, 2]


def test_of_too_many_numbers_those_of_most_frames_stay():
    ids = [*range(MAX_SLOTS + 1), *range(1, MAX_SLOTS + 1)]  # 0 comes in one frame only
    frames = np.array([0] * (MAX_SLOTS + 1) + [1] * MAX_SLOTS)
    found = by_number(frames, ids)
    assert found[0] == -1
    assert sorted(found[1 : MAX_SLOTS + 1]) == list(range(MAX_SLOTS))


@pytest.mark.parametrize("ids", [[1, None, 1], [0, 0, 0]])
def test_numbers_that_do_not_tell_people_apart_are_none(ids):
    assert by_number(np.array([0, 0, 1]), ids) is None
