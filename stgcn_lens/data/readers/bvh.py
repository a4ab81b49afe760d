"""BVH: motion capture as a rig and the angles of its joints, one text file a clip; places by forward kinematics.

HIERARCHY, a tree of ROOT and JOINT, each with an OFFSET from the joint above and the CHANNELS that move it; MOTION, the
number of frames and the seconds of each; and for every frame a line with the values of all channels, angles in degrees.
"""

import re
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import BinaryIO

import numpy as np

from stgcn_lens.data.clip import MAX_FPS, Clip
from stgcn_lens.data.dataset import Fault
from stgcn_lens.data.parsing import folders, rig
from stgcn_lens.data.parsing.kinematics import CHANNELS, Joint, added_moves, positions
from stgcn_lens.data.parsing.numerals import first_wrong
from stgcn_lens.data.source import OnFault, Reader
from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import Layout, get_layout

MOST_JOINTS = 500  # of a rig (ours); with all fingers and a face it has some 150
_LINE = 4096  # bytes of a line that is not motion, at most
_VALUE = 40  # bytes that a line of the motion has for each of its values, at most
_BLOCK = 5000  # joints times frames that are placed at once
_FRAMES = re.compile(rb"frames\s*:?\s*(\d{1,12})", re.IGNORECASE)
_SECONDS = re.compile(rb"frame\s+time\s*:?\s*(\S+)", re.IGNORECASE)
_FIX = "get the file again or remove it"


def parse(file: Path, name: str, on_fault: OnFault, wish: str | None = None, label: int | None = None) -> Clip:
    """One `.bvh` file as a clip of one body: the global positions of its joints; ends of bones are left out.

    A joint's position channels replace its offset, as animation programs write them; but where they are all zero in the
    first frame while the offset is not, they are added to it. A root has no bone above it: its values are its position.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        lines = _Lines(stream, file.name)
        joints = _hierarchy(lines)
        layout, order = _layout(joints, wish, file.name)
        frames, seconds = _motion(lines)
        channels = sum(len(joint.channels) for joint in joints)
        # Two bytes a value is the least; a rig with fewer channels than joints would be larger in memory.
        room = size // max(2 * channels, 6 * layout.V, 1)
        if not 0 < frames <= room:
            raise DataError(
                "a frame count that the file cannot hold",
                file=file.name,
                got=frames,
                expected=f"1 to {room} frames of {channels} values in {size} bytes",
                fix=_FIX,
            )
        xyz = np.empty((3, frames, layout.V, 1), np.float32)
        added: list[bool] | None = None
        step = max(8, _BLOCK // len(joints))
        for begin in range(0, frames, step):
            values = _rows(lines, range(begin, min(begin + step, frames)), frames, channels)
            added = added_moves(joints, values[0]) if added is None else added
            with np.errstate(over="ignore", invalid="ignore"):  # what is no finite number is refused later
                xyz[:, begin : begin + len(values), :, 0] = positions(joints, values, added)[:, :, order]
        if left := lines.left():
            on_fault(Fault(file.name, f"{left} lines after the last of {frames} frames were not read", "nothing"))
    return Clip(
        xyz=xyz,
        valid=np.ones((frames, 1), bool),
        name=name,
        layout=layout.name,
        label=label,
        fps=float(f"{1 / seconds:.4g}"),  # 0.0083333 seconds are meant to be 120 frames a second
        units="unknown",
    )


def _layout(joints: list[Joint], wish: str | None, file: str) -> tuple[Layout, list[int]]:
    """The clip's layout, and for each of its joints the place in the rig."""
    known = [joint.name for joint in joints]
    if wish is None:
        layout = rig.layout(known, [joint.parent for joint in joints], file)
        return layout, list(range(layout.V))
    layout = get_layout(wish)
    if layout.dims != 3:
        raise DataError(
            f"layout '{wish}' is flat",
            file=file,
            got="joints in 3-D",
            expected="a layout with dims = 3",
            fix="name one",
        )
    renamed = rig.rename(known)
    place = {name: i for i, name in enumerate(renamed)} | {name: i for i, name in enumerate(known)}
    if lost := [joint for joint in layout.joints if joint not in place]:
        raise DataError(
            f"the rig lacks joints of layout '{wish}'",
            file=file,
            got=f"no {', '.join(lost)} among {', '.join(renamed)[:1500]}",
            expected="all of them, by name",
            fix="leave it out (--to-layout puts clips onto another layout), or name its joints as the rig does",
        )
    return layout, [place[joint] for joint in layout.joints]


class _Lines:
    """The lines of a file that are not blank, one by one; none is read that is longer than it may be."""

    def __init__(self, stream: BinaryIO, file: str) -> None:
        self.stream, self.file, self.number = stream, file, 0

    def next(self, most: int = _LINE) -> bytes:
        """The next line without its white space; empty at the end of the file."""
        while raw := self.stream.readline(most + 1):
            self.number += 1
            if len(raw) > most:
                raise DataError(
                    f"line {self.number} is too long", file=self.file, got=f"over {most} bytes", expected=most, fix=_FIX
                )
            if line := raw.strip():
                return line
        return b""

    def wrong(self, what: str, got: str, expected: str) -> DataError:
        """The error for something in the line that was read last."""
        return DataError(f"{what} (line {self.number})", file=self.file, got=got[:80], expected=expected, fix=_FIX)

    def left(self) -> int:
        """How many lines have not been read."""
        return sum(1 for piece in iter(lambda: self.stream.readline(_LINE), b"") if piece.strip())


def _statements(lines: _Lines) -> Iterator[list[str]]:
    """The words of each statement of the hierarchy: braces stand for themselves, wherever lines break."""
    while line := lines.next():
        for piece in re.split(r"([{}])", line.decode("utf-8", errors="replace")):
            if words := piece.split():
                yield words
    raise lines.wrong("the hierarchy does not end", "the end of the file", "MOTION")


def _hierarchy(lines: _Lines) -> list[Joint]:
    """The joints of a rig, parents before children."""
    if lines.next().removeprefix(b"\xef\xbb\xbf").upper() != b"HIERARCHY":
        raise lines.wrong("not a BVH file", "another first line", "HIERARCHY")
    joints: list[Joint] = []
    known: set[str] = set()
    inside: list[Joint | None] = []  # joints whose braces are open; None for an End Site
    begun: list[Joint | None] = []  # what the next brace opens
    for words in _statements(lines):
        key, here = words[0].upper(), inside[-1] if inside else None
        if key == "MOTION" and joints and not inside and not begun:
            return joints
        if key == "{" and begun:
            inside.append(begun.pop())
        elif key == "}" and inside and not begun:
            inside.pop()
        elif (key == "ROOT" and not joints) or (key == "JOINT" and here is not None and not begun):
            name = " ".join(words[1:])
            if not name or name in known or len(joints) == MOST_JOINTS:
                expected = f"at most {MOST_JOINTS} joints, each with a name of its own"
                raise lines.wrong("a joint too many", repr(name), expected)
            known.add(name)
            joints.append(Joint(name, 0 if here is None else here.place, len(joints)))
            begun.append(joints[-1])
        elif key == "END" and here is not None and not begun:
            begun.append(None)
        elif key == "OFFSET" and inside and not begun:
            offset = _offset(words[1:], lines)
            if here is not None:
                here.offset = offset
        elif key == "CHANNELS" and here is not None and not begun:
            here.channels = _channels(words[1:], lines)
        else:
            raise lines.wrong("a hierarchy that cannot be understood", repr(" ".join(words)), "a tree of joints")
    raise AssertionError("statements end with an error")


def _offset(words: list[str], lines: _Lines) -> tuple[float, float, float]:
    try:
        x, y, z = map(float, words)
    except ValueError:
        raise lines.wrong("an offset", repr(" ".join(words)), "three numbers") from None
    if not all(map(isfinite, (x, y, z))):
        raise lines.wrong("an offset", f"{x}, {y}, {z}", "finite numbers")
    return x, y, z


def _channels(words: list[str], lines: _Lines) -> tuple[int, ...]:
    names = [word.lower() for word in words[1:]]
    if words[:1] != [str(len(names))] or len(set(names)) < len(names) or not set(names) <= set(CHANNELS):
        expected = "their number, then Xposition ... Zrotation, each at most once"
        raise lines.wrong("channels", repr(" ".join(words)), expected)
    return tuple(CHANNELS.index(name) for name in names)


def _motion(lines: _Lines) -> tuple[int, float]:
    """Number of frames, and seconds of each."""
    frames = _FRAMES.fullmatch(line := lines.next())
    if frames is None:
        raise lines.wrong("no frame count", repr(line.decode(errors="replace")), "a line such as 'Frames: 120'")
    seconds = _SECONDS.fullmatch(line := lines.next())
    try:
        value = float(seconds[1]) if seconds else 0.0
    except ValueError:
        value = 0.0
    if not 1 / MAX_FPS <= value < MAX_FPS:
        raise lines.wrong(
            "no frame time", repr(line.decode(errors="replace")), "a line such as 'Frame Time: 0.0333333'"
        )
    return int(frames[1]), value


def _rows(lines: _Lines, which: range, frames: int, channels: int) -> np.ndarray:
    """The values (t, channels) of some frames."""
    values = np.empty((len(which), channels))
    for row, t in zip(values, which, strict=True):
        words = lines.next(_LINE + _VALUE * channels).split()
        try:
            row[:] = np.fromiter(map(float, words), np.float64, channels)
            if len(words) != channels:
                raise ValueError
        except ValueError:
            what = "cut mid-frame" if not words else "a line of motion that does not fit the channels"
            raise DataError(
                what,
                file=lines.file,
                frame=t,
                got=first_wrong(words) or f"{len(words)} values" if words else f"{t} frames",
                expected=f"{channels} numbers" if words else frames,
                fix=_FIX,
            ) from None
    return values


def _sniff(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(200).removeprefix(b"\xef\xbb\xbf").split()[:1] in ([b"HIERARCHY"], [b"hierarchy"])
    except OSError:
        return False


READER = Reader(
    name="bvh",
    what=".bvh motion capture files: HIERARCHY, then MOTION",
    layout="the rig of the file",
    suffixes=(".bvh",),
    sniff=_sniff,
    open=lambda found: folders.labelled(found, parse),
)
