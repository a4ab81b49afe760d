"""A body that stands upright and waves, for the tests of pictures."""

import numpy as np

from stgcn_lens.skeleton import LAYOUTS, Layout

NTU = LAYOUTS["ntu25"]

# metres, person facing the sensor: x to their right hand, y up, z away from the sensor
_POSE = {
    **{
        "spine_base": (0, 0.9),
        "spine_mid": (0, 1.15),
        "spine_shoulder": (0, 1.4),
        "neck": (0, 1.48),
        "head": (0, 1.65),
    },
    **{"shoulder": (0.18, 1.38), "elbow": (0.28, 1.12), "wrist": (0.3, 0.9), "hand": (0.3, 0.84)},
    **{"hand_tip": (0.3, 0.78), "thumb": (0.26, 0.84)},
    **{"hip": (0.1, 0.88), "knee": (0.11, 0.48), "ankle": (0.11, 0.08), "foot": (0.12, 0.02)},
}


def standing(frames: int = 40, bodies: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(3, T, 25, M) float32 whose right hand goes up and down, bodies a metre apart, and (T, M) bool."""
    pose = np.zeros((25, 3))
    for i, joint in enumerate(NTU.joints):
        side = {"left": -1, "right": 1}.get(joint.split("_")[0], 0)
        x, y = _POSE[joint.split("_", 1)[1] if side else joint]
        pose[i] = (side * x, y, -0.1 if "foot" in joint else 0)
    xyz = np.repeat(pose.T[:, None, :, None], frames, axis=1).repeat(bodies, axis=3)
    lift = 0.4 * (1 - np.cos(np.linspace(0, 2 * np.pi, frames)))
    for joint in ("right_wrist", "right_hand", "right_hand_tip", "right_thumb"):
        xyz[1, :, NTU.index(joint)] += lift[:, None]
    xyz[0] += np.arange(bodies)
    return xyz.astype(np.float32), np.ones((frames, bodies), bool)


def saliency_of(frames: int, layout: Layout = NTU, bodies: int = 1, joint: int = 11) -> np.ndarray:
    """(T, V, M) in [0, 1], highest at one joint in the middle of the clip."""
    map = np.full((frames, layout.V, bodies), 0.1)
    map[:, joint, 0] = 0.2 + 0.8 * np.sin(np.linspace(0, np.pi, frames))
    return map
