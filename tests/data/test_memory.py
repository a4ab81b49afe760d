"""A large sound file of each format is read in at most twice its size."""

import json

import numpy as np
import pytest

from stgcn_lens.data import READERS, ClipSet
from stgcn_lens.data.readers import ntu, recognise
from tests.data import people
from tests.data.makers import (
    MODULES,
    alphapose,
    bvh,
    c3d,
    csv,
    ctr_gcn,
    kinetics,
    mediapipe,
    msr_action3d,
    nw_ucla,
    openpose,
    pyskl,
    st_gcn,
    utd_mhad,
)
from tests.data.test_fuzz import ROOM, peak_of


def flat(layout, frames, bodies=1):
    """(T, M, V, C) of a made-up clip."""
    return people.clip(frames, bodies, layout=layout).xyz.transpose(1, 3, 2, 0)


def large_native(folder):
    ClipSet.from_clips([people.clip(8000)], list("abcd")).save(folder)


def large_ntu(folder):
    ntu.write(people.clip(1000, 2), folder)


def large_kinetics(folder):
    frames = [kinetics.entry(t, *bodies) for t, bodies in enumerate(flat("openpose18", 1500, 2))]
    (folder / "long.json").write_text(json.dumps({"data": frames, "label": "a", "label_index": 0}))


def large_openpose(folder):
    openpose.write(folder, "long", {t: openpose.frame(*bodies) for t, bodies in enumerate(flat("body25", 1500))})


def large_alphapose(folder):
    bodies = flat("coco17", 4000)[:, 0]
    (folder / "long.json").write_text(json.dumps([alphapose.entry(f"{t}.jpg", body) for t, body in enumerate(bodies)]))


def large_mediapipe(folder):
    bodies = flat("mediapipe33", 800)[:, 0]
    (folder / "long.json").write_text(json.dumps([mediapipe.landmarks(body) for body in bodies]))


def large_pyskl(folder):
    clips = [people.clip(100, 2, seed=i, name=f"video {i}") for i in range(100)]
    names = [clip.name for clip in clips]
    content = {"split": {"train": names}, "annotations": [pyskl.annotation(clip) for clip in clips]}
    pyskl.save(content, folder / "long.pkl")


def large_st_gcn(folder):
    rows = [st_gcn.row(people.clip(300, seed=i), 300) for i in range(20)]
    st_gcn.write(folder, "train", rows, [f"clip {i}" for i in range(20)], [0] * 20)


def large_ctr_gcn(folder):
    x = ctr_gcn.x([people.clip(300, seed=i) for i in range(20)], 300)
    np.savez(folder / "long.npz", x_train=x, y_train=np.eye(4)[[1] * 20])


def large_csv(folder):
    table = csv.table(people.clip(2500, layout="kinect20", name="long"), "jump")
    (folder / "long.csv").write_text(f"{csv.COLUMNS}\n{table}")


def large_nw_ucla(folder):
    nw_ucla.write(folder, "a01_s01_e00_v01", flat("kinect20", 2500)[:, 0].astype(float), 1)


LARGE = {
    "native": large_native,
    "ntu": large_ntu,
    "utd-mhad": lambda folder: utd_mhad.write(people.clip(6000, layout="kinect20"), folder, "a1_s1_t1_skeleton"),
    "msr-action3d": lambda folder: msr_action3d.write(people.clip(4000, layout="kinect20"), folder, "a01_s01_e01_long"),
    "st-gcn": large_st_gcn,
    "ctr-gcn": large_ctr_gcn,
    "kinetics": large_kinetics,
    "openpose": large_openpose,
    "alphapose": large_alphapose,
    "mediapipe": large_mediapipe,
    "nw-ucla": large_nw_ucla,
    "pyskl": large_pyskl,
    "c3d": lambda folder: (folder / "long.c3d").write_bytes(c3d.c3d(c3d.markers(6000))),
    "bvh": lambda folder: (folder / "long.bvh").write_text(bvh.hierarchy() + bvh.motion(bvh.values(5000))),
    "csv": large_csv,
}


@pytest.mark.parametrize("name", [reader.name for reader in READERS])
def test_a_large_sound_file_takes_at_most_twice_its_size(name, tmp_path):
    MODULES[name].make(tmp_path / "small")
    list(recognise(tmp_path / "small", format=name).clips(print))  # imports, which are no part of reading
    large = tmp_path / "large"
    large.mkdir()
    LARGE[name](large)
    size = sum(file.stat().st_size for file in large.rglob("*") if file.is_file())
    frames = []
    peak = peak_of(lambda: frames.extend(clip.frames for clip in recognise(large, format=name).clips(print)))
    assert size > 2e6
    assert sum(frames) >= 800
    assert peak <= 2 * size + ROOM
