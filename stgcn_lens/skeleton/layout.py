"""A layout: the joints of a body, the bones that join them, and where a body is held."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from stgcn_lens.errors import DataError

MOST_JOINTS = 1000  # of one body; adjacency matrices grow with its square (ours)
UP = ("+x", "-x", "+y", "-y", "+z", "-z")


@dataclass(frozen=True)
class Layout:
    """The joints of a body and how they hang together.

    Attributes
    ----------
    name : key in `LAYOUTS`; of a layout of one's own its name, "@" and a hash of what it says (see `named`).
    joints : joint names, length V.
    bones : V - 1 pairs (child, parent) that form one tree.
    centre : the joint that positions are measured from and that partitions count hops to.
    spine : (bottom, top) joints of the trunk; `shoulders`: (left, right).
    pairs : (left, right) joints that a mirror image swaps.
    parts : body part -> joints.
    dims : 3 for x, y, z in metres; 2 for x, y and a score.
    up : axis and sign that point to the sky in the recorded frame, as "+y" or "-y".
    bridged : bones that no file names, added to join parts of the body that it leaves alone (see `custom`).
    markers : joint -> the markers whose mean it is, for motion capture; a joint that is not in it is the marker of its
        own name.
    """

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]
    centre: int
    spine: tuple[int, int]
    shoulders: tuple[int, int]
    pairs: tuple[tuple[int, int], ...]
    parts: dict[str, tuple[int, ...]]
    dims: int = 3
    up: str = "+y"
    bridged: tuple[tuple[int, int], ...] = ()
    markers: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def V(self) -> int:
        """Number of joints."""
        return len(self.joints)

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """Permutation of the joints that swaps left and right."""
        order = list(range(self.V))
        for left, right in self.pairs:
            order[left], order[right] = right, left
        return tuple(order)

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """Parent of every joint in the bone list; the root is its own parent."""
        parent = list(range(self.V))
        for child, above in self.bones:
            parent[child] = above
        return tuple(parent)

    def index(self, joint: str) -> int:
        """Position of a joint by name; an unknown name raises `DataError` listing those there are."""
        if joint not in self.joints:
            raise DataError(
                f"layout '{self.name}' has no such joint",
                got=repr(joint),
                expected=f"one of {', '.join(self.joints)}",
            )
        return self.joints.index(joint)


def mirrored(joints: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """The (left, right) joints whose names begin with "left_" and "right_" and go on alike."""
    place = {joint: i for i, joint in enumerate(joints)}
    other = {joint: "right_" + joint.removeprefix("left_") for joint in joints if joint.startswith("left_")}
    return tuple((place[left], place[right]) for left, right in other.items() if right in place)


def check(layout: Layout, *, file: object = None) -> Layout:
    """The layout itself if it can be used: names unique, places inside, bones one tree, sides that can be swapped.

    Raises
    ------
    DataError
        naming what is wrong; for bones that leave a part of the body alone, an edge that is missing.
    """
    where = None if file is None else str(file)
    names = layout.joints
    if not 0 < layout.V <= MOST_JOINTS:
        raise DataError("number of joints", file=where, got=layout.V, expected=f"1 to {MOST_JOINTS}")
    if twice := _twice(names):
        raise DataError("joint names must differ", file=where, got=", ".join(sorted(twice)[:5]), expected="one each")
    used = [*(j for bone in layout.bones for j in bone), layout.centre, *layout.spine, *layout.shoulders]
    used += [j for pair in layout.pairs for j in pair] + [j for part in layout.parts.values() for j in part]
    if wrong := sorted({j for j in used if not 0 <= j < layout.V}):
        raise DataError("no such joint", file=where, got=wrong[:5], expected=f"0 to {layout.V - 1}")
    if layout.dims not in (2, 3) or layout.up not in UP[: 2 * layout.dims]:
        raise DataError("dims or up", file=where, got=f"{layout.dims}, {layout.up!r}", expected="2 or 3; e.g. '+y'")
    if strange := sorted(set(layout.markers) - set(names)):
        raise DataError("markers of no joint", file=where, got=", ".join(strange[:5]), expected="names of joints")
    if both := _twice(j for pair in layout.pairs for j in pair):
        raise DataError(
            "a joint with two mirror images",
            file=where,
            got=", ".join(names[j] for j in both[:5]),
            expected="at most one pair (left, right) a joint",
        )
    _check_tree(layout, where)
    return layout


def _check_tree(layout: Layout, where: str | None) -> None:
    names = layout.joints
    if twice := _twice(child for child, _ in layout.bones):
        raise DataError(
            "a joint hangs on two others",
            file=where,
            got=", ".join(names[j] for j in twice[:5]),
            expected="one parent each",
            fix="leave out the bones that close a ring",
        )
    if closed := ring(layout.V, layout.bones):
        raise DataError(
            "the bones form a ring",
            file=where,
            got=" - ".join([*_some([names[j] for j in closed]), names[closed[0]]]),
            expected="one connected tree",
            fix="leave out one of these bones",
        )
    islands = components(layout.V, layout.bones)
    if len(islands) > 1:
        alone = next(island for island in islands if layout.centre not in island)
        edge = f"{names[root(alone, layout.bones)]}-{names[layout.centre]}"
        raise DataError(
            "the bones do not join all joints",
            file=where,
            got=f"{len(islands)} parts, one of them {', '.join(_some([names[j] for j in alone]))}",
            expected="one connected tree",
            fix=f"add a bone such as '{edge}'",
        )


def components(joints: int, bones: Sequence[tuple[int, int]]) -> list[list[int]]:
    """The connected parts of a graph, each sorted, in the order of their first joints."""
    near: list[list[int]] = [[] for _ in range(joints)]
    for a, b in bones:
        near[a].append(b)
        near[b].append(a)
    found, seen = [], [False] * joints
    for start in range(joints):
        if seen[start]:
            continue
        seen[start], island = True, [start]
        for joint in island:  # grows while it is walked
            fresh = [other for other in near[joint] if not seen[other]]
            for other in fresh:
                seen[other] = True
            island += dict.fromkeys(fresh)
        found.append(sorted(island))
    return found


def ring(joints: int, bones: Sequence[tuple[int, int]]) -> list[int]:
    """The joints of a ring of bones (child, parent), each joint a child at most once; empty where there is none."""
    parent = dict(bones)
    walk_of: dict[int, int] = {}
    for start in range(joints):
        path, joint = [], start
        while joint in parent and joint not in walk_of:
            walk_of[joint] = start
            path.append(joint)
            joint = parent[joint]
        if walk_of.get(joint) == start and joint in path:
            return path[path.index(joint) :]
    return []


def root(island: Sequence[int], bones: Sequence[tuple[int, int]]) -> int:
    """The joint of a connected part that hangs on no other."""
    children = {child for child, _ in bones}
    return next(joint for joint in island if joint not in children)


def _some(names: list[str], most: int = 12) -> list[str]:
    return names if len(names) <= most else [*names[: most - 1], "..."]


def _twice(items: Iterable[Any]) -> list[Any]:
    return [item for item, count in Counter(items).items() if count > 1]


def definition(layout: Layout) -> dict[str, Any]:
    """All that a layout says, as JSON can hold it."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(layout)))
    return plain


def from_definition(plain: Mapping[str, Any], *, file: object = None) -> Layout:
    """The layout that `definition` described; `DataError` where it says too little or nonsense."""
    try:
        layout = Layout(
            name=_text(plain["name"]),
            joints=tuple(map(_text, _list(plain["joints"]))),
            bones=_pairs(plain["bones"]),
            centre=_whole(plain["centre"]),
            spine=_pair(plain["spine"]),
            shoulders=_pair(plain["shoulders"]),
            pairs=_pairs(plain["pairs"]),
            parts={_text(name): tuple(map(_whole, _list(part))) for name, part in dict(plain["parts"]).items()},
            dims=_whole(plain["dims"]),
            up=_text(plain["up"]),
            bridged=_pairs(plain.get("bridged", [])),
            markers={name: tuple(map(_text, _list(some))) for name, some in dict(plain.get("markers", {})).items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DataError(
            f"a layout that cannot be understood ({type(error).__name__}: {error})"[:500],
            file=None if file is None else str(file),
            expected="name, joints, bones, centre, spine, shoulders, pairs, parts, dims, up",
        ) from error
    return check(layout, file=file)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is no text")
    return value


def _whole(value: Any) -> int:
    if type(value) is not int:  # a bool is an int too
        raise TypeError(f"{value!r:.40} is no whole number")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r:.40} is no list")
    return value


def _pair(value: Any) -> tuple[int, int]:
    a, b = _list(value)
    return _whole(a), _whole(b)


def _pairs(value: Any) -> tuple[tuple[int, int], ...]:
    return tuple(map(_pair, _list(value)))


def named(layout: Layout) -> Layout:
    """The layout under a name that carries a hash of what it says: two layouts of one name are never mixed up."""
    bare = replace(layout, name=layout.name.partition("@")[0])
    digest = hashlib.sha256(json.dumps(definition(bare), sort_keys=True).encode()).hexdigest()[:8]
    return replace(bare, name=f"{bare.name}@{digest}")
