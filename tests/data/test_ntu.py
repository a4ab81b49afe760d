"""NTU files: read as the format says, written to be read back equal, refused where they are damaged."""

import re
from random import Random

import numpy as np
import pytest

from stgcn_lens.data import ClipSet, read
from stgcn_lens.data.readers import ntu, recognise
from stgcn_lens.data.synthetic import SyntheticConfig, synthetic_set
from stgcn_lens.errors import DataError
from tests.data import fuzz, people
from tests.data.makers.ntu import NAMES
from tests.data.makers.ntu import make as ntu_folder
from tests.data.people import edited
from tests.data.test_fuzz import peak_of
from tests.reference import skeleton_file


def test_ntu_files_read_back_to_the_last_bit(tmp_path):
    clips = ntu_folder(tmp_path)
    back = read(tmp_path)
    for i, clip in enumerate(sorted(clips, key=lambda clip: clip.name)):
        np.testing.assert_array_equal(back[i].xyz, clip.xyz, strict=True)
        np.testing.assert_array_equal(back[i].valid, clip.valid, strict=True)
    assert [(row.setup, row.view, row.subject, row.label) for row in back.rows] == [
        (1, 1, 1, 0),
        (1, 2, 2, 2),
        (1, 3, 3, 1),
    ]
    assert (back.protocol, back.classes[0], len(back.classes)) == ("ntu60", "A001", 60)


def test_any_float32_survives_the_text(tmp_path, rng, many):
    numbers = rng.integers(0, 2**32, 3 * 40 * 25, dtype=np.uint32).view(np.float32)
    numbers[~np.isfinite(numbers)] = 1e-45
    clip = people.clip(40).replace(xyz=numbers.reshape(3, 40, 25, 1))
    back = ntu.parse(ntu.write(clip, tmp_path), clip.name, print, many)  # `read` refuses what is too large
    np.testing.assert_array_equal(back.xyz, clip.xyz)


def test_a_body_that_comes_first_in_another_slot_keeps_its_slot(tmp_path):
    clip = people.without(people.clip(bodies=3), 0, [0, 1, 5])
    (back,) = read(ntu.write(people.without(clip, 1, slice(3, 9)), tmp_path))
    np.testing.assert_array_equal(back.valid, people.without(clip, 1, slice(3, 9)).valid)


def recorded(path, frames, ids, rng, newline="\r\n"):
    """A file as the sensor writes it: twelve full columns, any IDs, frames with different bodies."""
    lines = [str(frames)]
    for t in range(frames):
        here = [i for i in ids if rng.random() < 0.7]
        lines.append(str(len(here)))
        for who in rng.permutation(here):
            lines += [f"{who} 0 1 1 0 0 0 {rng.normal():.7g} {rng.normal():.7g} 2", "25"]
            lines += [" ".join(f"{v:.8g}" for v in row) + f" {t % 3}" for row in rng.normal(size=(25, 11))]
    path.write_bytes((newline.join(lines) + newline).encode())


@pytest.fixture(params=[False, True], ids=["few files", "many files"])
def many(request, monkeypatch):
    """Both ways to read: by Python, and by compiled code as where there are many files."""
    monkeypatch.setattr(ntu, "MANY", 1 if request.param else 100)
    return request.param


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_recording_equals_the_format_read_line_by_line(tmp_path, rng, newline, many):
    # Two of the IDs are equal as doubles: they differ beyond 2^53.
    ids = ["72057594037931101", "72057594037931102", "9", "72057594037944733"]
    file = tmp_path / "S018C002P042R002A120.skeleton"
    recorded(file, 30, ids, rng, newline)
    clips = read(tmp_path)
    slots = {who: m for m, who in enumerate(["9", "72057594037931101", "72057594037931102", "72057594037944733"])}
    xyz, valid = np.zeros((3, 30, 25, 4), np.float32), np.zeros((30, 4), bool)
    for frame, who, joints in skeleton_file.bodies(file.read_text()):
        xyz[:, frame, :, slots[who]] = np.array(joints, np.float32).T
        valid[frame, slots[who]] = True
    np.testing.assert_array_equal(clips[0].valid, valid)
    np.testing.assert_array_equal(clips[0].xyz, xyz)
    assert (clips.protocol, len(clips.classes), clips.rows[0].label) == ("ntu120", 120, 119)


def test_a_written_set_brings_its_classes_and_its_protocol(tmp_path):
    clips = [
        people.clip(3, seed=i, name=name, label=i, subject=i + 1, view=i + 1) for i, name in enumerate(sorted(NAMES))
    ]
    clips = [
        clip.replace(label=int(clip.name[-3:]) - 1, subject=int(clip.name[9:12]), view=int(clip.name[5:8]))
        for clip in clips
    ]
    made = ClipSet.from_clips(clips, ["wave", "bow", "kick", "nobody does this"], protocol="synthetic")
    seen = []
    back = read(ntu.write_set(made, tmp_path / "set", progress=lambda *at: seen.append(at)))
    assert (back.classes, back.protocol, back.rows) == (made.classes, "synthetic", made.rows)
    np.testing.assert_array_equal(back.xyz, made.xyz)
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_synthetic_people_read_back_from_ntu_files_as_they_were(tmp_path):
    made = synthetic_set(SyntheticConfig(subjects=(3,), actions=("hug", "kick", "wave left")))
    back = read(ntu.write_set(made, tmp_path / "set"))
    assert (back.classes, back.protocol, len(back)) == (made.classes, "synthetic", len(made))
    for clip in back:
        original = made[made.index(clip.name)]
        np.testing.assert_array_equal(clip.xyz, original.xyz, strict=True)
        np.testing.assert_array_equal(clip.valid, original.valid, strict=True)
        assert (clip.label, clip.subject, clip.view, clip.setup) == (
            original.label,
            original.subject,
            original.view,
            original.setup,
        )


def test_only_25_joints_in_space_can_be_written(tmp_path):
    with pytest.raises(DataError, match="got 3 channels of 17 joints, expected 3 channels of 25"):
        ntu.write(people.clip(layout="coco17"), tmp_path)


@pytest.mark.parametrize("name", ["my recording 7", "S001C001P001", "kick (left) a12"])
def test_a_name_without_the_code_leaves_label_and_subject_unknown(tmp_path, name):
    clip = people.clip(name=name)
    clips = read(ntu.write(clip, tmp_path).parent)
    assert (clips.rows[0].name, clips.rows[0].label, clips.rows[0].subject) == (name, None, None)
    assert clips.labels.tolist() == [-1]
    np.testing.assert_array_equal(clips[0].xyz, clip.xyz)


def test_a_name_with_spaces_around_the_code_is_understood(tmp_path):
    row = read(ntu.write(people.clip(name="copy of S017C003P008R002A055 (1)"), tmp_path)).rows[0]
    assert (row.setup, row.view, row.subject, row.label) == (17, 3, 8, 54)


# A clip of 6 frames with one body: line 0 is the frame count, frame t takes the 28 lines from 1 + 28 t.
DAMAGE = {
    "cut in the middle of a joint": (
        lambda lines: [*lines[:70], "0.1 0.2"],
        "frame 2: cut mid-frame: got 10 whole joints of body 1, expected 25",
    ),
    "cut between two joints": (
        lambda lines: lines[:70],
        "frame 2: cut mid-frame: got 10 whole joints of body 1, expected 25",
    ),
    "cut after the body count": (
        lambda lines: lines[:58],
        "frame 2: cut mid-frame: got the end of the file in body 1, expected 1 bodies",
    ),
    "cut between two frames": (lambda lines: lines[:57], "frame 2: cut mid-frame: got 2 frames, expected 6 frames"),
    "twenty joints": (lambda lines: edited(lines, 31, "20"), "frame 1: wrong joint count: got 20, expected 25"),
    "not a number": (
        lambda lines: edited(lines, 33, "0.1 zero 3 0 0 0 0 0 0 0 0 2"),
        "frame 1: not a number: got 'zero', expected x y z",
    ),
    "NaN": (
        lambda lines: ["0.1 nan 3 0 0 0 0 0 0 0 0 2" if i % 28 == 5 else line for i, line in enumerate(lines)],
        r"frame 0: a coordinate is not a finite number: got \[0.1\d*, nan, 3.0\] at joint spine_mid",
    ),
    "a column is missing": (
        lambda lines: edited(lines, 33, "0.1 0.2 3 0 0 0 0 0 0 0 2"),
        "frame 2: the body count is not a whole number: got '72057594037927936'",
    ),
    "no body at all": (
        lambda lines: ["6", *["0"] * 6],
        "no body in any frame: got 6 empty frames, expected at least one body",
    ),
    "no frames": (lambda lines: ["0"], "no frames: got 0, expected at least 1"),
    "an empty file": (lambda lines: [], "no frames: got an empty file, expected at least 1"),
    "a frame count beyond the file": (
        lambda lines: edited(lines, 0, "9000000000"),
        "shorter than its frame count: got .* values, expected 900000000",
    ),
    "a body count beyond the file": (
        lambda lines: edited(lines, 29, "7000000000"),
        "frame 1: too many bodies: got 7000000000, expected <= 64",
    ),
    "a frame count in words": (
        lambda lines: edited(lines, 0, "six"),
        "the frame count is not a whole number: got 'six', expected a count",
    ),
    "a negative body count": (
        lambda lines: edited(lines, 29, "-1"),
        "frame 1: the body count is not a whole number: got '-1'",
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_ntu_file_is_listed_and_the_others_are_read(tmp_path, kind, many):
    damage, message = DAMAGE[kind]
    ntu_folder(tmp_path)
    bad = tmp_path / f"{NAMES[0]}.skeleton"
    lines = damage(bad.read_text().splitlines())
    bad.write_text("".join(f"{line}\n" for line in lines))
    clips = read(tmp_path)
    assert sorted(row.name for row in clips.rows) == sorted(NAMES[1:])
    (fault,) = clips.faults
    assert (fault.file, fault.dropped) == (bad.name, "clip")
    assert re.search(message, fault.reason), fault.reason
    with pytest.raises(DataError, match=message) as caught:
        read(bad, format="ntu")
    assert bad.name in str(caught.value)


def test_three_bodies_are_all_kept_and_the_choice_is_left_to_preprocessing(tmp_path):
    clip = people.without(people.clip(bodies=3), 1, [2])
    (back,) = read(ntu.write(clip, tmp_path))
    assert back.bodies == 3
    np.testing.assert_array_equal(back.xyz, clip.xyz)


def test_values_after_the_last_frame_are_reported(tmp_path):
    file = ntu.write(people.clip(4), tmp_path)
    file.write_text("3" + file.read_text()[1:])
    clips = read(tmp_path)
    assert clips[0].frames == 3
    assert [(fault.dropped, fault.reason) for fault in clips.faults] == [
        ("nothing", "312 values after the last of 3 frames were not read")
    ]


def test_more_body_ids_than_a_sensor_has_are_refused_before_they_fill_the_memory(tmp_path):
    frame = "1\n{} 0 0 0 0 0 0 0 0 2\n25\n" + "0 0 1 0 0 0 0 0 0 0 0 2\n" * 25
    (tmp_path / "flicker.skeleton").write_text("70\n" + "".join(frame.format(t) for t in range(70)))
    with pytest.raises(DataError, match=r"flicker.skeleton: too many bodies: got 70 body IDs, expected <= 64"):
        read(tmp_path)


def decimals(rng, count):
    """Numbers as text in every form that `float` takes, from the plain to the hardest to round."""
    forms = ["{:.7g}", "{:.9g}", "{:.17g}", "{:+.3f}", "{:.20f}", "{:e}", "{:E}", "{:.0f}", "{:.0f}.", "{:.1e}"]
    powers = 10.0 ** rng.integers(-30, 30, count)
    numbers = np.where(rng.random(count) < 0.7, rng.normal(size=count), rng.normal(size=count) * powers)
    texts = [forms[i].format(number) for i, number in zip(rng.integers(0, len(forms), count), numbers, strict=True)]
    odd = ["-0", "-0.0", ".5", "-.5", "00012", "1e22", "1e23", "9007199254740993", "9007199254740992", "1e-22", "1e-23"]
    odd += ["0.1e1", "123456789012345678e-10", "3.4028235e38", "1e-45", "1e-400", "1_000.5", "5e-324", "0e999"]
    return [odd[i] if i < len(odd) else text for i, text in zip(rng.integers(0, 60, count), texts, strict=True)]


def test_every_number_is_rounded_as_by_float(tmp_path, rng, many):
    texts = decimals(rng, 3 * 25 * 400)
    poses = [texts[i : i + 75] for i in range(0, len(texts), 75)]
    body = "1\n9 0 0 0 0 0 0 0 0 2\n25\n"
    for i, pose in enumerate(poses):  # one body a file: a hard number sends its whole file to Python
        lines = "".join(f"{' '.join(pose[3 * v : 3 * v + 3])} 0 0 0 0 0 0 0 0 2\n" for v in range(25))
        (tmp_path / f"{i:03d}.skeleton").write_text(f"1\n{body}{lines}")
    (tmp_path / "sound.skeleton").write_text(f"1\n{body}" + "0.25 -1e2 7 0 0 0 0 0 0 0 0 2\n" * 25)
    clips = [ntu.parse(file, file.stem, print, many) for file in sorted(tmp_path.iterdir())]  # `read` refuses many
    for clip, pose in zip(clips, poses, strict=False):
        expected = np.array([float(text) for text in pose], np.float32).reshape(25, 3).T
        np.testing.assert_array_equal(clip.xyz[:, 0, :, 0].view(np.uint32), expected.view(np.uint32))
    np.testing.assert_array_equal(clips[-1].xyz[:, 0, 5, 0], np.float32([0.25, -100, 7]))


def test_compiled_code_knows_the_plain_numbers_and_leaves_the_hard_ones(rng):
    from stgcn_lens.data.parsing.ntu_scan import _number

    known = 0
    for text in decimals(rng, 5000):
        raw = np.frombuffer(text.encode(), np.uint8)
        value, sure = _number(raw, 0, len(raw))
        assert not sure or np.float64(value).tobytes() == np.float64(float(text)).tobytes(), text
        known += sure
    assert known > 2500


@pytest.mark.parametrize("seed", range(4))
def test_few_and_many_files_read_alike_whatever_they_hold(tmp_path, monkeypatch, seed):
    ntu_folder(tmp_path)
    sound = [file.read_bytes() for file in sorted(tmp_path.iterdir())]
    file = tmp_path / f"{NAMES[0]}.skeleton"
    read_both = 0
    for i in range(100):
        file.write_bytes(fuzz.mutate(sound[0], sound[1], Random(f"{seed} {i}")))
        told = []
        for many in (1, 100):
            monkeypatch.setattr(ntu, "MANY", many)
            faults = []
            clips = list(recognise(file, "ntu").clips(faults.append))
            told.append(([(clip.xyz.tobytes(), clip.valid.tobytes(), clip.xyz.shape) for clip in clips], faults))
        assert told[0] == told[1], i
        read_both += bool(told[0][0])
    assert 10 < read_both < 90


def test_a_file_is_read_in_less_than_twice_its_size(tmp_path, many):
    file = ntu.write(people.clip(1000), tmp_path)
    list(recognise(file, "ntu").clips(print))  # imports and compiles
    assert peak_of(lambda: list(recognise(file, "ntu").clips(print))) < 2 * file.stat().st_size


def test_a_clip_that_would_be_nearly_all_empty_room_is_refused(tmp_path):
    body = "1\n7 0 0 0 0 0 0 0 0 2\n25\n" + "0 0 1 0 0 0 0 0 0 0 0 2\n" * 25
    file = tmp_path / "empty.skeleton"
    file.write_text("50001\n" + body + "0\n" * 50_000)
    with pytest.raises(DataError, match=r"empty\.skeleton: .*got 1 bodies in 50001 frames under 1 IDs"):
        read(file)


def test_a_file_without_white_space_is_refused_before_it_is_read_whole(tmp_path):
    file = tmp_path / "one.skeleton"
    file.write_text("2\n" + "7" * 3_000_000)
    with pytest.raises(DataError, match="a value of 65534 bytes; get the file again"):
        read(file, format="ntu")
