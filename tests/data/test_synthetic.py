import itertools

import numpy as np
import pytest

from stgcn_lens.data.clip import check
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.synthetic import ACTIONS, CLASSES, SUBJECTS, SyntheticConfig, synthesise, synthetic_set
from stgcn_lens.data.synthetic.body import CHANNELS, LAYOUT, mirrored
from stgcn_lens.data.synthetic.performance import FPS, TOUCHES, Manner, clock_of, perform, perform_plainly
from stgcn_lens.data.synthetic.script import POINTS, marked, play, resting
from stgcn_lens.data.synthetic.sensor import VIEWS, camera, hidden, record, see
from stgcn_lens.data.synthetic.subjects import setup_of, subject
from stgcn_lens.errors import DataError

BY_NAME = {action.name: action for action in ACTIONS}
PAIRS = tuple(action.name for action in ACTIONS if action.people == 2)
every_action = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)


def performance(action, number=5, seed=0):
    return perform(action, subject(number, seed), np.random.default_rng([seed, number]))


def joint(shown, name, body=0):
    return shown.joints[:, LAYOUT.index(name), body]


def same(a, b):
    arrays = all(np.array_equal(getattr(a, key), getattr(b, key)) for key in ("xyz", "valid", "evidence"))
    return arrays and all(getattr(a, key) == getattr(b, key) for key in ("name", "label", "subject", "view", "setup"))


@pytest.fixture(scope="module")
def clips():
    """All actions, by a right-hander and a left-hander (subject 3), from all views."""
    return list(synthesise(SyntheticConfig(subjects=(1, 3))))


# The action table.


def test_there_are_enough_actions_and_their_names_differ():
    assert len(ACTIONS) >= 20
    assert len(set(CLASSES)) == len(ACTIONS)
    assert set(PAIRS) == {"handshake", "push", "hug", "kick other"}


@every_action
def test_action_rows_use_known_channels_joints_and_places(action):
    assert action.description.endswith(".")
    assert (action.apart > 0) == (action.people == 2)
    assert action.touch in ("", *TOUCHES)
    for role in action.roles:
        assert role.marks
        assert role.channels <= set(CHANNELS)
        assert any(name.endswith("_touch") for name in role.channels) <= bool(action.touch)
        for key in role.keys:
            assert 0 <= key.at <= 1
            for name, value in key.pose.items():
                assert value in POINTS if isinstance(value, str) else np.size(value) == CHANNELS[name][0]
        for cycle in role.cycles:
            assert 0 <= cycle.start < cycle.end <= 1
            assert len(cycle.vector) == CHANNELS[cycle.channel][0]
        for mark in role.marks:
            assert 0 <= mark.start < mark.end <= 1
            assert set(mark.joints) <= set(LAYOUT.joints)


@every_action
def test_script_begins_and_ends_in_a_pose_that_can_be_held(action):
    """Pauses hold the first and the last pose: the clock must not jump into or out of the movement."""
    shown = perform_plainly(action, subject(1, 0), Manner(before=0.5, during=action.seconds, after=0.5))
    step = np.linalg.norm(np.diff(shown.joints, axis=0), axis=-1).max(axis=(1, 2))
    assert step[:10].max() == pytest.approx(0, abs=1e-9)
    assert step[-10:].max() == pytest.approx(0, abs=1e-9)
    assert step.max() * FPS < 20  # no limb flips over


# Bodies.


@every_action
def test_bones_keep_their_length(action):
    shown = performance(action)
    for child, parent in LAYOUT.bones:
        length = np.linalg.norm(shown.joints[:, child] - shown.joints[:, parent], axis=-1)
        assert np.ptp(length, axis=0).max() < 1e-9
        assert length.min() > 0.02


def test_subjects_differ_in_bones_tempo_amplitude_and_handedness():
    people = [subject(number, 0) for number in SUBJECTS]
    assert len({who.body for who in people}) == len(SUBJECTS) == 40
    assert np.std([who.body.leg for who in people]) > 0.03
    assert np.std([who.tempo for who in people]) > 0.1
    assert np.std([who.amplitude for who in people]) > 0.05
    for half in (people[:20], people[20:]):  # either side of the subject split
        assert 2 <= sum(who.left_handed for who in half) <= 6


@every_action
def test_knees_bend_forward_and_feet_stay_above_the_floor(action):
    shown = performance(action, number=7)
    assert shown.joints[..., 1].min() > -0.005
    for body, side in itertools.product(range(action.people), ("right", "left")):
        hip, knee, ankle = (joint(shown, f"{side}_{name}", body) for name in ("hip", "knee", "ankle"))
        across = joint(shown, "right_hip", body) - joint(shown, "left_hip", body)
        # Shank x thigh points to the body's right exactly when the knee is bent the way knees bend.
        assert (np.cross(ankle - knee, knee - hip) * across).sum(axis=1).min() > -1e-4


def test_hands_meet_when_they_should():
    clap, shake = performance(BY_NAME["clap"]), performance(BY_NAME["handshake"])
    gap = np.linalg.norm(joint(clap, "right_hand") - joint(clap, "left_hand"), axis=1)
    assert gap.min() < 0.06
    assert np.sum(np.diff((gap < 0.15).astype(int)) == 1) >= 3
    grip = np.linalg.norm(joint(shake, "right_hand", 0) - joint(shake, "right_hand", 1), axis=1)
    assert np.mean(grip < 0.15) > 0.25


@pytest.mark.parametrize("name", PAIRS)
def test_two_people_face_each_other(name):
    shown = performance(BY_NAME[name])
    start = shown.joints[0]
    for own, other in ((0, 1), (1, 0)):
        right = start[LAYOUT.index("right_shoulder"), own] - start[LAYOUT.index("left_shoulder"), own]
        ahead = np.cross([0, 1, 0], right)
        towards = start[0, other] - start[0, own]
        assert ahead @ towards > 0.85 * np.linalg.norm(ahead) * np.linalg.norm(towards) * (1 - 1e-9)


# Near twins.


def test_wave_left_is_the_mirror_image_of_wave_right():
    left, right = (perform_plainly(BY_NAME[name], subject(1, 0)) for name in ("wave left", "wave right"))
    np.testing.assert_allclose(left.joints[:, LAYOUT.mirror] * (-1, 1, 1), right.joints, atol=1e-9)
    np.testing.assert_array_equal(left.evidence[:, LAYOUT.mirror], right.evidence)


def test_circles_turn_opposite_ways():
    for name, sense in (("draw circle clockwise", -1), ("draw circle counter-clockwise", 1)):
        shown = perform_plainly(BY_NAME[name], subject(1, 0))
        x, y = (joint(shown, "right_wrist") - joint(shown, "spine_shoulder"))[:, :2].T  # as seen from behind
        area = np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2
        assert sense * area > 0.1


def test_standing_up_is_sitting_down_backwards():
    clock = np.linspace(0, 1, 61)
    sit, rise = (
        play(BY_NAME[name].roles[0], subject(1, 0).body, time, resting(), amplitude=0.9, turns=0.5)
        for name, time in (("sit down", clock), ("stand up", 1 - clock))
    )
    for name in CHANNELS:
        np.testing.assert_allclose(sit[name], rise[name], atol=1e-9)


def test_mirroring_controls_twice_changes_nothing():
    controls = play(
        BY_NAME["throw"].roles[0], subject(1, 0).body, np.linspace(0, 1, 9), resting(), amplitude=1.0, turns=0.5
    )
    again = mirrored(mirrored(controls))
    assert all(np.array_equal(controls[name], again[name]) for name in controls)


def test_left_handers_use_the_left_side_unless_the_action_names_one(clips):
    def carried_by(name, side, number):
        clip = next(c for c in clips if c.label == CLASSES.index(name) and c.subject == number)
        return clip.evidence[:, LAYOUT.index(f"{side}")].any()

    assert subject(3, 0).left_handed
    assert not subject(1, 0).left_handed
    for number, side, other in ((1, "right", "left"), (3, "left", "right")):
        assert carried_by("throw", f"{side}_wrist", number)
        assert not carried_by("throw", f"{other}_wrist", number)
        assert carried_by("kick", f"{side}_foot", number)
        assert carried_by("wave right", "right_wrist", number)
        assert not carried_by("wave right", "left_wrist", number)


# Evidence.


@every_action
def test_evidence_is_a_part_of_the_action_and_moves_more_than_the_rest(action):
    inside, outside = [], []
    for number in range(1, 9):
        shown = performance(action, number)
        assert 0.01 < shown.evidence.mean() < 0.75
        speed = np.linalg.norm(np.diff(shown.joints, axis=0), axis=-1) * FPS
        inside.append(speed[shown.evidence[1:]].mean())
        outside.append(speed[~shown.evidence[1:]].mean())
    assert np.mean(inside) > 1.2 * np.mean(outside)


@every_action
def test_evidence_is_the_script_not_the_outcome(action):
    """At any amplitude and tempo the marks cover the same part of the action, and never its pauses."""
    clock = clock_of(Manner(before=0.6, during=2.0, after=0.6))
    for role in action.roles:
        evidence = marked(role, clock)
        assert not evidence[(clock == 0) | (clock == 1)].any()
        named = {name for mark in role.marks for name in mark.joints}
        assert {LAYOUT.joints[v] for v in np.flatnonzero(evidence.any(axis=0))} == named


def test_evidence_is_only_where_a_body_is(clips):
    for clip in clips:
        assert clip.evidence.shape == clip.xyz.shape[1:]
        assert not clip.evidence.transpose(0, 2, 1)[~clip.valid].any()
        assert clip.evidence.any()


# Cameras and sensor.


@pytest.mark.parametrize("setup", [1, 2, 3, 4])
def test_views_differ_by_a_rigid_motion(setup):
    shown = performance(BY_NAME["hug"])
    room = shown.joints.reshape(-1, 3)[::97]
    apart = np.linalg.norm(room[:, None] - room[None], axis=-1)
    for view in VIEWS:
        axes = camera(view, setup).axes
        np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(axes) == pytest.approx(1)
        seen = see(room, camera(view, setup))
        np.testing.assert_allclose(np.linalg.norm(seen[:, None] - seen[None], axis=-1), apart, atol=1e-9)


def test_three_cameras_record_one_performance(clips):
    for three in zip(*[iter(clips)] * 3, strict=True):
        assert [clip.view for clip in three] == list(VIEWS)
        places = []
        for clip in three:
            seen_by = camera(clip.view, clip.setup)
            places.append(np.moveaxis(clip.xyz, 0, -1) @ seen_by.axes + seen_by.place)
        both = three[0].valid & three[1].valid
        error = np.linalg.norm(places[0] - places[1], axis=-1).transpose(0, 2, 1)[both]
        assert 0.001 < np.median(error) < 0.05
        np.testing.assert_array_equal(
            three[0].evidence.transpose(0, 2, 1)[both], three[1].evidence.transpose(0, 2, 1)[both]
        )


def test_bodies_stand_before_the_sensor_with_their_right_hand_on_its_positive_side(clips):
    for clip in clips:
        x, _, z = (clip.xyz[c].transpose(0, 2, 1)[clip.valid] for c in range(3))
        assert 1.2 < z[:, 0].min() <= z[:, 0].max() < 5
        if clip.view == 2 and clip.bodies == 1:
            assert np.median(x[:, LAYOUT.index("right_hip")] - x[:, LAYOUT.index("left_hip")]) > 0


def test_hidden_joints_are_recorded_worse():
    rng = np.random.default_rng(0)
    shown = perform_plainly(BY_NAME["bow"], subject(1, 0), Manner(before=0.0, during=5.0, after=0.0))
    away = see(shown.joints * (-1, 1, -1), camera(2, 1))  # turned round: the bowed head is behind the trunk
    unseen = hidden(away)
    assert unseen[:, LAYOUT.index("spine_mid")].max() == 0  # a trunk does not hide itself
    error = np.mean([np.linalg.norm(np.moveaxis(record(away, rng)[0], 0, -1) - away, axis=-1) for _ in range(20)], 0)
    covered = unseen > 0.5
    assert 0.01 < covered.mean() < 0.5
    for v in np.flatnonzero(covered.any(axis=(0, 2)) & ~covered.all(axis=(0, 2))):
        assert error[:, v][covered[:, v]].mean() > 1.5 * error[:, v][~covered[:, v]].mean()
    assert error[:, LAYOUT.index("left_hand_tip")].mean() > 2 * error[:, LAYOUT.index("spine_mid")].mean()


def test_noise_grows_with_distance():
    shown = perform_plainly(BY_NAME["bow"], subject(1, 0))
    sizes = []
    for metres in (2.0, 4.0):
        there = shown.joints + np.array([0, 0, metres])
        xyz, _ = record(there, np.random.default_rng(0))
        sizes.append(np.median(np.abs(np.moveaxis(xyz, 0, -1) - there)))
    assert sizes[1] > 2.5 * sizes[0]


def test_second_bodies_drop_out_for_a_few_frames_in_some_clips():
    config = SyntheticConfig(subjects=tuple(range(1, 9)), views=(1, 2), actions=PAIRS)
    lost = []
    for clip in synthesise(config):
        assert clip.valid[:, 0].all()
        assert not clip.xyz.transpose(1, 3, 0, 2)[~clip.valid].any()
        lost.append(int((~clip.valid[:, 1]).sum()))
    assert 0.1 < np.mean(np.array(lost) > 0) < 0.7
    assert max(lost) <= 16


# Clips and sets.


def test_every_clip_is_sound(clips):
    for clip in clips:
        check(clip)
        assert 30 <= clip.frames <= 150
        assert clip.bodies == ACTIONS[clip.label].people
        assert clip.xyz.dtype == np.float32
        assert clip.setup == setup_of(clip.subject)
        code = f"S{clip.setup:03}C{clip.view:03}P{clip.subject:03}R001A{clip.label + 1:03}"
        assert clip.name == code
    assert len({clip.name for clip in clips}) == len(clips) == 2 * 3 * len(ACTIONS)


def test_clips_do_not_depend_on_which_others_are_made_or_when(clips):
    known = {clip.name: clip for clip in clips}
    some = SyntheticConfig(subjects=(3, 1), views=(3, 1), actions=("hug", "kick", "wave left"))
    chosen = list(synthesise(some))
    assert len(chosen) == 12
    assert all(same(clip, known[clip.name]) for clip in chosen)


def test_seed_and_repetition_change_the_clip():
    few = {"subjects": (1,), "views": (1,), "actions": ("kick",)}
    (base,) = synthesise(SyntheticConfig(**few))
    (other_seed,) = synthesise(SyntheticConfig(**few, seed=1))
    first, second = synthesise(SyntheticConfig(**few, repetitions=2))
    assert same(base, first)
    assert second.name == base.name.replace("R001", "R002")
    for clip in (other_seed, second):
        assert clip.xyz.shape != base.xyz.shape or not np.allclose(clip.xyz, base.xyz, atol=0.05)


@pytest.mark.parametrize("into_folder", [False, True])
def test_sets_hold_the_clips_bit_by_bit(tmp_path, clips, into_folder):
    seen = []
    config = SyntheticConfig(subjects=(3,), views=(2,))
    made = synthetic_set(config, tmp_path / "set" if into_folder else None, lambda *step: seen.append(step))
    if not into_folder:
        made.save(tmp_path / "set")
    opened = ClipSet.open(tmp_path / "set")
    expected = [clip for clip in clips if clip.subject == 3 and clip.view == 2]
    assert seen == [(i + 1, len(expected)) for i in range(len(expected))]
    for kept in (made, opened):
        assert (kept.classes, kept.source, kept.protocol, kept.layout) == (CLASSES, "synthetic", "synthetic", "ntu25")
        assert all(same(a, b) for a, b in zip(kept, expected, strict=True))
    assert made.fingerprint() == opened.fingerprint()


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"subjects": (1, 41)}, "41"),
        ({"views": (0,)}, "view"),
        ({"actions": ("clap", "fly")}, "'fly'"),
        ({"repetitions": 0}, "repetitions"),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_does_not_exist_is_named(wrong, word):
    with pytest.raises(DataError, match=word):
        synthesise(SyntheticConfig(**wrong))


def test_classes_can_be_told_apart_but_not_by_the_nearest_raw_clip():
    rows, labels, sides = [], [], []
    for clip in synthesise(SyntheticConfig(subjects=(*range(1, 9), *range(21, 27)), views=(2,))):
        frames = np.linspace(0, clip.frames - 1, 16).round().astype(int)
        xyz = (clip.xyz - clip.xyz[:, :1, LAYOUT.centre, None, :1])[:, frames, :, 0]
        rows.append(xyz.ravel())
        labels.append(clip.label)
        sides.append(clip.subject <= 20)
    rows, labels, train = np.array(rows), np.array(labels), np.array(sides)
    distances = np.linalg.norm(rows[~train][:, None] - rows[train][None], axis=-1)
    right = labels[train][distances.argmin(axis=1)] == labels[~train]
    assert 8 / len(ACTIONS) < right.mean() < 0.92
