"""Actions of legs and trunk. Poses are written for a right-hander, in the units of `body.CHANNELS`."""

from stgcn_lens.data.synthetic.body import LAYOUT
from stgcn_lens.data.synthetic.script import (
    HEAD,
    HIPS,
    KNEES,
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

_SEATED: dict[str, Value] = {"pelvis": (0.0, -0.50, -0.42), "bend": 4.0, **both("arm", (0.0, -0.72, 0.46))}


_RISING: dict[str, Value] = {"pelvis": (0.0, -0.30, -0.28), "bend": 42.0, **both("arm", (0.08, -0.62, 0.62))}


def kick(height: float, forward: float) -> tuple[Key, ...]:
    """Swing back, kick to a height and distance in leg lengths, set the foot down."""
    return (
        Key(
            0.25,
            {
                "right_foot": (0.0, 0.10, -0.34),
                "right_toe": -12.0,
                "pelvis": (-0.07, -0.03, 0.04),
                "right_arm": (0.25, -0.80, 0.35),
                "left_arm": (0.30, -0.85, -0.15),
            },
        ),
        Key(
            0.50,
            {
                "right_foot": (-0.02, height, forward),
                "right_toe": 50.0,
                "bend": -9.0,
                "pelvis": (-0.09, -0.01, 0.05),
                "right_arm": (0.40, -0.80, -0.25),
                "left_arm": (0.35, -0.65, 0.50),
            },
        ),
        Key(
            0.60, {"right_foot": (0.0, 0.7 * height, 0.8 * forward), "right_toe": 30.0, "pelvis": (-0.08, -0.02, 0.04)}
        ),
        Key(0.85, {"right_foot": (0.0, 0.0, 0.0), "right_toe": 0.0, "pelvis": (0.0, 0.0, 0.0)}),
    )


_STEP_UP = (  # both feet one step forward, left first
    Key(0.02, {"left_foot": (0.0, 0.0, 0.0), "pelvis": (0.0, 0.0, 0.0)}),
    Key(0.10, {"left_foot": (0.0, 0.09, 0.22)}),
    Key(0.18, {"left_foot": (0.0, 0.0, 0.40), "right_foot": (0.0, 0.0, 0.0)}),
    Key(0.26, {"right_foot": (0.0, 0.09, 0.22)}),
    Key(0.34, {"right_foot": (0.0, 0.0, 0.40), "pelvis": (0.0, -0.01, 0.40)}),
    Key(1.00, {**both("foot", (0.0, 0.0, 0.40)), "pelvis": (0.0, -0.01, 0.40)}),
)


WHOLE_BODY: tuple[Action, ...] = (
    Action(
        "kick",
        "Swings the stronger leg back and kicks forward.",
        1.5,
        (Role(keys=kick(0.42, 0.74), marks=(Mark(leg_joints("right"), 0.06, 0.84),)),),
    ),
    Action(
        "sit down",
        "Lowers the body onto a chair.",
        1.7,
        (
            Role(
                keys=(Key(0.45, _RISING), Key(0.85, _SEATED), Key(1.0, _SEATED)),
                marks=(Mark((*TRUNK, *HIPS, *KNEES), 0.08, 0.85),),
            ),
        ),
    ),
    Action(
        "stand up",
        "Rises from a chair.",
        1.7,
        (
            Role(
                keys=(Key(0.0, _SEATED), Key(0.15, _SEATED), Key(0.55, _RISING)),
                marks=(Mark((*TRUNK, *HIPS, *KNEES), 0.15, 0.92),),
            ),
        ),
    ),
    Action(
        "jump",
        "Crouches, jumps up with both feet and lands.",
        1.5,
        (
            Role(
                keys=(
                    Key(0.28, {"pelvis": (0.0, -0.27, -0.06), "bend": 30.0, **both("arm", (0.22, -0.80, -0.42))}),
                    Key(
                        0.43,
                        {
                            "pelvis": (0.0, 0.01, 0.0),
                            "bend": 2.0,
                            **both("foot", (0.0, 0.0, 0.0)),
                            **both("toe", 0.0),
                        },
                    ),
                    Key(0.38, both("arm", (0.20, -0.80, 0.30))),
                    Key(0.50, {**both("arm", (0.32, 0.10, 0.75)), **both("toe", -40.0)}),
                    Key(0.56, {"pelvis": (0.0, 0.34, 0.0), **both("foot", (0.0, 0.37, -0.02))}),
                    Key(0.64, {**both("toe", -30.0)}),
                    Key(
                        0.69,
                        {
                            "pelvis": (0.0, -0.03, 0.0),
                            **both("foot", (0.0, 0.0, 0.0)),
                            **both("toe", 0.0),
                            "bend": 4.0,
                        },
                    ),
                    Key(0.79, {"pelvis": (0.0, -0.20, -0.04), "bend": 20.0, **both("arm", (0.30, -0.65, 0.50))}),
                ),
                marks=(Mark(LAYOUT.joints, 0.10, 0.90),),
            ),
        ),
    ),
    Action(
        "bow",
        "Bends forward from the hips with the arms at the sides, and straightens.",
        2.1,
        (
            Role(
                keys=tuple(
                    Key(
                        at,
                        {"bend": bend, "nod": nod, "pelvis": (0.0, -0.02, -0.13), **both("arm", (0.08, -0.86, 0.42))},
                    )
                    for at, bend, nod in ((0.40, 62.0, 14.0), (0.58, 60.0, 16.0))
                ),
                marks=(Mark(("spine_mid", "spine_shoulder", *HEAD, *SHOULDERS), 0.06, 0.92),),
            ),
        ),
    ),
    Action(
        "squat",
        "Bends the knees deeply with the arms stretched forward, and comes up again.",
        2.6,
        (
            Role(
                keys=tuple(Key(at, both("arm", (0.06, -0.05, 0.92))) for at in (0.22, 0.85)),
                cycles=(
                    Cycle("pelvis", (0.0, -0.50, -0.24), 0.06, 0.94, (1, 2), wave="pulse"),
                    Cycle("bend", (42.0,), 0.06, 0.94, (1, 2), wave="pulse"),
                    *(
                        Cycle(f"{side}_arm", (0.0, 0.38, -0.12), 0.06, 0.94, (1, 2), wave="pulse")
                        for side in ("right", "left")
                    ),
                ),
                marks=(Mark((*TRUNK, *HIPS, *KNEES, *arm_joints("right", "left")), 0.08, 0.92),),
            ),
        ),
    ),
    Action(
        "pick up",
        "Stoops, takes something from the floor with the stronger hand and straightens.",
        2.4,
        (
            Role(
                keys=(
                    Key(0.10, {"right_touch": 0.0}),
                    Key(
                        0.44,
                        {
                            "right_touch": 1.0,
                            "pelvis": (0.03, -0.36, -0.20),
                            "bend": 74.0,
                            "nod": -8.0,
                            "left_arm": (0.15, -0.60, 0.50),
                            "right_arm": (0.0, -0.55, 0.80),
                        },
                    ),
                    Key(0.54, {"right_touch": 1.0, "pelvis": (0.03, -0.35, -0.20), "bend": 73.0}),
                    Key(
                        0.82,
                        {
                            "right_touch": 0.0,
                            "right_arm": (0.08, -0.58, 0.55),
                            "bend": 4.0,
                            "pelvis": (0.0, -0.04, -0.02),
                        },
                    ),
                ),
                marks=(Mark((*TRUNK, *HEAD, *arm_joints("right")), 0.10, 0.80),),
            ),
        ),
        touch="floor",
    ),
)
