"""The list of joints beside a clip: their order, their numbers, and names that are only data."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from app import compute, joints, sources


@pytest.fixture
def seen(whole) -> compute.Explained:
    source = sources.open_source(str(whole), sources.stamp(whole))
    row = next(row for row in source.rows if row.class_name == "handshake")  # of two people
    return compute.explain(source, row, None)


def test_joints_are_listed_by_their_mean_over_the_frames_in_which_their_body_is_there(seen):
    layer = "block_4"
    found = joints.joints(seen, layer)
    map = seen.maps[layer] / seen.maps[layer].max()
    names = [name.replace("_", " ") for name in seen.clip.skeleton.joints]
    assert len(found) == 2 * len(names)
    assert [joint.mean for joint in found] == sorted((joint.mean for joint in found), reverse=True)
    for joint in found:
        own = map[:, names.index(joint.name), joint.body - 1]
        there = seen.clip.valid[:, joint.body - 1]
        assert joint.mean == pytest.approx(own[there].mean(), abs=1e-6)
        assert joint.peak == pytest.approx(own.max(), abs=1e-6)
        assert joint.at == pytest.approx(own.argmax() / seen.clip.fps)


def test_the_table_as_a_file_holds_every_joint(seen):
    found = joints.joints(seen, "block_4")
    lines = list(csv.DictReader(io.StringIO(joints.csv(found).decode())))
    assert [line["joint"] for line in lines] == [joint.name for joint in found]
    np.testing.assert_allclose([float(line["mean"]) for line in lines], [joint.mean for joint in found], rtol=1e-5)


def test_a_joint_called_like_markup_stays_a_name(open_app, whole, monkeypatch):
    evil = [joints.Joint("<script>alert(1)</script>", 1, 0.5, 1.0, 0.1)]
    monkeypatch.setattr(joints, "joints", lambda *_: evil)
    app = open_app(whole)
    shown = "".join(element.value for element in app.get("html"))
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
    said = joints.csv([replace(evil[0], name='a "b", c')]).decode()
    assert list(csv.reader(io.StringIO(said)))[1][0] == 'a "b", c'
