"""One performance of an action, in the room: who stands where, how the script is played, and what is idle."""

from dataclasses import dataclass, replace

import numpy as np

from stgcn_lens.data.synthetic.body import (
    CHANNELS,
    LAYOUT,
    SIDES,
    Stand,
    Trunk,
    mirrored,
    place,
    pose_arm,
    pose_leg,
    pose_trunk,
    stack,
)
from stgcn_lens.data.synthetic.script import Action, Role, marked, play, resting
from stgcn_lens.data.synthetic.subjects import Subject, person

FPS = 30.0
FRAMES = (30, 150)
TOUCHES = ("grip", "chest", "back", "floor")

# Standard deviation of idle sway and of the looseness of key poses, in the units of `body.CHANNELS`.  # ours
_SWAY = {
    **{"bend": 0.8, "side": 0.8, "twist": 2.0, "nod": 2.5, "turn": 6.0, "tilt": 2.0, "pelvis": 0.012},
    **{f"{side}_{limb}": size for side in SIDES for limb, size in (("arm", 0.022), ("elbow", 3.0), ("hand", 0.07))},
}
_LOOSE = {
    **{"bend": 2.5, "side": 1.5, "twist": 3.5, "nod": 2.5, "turn": 4.0, "tilt": 2.0, "pelvis": 0.012},
    **{f"{side}_{limb}": size for side in SIDES for limb, size in (("arm", 0.07), ("elbow", 9.0), ("hand", 0.12))},
}
_WAVES = 3  # sines that make up the sway of one channel


@dataclass(frozen=True)
class Fidget:
    """A movement that has nothing to do with the action: a bump of `vector` on a channel about frame `at`."""

    channel: str
    vector: tuple[float, ...]
    at: float  # share of the clip
    width: float  # seconds


@dataclass(frozen=True)
class Manner:
    """How an action is done this time. The default is an exact, still, right-handed execution of the script.

    `before`, `during` and `after` are in seconds; `hurry` in (-1, 1) moves effort to the action's beginning or end;
    `turns` in [0, 1] is the number of repetitions of cyclic movements.
    """

    before: float = 0.4
    during: float = 2.0
    after: float = 0.4
    hurry: float = 0.0
    amplitude: float = 1.0
    turns: float = 0.5


@dataclass(frozen=True)
class Habit:
    """What one body adds of its own: its start posture, sway, looseness and fidgets."""

    rest: dict[str, np.ndarray]
    sway: float = 0.0
    loose: dict[str, np.ndarray] | None = None
    fidgets: tuple[Fidget, ...] = ()
    waves: np.ndarray | None = None  # (2, waves, channels' total width): hertz and phases


@dataclass(frozen=True)
class Performance:
    """Joints in the room, axes (T, V, M, 3) in metres, and the evidence (T, V, M)."""

    joints: np.ndarray
    evidence: np.ndarray


def perform(action: Action, subject: Subject, rng: np.random.Generator) -> Performance:
    """An action as this subject does it this time; partners are people who appear in no other clip."""
    people = [subject, *(person(rng) for _ in action.roles[1:])]
    manner = _manner(action, people, rng)
    habits = [_habit(role, who, rng) for role, who in zip(action.roles, people, strict=True)]
    apart = action.apart * (1 + 0.05 * rng.standard_normal()) * np.mean([who.body.arm for who in people]) / 0.53
    stands = _stands(action.people, float(apart), rng)
    shown = _perform(action, people, manner, habits, stands)
    order = rng.permutation(len(people))  # a sensor numbers bodies as it meets them
    return replace(shown, joints=shown.joints[:, :, order], evidence=shown.evidence[:, :, order])


def perform_plainly(action: Action, subject: Subject, manner: Manner | None = None) -> Performance:
    """The bare script: no sway, no looseness, symmetric start posture, facing the frontal camera."""
    people = [subject] * action.people
    stands = [Stand(0.0, 0.0, 0.0)]
    if action.people == 2:
        stands = [Stand(-action.apart / 2, 0.0, 90.0), Stand(action.apart / 2, 0.0, -90.0)]
    habits = [Habit(resting()) for _ in people]
    return _perform(action, people, manner or Manner(during=action.seconds), habits, stands)


def clock_of(manner: Manner) -> np.ndarray:
    """(T,) the action's clock in [0, 1] at every frame: 0 before it begins, 1 after its end."""
    total = manner.before + manner.during + manner.after
    frames = int(np.clip(round(total * FPS), *FRAMES))
    seconds = np.arange(frames) * total / frames
    progress = np.clip((seconds - manner.before) / manner.during, 0.0, 1.0)
    return np.clip(progress + manner.hurry * np.sin(2 * np.pi * progress) / (2 * np.pi), 0.0, 1.0)


def _perform(
    action: Action, people: list[Subject], manner: Manner, habits: list[Habit], stands: list[Stand]
) -> Performance:
    clock = clock_of(manner)
    trunks, scripts, evidence = [], [], []
    for role, who, habit, stand in zip(action.roles, people, habits, stands, strict=True):
        controls = play(
            role, who.body, clock, habit.rest, amplitude=manner.amplitude, turns=manner.turns, loose=habit.loose
        )
        marks = marked(role, clock)
        if action.handed and who.left_handed:
            controls, marks = mirrored(controls), marks[:, LAYOUT.mirror]
        _stir(controls, role, habit)
        scripts.append(controls)
        evidence.append(marks)
        trunks.append(pose_trunk(who.body, stand, controls))
    bodies = []
    for number, (who, stand, controls) in enumerate(zip(people, stands, scripts, strict=True)):
        joints = dict(trunks[number].joints)
        for side in SIDES:
            target = _touched(action.touch, side, number, trunks, stands[number], controls) if action.touch else None
            joints |= pose_arm(who.body, trunks[number], side, controls, target)
            joints |= pose_leg(who.body, stand, trunks[number], side, controls)
        bodies.append(stack(joints))
    return Performance(np.stack(bodies, axis=2), np.stack(evidence, axis=2))


def _touched(
    touch: str, side: str, number: int, trunks: list[Trunk], stand: Stand, controls: dict[str, np.ndarray]
) -> np.ndarray:
    """(T, 3) where the wrist of a side goes at touch 1."""
    own = trunks[number]
    if touch == "floor":
        return np.repeat(place(stand, side, forward=0.34, out=0.10, up=0.16)[None], len(own.chest), axis=0)
    other = trunks[1 - number].joints
    facing = {"right": "left", "left": "right"}[side]
    ahead = own.ground @ (0.0, 0.0, -1.0)
    out = own.ground @ (1.0 if side == "right" else -1.0, 0.0, 0.0)
    if touch == "grip":
        middle = (own.joints[f"{side}_shoulder"] + other[f"{side}_shoulder"]) / 2
        shake = controls["grip"] @ np.diag([0.0, 1.0, 0.0])
        return middle - np.array([0.0, 0.34, 0.0]) - 0.07 * ahead + shake
    if touch == "chest":
        return 0.5 * (other["spine_shoulder"] + other[f"{facing}_shoulder"]) - 0.14 * ahead - np.array([0.0, 0.10, 0.0])
    height = 0.10 if side == "right" else -0.02  # one arm above the other's, one below
    return 0.4 * other["spine_mid"] + 0.6 * other["spine_shoulder"] + 0.13 * ahead + 0.07 * out + [0.0, height, 0.0]


def _manner(action: Action, people: list[Subject], rng: np.random.Generator) -> Manner:
    tempo = np.mean([who.tempo for who in people]) * rng.lognormal(0.0, 0.09)
    before, after = np.clip(rng.gamma(1.6, 0.34, 2), 0.03, 2.0)
    return Manner(
        before=float(before),
        during=float(np.clip(action.seconds / tempo, 0.9, 4.2)),
        after=float(after),
        hurry=float(rng.uniform(-0.35, 0.35)),
        amplitude=float(np.clip(people[0].amplitude * rng.normal(1.0, 0.05), 0.72, 1.2)),
        turns=float(rng.uniform()),
    )


def _habit(role: Role, who: Subject, rng: np.random.Generator) -> Habit:
    rest = resting()
    rest["bend"] = np.array([who.posture + rng.normal(0.0, 1.0)])
    hands = rng.choice(3, p=(0.76, 0.12, 0.12))  # hanging, folded in front, one on the hip
    for side in SIDES:
        rest[f"{side}_arm"] = np.array([who.arms_out, -0.95, who.arms_bent]) + 0.02 * rng.standard_normal(3)
        if hands == 1:
            rest[f"{side}_arm"] = np.array([-0.22, -0.74, 0.34]) + 0.02 * rng.standard_normal(3)
    if hands == 2:
        side = SIDES[rng.integers(2)]
        rest[f"{side}_arm"] = np.array([0.10, -0.62, 0.10]) + 0.02 * rng.standard_normal(3)
        rest[f"{side}_elbow"] = np.array([-25.0])
    loose = {
        name: _LOOSE.get(name, 0.0) * rng.standard_normal((len(role.keys), width))
        for name, (width, _) in CHANNELS.items()
    }
    waves = np.stack([rng.uniform(0.1, 0.9, (_WAVES, _SWAYING)), rng.uniform(0.0, 2 * np.pi, (_WAVES, _SWAYING))])
    return Habit(rest, who.restless, loose, _fidgets(rng), waves)


def _fidgets(rng: np.random.Generator) -> tuple[Fidget, ...]:
    """Each of these happens in some of the performances; on limbs that the script needs it is left out later."""
    side = SIDES[rng.integers(2)]
    at, width = rng.uniform(0.0, 1.0, 5), rng.uniform(0.18, 0.5, 5)
    out, up, forward = rng.uniform((-0.15, 0.05, 0.05), (0.25, 0.45, 0.4))
    turn, nod, lean = rng.normal(0.0, (24.0, 10.0, 5.0))
    step = rng.uniform(0.04, 0.12)
    happens = rng.uniform(size=5) < (0.35, 0.5, 0.3, 0.35, 0.2)
    return tuple(
        fidget
        for fidget, so in zip(
            (
                Fidget(f"{side}_arm", (out, up, forward), at[0], width[0]),
                Fidget("turn", (turn,), at[1], 1.5 * width[1]),
                Fidget("nod", (nod,), at[2], width[2]),
                Fidget("side", (lean,), at[3], 2 * width[3]),
                Fidget(f"{side}_foot", (step / 2, step, 0.0), at[4], 0.6 * width[4]),
            ),
            happens,
            strict=True,
        )
        if so
    )


_SWAYING = sum(CHANNELS[name][0] for name in _SWAY)


def _stir(controls: dict[str, np.ndarray], role: Role, habit: Habit) -> None:
    """Add sway and fidgets to the controls, less where the script is at work."""
    frames = len(controls["bend"])
    seconds = np.arange(frames) / FPS
    if habit.waves is not None:
        hertz, phases = habit.waves
        waves = np.sin(2 * np.pi * seconds[:, None, None] * hertz + phases).sum(axis=1) * np.sqrt(2 / _WAVES)
        column = 0
        for name, size in _SWAY.items():
            width = CHANNELS[name][0]
            calm = 0.5 if name in role.channels else 1.0
            stir = calm * habit.sway * size * waves[:, column : column + width]
            controls[name] = controls[name] + (stir * (1.0, 0.15, 1.0) if name == "pelvis" else stir)
            column += width
    seated = "pelvis" in role.channels
    for fidget in habit.fidgets:
        limb = fidget.channel.partition("_")[2]
        busy = any(name.startswith(fidget.channel[: -len(limb)]) for name in role.channels) if limb else False
        if busy or fidget.channel in role.channels or (limb == "foot" and seated):
            continue
        bump = np.exp(-0.5 * ((seconds - fidget.at * frames / FPS) / fidget.width) ** 2)
        controls[fidget.channel] = controls[fidget.channel] + habit.sway * bump[:, None] * np.array(fidget.vector)


def _stands(people: int, apart: float, rng: np.random.Generator) -> list[Stand]:
    x, z = rng.normal(0.0, 0.15, 2)
    heading, stance, stagger = rng.normal(0.0, 22.0), rng.uniform(0.08, 0.16, 2), rng.uniform(-0.1, 0.1, 2)
    if people == 1:
        return [Stand(x, z, heading, stance[0], stagger[0])]
    flip = 1.0 if rng.uniform() < 0.5 else -1.0
    axis = np.radians(-0.5 * heading)
    half = flip * apart / 2 * np.array([np.cos(axis), np.sin(axis)])
    aside = rng.normal(0.0, 6.0, 2)
    facing = flip * 90.0 - 0.5 * heading
    return [
        Stand(x - half[0], z - half[1], facing + aside[0], stance[0], stagger[0]),
        Stand(x + half[0], z + half[1], facing + 180.0 + aside[1], stance[1], stagger[1]),
    ]
