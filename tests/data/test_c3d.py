"""C3D: read as ezc3d reads it, whatever machine wrote it; markers become joints; damaged files are refused."""

import random

import ezc3d
import numpy as np
import pytest

from stgcn_lens.data import read
from stgcn_lens.data.parsing.c3d_header import read_about
from stgcn_lens.data.readers import c3d
from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import find_layout, get_layout
from tests.data.makers import c3d as maker
from tests.data.makers.c3d import DEC, INTEL, MARKERS, SGI, make, markers

TWO = """joints = ["pelvis", "chest", "arm"]
bones = ["chest-pelvis", "arm-chest"]
centre = "pelvis"
spine = ["pelvis", "chest"]
shoulders = ["chest", "arm"]
up = "+z"
[markers]
pelvis = ["hip a", "hip b"]
chest = "C"
"""


def parse(tmp_path, raw, layout=None, told=None):
    file = tmp_path / "a.c3d"
    file.write_bytes(raw)
    return c3d.parse(file, "a", [].append if told is None else told.append, layout)


def raw_points(tmp_path, raw):
    """(T, K, 3) as ours reads them in the file's units and axes, NaN where not seen."""
    file = tmp_path / "raw.c3d"
    file.write_bytes(raw)
    with file.open("rb") as stream:
        about = read_about(stream, len(raw), "raw")
        stream.seek(about.start)
        points, seen = c3d._points(stream.read(about.frames * about.stride), about, list(range(about.points)))
    return np.where(seen[..., None], points, np.nan)


@pytest.fixture
def two(tmp_path):
    (tmp_path / "two.toml").write_text(TWO)
    return find_layout(str(tmp_path / "two.toml")).name


def joint(clip, name, body=0):
    return clip.xyz[:, :, clip.skeleton.index(name), body].T


def test_plug_in_gait_markers_become_kinect20_in_metres_with_y_up(tmp_path):
    points = markers(5)
    at = {name: points[:, i].astype(float) for i, name in enumerate(MARKERS)}
    clip = parse(tmp_path, maker.c3d(points, rate=120))
    upright = lambda *names: np.mean([at[name] for name in names], axis=0)[:, [0, 2, 1]] * [0.001, 0.001, -0.001]  # noqa: E731
    expected = {
        "left_elbow": upright("LELB"),
        "right_wrist": upright("RWRA", "RWRB"),
        "shoulder_centre": upright("C7", "CLAV"),
        "spine": upright("T10", "STRN"),
        "head": upright("LFHD", "RFHD", "LBHD", "RBHD"),
        "hip_centre": upright("LASI", "RASI", "LPSI", "RPSI"),
        "left_hip": upright("LASI", "LPSI"),
        "right_foot": upright("RTOE"),
    }
    assert (clip.layout, clip.fps, clip.units) == ("kinect20", 120.0, "metres")
    assert clip.valid.all()
    assert clip.valid.shape == (5, 1)
    for name, place in expected.items():
        np.testing.assert_allclose(joint(clip, name), place, rtol=1e-6, atol=1e-7)
    assert (joint(clip, "head")[:, 1] > joint(clip, "left_foot")[:, 1] + 1).all()


def test_a_file_that_ezc3d_wrote_is_read_as_ezc3d_reads_it(tmp_path):
    rng = np.random.default_rng(0)
    points = np.ones((4, len(MARKERS), 20))
    points[:3] = rng.normal(scale=1000, size=(3, len(MARKERS), 20))
    points[:3, 3, 5:8] = np.nan
    other = ezc3d.c3d()
    other["parameters"]["POINT"]["RATE"]["value"] = [100]
    other["parameters"]["POINT"]["LABELS"]["value"] = list(MARKERS)
    other["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    other["parameters"]["ANALOG"]["RATE"]["value"] = [200]
    other["parameters"]["ANALOG"]["LABELS"]["value"] = ["force"]
    other["data"]["points"] = points
    other["data"]["analogs"] = rng.normal(size=(1, 1, 40))
    other.write(str(tmp_path / "other.c3d"))
    raw = (tmp_path / "other.c3d").read_bytes()
    theirs = ezc3d.c3d(str(tmp_path / "other.c3d"))["data"]["points"][:3].transpose(2, 1, 0)
    np.testing.assert_array_equal(raw_points(tmp_path, raw), theirs)
    assert np.isnan(theirs[5:8, 3]).all()
    assert read(tmp_path / "other.c3d")[0].fps == 100


@pytest.mark.parametrize("processor", [INTEL, DEC, SGI])
@pytest.mark.parametrize("scale", [-1.0, 0.1])
@pytest.mark.parametrize("analog", [0, 3])
def test_every_way_of_storing_numbers_gives_the_places_that_were_stored(tmp_path, processor, scale, analog):
    points, seen = markers(6), np.ones((6, len(MARKERS)), bool)
    seen[2:4, 5] = False
    raw = maker.c3d(points, processor=processor, scale=scale, seen=seen, analog=analog)
    stored = np.where(seen[..., None], points if scale < 0 else np.round(points / scale) * np.float32(scale), np.nan)
    np.testing.assert_allclose(raw_points(tmp_path, raw), stored, rtol=1e-6, atol=1e-3)
    if processor == INTEL and not analog:
        theirs = ezc3d.c3d(str(tmp_path / "raw.c3d"))["data"]["points"][:3].transpose(2, 1, 0)
        np.testing.assert_allclose(raw_points(tmp_path, raw), theirs, rtol=1e-6)


def test_a_joint_is_the_mean_of_the_markers_that_were_seen(tmp_path):
    points, seen = markers(6), np.ones((6, len(MARKERS)), bool)
    seen[1, MARKERS.index("LWRA")] = False
    seen[2, [MARKERS.index("LWRA"), MARKERS.index("LWRB")]] = False
    seen[4] = False
    points[3, MARKERS.index("LTOE")] = np.nan
    clip = parse(tmp_path, maker.c3d(points, seen=seen))
    wrist = points[1, MARKERS.index("LWRB"), [0, 2, 1]] * [0.001, 0.001, -0.001]
    np.testing.assert_allclose(joint(clip, "left_wrist")[1], wrist, rtol=1e-6)
    assert np.isnan(joint(clip, "left_wrist")[2]).all()
    assert np.isnan(joint(clip, "left_foot")[3]).all()
    assert clip.valid[:, 0].tolist() == [True, True, True, True, False, True]
    assert not clip.xyz[:, 4].any()
    assert np.isnan(clip.xyz).sum() == 6
    clips = read(tmp_path / "a.c3d")
    np.testing.assert_allclose(
        joint(clips[0], "left_wrist")[2], joint(clip, "left_wrist")[[1, 3]].mean(axis=0), rtol=1e-5
    )


def test_frames_without_a_marker_are_cut_off_the_end_and_told(tmp_path):
    told, seen = [], np.ones((6, len(MARKERS)), bool)
    seen[4:] = False
    assert parse(tmp_path, maker.c3d(markers(6), seen=seen), told=told).frames == 4
    assert [(fault.dropped, fault.frames) for fault in told] == [("frames", 2)]
    (tmp_path / "a.c3d").write_bytes(maker.c3d(markers(6), seen=seen & False))
    with pytest.raises(DataError, match="no body in any frame"):
        read(tmp_path / "a.c3d")


def test_subjects_that_a_prefix_tells_apart_are_bodies(tmp_path):
    both = np.concatenate([markers(4, seed=1), markers(4, seed=2) + 500, markers(4, seed=3)[:, :1]], axis=1)
    labels = [*(f"Anna:{name}" for name in MARKERS), *(f"ben:{name.lower()}" for name in MARKERS), "*29"]
    clip = parse(tmp_path, maker.c3d(both, labels))
    assert clip.bodies == 2
    for body, points in enumerate((both[:, : len(MARKERS)], both[:, len(MARKERS) : -1])):
        one = parse(tmp_path, maker.c3d(points))
        np.testing.assert_array_equal(clip.xyz[..., body], one.xyz[..., 0])


def test_markers_of_the_cmu_and_hdm05_pelvis_are_known(tmp_path):
    other = {"LASI": "LFWT", "RASI": "RFWT", "LPSI": "LBWT", "RPSI": "RBWT"}
    clip = parse(tmp_path, maker.c3d(markers(4), [other.get(name, name) for name in MARKERS]))
    np.testing.assert_array_equal(clip.xyz, parse(tmp_path, maker.c3d(markers(4))).xyz)


def test_markers_named_like_the_joints_of_a_layout_are_that_layout(tmp_path):
    names = [name.replace("_", " ").title() for name in get_layout("ntu25").joints]
    points = np.random.default_rng(0).normal(scale=500, size=(3, 25, 3)).astype(np.float32)
    order = np.random.default_rng(1).permutation(25)
    raw = maker.c3d(points[:, order], [names[i] for i in order], up="+Y", units="cm")
    clip = parse(tmp_path, raw)
    assert clip.layout == "ntu25"
    np.testing.assert_allclose(clip.xyz[..., 0].transpose(1, 2, 0), points / 100, rtol=1e-6)
    assert parse(tmp_path, raw, "ntu25-hand").layout == "ntu25-hand"


def test_a_layout_of_ones_own_says_its_markers_and_its_upward_axis(tmp_path, two):
    points = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    clip = parse(tmp_path, maker.c3d(points, ("Hip A", "ARM", "hip b", "c"), units="m"), two)
    expected = np.stack([points[:, [0, 2]].mean(axis=1), points[:, 3], points[:, 1]], axis=1)
    np.testing.assert_array_equal(clip.xyz[..., 0].transpose(1, 2, 0), expected)
    with pytest.raises(DataError, match=r"joints of layout 'two@.*' have no marker in the file: got nothing for arm;"):
        parse(tmp_path, maker.c3d(points, ("Hip A", "leg", "hip b", "c")), two)
    with pytest.raises(DataError, match="layout 'coco17' is flat"):
        parse(tmp_path, maker.c3d(points, ("Hip A", "leg", "hip b", "c")), "coco17")


@pytest.mark.parametrize(
    ("said", "up", "expected"),
    [
        ("+Z", "+y", [1, 3, -2]),
        ("-Z", "+y", [1, 3, -2]),  # Qualisys says so of recordings whose z points to the sky
        ("+Y", "+y", [1, 2, 3]),
        ("+X", "+y", [-2, 1, 3]),
        ("+Z", "+z", [1, 2, 3]),
        ("+Y", "+z", [1, -3, 2]),
        ("+Y", "-y", [1, -2, -3]),
        ("+Z", "+x", [3, -1, -2]),
    ],
)
def test_the_upward_axis_of_the_file_is_turned_to_that_of_the_layout(tmp_path, said, up, expected):
    (tmp_path / "up.toml").write_text(TWO.replace('"+z"', f'"{up}"').partition("[markers]")[0])
    layout = find_layout(str(tmp_path / "up.toml")).name
    points = np.tile(np.float32([1, 2, 3]), (2, 3, 1))
    clip = parse(tmp_path, maker.c3d(points, ("pelvis", "chest", "arm"), units="m", up=said), layout)
    turned = joint(clip, "chest")[0].tolist()
    assert turned["xyz".index(up[1])] * (1 if up[0] == "+" else -1) == {"X": 1, "Y": 2, "Z": 3}[said[1]]
    assert np.linalg.det(c3d._turn("+" + said[1].lower(), up)) == pytest.approx(1)
    assert turned == expected


@pytest.mark.parametrize(
    ("units", "factor", "known"),
    [
        ("mm", 0.001, "metres"),
        ("cm", 0.01, "metres"),
        ("M", 1, "metres"),
        ("in", 0.0254, "metres"),
        (None, 1, "unknown"),
    ],
)
def test_units_become_metres_where_they_are_known(tmp_path, units, factor, known):
    points = markers(2)
    clip = parse(tmp_path, maker.c3d(points, units=units, up="+Y"))
    assert clip.units == known
    np.testing.assert_allclose(joint(clip, "left_knee"), points[:, MARKERS.index("LKNE")] * factor, rtol=1e-6)


@pytest.mark.parametrize(
    ("extra", "frames"),
    [
        ((), 65535),
        ((("FRAMES", 2, (), b"\xff\xff"), ("LONG_FRAMES", 4, (), np.float32(70_000).tobytes())), 70_000),
        ((("FRAMES", 2, (), b"\x09\x00"),), 9),  # the parameters hold, not the header
    ],
)
def test_long_recordings_say_their_length_in_a_parameter(tmp_path, extra, frames):
    file = tmp_path / "long.c3d"
    file.write_bytes(maker.c3d(markers(1), frames=65535, extra=extra))
    with file.open("rb") as stream:
        assert read_about(stream, file.stat().st_size, "long").frames == frames


def test_a_recording_cut_short_names_the_frame(tmp_path):
    raw = maker.c3d(markers(6))
    with pytest.raises(DataError, match="frame 5: cut mid-frame: got 5 whole frames, expected 6"):
        parse(tmp_path, raw[:-1])
    with pytest.raises(DataError, match="frame 6: cut mid-frame: got 6 whole frames, expected 60000"):
        parse(tmp_path, maker.c3d(markers(6), frames=60_000))


def test_markers_that_nobody_knows_are_listed_with_what_to_do(tmp_path):
    points = np.zeros((2, 3, 3), np.float32)
    with pytest.raises(DataError, match=r"3 markers: ball, net, left, expected the Plug-in Gait.*--layout FILE.toml"):
        parse(tmp_path, maker.c3d(points, ("ball", "net", "left")))


def patched(raw, at, data):
    return raw[:at] + data + raw[at + len(data) :]


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda raw: b"", "not a C3D file"),
        (lambda raw: raw[:300], "not a C3D file"),
        (lambda raw: patched(raw, 0, b"\x00"), "not a C3D file"),
        (lambda raw: patched(raw, 0, b"\xf0"), "without parameters: got the end of the file"),
        (lambda raw: patched(raw, 515, b"\x50"), "without parameters: got processor 80, expected 84"),
        (lambda raw: patched(raw, 516, b"\x7f"), "parameters that cannot be understood"),
        (lambda raw: patched(raw, raw.index(b"LABELS") + 6, b"\x01\x80"), "parameters that cannot be understood"),
        (lambda raw: patched(raw, raw.index(b"LABELS") + 9, b"\x07"), "parameters that cannot be understood"),
        (lambda raw: patched(raw, raw.index(b"USED") + 8, b"\x00\x00"), "number of points: got 0"),
        (
            lambda raw: patched(raw, raw.index(b"USED") + 8, b"\xff\xff"),
            "number of points: got 65535, expected 1 to 5000",
        ),
        (lambda raw: patched(raw, raw.index(b"SCALE") + 9, b"\x00\x00\x00\x00"), "a scale that is no number"),
        (lambda raw: patched(raw, raw.index(b"SCALE") + 9, b"\xff\xff\xff\xff"), "SCALE is not a finite number"),
        (lambda raw: patched(raw, raw.index(b"RATE") + 8, b"\x00\x00\x00\x00"), "no frame rate: got 0.0"),
        (lambda raw: patched(raw, raw.index(b"RATE") + 8, b"\x00\x00\x80\x7f"), "RATE is not a finite number"),
        (lambda raw: patched(raw, 16, b"\xff\xff"), "data that begin nowhere"),
        (lambda raw: patched(raw, 6, b"\x09\x00\x01\x00"), "no frames: got -7"),
        (lambda raw: patched(raw, 4, b"\xff\xff"), "cut mid-frame"),
    ],
)
def test_damage_is_refused_with_its_place(tmp_path, damage, expected):
    with pytest.raises(DataError, match=f"a.c3d.*{expected}"):
        parse(tmp_path, damage(maker.c3d(markers(6))))


def test_folders_are_classes_and_rubbish_is_listed(tmp_path):
    make(tmp_path / "set")
    (tmp_path / "set" / "sit" / "c.c3d").write_bytes(b"\x00\xffnot a skeleton" * 200)
    (tmp_path / "set" / "kick" / "a2.c3d").write_bytes(maker.c3d(markers(3)))
    clips = read(tmp_path / "set")
    assert clips.classes == ("kick", "sit")
    assert [(row.name, row.label) for row in clips.rows] == [
        *(("a", 0), ("kick/a2", 0), ("b", 0)),
        *(("sit/a2", 1), ("b2", 1)),
    ]
    assert [(fault.file, fault.dropped) for fault in clips.faults] == [("c.c3d", "clip")]
    (clip,) = read(tmp_path / "set" / "kick" / "a.c3d")
    np.testing.assert_array_equal(clip.xyz, clips[0].xyz)


def test_damaged_copies_raise_one_kind_of_error(tmp_path):
    rng, refused = random.Random(0), 0
    points = markers(4)
    wholes = [
        maker.c3d(points),
        maker.c3d(points, processor=SGI, scale=0.1),
        maker.c3d(points, processor=DEC, analog=2),
    ]
    for i in range(600):
        damaged = bytearray(wholes[i % 3])
        for _ in range(rng.choice((1, 3))):
            at = rng.randrange(rng.choice((30, 1100, len(damaged))))
            damaged[at : at + 2] = rng.choice(
                (b"\xff\xff", b"\0\0", b"\xff\x7f", b"\0\x80", bytes([rng.randrange(256)]))
            )
        if rng.random() < 0.2:
            del damaged[rng.randrange(len(damaged)) :]
        (tmp_path / "a.c3d").write_bytes(damaged)
        try:
            clip = c3d.parse(tmp_path / "a.c3d", "a", lambda fault: None)
            assert clip.xyz.shape == (3, clip.frames, 20, clip.bodies)
        except DataError:
            refused += 1
    assert refused > 200
