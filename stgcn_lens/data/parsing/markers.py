"""Markers on the skin, taken for the joints of a layout."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import LAYOUTS, get_layout

MOST_BODIES = 64  # further prefixes are not taken for subjects
_SHOWN = 60  # names that an error lists

# Joints of kinect20 as means of the markers of the Plug-in Gait set (ours: the joints lie inside the body, the markers
# on it; hips are taken in the middle of each side of the pelvis, above the true joint). The names in second place are
# the same spots in the CMU and HDM05 collections; SACR is one marker between the two behind.
PLUG_IN_GAIT: dict[str, tuple[str, ...]] = {
    "hip_centre": ("LASI", "RASI", "LPSI", "RPSI", "SACR", "LFWT", "RFWT", "LBWT", "RBWT"),
    "spine": ("T10", "STRN"),
    "shoulder_centre": ("C7", "CLAV"),
    "head": ("LFHD", "RFHD", "LBHD", "RBHD"),
    **{
        f"{side}_{joint}": tuple(letter + marker for marker in markers.split())
        for side, letter in (("left", "L"), ("right", "R"))
        for joint, markers in {
            "shoulder": "SHO",
            "elbow": "ELB",
            "wrist": "WRA WRB",
            "hand": "FIN",
            "hip": "ASI PSI FWT BWT",
            "knee": "KNE",
            "ankle": "ANK",
            "foot": "TOE",
        }.items()
    },
}

Columns = tuple[tuple[int, ...], ...]  # joint -> places of its markers in the file


@dataclass(frozen=True)
class Placed:
    """A layout, and for every body of a recording the markers of each joint."""

    layout: str
    bodies: tuple[Columns, ...]


def place(labels: Sequence[str], wish: str | None, file: Path | str) -> Placed:
    """Which markers make the joints of which layout.

    Tried in turn: the layout that the user wishes, by its [markers] or by the names of its joints; Plug-in Gait, read
    as kinect20; the layouts of `LAYOUTS` whose joints are all there by name. Markers of several subjects, told apart
    by a prefix as in "anna:LASI", become several bodies. Case and spaces do not count.

    Raises
    ------
    DataError
        where no layout is complete; it lists the joints without a marker, or the markers there are.
    """
    if wish is not None and get_layout(wish).dims != 3:
        raise DataError(
            f"layout '{wish}' is flat",
            file=file,
            got="markers in 3-D",
            expected="a layout with dims = 3",
            fix="name one",
        )
    subjects = _subjects(labels)
    for name, table in _tables(wish):
        joints = get_layout(name).joints
        found = [
            tuple(tuple(known[m] for m in map(_plain, table[joint]) if m in known) for joint in joints)
            for known in subjects
        ]
        bodies = tuple(columns for columns in found if all(columns))
        if bodies:
            return Placed(name, bodies)
        if wish is not None:
            most = max(found, key=lambda columns: sum(map(bool, columns)), default=((),) * len(joints))
            lost = [joint for joint, columns in zip(joints, most, strict=True) if not columns]
    there = _some([label.strip() for label in labels if label.strip()])
    if wish is not None:
        raise DataError(
            f"joints of layout '{wish}' have no marker in the file",
            file=file,
            got=f"nothing for {_some(lost)}; the markers are {there}",
            expected="a marker for each joint",
            fix="name the markers of each joint under [markers] in the layout's TOML file",
        )
    raise DataError(
        "the markers fit no known layout",
        file=file,
        got=f"{len(labels)} markers: {there}",
        expected="the Plug-in Gait set, or the joints of a layout by name",
        fix="say in a TOML file which markers make which joint ([markers]) and name it with --layout FILE.toml",
    )


def _tables(wish: str | None) -> list[tuple[str, Mapping[str, tuple[str, ...]]]]:
    """Layouts to try, each with the markers of its joints."""
    of_kinect = ("kinect20", PLUG_IN_GAIT)
    if wish is None:
        solid = sorted((layout for layout in LAYOUTS.values() if layout.dims == 3), key=lambda layout: -layout.V)
        return [of_kinect, *((layout.name, {joint: (joint,) for joint in layout.joints}) for layout in solid)]
    layout = get_layout(wish)
    by_name = (wish, {joint: layout.markers.get(joint, (joint,)) for joint in layout.joints})
    return [by_name, of_kinect] if wish == "kinect20" else [by_name]


def _subjects(labels: Sequence[str]) -> list[dict[str, int]]:
    """For all labels as they are, and for each prefix by itself: name -> place; the first of equal names counts."""
    found: dict[str, dict[str, int]] = {"": {}}
    for i, label in enumerate(labels):
        found[""].setdefault(_plain(label), i)
        prefix, colon, name = label.rpartition(":")
        if colon and (_plain(prefix) in found or len(found) <= MOST_BODIES):
            found.setdefault(_plain(prefix), {}).setdefault(_plain(name), i)
    return list(found.values())


def _plain(name: str) -> str:
    return "_".join(name.casefold().split())


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(name[:40] for name in names[:_SHOWN]) or "none") + more
