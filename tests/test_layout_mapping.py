"""One layout read as another: hand-made poses whose every joint of the target is known beforehand."""

from dataclasses import replace

import numpy as np
import pytest

from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import LAYOUTS, Layout
from stgcn_lens.skeleton.mapping import mapping

# Someone who faces a Kinect: x to their right, y up, z away from the sensor; in metres.
POSE = {
    "hip_centre": (0.0, 0.0, 3.0),
    "spine": (0.0, 0.1, 3.0),
    "shoulder_centre": (0.0, 0.5, 3.02),
    "head": (0.0, 0.7, 2.96),
    "left_shoulder": (-0.2, 0.45, 3.0),
    "left_elbow": (-0.3, 0.2, 2.95),
    "left_wrist": (-0.32, 0.0, 2.8),
    "left_hand": (-0.33, -0.05, 2.75),
    "right_shoulder": (0.2, 0.45, 3.0),
    "right_elbow": (0.35, 0.5, 2.9),
    "right_wrist": (0.4, 0.75, 2.85),
    "right_hand": (0.41, 0.85, 2.8),
    "left_hip": (-0.1, -0.05, 3.0),
    "left_knee": (-0.11, -0.45, 3.0),
    "left_ankle": (-0.12, -0.85, 3.05),
    "left_foot": (-0.13, -0.9, 2.9),
    "right_hip": (0.1, -0.05, 3.0),
    "right_knee": (0.11, -0.45, 3.0),
    "right_ankle": (0.12, -0.85, 3.05),
    "right_foot": (0.13, -0.9, 2.9),
}


def posed(layout: Layout) -> np.ndarray:
    """(V, 3) of the pose, in the layout's order."""
    return np.array([POSE[joint] for joint in layout.joints])


def row(how, source: Layout, target: Layout, joint: str) -> dict[str, float]:
    """Source joint -> weight for one joint of the target."""
    weights = how.matrix[target.index(joint)]
    return {source.joints[i]: float(weights[i]) for i in np.flatnonzero(weights)}


def told(how, joint: str) -> str:
    return " ".join(note for note in how.notes if note.startswith(f"{joint}:") or note.startswith(f"{joint} is"))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_read_as_itself_is_itself_and_nothing_is_told(name):
    how = mapping(LAYOUTS[name], LAYOUTS[name])
    np.testing.assert_array_equal(how.matrix, np.eye(LAYOUTS[name].V))
    np.testing.assert_array_equal(how.axes, np.eye(LAYOUTS[name].dims))
    assert how.notes == ()


def test_bone_sets_of_the_same_joints_map_as_they_are():
    how = mapping(LAYOUTS["ntu25"], LAYOUTS["ntu25-hand"])
    np.testing.assert_array_equal(how.matrix, np.eye(25))
    assert how.notes == ()


def test_a_kinect_1_body_becomes_the_kinect_2_body_that_is_written_by_hand():
    how = mapping(LAYOUTS["kinect20"], LAYOUTS["ntu25"])
    p = POSE
    expected = [
        *(p["hip_centre"], p["spine"], (0.0, 0.6, 2.99), p["head"]),  # neck: between (0, .5, 3.02) and (0, .7, 2.96)
        *(p["left_shoulder"], p["left_elbow"], p["left_wrist"], p["left_hand"]),
        *(p["right_shoulder"], p["right_elbow"], p["right_wrist"], p["right_hand"]),
        *(p["left_hip"], p["left_knee"], p["left_ankle"], p["left_foot"]),
        *(p["right_hip"], p["right_knee"], p["right_ankle"], p["right_foot"]),
        p["shoulder_centre"],
        *(p["left_hand"], p["left_hand"], p["right_hand"], p["right_hand"]),
    ]
    np.testing.assert_allclose(how.matrix @ posed(LAYOUTS["kinect20"]), expected, atol=1e-12)
    np.testing.assert_array_equal(how.axes, np.eye(3))
    assert how.notes == (
        "spine_base is hip_centre",
        "spine_mid is spine",
        "neck: mean of shoulder_centre and head",
        "spine_shoulder is shoulder_centre",
        "left_hand_tip: left_hand stands in",
        "left_thumb: left_hand stands in",
        "right_hand_tip: right_hand stands in",
        "right_thumb: right_hand stands in",
    )


def test_there_and_back_again_is_the_kinect_1_body():
    there = mapping(LAYOUTS["kinect20"], LAYOUTS["ntu25"])
    back = mapping(LAYOUTS["ntu25"], LAYOUTS["kinect20"])
    np.testing.assert_array_equal(back.matrix @ there.matrix, np.eye(20))
    assert back.notes[-1] == "left out: neck, left_hand_tip, left_thumb, right_hand_tip, right_thumb"


@pytest.mark.parametrize(
    ("source", "target", "joint", "weights"),
    [
        ("coco17", "openpose18", "neck", {"left_shoulder": 0.5, "right_shoulder": 0.5}),
        ("coco17", "body25", "hip_centre", {"left_hip": 0.5, "right_hip": 0.5}),
        ("coco17", "body25", "left_heel", {"left_ankle": 1}),
        ("coco17", "halpe26", "head", {"left_ear": 0.5, "right_ear": 0.5}),
        ("openpose18", "body25", "neck", {"neck": 1}),
        ("halpe26", "openpose18", "neck", {"neck": 1}),
        # Kinect 2 has a neck above the place that pose estimators call so.
        ("ntu25", "openpose18", "neck", {"spine_shoulder": 1}),
        ("kinect20", "body25", "neck", {"shoulder_centre": 1}),
        ("ntu25", "body25", "hip_centre", {"spine_base": 1}),
        ("ntu25", "coco17", "left_ear", {"head": 1}),
        ("mediapipe33", "body25", "left_big_toe", {"left_foot_index": 1}),
        ("mediapipe33", "kinect20", "right_hand", {"right_index": 0.5, "right_pinky": 0.5}),
        ("mediapipe33", "ntu25", "left_thumb", {"left_thumb": 1}),
        (
            "mediapipe33",
            "ntu25",
            "spine_mid",
            {"left_shoulder": 0.25, "right_shoulder": 0.25, "left_hip": 0.25, "right_hip": 0.25},
        ),
        ("ntu25", "mediapipe33", "right_index", {"right_hand_tip": 1}),
    ],
)
def test_joints_are_made_of_those_of_their_place(source, target, joint, weights):
    how = mapping(LAYOUTS[source], LAYOUTS[target])
    assert row(how, LAYOUTS[source], LAYOUTS[target], joint) == weights
    same = weights == {joint: 1} and source != target
    assert bool(told(how, joint)) != same


@pytest.mark.parametrize("source", LAYOUTS)
@pytest.mark.parametrize("target", LAYOUTS)
def test_every_row_is_a_mean_and_a_mirror_image_maps_to_the_mirror_image(source, target):
    source, target = LAYOUTS[source], LAYOUTS[target]
    try:
        how = mapping(source, target)
    except DataError:
        assert target.dims > source.dims or "hand21" in (source.name, target.name)
        return
    np.testing.assert_allclose(how.matrix.sum(axis=1), 1, rtol=1e-12)
    assert (how.matrix >= 0).all()
    mirrored = how.matrix[list(target.mirror)][:, list(source.mirror)]
    np.testing.assert_array_equal(mirrored, how.matrix)


@pytest.mark.parametrize("up", ["+x", "-x", "+y", "-y", "+z", "-z"])
@pytest.mark.parametrize("wanted", ["+x", "-x", "+y", "-y", "+z", "-z"])
def test_up_becomes_up_by_a_turn_that_mirrors_nothing(up, wanted):
    source, target = replace(LAYOUTS["kinect20"], up=up), replace(LAYOUTS["ntu25"], up=wanted)
    axes = mapping(source, target).axes
    arrow = {"x": np.eye(3)[0], "y": np.eye(3)[1], "z": np.eye(3)[2], "+": 1, "-": -1}
    np.testing.assert_array_equal(axes @ (arrow[up[0]] * arrow[up[1]]), arrow[wanted[0]] * arrow[wanted[1]])
    np.testing.assert_array_equal(axes @ axes.T, np.eye(3))
    assert np.linalg.det(axes) == pytest.approx(1)
    assert any("coordinates" in note for note in mapping(source, target).notes) == (up != wanted)


def test_a_body_before_a_kinect_is_put_into_the_picture_that_a_camera_takes_of_it():
    how = mapping(LAYOUTS["kinect20"], LAYOUTS["coco17"])
    picture = how.matrix @ posed(LAYOUTS["kinect20"]) @ how.axes.T
    assert picture.shape == (17, 2)
    at = dict(zip(LAYOUTS["coco17"].joints, picture.tolist(), strict=True))
    assert at["nose"][1] < at["left_hip"][1] < at["left_ankle"][1]  # rows grow downward
    assert at["right_wrist"][0] < at["left_wrist"][0]  # who faces the camera has the right hand on its left
    assert at["right_wrist"] == [-0.4, -0.75]
    assert how.notes[-2:] == (
        "coordinates are turned so that +y of 'kinect20' becomes -y",
        "depth (z) is dropped, the score of every joint is 1",
    )


def test_a_scene_with_z_up_is_seen_along_y():
    source = replace(LAYOUTS["kinect20"], up="+z")
    how = mapping(source, LAYOUTS["openpose18"])
    np.testing.assert_array_equal(how.axes, [[1, 0, 0], [0, 0, -1]])
    assert how.notes[-1].startswith("depth (y) is dropped")


def test_depth_is_never_made_up():
    with pytest.raises(DataError, match=r"'coco17' cannot become 'ntu25': got 2-D joints.*depth is not known"):
        mapping(LAYOUTS["coco17"], LAYOUTS["ntu25"])


def test_joints_without_a_place_in_the_source_are_all_listed():
    legs = ("hip_centre", "left_knee", "left_ankle", "right_knee", "right_ankle")
    bones = ((1, 0), (2, 1), (3, 0), (4, 3))
    half = Layout("half", legs, bones, 0, (0, 1), (1, 3), (), {"all": (0, 1, 2, 3, 4)})
    with pytest.raises(
        DataError, match=r"no joint for spine, shoulder_centre, head, left_shoulder.*right_hip, exp"
    ) as e:
        mapping(half, LAYOUTS["kinect20"])
    assert not {"left_knee", "left_foot", "hip_centre"} & set(str(e.value.got).replace(",", " ").split())


def test_a_neck_between_shoulders_and_head_stays_one_where_the_layout_has_both():
    both = replace(LAYOUTS["ntu25"], name="other", joints=tuple(LAYOUTS["ntu25"].joints[::-1]))
    assert row(mapping(both, LAYOUTS["ntu25"]), both, LAYOUTS["ntu25"], "neck") == {"neck": 1}
    only = LAYOUTS["openpose18"]
    flat = replace(LAYOUTS["ntu25"], dims=2, up="-y", name="flat")
    how = mapping(only, flat)
    assert row(how, only, flat, "spine_shoulder") == {"neck": 1}
    assert row(how, only, flat, "neck") == {"neck": 0.5, "left_ear": 0.25, "right_ear": 0.25}
    assert "neck: 0.5 neck + 0.25 left_ear + 0.25 right_ear" in how.notes
