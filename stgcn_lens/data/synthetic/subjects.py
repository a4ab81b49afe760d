"""The forty people: their bones, their tempo and their habits."""

from dataclasses import dataclass

import numpy as np

from stgcn_lens.data.synthetic.body import Body

SUBJECTS = tuple(range(1, 41))
_LEFT_HANDED_EVERY = 7  # six of forty, near the one in seven to ten of real people  # ours


@dataclass(frozen=True)
class Subject:
    """One person, the same in every clip.

    Attributes
    ----------
    body : bone lengths in metres.
    tempo : speed of all movements, 1 = as the action table says.
    amplitude : size of all movements, likewise.
    restless : scale of idle sway and of movements that do not belong to the action.
    posture : degrees by which the trunk is bent forward at rest.
    arms_out : how far the arms hang from the body, arm lengths.
    arms_bent : how far the hands hang before the body, arm lengths.
    """

    body: Body
    tempo: float
    amplitude: float
    restless: float
    left_handed: bool
    posture: float
    arms_out: float
    arms_bent: float


# Shares of body height of an adult of 1.72 m, as a Kinect places the joints.  # ours, near common anthropometric tables
_SHARES = {
    "pelvis_to_mid": 0.174,
    "mid_to_shoulders": 0.128,
    "neck": 0.041,
    "head": 0.087,
    "shoulder_half": 0.100,
    "shoulder_drop": 0.022,
    "upper_arm": 0.162,
    "forearm": 0.145,
    "palm": 0.043,
    "fingers": 0.046,
    "thumb": 0.040,
    "hip_half": 0.046,
    "hip_drop": 0.022,
    "thigh": 0.240,
    "shank": 0.236,
    "ankle_height": 0.043,
    "foot": 0.082,
}


def person(rng: np.random.Generator, *, left_handed: bool = False) -> Subject:
    """A random person: 1.48 to 1.98 m tall, with limbs, trunk and breadth that vary apart from the height."""
    height = float(np.clip(rng.normal(1.71, 0.105), 1.48, 1.98))
    arms, legs, trunk, breadth = rng.normal(1.0, (0.035, 0.03, 0.03, 0.06))
    group = {
        **dict.fromkeys(("upper_arm", "forearm", "palm", "fingers", "thumb"), arms),
        **dict.fromkeys(("thigh", "shank", "foot"), legs),
        **dict.fromkeys(("pelvis_to_mid", "mid_to_shoulders"), trunk),
        **dict.fromkeys(("shoulder_half", "hip_half"), breadth),
    }
    own = rng.normal(1.0, 0.015, len(_SHARES))
    lengths = {
        name: round(float(height * share * group.get(name, 1.0) * extra), 4)
        for (name, share), extra in zip(_SHARES.items(), own, strict=True)
    }
    return Subject(
        body=Body(**lengths),
        tempo=float(np.clip(rng.lognormal(0.06, 0.2), 0.72, 1.6)),
        amplitude=float(np.clip(rng.normal(0.98, 0.10), 0.76, 1.18)),
        restless=float(rng.uniform(0.6, 1.5)),
        left_handed=left_handed,
        posture=float(rng.normal(2.0, 2.5)),
        arms_out=float(rng.uniform(0.06, 0.22)),
        arms_bent=float(rng.uniform(0.0, 0.18)),
    )


def subject(number: int, seed: int) -> Subject:
    """Subject 1 to 40 of a seed."""
    return person(np.random.default_rng([seed, 1, number]), left_handed=number % _LEFT_HANDED_EVERY == 3)


def setup_of(number: int) -> int:
    """The camera setup (1 to 4) in which a subject was recorded."""
    return 1 + (number - 1) % 4
