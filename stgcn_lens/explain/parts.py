"""Body parts of a layout, every joint in exactly one."""

from collections.abc import Mapping

import numpy as np

from stgcn_lens.skeleton import Layout

REST = "rest"


def body_parts(layout: Layout) -> Mapping[str, tuple[int, ...]]:
    """Part -> joints, as the layout has them; where it has none, the left, the right and the middle of the body.

    A joint in several parts belongs to the first of them, joints in none make up "rest".
    """
    left, right = ({pair[side] for pair in layout.pairs} for side in (0, 1))
    sides = {"left": left, "right": right, "middle": set(range(layout.V)) - left - right}
    free = set(range(layout.V))
    found = {}
    for name, joints in [*(layout.parts or sides).items(), (REST, tuple(range(layout.V)))]:
        if own := tuple(sorted(free & set(joints))):
            found[name] = own
            free -= set(own)
    return found


def part_of_joint(layout: Layout) -> np.ndarray:
    """(V,), the position in `body_parts` of each joint's part."""
    place = np.zeros(layout.V, int)
    for number, joints in enumerate(body_parts(layout).values()):
        place[list(joints)] = number
    return place
