"""A layout: the joints of a body, the bones that join them, and where a body is held."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from stgcn_lens.errors import DataError


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


def check(layout: Layout, *, file: object = None) -> Layout:
    """The layout itself if it can be used: names unique, places inside, bones one tree.

    Raises
    ------
    DataError
        naming what is wrong; for bones that leave a part of the body alone, an edge that is missing.
    """
    where = None if file is None else str(file)
    names = layout.joints
    if not names or len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise DataError("joint names must differ", file=where, got=", ".join(twice) or "no joint", expected="one each")
    used = [*(j for bone in layout.bones for j in bone), layout.centre, *layout.spine, *layout.shoulders]
    used += [j for pair in layout.pairs for j in pair] + [j for part in layout.parts.values() for j in part]
    if wrong := sorted({j for j in used if not 0 <= j < layout.V}):
        raise DataError("no such joint", file=where, got=wrong, expected=f"0 to {layout.V - 1}")
    if layout.dims not in (2, 3) or layout.up not in ("+x", "-x", "+y", "-y", "+z", "-z"):
        raise DataError("dims or up", file=where, got=f"{layout.dims}, {layout.up!r}", expected="2 or 3; e.g. '+y'")
    children = [child for child, _ in layout.bones]
    if twice_ := sorted({names[j] for j in children if children.count(j) > 1}):
        raise DataError(
            "a joint hangs on two others",
            file=where,
            got=", ".join(twice_),
            expected="one parent each",
            fix="leave out the bones that close a ring",
        )
    islands = components(layout.V, layout.bones)
    if len(islands) > 1:
        edge = f"{names[islands[1][0]]}-{names[layout.centre]}"
        raise DataError(
            "the bones do not join all joints",
            file=where,
            got=f"{len(islands)} parts, one of them {', '.join(names[j] for j in islands[1])}",
            expected="one connected tree",
            fix=f"add a bone such as '{edge}'",
        )
    if len(layout.bones) != layout.V - 1:
        raise DataError("the bones form a ring", file=where, got=len(layout.bones), expected=layout.V - 1)
    return layout


def components(joints: int, bones: tuple[tuple[int, int], ...]) -> list[list[int]]:
    """The connected parts of a graph, each sorted, in the order of their first joints."""
    part = list(range(joints))
    for a, b in bones:
        old, new = max(part[a], part[b]), min(part[a], part[b])
        part = [new if p == old else p for p in part]
    return [[j for j in range(joints) if part[j] == p] for p in sorted(set(part))]


def definition(layout: Layout) -> dict[str, Any]:
    """All that a layout says, as JSON can hold it."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(layout)))
    return plain


def from_definition(plain: Mapping[str, Any], *, file: object = None) -> Layout:
    """The layout that `definition` described; `DataError` where it says too little or nonsense."""
    pairs = lambda value: tuple((int(a), int(b)) for a, b in value)  # noqa: E731
    try:
        layout = Layout(
            name=str(plain["name"]),
            joints=tuple(str(joint) for joint in plain["joints"]),
            bones=pairs(plain["bones"]),
            centre=int(plain["centre"]),
            spine=pairs([plain["spine"]])[0],
            shoulders=pairs([plain["shoulders"]])[0],
            pairs=pairs(plain["pairs"]),
            parts={str(name): tuple(int(j) for j in part) for name, part in plain["parts"].items()},
            dims=int(plain["dims"]),
            up=str(plain["up"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"a layout that cannot be understood ({type(error).__name__}: {error})",
            file=None if file is None else str(file),
            expected="name, joints, bones, centre, spine, shoulders, pairs, parts, dims, up",
        ) from error
    return check(layout, file=file)


def named(layout: Layout) -> Layout:
    """The layout under a name that carries a hash of what it says: two layouts of one name are never mixed up."""
    bare = replace(layout, name=layout.name.partition("@")[0])
    digest = hashlib.sha256(json.dumps(definition(bare), sort_keys=True).encode()).hexdigest()[:8]
    return replace(bare, name=f"{bare.name}@{digest}")
