"""The layouts that come with the package, one literal each.

Joints are counted from 0. A bone is ``(child, parent)``. Two layouts may share their joints and differ in
their bones (`ntu25` and `ntu25-hand`): weights trained on one do not fit the other, so each has its own name,
which is stored in checkpoints and checked when they are loaded.
"""

from collections.abc import Sequence

from stgcn_lens.skeleton.layout import Layout


def _pairs(joints: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Left and right joints, matched by name."""
    return tuple(
        (i, joints.index(name.replace("left_", "right_", 1)))
        for i, name in enumerate(joints)
        if name.startswith("left_")
    )


def _one_based(text: str) -> tuple[tuple[int, int], ...]:
    """Bones written "child-parent" with joints counted from 1, as the data sets print them."""
    return tuple((int(a) - 1, int(b) - 1) for a, b in (bone.split("-") for bone in text.split()))


def _sided(*names: str) -> tuple[str, ...]:
    """The given names for the left side, then for the right one."""
    return tuple(f"{side}_{name}" for side in ("left", "right") for name in names)


_NTU_JOINTS = (
    *("spine_base", "spine_mid", "neck", "head"),
    *_sided("shoulder", "elbow", "wrist", "hand"),
    *_sided("hip", "knee", "ankle", "foot"),
    "spine_shoulder",
    *_sided("hand_tip", "thumb"),
)
_NTU_BONES = "1-2 2-21 3-21 4-3 5-21 6-5 7-6 8-7 9-21 10-9 11-10 12-11 13-1 14-13 15-14 16-15 17-1 18-17 19-18 20-19"
_NTU_PARTS = {
    "trunk": (0, 1, 20),
    "head": (2, 3),
    "left_arm": (4, 5, 6, 7, 21, 22),
    "right_arm": (8, 9, 10, 11, 23, 24),
    "left_leg": (12, 13, 14, 15),
    "right_leg": (16, 17, 18, 19),
}


def _ntu(name: str, hands: str) -> Layout:
    return Layout(
        name=name,
        joints=_NTU_JOINTS,
        bones=_one_based(f"{_NTU_BONES} {hands}"),
        centre=20,
        spine=(0, 20),
        shoulders=(4, 8),
        pairs=_pairs(_NTU_JOINTS),
        parts=_NTU_PARTS,
    )


# Kinect SDK 1 order; data sets store these joints in orders of their own, which their readers undo by name.
_KINECT_JOINTS = (
    *("hip_centre", "spine", "shoulder_centre", "head"),
    *("left_shoulder", "left_elbow", "left_wrist", "left_hand"),
    *("right_shoulder", "right_elbow", "right_wrist", "right_hand"),
    *("left_hip", "left_knee", "left_ankle", "left_foot"),
    *("right_hip", "right_knee", "right_ankle", "right_foot"),
)
_OPENPOSE_JOINTS = (
    *("nose", "neck"),
    *("right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist"),
    *("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
    *("right_eye", "left_eye", "right_ear", "left_ear"),
)
_COCO_JOINTS = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
)

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        # Hand tips hang on the thumbs: the bone set of the released ST-GCN.
        _ntu("ntu25", "22-23 23-8 24-25 25-12"),
        # Hand tips and thumbs hang on the hands: the bone set of pyskl and mmaction2.
        _ntu("ntu25-hand", "22-8 23-8 24-12 25-12"),
        Layout(
            name="kinect20",
            joints=_KINECT_JOINTS,
            bones=_one_based(
                "1-2 2-3 4-3 5-3 6-5 7-6 8-7 9-3 10-9 11-10 12-11 13-1 14-13 15-14 16-15 17-1 18-17 19-18 20-19"
            ),
            centre=2,
            spine=(0, 2),
            shoulders=(4, 8),
            pairs=_pairs(_KINECT_JOINTS),
            parts={
                "trunk": (0, 1, 2),
                "head": (3,),
                "left_arm": (4, 5, 6, 7),
                "right_arm": (8, 9, 10, 11),
                "left_leg": (12, 13, 14, 15),
                "right_leg": (16, 17, 18, 19),
            },
        ),
        Layout(
            name="openpose18",
            joints=_OPENPOSE_JOINTS,
            bones=(
                *((0, 1), (2, 1), (3, 2), (4, 3), (5, 1), (6, 5), (7, 6), (8, 2), (9, 8), (10, 9)),
                *((11, 5), (12, 11), (13, 12), (14, 0), (15, 0), (16, 14), (17, 15)),
            ),
            centre=1,
            spine=(8, 1),
            shoulders=(5, 2),
            pairs=_pairs(_OPENPOSE_JOINTS),
            parts={
                "head": (0, 1, 14, 15, 16, 17),
                "left_arm": (5, 6, 7),
                "right_arm": (2, 3, 4),
                "left_leg": (11, 12, 13),
                "right_leg": (8, 9, 10),
            },
            dims=2,
            up="-y",
        ),
        Layout(
            name="coco17",
            joints=_COCO_JOINTS,
            bones=(
                *((1, 0), (2, 0), (3, 1), (4, 2), (5, 0), (6, 0), (7, 5), (8, 6), (9, 7), (10, 8)),
                *((11, 5), (12, 6), (13, 11), (14, 12), (15, 13), (16, 14)),
            ),
            centre=0,
            spine=(11, 0),
            shoulders=(5, 6),
            pairs=_pairs(_COCO_JOINTS),
            parts={
                "head": (0, 1, 2, 3, 4),
                "left_arm": (5, 7, 9),
                "right_arm": (6, 8, 10),
                "left_leg": (11, 13, 15),
                "right_leg": (12, 14, 16),
            },
            dims=2,
            up="-y",
        ),
    )
}
