"""The classes: to add an action, add its row. A row says what happens, with which key poses, and what carries it.

Poses are written for a right-hander; the units of every channel are those of `body.CHANNELS`.
"""

from stgcn_lens.data.synthetic.script import Action, Cycle, Key, Mark, Role, Value


def _arm(*sides: str) -> tuple[str, ...]:
    return tuple(f"{side}_{name}" for side in sides for name in ("elbow", "wrist", "hand", "hand_tip", "thumb"))


def _leg(*sides: str) -> tuple[str, ...]:
    return tuple(f"{side}_{name}" for side in sides for name in ("knee", "ankle", "foot"))


def _both(limb: str, value: Value) -> dict[str, Value]:
    return {f"right_{limb}": value, f"left_{limb}": value}


_TRUNK = ("spine_base", "spine_mid", "spine_shoulder")
_HEAD = ("neck", "head")
_SHOULDERS = ("right_shoulder", "left_shoulder")
_HIPS = ("right_hip", "left_hip")
_SEATED: dict[str, Value] = {"pelvis": (0.0, -0.50, -0.42), "bend": 4.0, **_both("arm", (0.0, -0.72, 0.46))}
_RISING: dict[str, Value] = {"pelvis": (0.0, -0.30, -0.28), "bend": 42.0, **_both("arm", (0.08, -0.62, 0.62))}


def _wave(side: str) -> Role:
    up: dict[str, Value] = {f"{side}_arm": (0.40, 0.42, 0.28), f"{side}_hand": (0.1, 1.2, 0.2)}
    return Role(
        keys=(Key(0.18, up), Key(0.84, up)),
        cycles=(
            Cycle(f"{side}_arm", (0.25, -0.03, 0.0), 0.15, 0.87, (3, 5)),
            Cycle(f"{side}_hand", (0.5, 0.0, 0.0), 0.15, 0.87, (3, 5)),
        ),
        marks=(Mark(_arm(side), 0.10, 0.90),),
    )


def _circle(turning: float) -> Role:
    out: dict[str, Value] = {"right_arm": (0.02, 0.02, 0.80)}
    return Role(
        keys=(Key(0.16, out), Key(0.86, out)),
        cycles=(
            Cycle("right_arm", (turning * 0.38, 0.0, 0.0), 0.12, 0.90, (2, 3)),
            Cycle("right_arm", (0.0, 0.38, -0.05), 0.12, 0.90, (2, 3), wave="cos"),
        ),
        marks=(Mark(_arm("right"), 0.10, 0.90),),
    )


def _kick(height: float, forward: float) -> tuple[Key, ...]:
    return (
        Key(
            0.25,
            {
                "right_foot": (0.0, 0.10, -0.34),
                "right_toe": -25.0,
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
    Key(1.00, {**_both("foot", (0.0, 0.0, 0.40)), "pelvis": (0.0, -0.01, 0.40)}),
)
_HUG: dict[str, Value] = {
    **_both("touch", 1.0),
    **_both("elbow", -35.0),
    **_both("hand", (-1.0, 0.3, -0.4)),
    "side": 6.0,
    "tilt": 12.0,
    "bend": 7.0,
}
_HUGGING = Role(
    keys=(
        *_STEP_UP,
        Key(0.20, {**_both("touch", 0.0), **_both("arm", (0.45, -0.15, 0.70))}),
        Key(0.42, _HUG),
        Key(0.76, _HUG),
        Key(0.92, {**_both("touch", 0.0), **_both("arm", (0.35, -0.55, 0.60))}),
    ),
    marks=(Mark(_arm("right", "left"), 0.15, 0.92), Mark(_TRUNK, 0.05, 0.76)),
)
_SHAKING = Role(
    keys=(
        Key(0.10, {"right_touch": 0.0, "right_arm": (0.10, -0.60, 0.55)}),
        Key(0.28, {"right_touch": 1.0, "bend": 6.0, "twist": -9.0}),
        Key(0.76, {"right_touch": 1.0, "bend": 5.0, "twist": -8.0}),
        Key(0.92, {"right_touch": 0.0, "right_arm": (0.10, -0.70, 0.45)}),
    ),
    cycles=(Cycle("grip", (0.0, 0.075, 0.0), 0.28, 0.78, (2, 4)),),
    marks=(Mark(_arm("right"), 0.06, 0.94),),
)


def _staggers(at: float, far: float, bend: float) -> Role:
    back = -far
    return Role(
        keys=(
            Key(at, {"pelvis": (0.0, 0.0, 0.0), "bend": 0.0, **_both("foot", (0.0, 0.0, 0.0))}),
            Key(at + 0.10, {"bend": bend, **_both("arm", (0.45, -0.45, 0.50)), "right_foot": (0.0, 0.07, back / 2)}),
            Key(at + 0.18, {"right_foot": (0.0, 0.0, back), "left_foot": (0.0, 0.0, 0.0)}),
            Key(at + 0.24, {"pelvis": (0.0, -0.05, back), "left_foot": (0.0, 0.06, back / 2)}),
            Key(at + 0.32, {"left_foot": (0.0, 0.0, back), "bend": 6.0}),
            Key(1.0, {"pelvis": (0.0, 0.0, back), **_both("foot", (0.0, 0.0, back))}),
        ),
        marks=(Mark((*_TRUNK, *_HEAD, *_SHOULDERS, *_HIPS), at, at + 0.32),),
    )


ACTIONS: tuple[Action, ...] = (
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
        2.2,
        (
            Role(
                keys=tuple(
                    Key(at, {**_both("arm", "palms"), **_both("hand", (-0.1, 1.0, 1.6))}) for at in (0.15, 0.88)
                ),
                cycles=tuple(
                    Cycle(f"{side}_arm", (0.34, -0.02, -0.05), 0.12, 0.90, (3, 6), wave="pulse")
                    for side in ("right", "left")
                ),
                marks=(Mark(_arm("right", "left"), 0.08, 0.93),),
            ),
        ),
    ),
    Action(
        "kick",
        "Swings the stronger leg back and kicks forward.",
        1.9,
        (Role(keys=_kick(0.42, 0.74), marks=(Mark(_leg("right"), 0.06, 0.84),)),),
    ),
    Action(
        "throw",
        "Takes the stronger hand behind the head and throws overarm.",
        1.9,
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
                marks=(Mark((*_arm("right"), "right_shoulder"), 0.06, 0.74),),
            ),
        ),
    ),
    Action(
        "drink",
        "Lifts a cup to the mouth, tips the head back and puts the cup down.",
        2.9,
        (
            Role(
                keys=(
                    Key(0.16, {"right_arm": (0.12, -0.55, 0.60)}),
                    Key(0.36, {"right_arm": "mouth", "right_hand": (-1.1, 0.3, -0.5), "right_elbow": 12.0, "nod": 0.0}),
                    Key(0.48, {"right_elbow": -28.0, "nod": -22.0}),
                    Key(
                        0.64,
                        {"right_arm": "mouth", "right_hand": (-1.1, 0.3, -0.5), "right_elbow": -28.0, "nod": -20.0},
                    ),
                    Key(0.84, {"right_arm": (0.12, -0.55, 0.60), "nod": 2.0}),
                ),
                marks=(Mark(_arm("right"), 0.08, 0.90),),
            ),
        ),
    ),
    Action(
        "sit down",
        "Lowers the body onto a chair.",
        2.0,
        (
            Role(
                keys=(Key(0.45, _RISING), Key(0.85, _SEATED), Key(1.0, _SEATED)),
                marks=(Mark((*_TRUNK, *_HIPS, "right_knee", "left_knee"), 0.08, 0.85),),
            ),
        ),
    ),
    Action(
        "stand up",
        "Rises from a chair.",
        2.0,
        (
            Role(
                keys=(Key(0.0, _SEATED), Key(0.15, _SEATED), Key(0.55, _RISING)),
                marks=(Mark((*_TRUNK, *_HIPS, "right_knee", "left_knee"), 0.15, 0.92),),
            ),
        ),
    ),
    Action(
        "jump",
        "Crouches, jumps up with both feet and lands.",
        1.7,
        (
            Role(
                keys=(
                    Key(0.28, {"pelvis": (0.0, -0.27, -0.06), "bend": 30.0, **_both("arm", (0.22, -0.80, -0.42))}),
                    Key(
                        0.43,
                        {
                            "pelvis": (0.0, 0.01, 0.0),
                            "bend": 2.0,
                            **_both("foot", (0.0, 0.0, 0.0)),
                            **_both("toe", 0.0),
                        },
                    ),
                    Key(0.50, {**_both("arm", (0.32, 0.45, 0.65)), **_both("toe", -40.0)}),
                    Key(0.56, {"pelvis": (0.0, 0.34, 0.0), **_both("foot", (0.0, 0.37, -0.02))}),
                    Key(0.64, {**_both("toe", -30.0)}),
                    Key(
                        0.69,
                        {
                            "pelvis": (0.0, -0.03, 0.0),
                            **_both("foot", (0.0, 0.0, 0.0)),
                            **_both("toe", 0.0),
                            "bend": 4.0,
                        },
                    ),
                    Key(0.79, {"pelvis": (0.0, -0.20, -0.04), "bend": 20.0, **_both("arm", (0.30, -0.65, 0.50))}),
                ),
                marks=(Mark((*_TRUNK, *_HIPS, *_leg("right", "left")), 0.10, 0.90),),
            ),
        ),
    ),
    Action(
        "bow",
        "Bends forward from the hips with the arms at the sides, and straightens.",
        2.4,
        (
            Role(
                keys=tuple(
                    Key(
                        at,
                        {"bend": bend, "nod": nod, "pelvis": (0.0, -0.02, -0.13), **_both("arm", (0.08, -0.93, 0.22))},
                    )
                    for at, bend, nod in ((0.40, 62.0, 14.0), (0.58, 60.0, 16.0))
                ),
                marks=(Mark(("spine_mid", "spine_shoulder", *_HEAD, *_SHOULDERS), 0.06, 0.92),),
            ),
        ),
    ),
    Action(
        "point",
        "Stretches the stronger arm forward, points at something and lowers the arm.",
        2.3,
        (
            Role(
                keys=tuple(
                    Key(at, {"right_arm": (0.22, 0.06, 0.97), "turn": 8.0, "twist": -5.0}) for at in (0.30, 0.72)
                ),
                marks=(Mark(_arm("right"), 0.08, 0.92),),
            ),
        ),
    ),
    Action(
        "check watch",
        "Lifts the weaker forearm before the chest and looks down at the wrist.",
        2.3,
        (
            Role(
                keys=tuple(
                    Key(
                        at,
                        {
                            "left_arm": "watch",
                            "left_elbow": -48.0,
                            "left_hand": (-0.6, 0.0, 0.2),
                            "nod": 26.0,
                            "turn": -8.0,
                        },
                    )
                    for at in (0.32, 0.70)
                ),
                marks=(Mark((*_arm("left"), "head"), 0.08, 0.92),),
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
                                "right_elbow": -12.0,
                                "left_elbow": -6.0,
                                **_both("hand", (-1.0, 0.0, -0.3)),
                            },
                        )
                        for at in (0.36, 0.76)
                    ),
                ),
                marks=(Mark(_arm("right", "left"), 0.08, 0.92),),
            ),
        ),
    ),
    Action(
        "answer phone",
        "Takes a phone from the pocket to the ear and listens.",
        2.8,
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
                                "right_elbow": 8.0,
                                "tilt": 9.0,
                                "nod": 4.0,
                            },
                        )
                        for at in (0.40, 0.80)
                    ),
                ),
                marks=(Mark(_arm("right"), 0.05, 0.94),),
            ),
        ),
    ),
    Action(
        "punch",
        "Lifts both fists before the chin and punches into the air with each in turn.",
        2.1,
        (
            Role(
                keys=tuple(
                    Key(at, {**_both("arm", "chin"), **_both("elbow", -12.0), "bend": 7.0}) for at in (0.18, 0.86)
                ),
                cycles=(
                    Cycle("right_arm", (-0.05, -0.12, 0.62), 0.16, 0.88, (2, 4), wave="pulse"),
                    Cycle("left_arm", (-0.05, -0.12, 0.62), 0.16, 0.88, (2, 4), wave="pulse", phase=0.5),
                    Cycle("twist", (-14.0,), 0.16, 0.88, (2, 4), wave="cos", phase=0.5),
                ),
                marks=(Mark(_arm("right", "left"), 0.08, 0.94),),
            ),
        ),
    ),
    Action(
        "squat",
        "Bends the knees deeply with the arms stretched forward, and comes up again.",
        2.6,
        (
            Role(
                keys=tuple(Key(at, _both("arm", (0.06, -0.05, 0.92))) for at in (0.22, 0.85)),
                cycles=(
                    Cycle("pelvis", (0.0, -0.50, -0.24), 0.06, 0.94, (1, 2), wave="pulse"),
                    Cycle("bend", (42.0,), 0.06, 0.94, (1, 2), wave="pulse"),
                ),
                marks=(Mark((*_TRUNK, *_HIPS, "right_knee", "left_knee"), 0.08, 0.92),),
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
                    Key(0.82, {"right_touch": 0.0, "right_arm": (0.08, -0.58, 0.55), "bend": 4.0}),
                ),
                marks=(Mark((*_TRUNK, *_HEAD, *_arm("right")), 0.10, 0.80),),
            ),
        ),
        touch="floor",
    ),
    Action(
        "cheer",
        "Throws both hands up and shakes them above the head.",
        2.2,
        (
            Role(
                keys=(
                    Key(0.10, _both("arm", (0.62, -0.30, 0.40))),
                    Key(0.26, _both("arm", (0.42, 0.80, 0.15))),
                    Key(0.80, _both("arm", (0.42, 0.80, 0.15))),
                    Key(0.90, _both("arm", (0.70, -0.15, 0.35))),
                ),
                cycles=tuple(
                    Cycle(f"{side}_arm", (-0.10, -0.26, 0.06), 0.26, 0.82, (2, 4), wave="pulse")
                    for side in ("right", "left")
                ),
                marks=(Mark(_arm("right", "left"), 0.06, 0.94),),
            ),
        ),
    ),
    Action(
        "handshake",
        "Two people take each other's right hand and shake it.",
        2.8,
        (_SHAKING, _SHAKING),
        False,
        "grip",
        0.84,
    ),
    Action(
        "push",
        "One person pushes the other's chest with both hands; the other staggers back.",
        2.2,
        (
            Role(
                keys=(
                    Key(0.18, {**_both("touch", 0.0), **_both("arm", (0.18, -0.32, 0.34)), "bend": -3.0}),
                    Key(
                        0.36,
                        {
                            **_both("touch", 1.0),
                            **_both("hand", (0.0, 1.6, 0.0)),
                            "pelvis": (0.0, -0.03, 0.08),
                            "bend": 8.0,
                        },
                    ),
                    Key(
                        0.48,
                        {
                            **_both("touch", 0.8),
                            **_both("arm", (0.05, -0.05, 0.95)),
                            "pelvis": (0.0, -0.05, 0.12),
                            "bend": 16.0,
                        },
                    ),
                    Key(0.60, {**_both("touch", 0.0), **_both("hand", (0.0, 0.6, 0.0))}),
                ),
                marks=(Mark(_arm("right", "left"), 0.06, 0.70),),
            ),
            _staggers(0.37, 0.30, -20.0),
        ),
        touch="chest",
        apart=0.66,
    ),
    Action(
        "hug",
        "Two people step up to each other and put their arms round each other.",
        3.2,
        (_HUGGING, _HUGGING),
        False,
        "back",
        1.00,
    ),
    Action(
        "kick other",
        "One person kicks at the other, who draws back.",
        2.0,
        (
            Role(keys=_kick(0.34, 0.76), marks=(Mark(_leg("right"), 0.06, 0.84),)),
            _staggers(0.42, 0.22, 24.0),
        ),
        apart=0.98,
    ),
)
