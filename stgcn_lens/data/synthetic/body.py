"""A rig of 25 joints: forward kinematics down the trunk, limbs of two bones whose ends are put in place.

Frames of reference are right-handed: x to the body's right, y up, and the body looks along -z, so that a body of
heading 0 looks into the frontal camera. Limbs are worked out in *outward* coordinates (out, up, forward), the same
for both sides: out is +x for the right limb and -x for the left one.

A set of controls is a dict: channel -> (T, width). Angles are in degrees; feet and pelvis are in leg lengths,
arms in arm lengths from the shoulder.
"""

from dataclasses import dataclass

import numpy as np

from stgcn_lens.skeleton import LAYOUTS

LAYOUT = LAYOUTS["ntu25"]
SIDES = ("right", "left")
ARM_REACH = (0.28, 0.985)  # of its length: an elbow neither folds flat nor locks  # ours
LEG_REACH = (0.35, 0.998)  # ours

# channel -> (width, value at rest). Positive: bend and nod forward; side, twist, turn and tilt to the right.
_LIMBS = {
    "arm": (3, (0.12, -0.955, 0.10)),  # wrist from the shoulder (out, up, forward)
    "elbow": (1, (0.0,)),  # swivel of the elbow about the line from shoulder to wrist
    "hand": (3, (0.0, 0.0, 0.0)),  # added to the forearm's direction to aim the hand
    "touch": (1, (0.0,)),  # 0: the arm goes where `arm` says; 1: to the point that the script touches
    "foot": (3, (0.0, 0.0, 0.0)),  # ankle from where it stands (out, up, forward)
    "toe": (1, (0.0,)),  # toes up
}
CHANNELS: dict[str, tuple[int, tuple[float, ...]]] = {
    **{name: (1, (0.0,)) for name in ("bend", "side", "twist", "nod", "turn", "tilt")},
    "pelvis": (3, (0.0, 0.0, 0.0)),  # (right, up, forward) from where it stands
    "grip": (3, (0.0, 0.0, 0.0)),  # (right, up, forward) in metres, moves the point that is touched
    **{f"{side}_{limb}": rest for side in SIDES for limb, rest in _LIMBS.items()},
}
_SIDEWAYS = ("side", "twist", "turn", "tilt")

# How a trunk angle is shared among pelvis, lower and upper spine.
_SHARES = {"bend": (0.40, 0.28, 0.32), "side": (0.10, 0.45, 0.45), "twist": (0.25, 0.35, 0.40)}


@dataclass(frozen=True)
class Body:
    """Bone lengths of one person, in metres."""

    pelvis_to_mid: float
    mid_to_shoulders: float
    neck: float
    head: float
    shoulder_half: float
    shoulder_drop: float
    upper_arm: float
    forearm: float
    palm: float
    fingers: float
    thumb: float
    hip_half: float
    hip_drop: float
    thigh: float
    shank: float
    ankle_height: float
    foot: float

    @property
    def arm(self) -> float:
        """Shoulder to wrist, stretched."""
        return self.upper_arm + self.forearm

    @property
    def leg(self) -> float:
        """Hip to ankle, stretched."""
        return self.thigh + self.shank

    @property
    def standing(self) -> float:
        """Height of the spine's base above the floor, knees a little soft."""
        return self.ankle_height + 0.99 * self.leg + self.hip_drop


@dataclass(frozen=True)
class Stand:
    """Where a body stands: floor position (x, z) in metres, heading in degrees (turned to its right), feet apart."""

    x: float
    z: float
    heading: float
    stance: float = 0.11  # half the distance between the ankles, metres
    stagger: float = 0.0  # how far the right foot stands before the left one, metres


@dataclass(frozen=True)
class Trunk:
    """A posed trunk: joint name -> (T, 3) positions, and the (T, 3, 3) rotations of its parts."""

    joints: dict[str, np.ndarray]
    ground: np.ndarray  # heading alone, (3, 3)
    pelvis: np.ndarray
    chest: np.ndarray


def rotation(axis: int, degrees: np.ndarray | float) -> np.ndarray:
    """Right-handed rotations about one axis: angles (...,) in degrees -> (..., 3, 3)."""
    angle = np.radians(degrees)
    turn = np.zeros((*np.shape(angle), 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    turn[..., axis, axis] = 1.0
    turn[..., i, i] = turn[..., j, j] = np.cos(angle)
    turn[..., j, i] = np.sin(angle)
    turn[..., i, j] = -turn[..., j, i]
    return turn


def _lean(forward: np.ndarray, right: np.ndarray, twist: np.ndarray) -> np.ndarray:
    """Bend forward, lean and twist to the right, as one rotation of a part against the one below it."""
    return rotation(0, -forward) @ rotation(2, -right) @ rotation(1, -twist)


def _move(turn: np.ndarray, offset: tuple[float, float, float]) -> np.ndarray:
    return turn @ np.asarray(offset)


def place(stand: Stand, side: str, forward: float = 0.0, out: float = 0.0, up: float = 0.0) -> np.ndarray:
    """A point (3,) of the floor plan, seen from where the body stands; `out` counts towards `side`."""
    sign = 1.0 if side == "right" else -1.0
    return np.array([stand.x, 0.0, stand.z]) + _move(rotation(1, -stand.heading), (sign * out, up, -forward))


def pose_trunk(body: Body, stand: Stand, controls: dict[str, np.ndarray]) -> Trunk:
    """Forward kinematics from the base of the spine to the head, the shoulders and the hips."""
    ground = rotation(1, -stand.heading)
    flat = {name: controls[name][:, 0] for name in (*_SHARES, "nod", "turn", "tilt")}
    parts = []
    turn = ground
    for part in range(3):
        turn = turn @ _lean(*(flat[name] * _SHARES[name][part] for name in ("bend", "side", "twist")))
        parts.append(turn)
    pelvis, lumbar, chest = parts
    head = chest @ _lean(flat["nod"], flat["tilt"], flat["turn"])
    shift = controls["pelvis"] * body.leg * (1.0, 1.0, -1.0)
    base = np.array([stand.x, body.standing, stand.z]) + shift @ ground.T
    mid = base + _move(lumbar, (0.0, body.pelvis_to_mid, 0.0))
    top = mid + _move(chest, (0.0, body.mid_to_shoulders, 0.0))
    neck = top + _move(chest, (0.0, body.neck, 0.0))
    joints = {"spine_base": base, "spine_mid": mid, "spine_shoulder": top, "neck": neck}
    joints["head"] = neck + _move(head, (0.0, 0.96 * body.head, -0.28 * body.head))
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        joints[f"{side}_shoulder"] = top + _move(chest, (sign * body.shoulder_half, -body.shoulder_drop, 0.0))
        joints[f"{side}_hip"] = base + _move(pelvis, (sign * body.hip_half, -body.hip_drop, 0.0))
    return Trunk(joints, ground, pelvis, chest)


def two_bones(
    end: np.ndarray, pole: np.ndarray, upper: float, lower: float, reaches: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bend a limb of two bones so that its end comes to `end` and its middle joint points towards `pole`.

    Parameters
    ----------
    end : (T, 3) wanted end, from the limb's root; pulled into reach where it is out of it.
    pole : (3,) or (T, 3) direction to which the elbow or knee points.
    upper, lower : bone lengths, metres.
    reaches : shortest and longest distance from root to end, in lengths of the limb.

    Returns
    -------
    middle, end : (T, 3) positions from the root; bend : (T, 3) unit vector to which the middle joint points.
    """
    distance = np.linalg.norm(end, axis=1, keepdims=True)
    line = end / np.maximum(distance, 1e-9)
    reach = np.clip(distance, reaches[0] * (upper + lower), reaches[1] * (upper + lower))
    bend = _across(np.broadcast_to(pole, end.shape), line)
    along = (upper**2 + reach**2 - lower**2) / (2 * reach)
    aside = np.sqrt(np.maximum(upper**2 - along**2, 0.0))
    return along * line + aside * bend, reach * line, bend


def pose_arm(
    body: Body, trunk: Trunk, side: str, controls: dict[str, np.ndarray], target: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Elbow, wrist, hand, hand tip and thumb of one arm: each (T, 3).

    `target` (T, 3) is the world point that the wrist touches to the degree of the touch channel.
    """
    axes = np.array([1.0 if side == "right" else -1.0, 1.0, -1.0])  # outward <-> body coordinates
    root = trunk.joints[f"{side}_shoulder"]
    end = controls[f"{side}_arm"] * body.arm
    if target is not None:
        weight = controls[f"{side}_touch"]
        wanted = np.einsum("tj,tji->ti", target - root, trunk.chest) * axes
        end = (1 - weight) * end + weight * wanted
    elbow, wrist, bend = two_bones(end, _elbow(end, controls[f"{side}_elbow"]), body.upper_arm, body.forearm, ARM_REACH)
    ahead = _unit(_unit(wrist - elbow) + controls[f"{side}_hand"])
    thumb_side = _across(-bend, ahead)
    hand = wrist + body.palm * ahead
    tip = hand + body.fingers * ahead
    thumb = hand + body.thumb * (0.6 * ahead + 0.8 * thumb_side)
    names = ("elbow", "wrist", "hand", "hand_tip", "thumb")
    return {
        f"{side}_{name}": root + np.einsum("tij,tj->ti", trunk.chest, point * axes)
        for name, point in zip(names, (elbow, wrist, hand, tip, thumb), strict=True)
    }


def _elbow(end: np.ndarray, swivel: np.ndarray) -> np.ndarray:
    """Where an elbow points (T, 3): down, out and back; forward when the hand is up, back when it hangs.

    A fixed direction would flip the elbow whenever the arm comes to lie along it. `swivel` (T, 1) is in degrees.
    """
    line = _unit(end)
    up, down = np.maximum(line[:, 1:2], 0.0), np.maximum(-line[:, 1:2], 0.0)
    pole = _across(np.array([0.35, -0.8, -0.5]) + up * (0.5, 0.2, 0.7) + down * (0.0, 0.6, -0.3), line)
    angle = np.radians(swivel)
    return np.cos(angle) * pole + np.sin(angle) * np.cross(line, pole)


def pose_leg(
    body: Body, stand: Stand, trunk: Trunk, side: str, controls: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Knee, ankle and foot of one leg: each (T, 3). Feet stand on the floor unless the foot channel lifts them."""
    sign = 1.0 if side == "right" else -1.0
    step = controls[f"{side}_foot"] * body.leg * (sign, 1.0, -1.0)
    where = place(stand, side, forward=sign * stand.stagger / 2, out=stand.stance, up=body.ankle_height)
    root = trunk.joints[f"{side}_hip"]
    outward = trunk.ground @ (0.18 * sign, 0.0, -1.0)
    knee, ankle, _ = two_bones(where + step @ trunk.ground.T - root, outward, body.thigh, body.shank, LEG_REACH)
    pitch = np.radians(controls[f"{side}_toe"][:, 0] - 22.0)[:, None]  # the instep slopes to the toes
    foot = root + ankle + body.foot * (np.cos(pitch) * _unit(outward) + np.sin(pitch) * (0.0, 1.0, 0.0))
    return {f"{side}_knee": root + knee, f"{side}_ankle": root + ankle, f"{side}_foot": foot}


def stack(joints: dict[str, np.ndarray]) -> np.ndarray:
    """Named joints in the layout's order: (T, V, 3)."""
    return np.stack([joints[name] for name in LAYOUT.joints], axis=1)


def mirrored(controls: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The controls of the mirror image: sides swapped, sideways angles and shifts negated."""
    swap = {"right": "left", "left": "right"}
    flipped = {}
    for name, value in controls.items():
        side, _, limb = name.partition("_")
        if side in swap and limb:
            flipped[f"{swap[side]}_{limb}"] = value
        elif name in ("pelvis", "grip"):
            flipped[name] = value * (-1.0, 1.0, 1.0)
        else:
            flipped[name] = -value if name in _SIDEWAYS else value
    return flipped


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _across(vectors: np.ndarray, line: np.ndarray) -> np.ndarray:
    """The part of the vectors that is perpendicular to a line of unit vectors, made a unit vector."""
    return _unit(vectors - (vectors * line).sum(axis=-1, keepdims=True) * line)
