"""The joints of an animation rig in the words of this field, and the layout that they make.

Rigs name the bone that begins at a joint ("LeftUpLeg"), layouts the joint itself ("left_hip").
"""

import re
from collections import Counter
from collections.abc import Sequence

from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import Layout, own
from stgcn_lens.skeleton.layout import mirrored

# Joint -> what rigs call it, without its side, the best name first. A name that stands for two joints goes to the one
# that comes first here: "shoulder" is the joint itself where there is no "arm", and the collar bone where there is.
_SIDED = {
    "hip": ("upleg", "upperleg", "thigh", "hip"),
    "knee": ("lowleg", "lowerleg", "shin", "calf", "knee", "leg"),
    "ankle": ("ankle", "foot"),
    "foot": ("toebase", "foot", "ball", "toe", "toes", "toe0"),
    "shoulder": ("uparm", "upperarm", "arm", "shldr", "shoulder"),
    "collar": ("collar", "clavicle", "shoulder"),
    "elbow": ("forearm", "lowarm", "lowerarm", "elbow"),
    "wrist": ("wrist", "hand"),
    "hand": ("hand", "fingerbase", "handmiddle1", "mid1", "middle1", "handindex1", "index1"),
}
_MIDDLE = {
    "hip_centre": ("hips", "pelvis", "hip", "centerhip"),
    "spine": ("spine", "abdomen", "torso", "waist", "l3", "chest", "spine1"),
    "neck": ("neck",),
    "head": ("head",),
}
_SIDES = {"left": "left", "l": "left", "right": "right", "r": "right"}
_OTHER = {"left": "right", "right": "left"}
_WORD = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+|[^\W\da-zA-Z_]+")

_LIMBS = {"arm": "shoulder", "leg": "hip"}


def rename(names: Sequence[str]) -> tuple[str, ...]:
    """The rig's joints as layouts call them: "mixamorig:LeftUpLeg" is "left_hip"; what is not known keeps its name.

    A prefix that all share is left out. Joints that come in a left and a right form always begin with "left_" or
    "right_", so that they can be mirrored.
    """
    words = [[word.lower() for word in _WORD.findall(name.rpartition(":")[2])] for name in names]
    if len({tuple(some[:1]) for some in words}) == 1:  # as in "Model_Hips", "Model_Spine"
        words = [some[1:] or some for some in words]
    split = [_side(some) for some in words]
    known = set(split)
    keys = [
        (side, rest) if side and (_OTHER[side], rest) in known else ("", tuple(some))
        for (side, rest), some in zip(split, words, strict=True)
    ]
    place = {(side, "".join(rest)): i for i, (side, rest) in reversed(list(enumerate(keys)))}
    found: dict[int, str] = {}
    for side in ("", "left", "right"):
        for joint, rig_names in (_SIDED if side else _MIDDLE).items():
            places = [place[side, name] for name in rig_names if (side, name) in place]
            at = next((i for i in places if i not in found), None)
            if at is not None:
                found[at] = f"{side}_{joint}" if side else joint
    taken = set(found.values())
    for i, ((side, rest), name) in enumerate(zip(keys, names, strict=True)):
        if i not in found:
            plain = "_".join((side, *rest)) if side else name.rpartition(":")[2]
            found[i] = plain if plain not in taken else name
            taken.add(found[i])
    return tuple(found[i] for i in range(len(names)))


def layout(names: Sequence[str], parents: Sequence[int], file: str) -> Layout:
    """The layout of a rig, registered under a name that carries its content.

    Parameters
    ----------
    names : of the joints, as the file has them.
    parents : of each joint; they come before their children, and the root is its own.

    Raises
    ------
    DataError
        where shoulders or spine cannot be told by name.
    """
    joints = rename(names)
    place = {joint: i for i, joint in enumerate(joints)}
    lost = [joint for joint in ("left_shoulder", "right_shoulder") if joint not in place]
    if lost:
        raise DataError(
            "the rig's shoulders have names that are not known",
            file=file,
            got=f"no {' and no '.join(lost)} among {', '.join(joints)[:1500]}",
            expected="names such as LeftArm, LeftShoulder or L_UpperArm, and RightArm",
            fix="describe the joints, under these names, in a TOML file and name it with --layout FILE.toml",
        )
    shoulders = place["left_shoulder"], place["right_shoulder"]
    chest = max(set(_line(shoulders[0], parents)) & set(_line(shoulders[1], parents)))  # the last joint they share
    top = place.get("neck", place.get("head", chest))
    bottom = place.get("hip_centre", 0)
    if top == bottom:
        raise DataError(
            "the rig's spine is a single joint",
            file=file,
            got=joints[top],
            expected="two joints, such as Hips and Neck",
            fix="describe the joints in a TOML file and name it with --layout FILE.toml",
        )
    return own(
        Layout(
            name="bvh",
            joints=joints,
            bones=tuple((child, parent) for child, parent in enumerate(parents) if child != parent),
            centre=chest,
            spine=(bottom, top),
            shoulders=shoulders,
            pairs=mirrored(joints),
            parts=_parts(place, parents),
        )
    )


def _side(words: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """("left", ("hip", "joint")) of the words of "LHipJoint", ("left", ("thigh",)) of "thigh.L"."""
    for at in (0, -1):
        side = _SIDES.get(words[at]) if len(words) > 1 else None
        if side:
            return side, tuple(words[1:] if at == 0 else words[:-1])
    return "", tuple(words)


def _line(joint: int, parents: Sequence[int]) -> list[int]:
    line = [joint]
    while parents[line[-1]] != line[-1]:
        line.append(parents[line[-1]])
    return line[::-1]


def _parts(place: dict[str, int], parents: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Trunk, head, arms and legs: an arm is all that hangs on the branch that leads to its shoulder alone."""
    spots = {
        f"{side}_{limb}": place[f"{side}_{joint}"]
        for side in ("left", "right")
        for limb, joint in _LIMBS.items()
        if f"{side}_{joint}" in place
    }
    if head := {joint for joint in ("neck", "head") if joint in place}:
        spots["head"] = min(place[joint] for joint in head)
    lines = {part: _line(spot, parents) for part, spot in spots.items()}
    shared = Counter(joint for line in lines.values() for joint in line)
    begins = {next((joint for joint in line if shared[joint] == 1), -1): part for part, line in lines.items()}
    of: list[str] = []
    for joint, parent in enumerate(parents):
        of.append(begins.get(joint, "trunk" if joint == parent else of[parent]))
    return {part: tuple(j for j, its in enumerate(of) if its == part) for part in sorted(set(of))}
