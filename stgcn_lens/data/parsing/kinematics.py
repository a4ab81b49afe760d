"""Forward kinematics: where the joints of a rig are, from the values of their channels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CHANNELS = tuple(f"{axis}{kind}" for kind in ("position", "rotation") for axis in "xyz")


@dataclass
class Joint:
    """One joint of a rig: `parent` is that joint's place in the list (a root's is its own), `offset` in its units."""

    name: str
    parent: int
    place: int = 0
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    channels: tuple[int, ...] = ()  # places in CHANNELS: 0 to 2 move along x, y, z, 3 to 5 turn about them


def positions(joints: Sequence[Joint], values: np.ndarray, added: Sequence[bool]) -> np.ndarray:
    """Global positions (3, T, joints) of a rig from the values of its channels (T, channels).

    `added` says of each joint whether its position channels add to its offset.
    """
    turns = np.empty((len(joints), len(values), 3, 3))
    places = np.empty((len(joints), len(values), 3))
    at = 0
    for j, joint in enumerate(joints):
        own = values[:, at : at + len(joint.channels)]
        at += len(joint.channels)
        move = np.tile(np.asarray(joint.offset), (len(values), 1))
        turn = np.broadcast_to(np.eye(3), (len(values), 3, 3)) if j == joint.parent else turns[joint.parent]
        above = turn
        for channel, value in zip(joint.channels, own.T, strict=True):
            if channel < 3:
                move[:, channel] = value + joint.offset[channel] * added[j]
            else:
                turn = turn @ _turn(channel - 3, np.radians(value))
        turns[j] = turn
        places[j] = (above @ move[:, :, None])[:, :, 0] + (0 if j == joint.parent else places[joint.parent])
    return places.transpose(2, 1, 0)


def _turn(axis: int, angle: np.ndarray) -> np.ndarray:
    """(T, 3, 3) right-handed rotations about x, y or z by angles in radians."""
    a, b = (axis + 1) % 3, (axis + 2) % 3
    turn = np.zeros((len(angle), 3, 3))
    turn[:, axis, axis] = 1
    turn[:, a, a] = turn[:, b, b] = np.cos(angle)
    turn[:, b, a] = np.sin(angle)
    turn[:, a, b] = -turn[:, b, a]
    return turn


def added_moves(joints: Sequence[Joint], first: np.ndarray) -> list[bool]:
    """Of each joint, whether its position channels say how far it is from its offset; by the first frame."""
    found, at = [], 0
    for j, joint in enumerate(joints):
        moves = [first[at + i] for i, channel in enumerate(joint.channels) if channel < 3]
        found.append(j != joint.parent and not any(moves) and any(joint.offset))
        at += len(joint.channels)
    return found
