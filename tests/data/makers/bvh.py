import numpy as np

SUFFIX = None  # classes are folders, so that files by themselves have none
# Joint, how deep it lies, and where it is from the joint above.
RIG = (
    ("Hips", 0, (0, 90, 0)),
    ("Spine", 1, (0, 20, 0)),
    ("Neck", 2, (0, 30, 0)),
    ("Head", 3, (0, 15, 0)),
    ("LeftArm", 2, (-18, 25, 0)),
    ("LeftForeArm", 3, (-28, 0, 0)),
    ("LeftHand", 4, (-25, 0, 0)),
    ("RightArm", 2, (18, 25, 0)),
    ("RightForeArm", 3, (28, 0, 0)),
    ("RightHand", 4, (25, 0, 0)),
    ("LeftUpLeg", 1, (-9, 0, 0)),
    ("LeftLeg", 2, (0, -42, 0)),
    ("LeftFoot", 3, (0, -40, 0)),
    ("RightUpLeg", 1, (9, 0, 0)),
    ("RightLeg", 2, (0, -42, 0)),
    ("RightFoot", 3, (0, -40, 0)),
)


def hierarchy(rig=RIG, turns="Zrotation Xrotation Yrotation"):
    """The text of a rig whose root moves and whose joints turn; limbs end in an End Site."""
    lines, open_ = ["HIERARCHY"], 0
    for i, (name, depth, offset) in enumerate(rig):
        lines += ["}"] * (open_ - depth)
        moves = "6 Xposition Yposition Zposition" if depth == 0 else "3"
        lines += [f"{'JOINT' if depth else 'ROOT'} {name}", "{", "OFFSET {} {} {}".format(*offset)]
        lines += [f"CHANNELS {moves} {turns}"]
        open_ = depth + 1
        if i + 1 == len(rig) or rig[i + 1][1] <= depth:
            lines += ["End Site", "{", "OFFSET 0 0 5", "}"]
    return "\n".join(lines + ["}"] * open_) + "\n"


def motion(values, seconds=1 / 120):
    """The text of the frames (T, channels)."""
    rows = "".join(" ".join(f"{value:.6f}" for value in row) + "\n" for row in values)
    return f"MOTION\nFrames: {len(values)}\nFrame Time: {seconds:.7f}\n{rows}"


def values(frames, seed=0, rig=RIG):
    """Made-up channels: someone who walks a little and swings all joints."""
    rng = np.random.default_rng(seed)
    table = np.cumsum(rng.normal(scale=2, size=(frames, 3 + 3 * len(rig))), axis=0)
    table[:, 1] += 90
    return table


def make(folder):
    """Two clips of each of two classes, one folder a class."""
    for i, name in enumerate(("jump/a", "jump/b", "walk/a2", "walk/b2")):
        file = folder / f"{name}.bvh"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(hierarchy() + motion(values(5 + i, seed=i)))
