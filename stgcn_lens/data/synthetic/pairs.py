"""Actions of two people, who face each other at the start; the first role is the subject's."""

from stgcn_lens.data.synthetic.script import (
    HEAD,
    HIPS,
    SHOULDERS,
    TRUNK,
    Action,
    Cycle,
    Key,
    Mark,
    Role,
    Value,
    arm_joints,
    both,
    leg_joints,
)
from stgcn_lens.data.synthetic.whole_body import kick

_STEP_UP = (  # both feet one step forward, left first
    Key(0.02, {"left_foot": (0.0, 0.0, 0.0), "pelvis": (0.0, 0.0, 0.0)}),
    Key(0.10, {"left_foot": (0.0, 0.09, 0.22)}),
    Key(0.18, {"left_foot": (0.0, 0.0, 0.40), "right_foot": (0.0, 0.0, 0.0)}),
    Key(0.26, {"right_foot": (0.0, 0.09, 0.22)}),
    Key(0.34, {"right_foot": (0.0, 0.0, 0.40), "pelvis": (0.0, -0.01, 0.40)}),
    Key(1.00, {**both("foot", (0.0, 0.0, 0.40)), "pelvis": (0.0, -0.01, 0.40)}),
)


_HUG: dict[str, Value] = {
    **both("touch", 1.0),
    **both("elbow", 35.0),
    **both("hand", (-1.0, 0.3, -0.4)),
    "side": 6.0,
    "tilt": 12.0,
    "bend": 7.0,
}


_HUGGING = Role(
    keys=(
        *_STEP_UP,
        Key(0.20, {**both("touch", 0.0), **both("arm", (0.45, -0.15, 0.70))}),
        Key(0.42, _HUG),
        Key(0.76, _HUG),
        Key(0.92, {**both("touch", 0.0), **both("arm", (0.35, -0.55, 0.60))}),
    ),
    marks=(Mark(arm_joints("right", "left"), 0.15, 0.92), Mark(TRUNK, 0.05, 0.76)),
)


_SHAKING = Role(
    keys=(
        Key(0.10, {"right_touch": 0.0, "right_arm": (0.10, -0.60, 0.55)}),
        Key(0.28, {"right_touch": 1.0, "bend": 6.0, "twist": -9.0}),
        Key(0.76, {"right_touch": 1.0, "bend": 5.0, "twist": -8.0}),
        Key(0.92, {"right_touch": 0.0, "right_arm": (0.10, -0.70, 0.45)}),
    ),
    cycles=(Cycle("grip", (0.0, 0.075, 0.0), 0.28, 0.78, (2, 4)),),
    marks=(Mark(arm_joints("right"), 0.06, 0.94),),
)


def _staggers(at: float, far: float, bend: float) -> Role:
    back = -far
    return Role(
        keys=(
            Key(at, {"pelvis": (0.0, 0.0, 0.0), "bend": 0.0, **both("foot", (0.0, 0.0, 0.0))}),
            Key(at + 0.10, {"bend": bend, **both("arm", (0.45, -0.45, 0.50)), "right_foot": (0.0, 0.07, back / 2)}),
            Key(at + 0.18, {"right_foot": (0.0, 0.0, back), "left_foot": (0.0, 0.0, 0.0)}),
            Key(at + 0.24, {"pelvis": (0.0, -0.05, back), "left_foot": (0.0, 0.06, back / 2)}),
            Key(at + 0.32, {"left_foot": (0.0, 0.0, back), "bend": 6.0}),
            Key(1.0, {"pelvis": (0.0, 0.0, back), **both("foot", (0.0, 0.0, back))}),
        ),
        marks=(Mark((*TRUNK, *HEAD, *SHOULDERS, *HIPS), at, at + 0.32),),
    )


PAIRS: tuple[Action, ...] = (
    Action(
        "handshake",
        "Two people take each other's right hand and shake it.",
        2.8,
        (_SHAKING, _SHAKING),
        False,
        "grip",
        0.80,
    ),
    Action(
        "push",
        "One person pushes the other's chest with both hands; the other staggers back.",
        1.9,
        (
            Role(
                keys=(
                    Key(0.18, {**both("touch", 0.0), **both("arm", (0.18, -0.32, 0.34)), "bend": -3.0}),
                    Key(
                        0.36,
                        {
                            **both("touch", 1.0),
                            **both("hand", (0.0, 1.6, 0.0)),
                            "pelvis": (0.0, -0.03, 0.08),
                            "bend": 8.0,
                        },
                    ),
                    Key(
                        0.48,
                        {
                            **both("touch", 0.8),
                            **both("arm", (0.05, -0.05, 0.95)),
                            "pelvis": (0.0, -0.05, 0.12),
                            "bend": 16.0,
                        },
                    ),
                    Key(0.60, {**both("touch", 0.0), **both("hand", (0.0, 0.6, 0.0))}),
                ),
                marks=(Mark(arm_joints("right", "left"), 0.06, 0.70),),
            ),
            _staggers(0.37, 0.30, -20.0),
        ),
        touch="chest",
        apart=0.66,
    ),
    Action(
        "hug",
        "Two people step up to each other and put their arms round each other.",
        3.5,
        (_HUGGING, _HUGGING),
        False,
        "back",
        1.06,
    ),
    Action(
        "kick other",
        "One person kicks at the other, who draws back.",
        1.6,
        (
            Role(keys=kick(0.34, 0.76), marks=(Mark(leg_joints("right"), 0.06, 0.84),)),
            _staggers(0.42, 0.22, 24.0),
        ),
        apart=0.98,
    ),
)
