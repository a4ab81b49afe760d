"""One layout read as another, joint by joint and by name: which joints, means and stand-ins make the target's joints.

Names are first brought to *places* of the body, because layouts name one place differently (`spine_base`,
`hip_centre`) and, once, two places alike: a `neck` in a layout without a joint between the shoulders lies there (pose
estimators), in the others above it (Kinect 2).
"""

from dataclasses import dataclass
from typing import cast

import numpy as np

from stgcn_lens.errors import DataError
from stgcn_lens.skeleton.layout import Layout

# Name -> place, where they differ; sides are put in front of those in _SIDED.
_SAME = {
    **dict.fromkeys(("spine_base", "mid_hip", "pelvis", "hips"), "hip_centre"),
    "spine_mid": "spine",
    **dict.fromkeys(("spine_shoulder", "thorax"), "shoulder_centre"),
}
_SAME_SIDED = {"foot_index": "big_toe"}

# Place -> what it can be made of where the source has no such joint, the better first: the mean of several places, or
# one place that stands in. What is named here may itself be made of others.
_MADE = {
    "hip_centre": (("left_hip", "right_hip"),),
    "shoulder_centre": (("left_shoulder", "right_shoulder"),),
    "spine": (("hip_centre", "shoulder_centre"),),
    "neck": (("shoulder_centre", "head"), ("shoulder_centre",)),
    "head": (("left_ear", "right_ear"), ("left_eye", "right_eye"), ("nose",)),
    "nose": (("head",),),
}
_MADE_SIDED = {
    "eye": (("~eye_inner", "~eye_outer"), ("head",)),
    "eye_inner": (("~eye",),),
    "eye_outer": (("~eye",),),
    "ear": (("head",),),
    "mouth": (("nose",),),
    "hand": (("~index", "~pinky"), ("~wrist",)),
    "hand_tip": (("~index",), ("~hand",)),
    "thumb": (("~hand",),),
    "index": (("~hand_tip",), ("~hand",)),
    "pinky": (("~hand",),),
    "foot": (("~big_toe", "~small_toe"), ("~big_toe",), ("~ankle",)),
    "big_toe": (("~foot",),),
    "small_toe": (("~foot",),),
    "heel": (("~ankle",),),
}


@dataclass(frozen=True, eq=False)
class Mapping:
    """How clips of one layout become clips of another.

    Attributes
    ----------
    source, target : names of the layouts.
    matrix : (V of the target, V of the source) float64; every row holds the weights of a mean, which sum to one.
    axes : (dims of the target, dims of the source) float64, signed unit vectors: where each axis comes from.
    notes : sentences on all that is not the same joint under the same name.
    """

    source: str
    target: str
    matrix: np.ndarray
    axes: np.ndarray
    notes: tuple[str, ...]


def mapping(source: Layout, target: Layout) -> Mapping:
    """Which joints of `source` make each joint of `target`.

    Raises
    ------
    DataError
        where the target has depth and the source has not, or has joints that the source neither has nor can stand in
        for: all of these are listed.
    """
    if target.dims > source.dims:
        raise DataError(
            f"layout '{source.name}' cannot become '{target.name}'",
            got="2-D joints",
            expected="3-D ones: their depth is not known",
            fix="choose a 2-D layout",
        )
    weights = [_weights(joint, source, target) for joint in target.joints]
    missing = [joint for joint, found in zip(target.joints, weights, strict=True) if found is None]
    if missing:
        raise DataError(
            f"layout '{source.name}' cannot become '{target.name}'",
            got=f"no joint for {', '.join(missing)}",
            expected=f"joints of the same places among {', '.join(source.joints)}",
            fix="choose a layout without these joints, or give joints the names that docs/layouts.md lists",
        )
    known = cast(list[dict[int, float]], weights)
    matrix = np.zeros((target.V, source.V))
    for row, found in zip(matrix, known, strict=True):
        for joint, weight in found.items():
            row[joint] = weight
    axes, moved = _axes(source, target)
    notes = [_note(j, found, source, target) for j, found in enumerate(known)]
    left = [source.joints[j] for j in np.flatnonzero(~matrix.any(axis=0))]
    notes += [f"left out: {', '.join(left)}"] * bool(left) + moved
    return Mapping(source.name, target.name, matrix, axes, tuple(filter(None, notes)))


def place(layout: Layout, joint: str) -> str:
    """The place of the body that a joint marks, under one name for all layouts."""
    side, name = _parted(joint)
    if side:
        return side + _SAME_SIDED.get(name, name)
    if name == "neck" and not any(_SAME.get(other, other) == "shoulder_centre" for other in layout.joints):
        return "shoulder_centre"
    return _SAME.get(name, name)


def _parted(joint: str) -> tuple[str, str]:
    """("left_", "hand") of "left_hand", ("", "head") of "head"."""
    side = next((side for side in ("left_", "right_") if joint.startswith(side)), "")
    return side, joint.removeprefix(side)


def _weights(joint: str, source: Layout, target: Layout) -> dict[int, float] | None:
    """Joint of the source -> weight, for one joint of the target; None where nothing fits."""
    wanted = place(target, joint)
    if joint in source.joints and place(source, joint) == wanted:
        return {source.joints.index(joint): 1.0}
    places: dict[str, int] = {}
    for i, name in enumerate(source.joints):
        places.setdefault(place(source, name), i)
    return _made(wanted, places, ())


def _made(wanted: str, places: dict[str, int], asked: tuple[str, ...]) -> dict[int, float] | None:
    if wanted in places:
        return {places[wanted]: 1.0}
    if wanted in asked:  # the head is made of ears, and they of the head
        return None
    side, name = _parted(wanted)
    for parts in (_MADE_SIDED if side else _MADE).get(name, ()):
        found = [_made(part.replace("~", side), places, (*asked, wanted)) for part in parts]
        if None not in found:
            mean: dict[int, float] = {}
            for weights in found:
                for joint, weight in cast(dict[int, float], weights).items():
                    mean[joint] = mean.get(joint, 0.0) + weight / len(parts)
            return mean
    return None


def _note(j: int, weights: dict[int, float], source: Layout, target: Layout) -> str | None:
    joint, names = target.joints[j], [source.joints[i] for i in weights]
    if names == [joint] and place(source, joint) == place(target, joint):
        return None
    if len(names) == 1 and place(source, names[0]) == place(target, joint):
        return f"{joint} is {names[0]}"
    if len(names) == 1:
        return f"{joint}: {names[0]} stands in"
    if len(set(weights.values())) == 1:
        return f"{joint}: mean of {', '.join(names[:-1])} and {names[-1]}"
    return f"{joint}: " + " + ".join(f"{weight:g} {source.joints[i]}" for i, weight in weights.items())


def _axes(source: Layout, target: Layout) -> tuple[np.ndarray, list[str]]:
    """The turn that brings up to up, with the last axis dropped for a 2-D target; and what to say of it.

    3-D scenes are turned, never mirrored: opposite axes by a half turn about another axis (for y about z, the line of
    sight: from a camera's x right, y down to a Kinect's x left, y up), others by a quarter turn. In 2-D the picture
    stays as it is seen, and only its rows are counted the other way.
    """
    d, notes = source.dims, []
    a, b = ("xyz".index(layout.up[1]) for layout in (source, target))
    sign = 1.0 if source.up[0] == target.up[0] else -1.0
    turn = np.eye(d)
    if a != b:
        turn[[a, b], [a, b]] = 0.0
        turn[b, a], turn[a, b] = sign, -sign
    elif sign < 0:
        turn[a, a] = -1.0
        if d == 3:
            other = 1 if a == 0 else 0
            turn[other, other] = -1.0
    if source.up != target.up:
        what = "turned" if d == 3 else "counted"
        notes.append(f"coordinates are {what} so that {source.up} of '{source.name}' becomes {target.up}")
    if target.dims < d:
        axis = "xyz"[int(np.argmax(np.abs(turn[2])))]
        notes.append(f"depth ({axis}) is dropped, the score of every joint is 1")
    return turn[: target.dims], notes
