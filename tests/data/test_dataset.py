"""Sets of clips in memory and on disk hold the same, and a broken one says so."""

import json

import numpy as np
import pytest

from stgcn_lens.data.clip import MAX_FPS
from stgcn_lens.data.dataset import ClipSet, Fault
from stgcn_lens.data.native import pack
from stgcn_lens.errors import DataError
from tests.data import people

CLASSES = ["a", "b", "c", "d", "never seen"]


@pytest.fixture
def clips():
    ragged = [
        people.clip(frames, bodies, seed=frames, name=f"clip {frames}, ü")
        for frames, bodies in [(5, 1), (9, 3), (1, 2)]
    ]
    ragged[1] = people.without(ragged[1], 1, slice(2, 5))
    ragged[2] = ragged[2].replace(label=None, subject=None, view=None, setup=None)
    return ragged


def same(a, b):
    facts = ("name", "layout", "label", "subject", "view", "setup", "fps", "units")
    assert [getattr(a, fact) for fact in facts] == [getattr(b, fact) for fact in facts]
    np.testing.assert_array_equal(a.xyz, b.xyz, strict=True)
    np.testing.assert_array_equal(a.valid, b.valid, strict=True)
    assert (a.evidence is None) == (b.evidence is None)
    if a.evidence is not None:
        np.testing.assert_array_equal(a.evidence, b.evidence, strict=True)


def planted(clip):
    return clip.replace(evidence=np.random.default_rng(1).random(clip.xyz.shape[1:]) < 0.3)


def test_clips_come_out_of_memory_as_they_went_in(clips):
    held = ClipSet.from_clips(clips, CLASSES)
    assert len(held) == 3
    for i, clip in enumerate(clips):
        same(held[i], clip)
    same(held[-1], clips[-1])


def test_clips_come_out_of_a_folder_as_they_went_in(clips, tmp_path):
    faults = [Fault("x.skeleton", "cut mid-frame")]
    clips = [planted(clip) for clip in clips]
    opened = pack(iter(clips), tmp_path / "set", classes=CLASSES, source="here", protocol="ntu60", faults=faults)
    for stored, clip in zip(opened, clips, strict=True):
        same(stored, clip)
    again = ClipSet.open(tmp_path / "set")
    assert (again.classes, again.source, again.protocol, again.faults) == (
        tuple(CLASSES),
        "here",
        "ntu60",
        tuple(faults),
    )
    assert again.labels.tolist() == [3, 3, -1]
    assert (again.max_bodies, again.channels, again.skeleton.V) == (3, 3, 25)


def test_coordinates_of_an_opened_set_stay_on_disk(clips, tmp_path):
    assert isinstance(ClipSet.from_clips(clips, CLASSES).save(tmp_path / "set").xyz, np.memmap)


def test_evidence_known_for_some_clips_only_is_left_out(clips, tmp_path):
    clips[0] = planted(clips[0])
    assert ClipSet.from_clips(clips, CLASSES).evidence is None
    assert pack(clips, tmp_path / "set", classes=CLASSES).evidence is None


def test_faults_found_while_streaming_are_stored(clips, tmp_path):
    faults: list[Fault] = []

    def stream():
        yield clips[0]
        faults.append(Fault("late.skeleton", "found late"))
        yield clips[1]

    assert pack(stream(), tmp_path / "set", classes=CLASSES, faults=faults).faults == (
        Fault("late.skeleton", "found late"),
    )


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_subset_holds_the_chosen_clips_in_the_chosen_order(clips, tmp_path, on_disk):
    held = ClipSet.from_clips(map(planted, clips), CLASSES)
    held = held.save(tmp_path / "set") if on_disk else held
    chosen = held.subset(np.array([2, 0]))
    assert [row.name for row in chosen.rows] == [clips[2].name, clips[0].name]
    same(chosen[1], planted(clips[0]))
    assert len(held.subset([])) == 0


def test_a_clip_is_found_by_name(clips):
    held = ClipSet.from_clips(clips, CLASSES)
    assert held.index(clips[1].name) == 1
    with pytest.raises(DataError, match="no clip of that name: got 'nobody', expected one of 3 clips"):
        held.index("nobody")


def test_equal_sets_have_equal_fingerprints_on_disk(clips, tmp_path):
    held = ClipSet.from_clips(clips, CLASSES)
    assert held.save(tmp_path / "a").fingerprint() == held.save(tmp_path / "b").fingerprint()
    moved = clips[0].replace(xyz=clips[0].xyz + np.float32(1e-3))
    other = ClipSet.from_clips([moved, *clips[1:]], CLASSES)
    assert other.save(tmp_path / "c").fingerprint() != held.save(tmp_path / "d").fingerprint()
    assert other.fingerprint() != held.fingerprint()


def test_a_set_in_memory_and_on_disk_have_one_fingerprint(clips, tmp_path):
    held = ClipSet.from_clips(clips, CLASSES)
    assert held.save(tmp_path / "set").fingerprint() == held.fingerprint()


def test_clips_of_two_layouts_are_refused(clips):
    with pytest.raises(DataError, match="got kinect20 with 3 channels, expected ntu25 with 3 channels, as in clip 5"):
        ClipSet.from_clips([clips[0], people.clip(layout="kinect20")], CLASSES)


def test_nothing_to_pack_is_an_error_that_names_the_first_fault(tmp_path):
    with pytest.raises(DataError, match=r"got 0, expected at least 1 clip; first of 1 faults: x: broken"):
        pack([], tmp_path / "set", classes=CLASSES, faults=[Fault("x", "broken")])


def test_a_stream_that_breaks_leaves_no_half_written_set(clips, tmp_path):
    def stream():
        yield clips[0]
        raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="the power went"):
        pack(stream(), tmp_path / "set", classes=CLASSES)
    assert list(tmp_path.iterdir()) == []


def about(**changes):
    """Damage that changes what clipset.json says."""

    def damage(folder):
        file = folder / "clipset.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

    return damage


def table(old, new):
    """Damage that changes a word of clips.csv."""

    def damage(folder):
        file = folder / "clips.csv"
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new, 1), encoding="utf-8")

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "clipset.json").unlink(), "not a native clip set: expected a folder that holds"),
        (lambda folder: (folder / "clipset.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "xyz.npy").write_bytes((folder / "xyz.npy").read_bytes()[:-4]), "as long as its"),
        (lambda folder: np.save(folder / "valid.npy", np.ones(3, bool)), r"valid \(3,\), expected 34 rows of 25"),
        (lambda folder: (folder / "clips.csv").unlink(), "cannot be read"),
        (about(layout="kinect20"), "expected 34 rows of 20 joints"),
        (about(layout=["ntu25"]), "cannot be read"),
        (about(classes="abcd"), "classes: not text"),
        (about(fps=float("nan")), "fps: nan"),
        (about(fps=True), "fps: True"),
        (about(format=2), "format 2; this version knows 1"),
        (about(units=None), "units, source, protocol: not text"),
        (about(faults=[{"file": 3, "reason": "x"}]), "faults: not text"),
        (lambda folder: (folder / "clipset.json").write_text("[" * 100_000), "cannot be read"),
        (lambda folder: (folder / "clipset.json").write_text("[]"), "holds no object"),
        (lambda folder: np.save(folder / "xyz.npy", np.ones((34, 25, 3))), "xyz.npy holds float64, not float32"),
        (lambda folder: np.save(folder / "valid.npy", np.ones(34)), "valid.npy holds float64, not bool"),
        (
            lambda folder: np.save(folder / "valid.npy", np.full(34, 3, np.uint8).view(bool)),
            "valid.npy holds bytes that are neither true nor false",
        ),
        (table(",5,1,", ",-5,-1,"), "has no name, frames or bodies"),
        (table(",5,1,", ",99999999999999999999,1,"), "expected 99999999999999999999 rows"),
        (table(",5,1,", ",5,"), "cannot be read"),
        (table(",3,3,2,1,5,1,", ",3,3333333333333333333,2,1,5,1,"), "subject of 19 digits"),
        (table(",3,3,2,1,5,1,", ",5,3,2,1,5,1,"), "has class 5 of 5 classes, counted from 0"),
        (table("clip 5", "x" * 200_000), r"cannot be read \(a line of 16384 or more"),
    ],
)
def test_a_damaged_folder_is_refused_by_name(clips, tmp_path, damage, message):
    ClipSet.from_clips(clips, CLASSES).save(tmp_path / "set")
    damage(tmp_path / "set")
    with pytest.raises(DataError, match=message) as caught:
        ClipSet.open(tmp_path / "set")
    assert str(tmp_path / "set") in str(caught.value)


@pytest.mark.parametrize("fps", [1e-3, MAX_FPS])
def test_every_rate_that_a_reader_takes_can_be_stored(clips, tmp_path, fps):
    pack((clip.replace(fps=fps) for clip in clips), tmp_path / "set", classes=CLASSES)
    assert ClipSet.open(tmp_path / "set").fps == fps
