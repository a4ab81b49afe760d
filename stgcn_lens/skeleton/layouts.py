"""The layouts that come with the package, one literal each.

Joints are counted from 0. A bone is ``(child, parent)``. Two layouts may share their joints and differ in
their bones (`ntu25` and `ntu25-hand`): weights trained on one do not fit the other, so each has its own name,
which is stored in checkpoints and checked when they are loaded.
"""

from stgcn_lens.skeleton.layout import Layout, mirrored


def _one_based(text: str) -> tuple[tuple[int, int], ...]:
    """Bones written "child-parent" with joints counted from 1, as the data sets print them."""
    return tuple((int(a) - 1, int(b) - 1) for a, b in (bone.split("-") for bone in text.split()))


def _zero_based(text: str) -> tuple[tuple[int, int], ...]:
    """Bones written "child-parent" with joints counted from 0, as pose estimators print them."""
    return tuple((int(a), int(b)) for a, b in (bone.split("-") for bone in text.split()))


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
        pairs=mirrored(_NTU_JOINTS),
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
_BODY25_JOINTS = (
    *("nose", "neck"),
    *("right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist"),
    "hip_centre",
    *("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
    *("right_eye", "left_eye", "right_ear", "left_ear"),
    *("left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel"),
)
_HALPE_JOINTS = (
    *_COCO_JOINTS,
    *("head", "neck", "hip_centre"),
    *("left_big_toe", "right_big_toe", "left_small_toe", "right_small_toe", "left_heel", "right_heel"),
)
_MEDIAPIPE_JOINTS = (
    "nose",
    *_sided("eye_inner", "eye", "eye_outer"),
    *("left_ear", "right_ear", "left_mouth", "right_mouth"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    *("left_pinky", "right_pinky", "left_index", "right_index", "left_thumb", "right_thumb"),
    *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
    *("left_heel", "right_heel", "left_foot_index", "right_foot_index"),
)
# cmc, mcp, pip, ip, dip: the joints of a finger from its root to its tip; mcp is the knuckle.
_HAND_JOINTS = (
    *("wrist", "thumb_cmc", "thumb_mcp", "thumb_ip", "thumb_tip"),
    *(f"{finger}_{at}" for finger in ("index", "middle", "ring", "pinky") for at in ("mcp", "pip", "dip", "tip")),
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
            pairs=mirrored(_KINECT_JOINTS),
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
            pairs=mirrored(_OPENPOSE_JOINTS),
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
            pairs=mirrored(_COCO_JOINTS),
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
        Layout(
            name="body25",
            joints=_BODY25_JOINTS,
            bones=_zero_based(
                "0-1 2-1 3-2 4-3 5-1 6-5 7-6 8-1 9-8 10-9 11-10 12-8 13-12 14-13 15-0 16-0 17-15 18-16 "
                "19-14 20-19 21-14 22-11 23-22 24-11"
            ),
            centre=1,
            spine=(8, 1),
            shoulders=(5, 2),
            pairs=mirrored(_BODY25_JOINTS),
            parts={
                "trunk": (1, 8),
                "head": (0, 15, 16, 17, 18),
                "left_arm": (5, 6, 7),
                "right_arm": (2, 3, 4),
                "left_leg": (12, 13, 14, 19, 20, 21),
                "right_leg": (9, 10, 11, 22, 23, 24),
            },
            dims=2,
            up="-y",
        ),
        # AlphaPose's list leaves the face (0 to 4) alone: bridged by nose and neck.
        Layout(
            name="halpe26",
            joints=_HALPE_JOINTS,
            bones=_zero_based(
                "0-18 1-0 2-0 3-1 4-2 5-18 6-18 7-5 8-6 9-7 10-8 17-18 19-18 11-19 12-19 13-11 14-12 15-13 16-14 "
                "24-15 25-16 20-24 21-25 22-24 23-25"
            ),
            centre=18,
            spine=(19, 18),
            shoulders=(5, 6),
            pairs=mirrored(_HALPE_JOINTS),
            parts={
                "trunk": (18, 19),
                "head": (0, 1, 2, 3, 4, 17),
                "left_arm": (5, 7, 9),
                "right_arm": (6, 8, 10),
                "left_leg": (11, 13, 15, 20, 22, 24),
                "right_leg": (12, 14, 16, 21, 23, 25),
            },
            dims=2,
            up="-y",
        ),
        # Google's list has rings in trunk, hands and feet and leaves eyes and mouth alone. Cut: 11-12, 23-24, 17-19,
        # 18-20, 29-31, 30-32, 9-10; bridged: mouth and shoulders hang on the nose, the only joint in the middle.
        Layout(
            name="mediapipe33",
            joints=_MEDIAPIPE_JOINTS,
            bones=_zero_based(
                "1-0 2-1 3-2 4-0 5-4 6-5 7-3 8-6 9-0 10-0 11-0 12-0 13-11 14-12 15-13 16-14 17-15 18-16 19-15 20-16 "
                "21-15 22-16 23-11 24-12 25-23 26-24 27-25 28-26 29-27 30-28 31-27 32-28"
            ),
            centre=0,
            spine=(23, 11),  # the left side of the trunk, which is nearly parallel to the spine
            shoulders=(11, 12),
            pairs=mirrored(_MEDIAPIPE_JOINTS),
            parts={
                "head": tuple(range(11)),
                "left_arm": (11, 13, 15, 17, 19, 21),
                "right_arm": (12, 14, 16, 18, 20, 22),
                "left_leg": (23, 25, 27, 29, 31),
                "right_leg": (24, 26, 28, 30, 32),
            },
            up="-y",
        ),
        # One hand, left or right. Google's list has a ring 0-5-9-13-17-0 round the palm: cut at the knuckles, and every
        # finger hangs on the wrist, as OpenPose draws it.
        Layout(
            name="hand21",
            joints=_HAND_JOINTS,
            bones=_zero_based(
                "1-0 2-1 3-2 4-3 5-0 6-5 7-6 8-7 9-0 10-9 11-10 12-11 13-0 14-13 15-14 16-15 17-0 18-17 19-18 20-19"
            ),
            centre=0,
            spine=(0, 9),
            shoulders=(5, 17),
            pairs=(),
            parts={
                "wrist": (0,),
                "thumb": (1, 2, 3, 4),
                "index": (5, 6, 7, 8),
                "middle": (9, 10, 11, 12),
                "ring": (13, 14, 15, 16),
                "pinky": (17, 18, 19, 20),
            },
            up="-y",
        ),
    )
}
