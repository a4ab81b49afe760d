"""Layouts of one's own: a TOML file that names joints and bones (docs/layouts.md has the form and an example)."""

import difflib
import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stgcn_lens.errors import DataError
from stgcn_lens.skeleton.layout import MOST_JOINTS, UP, Layout, check, components, mirrored, ring, root

MOST_BYTES = 1_000_000
_NEEDED = ("joints", "bones", "centre", "spine", "shoulders")
_KEYS = (*_NEEDED, "name", "dims", "up", "pairs", "parts", "bridge", "markers")
_MOST_DOTS = 200  # in a line: the parser's time grows with the square of the parts of a dotted key
_LONGEST = 100  # characters of a name
_NAME = re.compile(r"[\w .+-]{1,60}")

Bones = tuple[tuple[int, int], ...]


def load(path: Path | str) -> Layout:
    """The layout that a TOML file describes.

    Raises
    ------
    DataError
        naming file, key, what was got and expected, and what to do: for a file that is missing, too large or no TOML;
        a key that is missing, unknown or of another kind; a joint that is not in the list; bones that are no tree.
    """
    path = Path(path)
    said = _Said(path, _parse(path))
    joints, bones, centre = said.joints, said.bones(), said.joint("centre")
    bridged = _bridges(len(joints), bones, centre) if said.flag("bridge") else ()
    pairs = said.pairs()
    dims = said.one_of("dims", (2, 3), 3)
    layout = Layout(
        name=said.name(),
        joints=joints,
        bones=bones + bridged,
        centre=centre,
        spine=said.two("spine"),
        shoulders=said.two("shoulders"),
        pairs=pairs,
        parts=said.parts(pairs),
        dims=dims,
        up=said.one_of("up", UP[: 2 * dims], "+y" if dims == 3 else "-y"),
        bridged=bridged,
        markers=said.markers(),
    )
    return check(layout, file=path)


def _parse(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f"a layout that cannot be read ({error.strerror})", file=path, fix="check the path") from error
    if len(raw) > MOST_BYTES:
        raise DataError(
            "too large for a layout", file=path, got=f"over {MOST_BYTES} bytes", expected=f"at most {MOST_BYTES}"
        )
    if any(line.count(b".") > _MOST_DOTS for line in raw.split(b"\n")):
        expected = f"at most {_MOST_DOTS} dots a line"
        raise DataError("no layout", file=path, expected=expected, fix="break long lists into lines")
    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"not TOML ({str(error)[:200]})", file=path, expected='lines such as centre = "neck"', fix="mend the file"
        ) from error


class _Said:
    """What the file says, asked for key by key."""

    def __init__(self, path: Path, plain: dict[str, Any]) -> None:
        self.path, self.plain = path, plain
        if unknown := [key for key in plain if key not in _KEYS]:
            raise self.wrong(unknown[0][:_LONGEST], "unknown key", f"among {', '.join(_KEYS)}", near=_KEYS)
        if missing := [key for key in _NEEDED if key not in plain]:
            raise DataError("keys are missing", file=path, got=f"no {', '.join(missing)}", expected=", ".join(_NEEDED))
        self.joints = tuple(self.texts("joints", plain["joints"]))
        if not 0 < len(self.joints) <= MOST_JOINTS:
            raise self.wrong(f"{len(self.joints)} joints", "key 'joints'", f"1 to {MOST_JOINTS}")
        self.place = {joint: i for i, joint in enumerate(self.joints)}

    def wrong(self, got: object, what: str, expected: str, *, near: Sequence[str] = (), fix: str = "") -> DataError:
        """The error for something under a key; `near` are the words among which the user may have meant one."""
        if close := difflib.get_close_matches(str(got)[:_LONGEST], near, n=1):
            fix = f"did you mean '{close[0]}'?"
        shown = repr(got) if isinstance(got, str) and near else str(got)
        return DataError(what, file=self.path, got=shown[:200], expected=expected, fix=fix or "mend the file")

    def texts(self, key: str, value: Any) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise self.wrong(_kind(value), f"key '{key}'", "a list of names")
        if bad := [text for text in value if not 0 < len(text) <= _LONGEST or not text.isprintable()]:
            raise self.wrong(repr(bad[0][:_LONGEST]), f"key '{key}'", f"names of 1 to {_LONGEST} printable characters")
        return value

    def index(self, key: str, name: Any) -> int:
        """Position of a joint that is named under a key."""
        if not isinstance(name, str):
            raise self.wrong(_kind(name), f"key '{key}'", "the name of a joint")
        if name not in self.place:
            shown = ", ".join(self.joints[:40]) + ", ..." * (len(self.joints) > 40)
            raise self.wrong(
                name[:_LONGEST], f"key '{key}' names a joint that is not in 'joints'", shown, near=self.joints
            )
        return self.place[name]

    def name(self) -> str:
        value = self.plain.get("name", self.path.stem)
        if not isinstance(value, str) or not _NAME.fullmatch(value):
            raise self.wrong(_kind(value), "key 'name'", "1 to 60 letters, digits, spaces or . _ + -")
        return value

    def joint(self, key: str) -> int:
        return self.index(key, self.plain[key])

    def two(self, key: str) -> tuple[int, int]:
        value = self.plain[key]
        if not isinstance(value, list) or len(value) != 2:
            raise self.wrong(_kind(value), f"key '{key}'", "a list of two joints")
        a, b = (self.index(key, name) for name in value)
        if a == b:
            raise self.wrong(value, f"key '{key}'", "two different joints: they give a direction")
        return a, b

    def flag(self, key: str) -> bool:
        value = self.plain.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(_kind(value), f"key '{key}'", "true or false")
        return value

    def one_of(self, key: str, allowed: Sequence[Any], default: Any) -> Any:
        value = self.plain.get(key, default)
        if type(value) is not type(default) or value not in allowed:
            raise self.wrong(_kind(value), f"key '{key}'", f"one of {', '.join(map(str, allowed))}")
        return value

    def bones(self) -> Bones:
        value = self.plain["bones"]
        if not isinstance(value, list):
            raise self.wrong(_kind(value), "key 'bones'", 'a list such as ["head-neck", ["hand", "elbow"]]')
        if len(value) > MOST_JOINTS:
            raise self.wrong(f"{len(value)} bones", "key 'bones'", f"{len(self.joints) - 1}, one less than joints")
        return tuple(self.bone(bone) for bone in value)

    def bone(self, bone: Any) -> tuple[int, int]:
        """(child, parent) of "child-parent" or ["child", "parent"]."""
        if isinstance(bone, list) and len(bone) == 2:
            return self.index("bones", bone[0]), self.index("bones", bone[1])
        if not isinstance(bone, str) or "-" not in bone or len(bone) > 2 * _LONGEST + 1:
            raise self.wrong(_kind(bone), "key 'bones'", '"child-parent" or ["child", "parent"]')
        dashes = [i for i, letter in enumerate(bone) if letter == "-"]
        fits = [i for i in dashes if bone[:i] in self.place and bone[i + 1 :] in self.place]
        if len(fits) == 1:
            return self.place[bone[: fits[0]]], self.place[bone[fits[0] + 1 :]]
        if fits or len(dashes) > 1:
            what = "key 'bones': more than one way to cut" if fits else "key 'bones': no way to cut into two joints"
            fix = 'joints whose names hold "-" are written as a pair: ["child", "parent"]'
            raise self.wrong(repr(bone), what, '"child-parent"', fix=fix)
        child, parent = bone.split("-")
        return self.index("bones", child), self.index("bones", parent)

    def pairs(self) -> Bones:
        """(left, right) joints as told, or those called left_... and right_..."""
        if "pairs" not in self.plain:
            return mirrored(self.joints)
        value = self.plain["pairs"]
        if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
            raise self.wrong(_kind(value), "key 'pairs'", 'a list such as [["left_hand", "right_hand"]]')
        return tuple((self.index("pairs", a), self.index("pairs", b)) for a, b in value)

    def parts(self, pairs: Bones) -> dict[str, tuple[int, ...]]:
        """Body part -> joints as told, or the left, the right and the middle of the body."""
        if "parts" not in self.plain:
            left, right = ({pair[side] for pair in pairs} for side in (0, 1))
            sides = {"left": left, "right": right, "middle": set(range(len(self.joints))) - left - right}
            return {name: tuple(sorted(side)) for name, side in sides.items() if side}
        value = self.table("parts")
        found = {
            name: tuple(self.index(f"parts.{name}", joint) for joint in self.texts(f"parts.{name}", some))
            for name, some in value.items()
        }
        held = Counter(joint for part in found.values() for joint in part)
        odd = [joint for i, joint in enumerate(self.joints) if held[i] != 1]
        if odd:
            times = held[self.place[odd[0]]]
            raise self.wrong(f"{odd[0]} in {times} parts", "key 'parts'", "every joint in one part")
        return found

    def markers(self) -> dict[str, tuple[str, ...]]:
        if "markers" not in self.plain:
            return {}
        found = {}
        for joint, some in self.table("markers").items():
            self.index("markers", joint)
            found[joint] = tuple(self.texts(f"markers.{joint}", [some] if isinstance(some, str) else some))
            if not found[joint]:
                raise self.wrong("no marker", f"key 'markers.{joint}'", "at least one")
        return found

    def table(self, key: str) -> dict[str, Any]:
        value = self.plain[key]
        if not isinstance(value, dict):
            raise self.wrong(_kind(value), f"key '{key}'", f'a table: a line [{key}], then lines such as a = ["b"]')
        if long := [name for name in value if not 0 < len(name) <= _LONGEST]:
            raise self.wrong(long[0][:_LONGEST], f"key '{key}'", f"names of 1 to {_LONGEST} characters")
        return value


def _bridges(joints: int, bones: Bones, centre: int) -> Bones:
    """A bone from the root of every part that hangs alone to the centre; none where `check` will refuse anyway."""
    if ring(joints, bones):
        return ()
    return tuple((root(island, bones), centre) for island in components(joints, bones) if centre not in island)


def _kind(value: Any) -> str:
    """A value in an error: short, with the kind that TOML gave it."""
    return f"{value!r:.60} ({type(value).__name__})"
