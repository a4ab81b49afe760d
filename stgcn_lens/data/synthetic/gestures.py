"""Actions of the arms. Poses are written for a right-hander, in the units of `body.CHANNELS`."""

from stgcn_lens.data.synthetic.script import Action, Cycle, Key, Mark, Role, Value, arm_joints, both


def _wave(side: str) -> Role:
    up: dict[str, Value] = {f"{side}_arm": (0.40, 0.42, 0.28), f"{side}_hand": (0.1, 1.2, 0.2)}
    return Role(
        keys=(Key(0.18, up), Key(0.84, up)),
        cycles=(
            Cycle(f"{side}_arm", (0.25, -0.03, 0.0), 0.15, 0.87, (2, 4)),
            Cycle(f"{side}_hand", (0.5, 0.0, 0.0), 0.15, 0.87, (2, 4)),
        ),
        marks=(Mark(arm_joints(side), 0.10, 0.90),),
    )


def _circle(turning: float) -> Role:
    out: dict[str, Value] = {"right_arm": (0.02, 0.02, 0.80)}
    return Role(
        keys=(Key(0.16, out), Key(0.86, out)),
        cycles=(
            Cycle("right_arm", (turning * 0.38, 0.0, 0.0), 0.12, 0.90, (1, 2)),
            Cycle("right_arm", (0.0, 0.38, -0.05), 0.12, 0.90, (1, 2), wave="cos"),
        ),
        marks=(Mark(arm_joints("right"), 0.10, 0.90),),
    )


GESTURES: tuple[Action, ...] = (
    Action(
        "wave left",
        "Raises the left hand beside the head and waves it from side to side.",
        2.6,
        (_wave("left"),),
        False,
    ),
    Action(
        "wave right",
        "Raises the right hand beside the head and waves it from side to side.",
        2.6,
        (_wave("right"),),
        False,
    ),
    Action(
        "clap",
        "Claps both hands in front of the chest several times.",
        2.0,
        (
            Role(
                keys=tuple(Key(at, {**both("arm", "palms"), **both("hand", (-0.1, 1.0, 1.6))}) for at in (0.15, 0.88)),
                cycles=tuple(
                    Cycle(f"{side}_arm", (0.34, -0.02, -0.05), 0.12, 0.90, (3, 6), wave="pulse")
                    for side in ("right", "left")
                ),
                marks=(Mark(arm_joints("right", "left"), 0.08, 0.93),),
            ),
        ),
    ),
    Action(
        "throw",
        "Takes the stronger hand behind the head and throws overarm.",
        1.5,
        (
            Role(
                keys=(
                    Key(
                        0.30,
                        {
                            "right_arm": (0.52, 0.34, -0.22),
                            "right_hand": (0.0, 0.8, -0.6),
                            "left_arm": (0.15, -0.15, 0.75),
                            "twist": 32.0,
                            "bend": -6.0,
                            "left_foot": (0.0, 0.06, 0.12),
                            "pelvis": (0.04, -0.03, -0.05),
                        },
                    ),
                    Key(0.40, {"left_foot": (0.0, 0.0, 0.28)}),
                    Key(
                        0.50,
                        {
                            "right_arm": (0.18, 0.42, 0.82),
                            "right_hand": (0.0, -0.2, 0.8),
                            "left_arm": (0.25, -0.70, 0.25),
                            "twist": -22.0,
                            "bend": 12.0,
                            "pelvis": (0.0, -0.06, 0.15),
                        },
                    ),
                    Key(
                        0.64,
                        {
                            "right_arm": (-0.32, -0.58, 0.58),
                            "twist": -34.0,
                            "bend": 20.0,
                            "left_foot": (0.0, 0.0, 0.28),
                            "pelvis": (0.0, -0.06, 0.15),
                        },
                    ),
                ),
                marks=(Mark((*arm_joints("right"), "right_shoulder"), 0.06, 0.74),),
            ),
        ),
    ),
    Action(
        "drink",
        "Lifts a cup to the mouth, tips the head back and puts the cup down.",
        3.2,
        (
            Role(
                keys=(
                    Key(0.16, {"right_arm": (0.12, -0.55, 0.60)}),
                    Key(0.36, {"right_arm": "mouth", "right_hand": (-1.1, 0.3, -0.5), "right_elbow": -5.0, "nod": 0.0}),
                    Key(0.48, {"right_elbow": 30.0, "nod": -22.0}),
                    Key(
                        0.64,
                        {"right_arm": "mouth", "right_hand": (-1.1, 0.3, -0.5), "right_elbow": 30.0, "nod": -20.0},
                    ),
                    Key(0.84, {"right_arm": (0.12, -0.55, 0.60), "nod": 2.0}),
                ),
                marks=(Mark(arm_joints("right"), 0.08, 0.90),),
            ),
        ),
    ),
    Action(
        "point",
        "Stretches the stronger arm forward, points at something and lowers the arm.",
        2.0,
        (
            Role(
                keys=tuple(
                    Key(at, {"right_arm": (0.22, 0.06, 0.97), "turn": 8.0, "twist": -5.0}) for at in (0.30, 0.72)
                ),
                marks=(Mark(arm_joints("right"), 0.08, 0.92),),
            ),
        ),
    ),
    Action(
        "check watch",
        "Lifts the weaker forearm before the chest and looks down at the wrist.",
        2.1,
        (
            Role(
                keys=tuple(
                    Key(
                        at,
                        {
                            "left_arm": "watch",
                            "left_elbow": 42.0,
                            "left_hand": (-0.6, 0.0, 0.2),
                            "nod": 26.0,
                            "turn": -8.0,
                        },
                    )
                    for at in (0.32, 0.70)
                ),
                marks=(Mark((*arm_joints("left"), "head"), 0.08, 0.92),),
            ),
        ),
    ),
    Action(
        "draw circle clockwise",
        "Draws circles in the air, clockwise as the drawer sees them.",
        2.8,
        (_circle(1.0),),
        False,
    ),
    Action(
        "draw circle counter-clockwise",
        "Draws circles in the air, counter-clockwise as the drawer sees them.",
        2.8,
        (_circle(-1.0),),
        False,
    ),
    Action(
        "cross arms",
        "Folds both arms before the chest and holds them there.",
        2.5,
        (
            Role(
                keys=(
                    Key(0.15, {"right_arm": (0.10, -0.50, 0.58), "left_arm": (0.10, -0.60, 0.50)}),
                    *(
                        Key(
                            at,
                            {
                                "right_arm": "other_elbow_outside",
                                "left_arm": "other_elbow",
                                "right_elbow": 10.0,
                                "left_elbow": 10.0,
                                **both("hand", (-1.0, 0.0, -0.3)),
                            },
                        )
                        for at in (0.36, 0.76)
                    ),
                ),
                marks=(Mark(arm_joints("right", "left"), 0.08, 0.92),),
            ),
        ),
    ),
    Action(
        "answer phone",
        "Takes a phone from the pocket to the ear and listens.",
        3.1,
        (
            Role(
                keys=(
                    Key(0.12, {"right_arm": (0.18, -0.70, -0.05)}),
                    *(
                        Key(
                            at,
                            {
                                "right_arm": "ear",
                                "right_hand": (-0.6, 1.3, -0.4),
                                "right_elbow": -22.0,
                                "tilt": 9.0,
                                "nod": 4.0,
                            },
                        )
                        for at in (0.40, 0.80)
                    ),
                ),
                marks=(Mark(arm_joints("right"), 0.05, 0.94),),
            ),
        ),
    ),
    Action(
        "punch",
        "Lifts both fists before the chin and punches into the air with each in turn.",
        1.9,
        (
            Role(
                keys=tuple(
                    Key(at, {**both("arm", "chin"), **both("elbow", -12.0), "bend": 7.0}) for at in (0.18, 0.86)
                ),
                cycles=(
                    Cycle("right_arm", (-0.05, -0.12, 0.62), 0.16, 0.88, (2, 3), wave="pulse"),
                    Cycle("left_arm", (-0.05, -0.12, 0.62), 0.16, 0.88, (2, 3), wave="pulse", phase=0.5),
                    Cycle("twist", (-14.0,), 0.16, 0.88, (2, 3), wave="cos", phase=0.5),
                ),
                marks=(Mark(arm_joints("right", "left"), 0.08, 0.94),),
            ),
        ),
    ),
    Action(
        "cheer",
        "Throws both hands up and shakes them above the head.",
        2.2,
        (
            Role(
                keys=(
                    Key(0.10, both("arm", (0.62, -0.30, 0.40))),
                    Key(0.26, both("arm", (0.42, 0.80, 0.15))),
                    Key(0.80, both("arm", (0.42, 0.80, 0.15))),
                    Key(0.90, both("arm", (0.70, -0.15, 0.35))),
                ),
                cycles=tuple(
                    Cycle(f"{side}_arm", (-0.10, -0.26, 0.06), 0.26, 0.82, (2, 3), wave="pulse")
                    for side in ("right", "left")
                ),
                marks=(Mark(arm_joints("right", "left"), 0.06, 0.94),),
            ),
        ),
    ),
)
