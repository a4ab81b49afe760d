"""What the sensor lost: short gaps are bridged and said, long ones refused, nothing is invented."""

import numpy as np
import pytest

from stgcn_lens.data.clip import check
from stgcn_lens.data.gaps import fill_gaps, fill_joints, refuse_long, repair
from stgcn_lens.data.readers import ntu, read
from stgcn_lens.errors import DataError
from tests.data import people
from tests.reference.gaps import repaired

HEAD, HAND = 3, 7  # of ntu25


def lost(clip, joint, frames, body=0, value=np.nan, channel=slice(None)):
    """The clip with one joint that is no number in some frames."""
    xyz = clip.xyz.copy()
    xyz[channel, frames, joint, body] = value
    return clip.replace(xyz=xyz)


# joints without finite coordinates


def test_a_sound_clip_is_handed_through():
    clip = people.clip(bodies=2)
    assert repair(clip) == (clip, [])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_joint_lost_for_some_frames_is_put_on_a_straight_line_and_said(value):
    whole = people.clip()
    mended, told = repair(lost(whole, HAND, [4, 5, 6], value=value))
    for t, w in ((4, 0.25), (5, 0.5), (6, 0.75)):
        expected = (1 - w) * whole.xyz[:, 3, HAND] + w * whole.xyz[:, 7, HAND]
        np.testing.assert_allclose(mended.xyz[:, t, HAND], expected, rtol=1e-5)
    assert told == ["left_hand: 3 frames interpolated"]
    mended.xyz[:, [4, 5, 6], HAND] = whole.xyz[:, [4, 5, 6], HAND]
    np.testing.assert_array_equal(mended.xyz, whole.xyz)


def test_a_joint_lost_at_an_end_stays_at_its_nearest_good_place():
    whole = people.clip()
    mended, told = repair(lost(whole, HEAD, [0, 1, 5, 11]))
    np.testing.assert_array_equal(mended.xyz[:, 0, HEAD], whole.xyz[:, 2, HEAD])
    np.testing.assert_array_equal(mended.xyz[:, 1, HEAD], whole.xyz[:, 2, HEAD])
    np.testing.assert_array_equal(mended.xyz[:, 11, HEAD], whole.xyz[:, 10, HEAD])
    assert told == ["head: 1 frame interpolated, 3 frames at the clip's ends held"]


def test_a_joint_lost_in_one_channel_is_lost_as_a_whole():
    whole = people.clip()
    all_of_it = repair(lost(whole, HEAD, [4]))[0]
    np.testing.assert_array_equal(repair(lost(whole, HEAD, [4], channel=1))[0].xyz, all_of_it.xyz)


def test_joints_and_bodies_with_the_same_loss_share_a_remark():
    clip = people.clip(bodies=2)
    for joint in (2, 3, 4, 5, 6, 7):
        clip = lost(clip, joint, [3, 4])
    clip = lost(clip, HEAD, [8], body=1)
    assert repair(clip)[1] == [
        "body 1, neck, head, left_shoulder, left_elbow and 2 more joints: 2 frames interpolated",
        "body 2, head: 1 frame interpolated",
    ]


def test_only_frames_with_the_body_count():
    # 8 frames without the body and 3 lost ones on either side of them: 6 in a row of those in which it is there.
    whole = people.without(people.clip(30), 0, slice(10, 18))
    clip = lost(whole, HAND, [7, 8, 9, 18, 19, 20])
    mended, told = repair(clip, max_gap=6)
    assert told == ["left_hand: 6 frames interpolated"]
    w = (18 - 6) / (21 - 6)  # in time
    expected = (1 - w) * whole.xyz[:, 6, HAND] + w * whole.xyz[:, 21, HAND]
    np.testing.assert_allclose(mended.xyz[:, 18, HAND], expected, rtol=1e-5)
    np.testing.assert_array_equal(mended.xyz[:, 10:18], 0)
    with pytest.raises(DataError, match=r"frame 7: .* for 6 frames"):
        repair(clip, max_gap=5)


def test_losses_at_random_are_made_good_as_the_literal_rule_says(rng):
    outcomes = []
    for seed in range(120):
        frames = int(rng.integers(1, 40))
        clip = people.clip(frames, 2, seed=seed)
        for body in range(2):
            clip = people.without(clip, body, np.flatnonzero(rng.random(frames) < 0.2 * (seed % 2)).tolist())
        for _ in range(3):
            begin = int(rng.integers(frames))
            span = slice(begin, begin + int(rng.integers(1, 13)))
            clip = lost(clip, rng.integers(25), span, rng.integers(2), rng.choice([np.nan, np.inf]), rng.integers(3))
        expected = repaired(clip.xyz, clip.valid, 10)
        outcomes.append(expected is None)
        if expected is None:
            with pytest.raises(DataError, match="not a finite number"):
                repair(clip)
        else:
            there = np.broadcast_to(clip.valid[None, :, None, :], clip.xyz.shape)
            np.testing.assert_allclose(repair(clip)[0].xyz[there], expected[there], rtol=1e-4, atol=1e-6)
    assert 10 < sum(outcomes) < 110


def test_numbers_of_absent_bodies_are_nobodys_business():
    clip = lost(people.without(people.clip(), 0, [5]), HEAD, [5])
    assert repair(clip) == (clip, [])


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (
            slice(1, 12),
            r"frame 1: a coordinate is not a finite number: got \[nan, nan, nan\] at joint head, for 11 frames",
        ),
        (slice(3, 14), "frame 3: .* at joint head, for 11 frames, expected .* at most 10 lost frames in a row"),
        (slice(None), "frame 0: .* at joint head, for all its 24 frames"),
        (slice(13, None), "frame 13: .* for 11 frames"),
    ],
)
def test_a_joint_lost_for_longer_is_refused_with_its_place(frames, message):
    with pytest.raises(DataError, match=f"S001C002P003R001A004, {message}"):
        repair(lost(people.clip(24), HEAD, frames))


def test_ten_frames_are_bridged():
    mended, _ = repair(lost(people.clip(24), HEAD, slice(1, 11)))
    check(mended)


def test_the_earliest_of_several_losses_is_named():
    clip = lost(lost(people.clip(40), HEAD, slice(20, 35)), HAND, slice(5, 17))
    with pytest.raises(DataError, match=r"frame 5: .* left_hand"):
        repair(clip)


def test_a_clip_of_one_frame_has_nothing_to_be_repaired_from():
    with pytest.raises(DataError, match=r"frame 0: .* for all its 1 frame"):
        repair(lost(people.clip(1), HEAD, [0]))


def test_a_repaired_2d_joint_was_not_detected():
    whole = people.clip(layout="coco17")
    for channel in (0, 2):
        mended, _ = repair(lost(whole, 9, [4], channel=channel))
        np.testing.assert_allclose(mended.xyz[:2, 4, 9], (whole.xyz[:2, 3, 9] + whole.xyz[:2, 5, 9]) / 2, rtol=1e-5)
        assert mended.xyz[2, 4, 9, 0] == 0


def test_a_clip_of_another_shape_is_left_to_be_refused():
    clip = lost(people.clip(), HEAD, [0])
    for wrong in (clip.replace(layout="kinect20"), clip.replace(valid=clip.valid[1:]), clip.replace(xyz=clip.xyz[0])):
        assert repair(wrong) == (wrong, [])
        with pytest.raises(DataError):
            check(wrong)


def spoilt_file(folder, frames, name="S001C001P001R001A001"):
    """An NTU file of 24 frames in which joint 4, the head, is NaN in some."""
    whole = people.clip(24, name=name)
    file = ntu.write(whole, folder)
    lines = file.read_text().splitlines()
    for t in frames:
        lines[1 + 28 * t + 3 + HEAD] = "nan nan nan" + " 0" * 9
    file.write_text("\n".join(lines) + "\n")
    return whole


def test_reading_repairs_short_losses_and_lists_them(tmp_path):
    whole = spoilt_file(tmp_path, [4, 5, 6])
    spoilt_file(tmp_path, range(2, 13), "S001C001P002R001A001")
    clips = read(tmp_path)
    assert [row.name for row in clips.rows] == ["S001C001P001R001A001"]
    middle = (whole.xyz[:, 3, HEAD] + whole.xyz[:, 7, HEAD]) / 2
    np.testing.assert_allclose(clips[0].xyz[:, 5, HEAD], middle, rtol=1e-5)
    mended, refused = clips.faults
    assert (mended.file, mended.dropped) == ("S001C001P001R001A001.skeleton", "nothing")
    assert mended.reason == "coordinates that are not finite numbers: head: 3 frames interpolated"
    assert (refused.file, refused.dropped) == ("S001C001P002R001A001.skeleton", "clip")
    assert "frame 2: a coordinate is not a finite number" in refused.reason


# 2-D joints that were not detected


def unseen(clip, joint, frames, body=0):
    """The clip with one 2-D joint not detected in some frames: at the corner of the picture, score 0."""
    return lost(clip, joint, frames, body, value=0.0)


def test_undetected_joints_get_a_place_between_two_detections_and_keep_score_zero():
    whole = people.clip(layout="coco17")
    filled = fill_joints(unseen(whole, 9, [0, 4, 5, 11]), 2)
    for t, w in ((4, 1 / 3), (5, 2 / 3)):
        expected = (1 - w) * whole.xyz[:2, 3, 9] + w * whole.xyz[:2, 6, 9]
        np.testing.assert_allclose(filled.xyz[:2, t, 9], expected, rtol=1e-5)
    np.testing.assert_array_equal(filled.xyz[2, [0, 4, 5, 11], 9], 0)
    np.testing.assert_array_equal(filled.xyz[:, [0, 11], 9], 0)
    untouched = [t for t in range(12) if t not in (4, 5)]
    np.testing.assert_array_equal(filled.xyz[:, untouched], unseen(whole, 9, [0, 4, 5, 11]).xyz[:, untouched])


def test_longer_absences_of_a_joint_and_the_switch_left_off_change_nothing():
    clip = unseen(people.clip(layout="coco17"), 9, [4, 5, 6])
    np.testing.assert_array_equal(fill_joints(clip, 2).xyz, clip.xyz)
    assert fill_joints(clip, 0) is clip


@pytest.mark.parametrize(
    "clip", [people.clip(), people.clip(layout="coco17").replace(xyz=people.clip(layout="coco17").xyz[:2])]
)
def test_clips_without_scores_have_no_undetected_joints(clip):
    assert fill_joints(clip, 5) is clip


# bodies that are gone for a while


def test_short_gaps_are_bridged_on_a_straight_line():
    whole = people.clip()
    filled = fill_gaps(people.without(whole, 0, [4, 5, 6]), max_gap=3)
    assert filled.valid.all()
    for t, w in ((4, 0.25), (5, 0.5), (6, 0.75)):
        np.testing.assert_allclose(filled.xyz[:, t], (1 - w) * whole.xyz[:, 3] + w * whole.xyz[:, 7], rtol=1e-5)
    untouched = [t for t in range(12) if t not in (4, 5, 6)]
    np.testing.assert_array_equal(filled.xyz[:, untouched], whole.xyz[:, untouched])


def test_a_longer_gap_stays_absent_and_frames_without_anybody_are_removed():
    clip = people.without(people.clip(bodies=2), 0, slice(3, 8))
    kept = fill_gaps(clip, max_gap=4)
    np.testing.assert_array_equal(kept.valid, clip.valid)
    alone = people.without(clip, 1, slice(4, 7))
    kept = fill_gaps(alone, max_gap=2)
    np.testing.assert_array_equal(kept.xyz, alone.xyz[:, [0, 1, 2, 3, 7, 8, 9, 10, 11]])


def test_a_body_is_never_invented_before_it_comes_or_after_it_leaves():
    clip = people.without(people.clip(bodies=2), 1, [0, 1, 10, 11])
    np.testing.assert_array_equal(fill_gaps(clip, max_gap=10).valid, clip.valid)


def test_frames_without_anybody_are_refused_where_there_are_too_many():
    clip = people.without(people.clip(20, bodies=2, name="walks off"), 0, slice(4, 10))
    assert refuse_long(clip, max_gap=2) is clip  # the other one is there
    alone = people.without(people.without(clip, 1, slice(5, 9)), 1, [12])
    assert refuse_long(alone, max_gap=4) is alone
    with pytest.raises(
        DataError, match="walks off, frame 5: nobody is there for too long: got 4 frames without a body, "
    ):
        refuse_long(alone, max_gap=3)
    with pytest.raises(
        DataError, match=r"got 4 frames without a body, and 1 more such gap, expected at most 0.*--long-gaps"
    ):
        refuse_long(people.without(alone, 0, [12]), max_gap=0)


def test_empty_ends_are_no_gap():
    clip = people.without(people.clip(20), 0, [*range(8), *range(15, 20)])
    assert refuse_long(clip, max_gap=1) is clip
