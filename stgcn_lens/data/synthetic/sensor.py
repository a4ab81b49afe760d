"""A depth camera's view of a performance: viewpoint, jitter, occlusion and drop-out."""

from dataclasses import dataclass

import numpy as np

from stgcn_lens.data.synthetic.body import LAYOUT

VIEWS = (1, 2, 3)
_YAW = {1: -45.0, 2: 0.0, 3: 45.0}  # degrees about the stage, as in NTU RGB+D
# Height above the floor and distance from the stage, metres, of the frontal camera in setups 1 to 4.  # ours
_SETUPS = {1: (1.10, 3.0), 2: (0.80, 2.6), 3: (1.40, 3.3), 4: (1.70, 2.9)}
_AIM = 0.85  # height of the point on the stage that cameras look at, metres

# Standard deviation of jitter in metres at 2.5 m.  # ours, of the size seen in Kinect v2 recordings
_JITTER = {"elbow": 0.005, "wrist": 0.007, "hand": 0.009, "hand_tip": 0.014, "thumb": 0.014}
_JITTER |= {"knee": 0.006, "ankle": 0.009, "foot": 0.012}
_TRUNK_JITTER = 0.0035
_TRUNK_RADIUS = 0.13  # what a trunk hides behind it, metres
_LAG = 5  # frames by which a hidden joint trails
_JUMP = 0.09  # metres by which a hidden joint is misplaced while it jumps


@dataclass(frozen=True)
class Camera:
    """A camera's place in the room and its (3, 3) rotation from room to camera axes."""

    place: np.ndarray
    axes: np.ndarray


def camera(view: int, setup: int) -> Camera:
    """The camera of a view (1 to 3) in a setup (1 to 4); it looks at the middle of the stage."""
    height, distance = _SETUPS[setup]
    height, distance = height + 0.12 * (view - 2), distance + (0.0, 0.25, -0.15)[view - 1]
    yaw = np.radians(_YAW[view])
    where = np.array([distance * np.sin(yaw), height, -distance * np.cos(yaw)])
    ahead = np.array([0.0, _AIM, 0.0]) - where
    ahead /= np.linalg.norm(ahead)
    right = np.cross([0.0, 1.0, 0.0], ahead)
    right /= np.linalg.norm(right)
    return Camera(where, np.stack([right, np.cross(ahead, right), ahead]))


def see(joints: np.ndarray, seen_by: Camera) -> np.ndarray:
    """Joints (..., 3) of the room in the camera's frame: x to the right of who faces it, y up, z away from it."""
    return (joints - seen_by.place) @ seen_by.axes.T


def hidden(joints: np.ndarray) -> np.ndarray:
    """How far each joint lies behind some trunk as the camera sees it: (T, V, M, 3) -> (T, V, M) in [0, 1]."""
    behind = np.zeros(joints.shape[:3])
    for body in range(joints.shape[2]):
        low, high = (joints[:, LAYOUT.index(name), body] for name in ("spine_base", "spine_shoulder"))
        middle, half = (low + high) / 2, (high - low) / 2
        ray = joints / np.linalg.norm(joints, axis=-1, keepdims=True)
        # The trunk's point at the joint's height, then its distance from the line of sight.
        height = ((joints - middle[:, None, None]) * half[:, None, None]).sum(-1) / (half**2).sum(-1)[:, None, None]
        point = middle[:, None, None] + np.clip(height, -1.0, 1.0)[..., None] * half[:, None, None]
        depth = (point * ray).sum(-1)
        miss = np.linalg.norm(point - depth[..., None] * ray, axis=-1)
        farther = np.linalg.norm(joints, axis=-1) - depth
        hides = np.clip((farther - 0.06) / 0.08, 0.0, 1.0) * np.clip((_TRUNK_RADIUS - miss) / 0.05, 0.0, 1.0)
        behind = np.maximum(behind, hides)
    return behind


def record(joints: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """What the sensor writes down.

    Parameters
    ----------
    joints : (T, V, M, 3) true positions in the camera's frame.

    Returns
    -------
    xyz : (3, T, V, M) float32, zero where a body is absent; valid : (T, M) bool.
    """
    frames, _, bodies = joints.shape[:3]
    unseen = hidden(joints)
    late = joints[np.maximum(np.arange(frames) - _LAG, 0)]
    seen = joints + 0.8 * unseen[..., None] * (late - joints)
    depth = joints[..., 2]
    size = _joint_jitter()[None, :, None] * (depth / 2.5) ** 2 * (1 + 2.5 * unseen)
    noise = rng.standard_normal(joints.shape, dtype=np.float32)
    noise[1:] = 0.8 * noise[1:] + 0.6 * noise[:-1]  # a tracker's filter ties neighbouring frames together
    seen += size[..., None] * noise * (1.0, 1.0, 1.5)
    seen += _jumps(unseen, rng)
    valid = np.ones((frames, bodies), dtype=bool)
    if bodies == 2:
        _drop_out(valid, float(unseen[:, :, 1].mean()), rng)
    xyz = seen.transpose(3, 0, 1, 2) * valid[None, :, None, :]
    return np.ascontiguousarray(xyz, dtype=np.float32), valid


def _joint_jitter() -> np.ndarray:
    return np.array([_JITTER.get(name.partition("_")[2], _TRUNK_JITTER) for name in LAYOUT.joints])


def _jumps(unseen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Misplacements (T, V, M, 3) of hidden joints that last a few frames."""
    frames = len(unseen)
    starts = rng.uniform(size=unseen.shape) < 0.03 * unseen + 0.0002
    jump = np.zeros((*unseen.shape, 3))
    for t, joint, body in zip(*np.nonzero(starts), strict=True):
        length = int(rng.integers(2, 8))
        jump[t : min(t + length, frames), joint, body] = rng.normal(0.0, _JUMP, 3)
    return jump


def _drop_out(valid: np.ndarray, unseen: float, rng: np.random.Generator) -> None:
    """Lose the second body for a few frames, the likelier the more of it is hidden."""
    frames = len(valid)
    for _ in range(int(rng.uniform() < 0.25 + unseen) + int(rng.uniform() < 0.15)):
        length = int(rng.integers(2, 9))
        start = int(rng.integers(0, frames - length + 1))
        valid[start : start + length, 1] = False
