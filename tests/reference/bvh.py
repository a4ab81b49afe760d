"""Forward kinematics of a BVH file, joint by joint and number by number, as the format is told: slow on purpose."""

from math import cos, radians, sin


def multiply(a, b):
    """The product of two 3 x 3 matrices."""
    return [[sum(a[i][k] * b[k][j] for k in range(3)) for j in range(3)] for i in range(3)]


def apply(a, v):
    """A matrix times a column."""
    return [sum(a[i][k] * v[k] for k in range(3)) for i in range(3)]


def turn(axis, degrees):
    """Rotation about an axis, counter-clockwise as seen from its tip."""
    c, s = cos(radians(degrees)), sin(radians(degrees))
    return {
        "X": [[1, 0, 0], [0, c, -s], [0, s, c]],
        "Y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
        "Z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
    }[axis]


def positions(text):
    """[frame][joint][x, y, z] of a well-formed file whose root alone has position channels."""
    words = text.split()
    parents, offsets, channels, open_ = [], [], [], []
    at, ends = 0, 0
    while words[at] != "MOTION":
        if words[at] in ("ROOT", "JOINT"):
            parents.append(open_[-1] if open_ else None)
            offsets.append(None)
            channels.append([])
            open_.append(len(parents) - 1)
        elif words[at] == "End":
            ends += 1
        elif words[at] == "}":
            if ends:
                ends -= 1
            else:
                open_.pop()
        elif words[at] == "OFFSET" and not ends:
            offsets[open_[-1]] = [float(word) for word in words[at + 1 : at + 4]]
        elif words[at] == "CHANNELS":
            channels[open_[-1]] = words[at + 2 : at + 2 + int(words[at + 1])]
        at += 1
    frames = int(words[words.index("Frames:") + 1])
    values = iter(float(word) for word in words[words.index("Time:") + 2 :])
    found = []
    for _ in range(frames):
        turns, places = [], []
        for parent, offset, names in zip(parents, offsets, channels, strict=True):
            move = list(offset)
            own = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
            for name in names:
                value = next(values)
                if name[1:] == "position":
                    move["XYZ".index(name[0])] = value
                else:
                    own = multiply(own, turn(name[0], value))
            if parent is None:
                turns.append(own)
                places.append(move)
            else:
                turns.append(multiply(turns[parent], own))
                places.append([a + b for a, b in zip(places[parent], apply(turns[parent], move), strict=True)])
        found.append(places)
    return found
