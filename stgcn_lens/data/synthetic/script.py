"""What an action is made of: key poses, cycles laid over them, and the marks that say what carries the class.

All of it is plain data on a clock that runs from 0 (the action begins) to 1 (it is over). `play` turns a role of an
action into controls for the rig of `body`; `marked` turns its marks into evidence.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from stgcn_lens.data.synthetic.body import CHANNELS, LAYOUT, Body

Value = float | tuple[float, float, float] | str  # text: a key of `POINTS`


@dataclass(frozen=True)
class Key:
    """A pose at a moment of the clock: channel -> value. Channels that it does not name pass it by."""

    at: float
    pose: dict[str, Value]


@dataclass(frozen=True)
class Cycle:
    """A repeated movement added to a channel from `start` to `end`, swelling and fading at its ends.

    `wave` is "sin" or "cos" (both ways about the key poses) or "pulse" (out to `vector` and back). The number of
    turns is drawn between the two numbers of `turns`, once for all cycles of a performance.
    """

    channel: str
    vector: tuple[float, ...]
    start: float
    end: float
    turns: tuple[int, int]
    wave: str = "sin"
    phase: float = 0.0  # in turns


@dataclass(frozen=True)
class Mark:
    """These joints carry the class from `start` to `end`."""

    joints: tuple[str, ...]
    start: float
    end: float


@dataclass(frozen=True)
class Role:
    """What one person does in an action."""

    keys: tuple[Key, ...]
    marks: tuple[Mark, ...]
    cycles: tuple[Cycle, ...] = ()

    @property
    def channels(self) -> frozenset[str]:
        """Channels that the script moves."""
        return frozenset({name for key in self.keys for name in key.pose} | {cycle.channel for cycle in self.cycles})


@dataclass(frozen=True)
class Action:
    """One class.

    Attributes
    ----------
    name : the class name. description : one sentence.
    seconds : how long it takes at tempo 1, without the pauses around it.
    roles : one script a person.
    handed : written for a right-hander, and mirrored when a left-hander does it.
    touch : what the touch channels reach for, a key of `performance.TOUCHES`.
    apart : for two people, metres between them at arm length 0.53 m.
    """

    name: str
    description: str
    seconds: float
    roles: tuple[Role, ...]
    handed: bool = True
    touch: str = ""
    apart: float = 0.0

    @property
    def people(self) -> int:
        """Number of people who take part."""
        return len(self.roles)


# Places on one's own body that a wrist goes to: anchor (out, up, forward) in bone lengths, then an offset in metres.
# Anchors are measured in the upright chest from between the shoulders; "out" counts towards the arm's own side.
Anchor = Callable[[Body], tuple[float, float, float]]
_HEAD: Anchor = lambda body: (0.0, body.neck + 0.96 * body.head, 0.28 * body.head)  # noqa: E731
_CHEST: Anchor = lambda body: (0.0, 0.0, 0.0)  # noqa: E731
_OTHER: Anchor = lambda body: (-body.shoulder_half, -body.shoulder_drop, 0.0)  # noqa: E731
POINTS: dict[str, tuple[Anchor, tuple[float, float, float]]] = {
    "mouth": (_HEAD, (0.07, -0.12, 0.14)),
    "ear": (_HEAD, (0.10, -0.15, 0.08)),
    "chin": (_HEAD, (0.10, -0.14, 0.20)),
    "palms": (_CHEST, (0.025, -0.16, 0.33)),
    "watch": (_CHEST, (-0.02, -0.17, 0.30)),
    "other_elbow": (_OTHER, (0.03, -0.19, 0.15)),
    "other_elbow_outside": (_OTHER, (0.05, -0.17, 0.21)),
}


TRUNK = ("spine_base", "spine_mid", "spine_shoulder")
HEAD = ("neck", "head")
SHOULDERS = ("right_shoulder", "left_shoulder")
HIPS = ("right_hip", "left_hip")
KNEES = ("right_knee", "left_knee")


def arm_joints(*sides: str) -> tuple[str, ...]:
    """Joints of the arms of these sides, from the elbow to the fingers."""
    return tuple(f"{side}_{name}" for side in sides for name in ("elbow", "wrist", "hand", "hand_tip", "thumb"))


def leg_joints(*sides: str) -> tuple[str, ...]:
    """Joints of the legs of these sides, from the knee to the toes."""
    return tuple(f"{side}_{name}" for side in sides for name in ("knee", "ankle", "foot"))


def both(limb: str, value: Value) -> dict[str, Value]:
    """The same value for the limbs of both sides."""
    return {f"right_{limb}": value, f"left_{limb}": value}


def play(
    role: Role,
    body: Body,
    clock: np.ndarray,
    rest: dict[str, np.ndarray],
    *,
    amplitude: float,
    turns: float,
    loose: dict[str, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Controls of a role.

    Parameters
    ----------
    clock : (T,) in [0, 1], not falling.
    rest : channel -> (width,) start posture, held wherever the script says nothing.
    amplitude : scale of the movement away from rest; places on the own body are reached at any scale.
    turns : in [0, 1], where in their range the cycles' number of turns lies.
    loose : channel -> (keys, width) deviation from each of the role's keys, for channels that name no place.

    Returns
    -------
    channel -> (T, width)
    """
    controls = {name: np.repeat(value[None], len(clock), axis=0) for name, value in rest.items()}
    for name in role.channels:
        knots: dict[float, np.ndarray] = {0.0: rest[name], 1.0: rest[name]}
        for number, key in enumerate(role.keys):
            if name not in key.pose:
                continue
            value = key.pose[name]
            if isinstance(value, str):
                knots[key.at] = _own_place(value, body)
            else:
                goal = np.atleast_1d(np.asarray(value, dtype=np.float64))
                moved = rest[name] + amplitude * (goal - rest[name])
                held = name.endswith("_touch") or not np.any(value)
                knots[key.at] = goal if held else moved
                if loose is not None and not held:
                    knots[key.at] = knots[key.at] + loose[name][number]
        controls[name] = _between(knots, clock, as_arc=name.endswith("_arm"))
    for cycle in role.cycles:
        controls[cycle.channel] = controls[cycle.channel] + _swing(cycle, clock, amplitude, turns)
    return controls


def marked(role: Role, clock: np.ndarray) -> np.ndarray:
    """Evidence of a role: (T, V) bool, from its marks."""
    evidence = np.zeros((len(clock), LAYOUT.V), dtype=bool)
    for mark in role.marks:
        during = (clock >= mark.start) & (clock <= mark.end) & (clock > 0) & (clock < 1)
        for joint in mark.joints:
            evidence[:, LAYOUT.index(joint)] |= during
    return evidence


def resting() -> dict[str, np.ndarray]:
    """Every channel at rest."""
    return {name: np.array(value) for name, (_, value) in CHANNELS.items()}


def _own_place(name: str, body: Body) -> np.ndarray:
    """(3,) wrist from its shoulder, outward coordinates in arm lengths."""
    anchor, offset = POINTS[name]
    shoulder = np.array([body.shoulder_half, -body.shoulder_drop, 0.0])
    return (np.array(anchor(body)) + offset - shoulder) / body.arm


def _between(knots: dict[float, np.ndarray], clock: np.ndarray, *, as_arc: bool) -> np.ndarray:
    """Knots -> (T, width), without overshoot. Arms move on arcs: direction and reach are interpolated apart."""
    times = sorted(knots)
    values = np.stack([knots[time] for time in times])
    if not as_arc:
        return PchipInterpolator(times, values)(clock)
    reach = np.linalg.norm(values, axis=1, keepdims=True)
    path = PchipInterpolator(times, np.hstack([values / reach, reach]))(clock)
    direction = path[:, :3] / np.maximum(np.linalg.norm(path[:, :3], axis=1, keepdims=True), 1e-6)
    return direction * path[:, 3:]


def _swing(cycle: Cycle, clock: np.ndarray, amplitude: float, turns: float) -> np.ndarray:
    count = round(cycle.turns[0] + turns * (cycle.turns[1] - cycle.turns[0]))
    progress = np.clip((clock - cycle.start) / (cycle.end - cycle.start), 0.0, 1.0)
    angle = 2 * np.pi * (count * progress + cycle.phase)
    wave = {"sin": np.sin(angle), "cos": np.cos(angle), "pulse": (1 - np.cos(angle)) / 2}[cycle.wave]
    swell = np.clip(np.minimum(progress, 1 - progress) / 0.12, 0.0, 1.0)
    envelope = swell * swell * (3 - 2 * swell)
    return amplitude * (wave * envelope)[:, None] * np.array(cycle.vector)
