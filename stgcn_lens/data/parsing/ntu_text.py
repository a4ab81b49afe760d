"""The values of an NTU file, taken one after the other: its bodies, or what is wrong and where."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np

from stgcn_lens.data.parsing.numerals import first_wrong
from stgcn_lens.errors import DataError

V, BODY, JOINT = 25, 10, 12  # joints, values in a body's line, values in a joint's line
MAX_SLOTS = 64  # bodies of one frame, and body IDs of one clip; a sensor tracks six at a time
_DIGITS = 12  # of a count; a body ID, read in the place of one, is longer
_LONGEST = 1000  # bytes of a value
_PIECE = 2**16  # bytes read at once
_AGAIN = "get the file again or remove it"


@dataclass(frozen=True, eq=False)
class Bodies:
    """The bodies of a file, in its order.

    Attributes
    ----------
    frames : number of frames.
    places : (bodies,) the frame of each.
    ids : the text of each body's ID; IDs exceed 2^53.
    xyz : (bodies, V, 3) float32, metres.
    left : number of values after the last frame.
    """

    frames: int
    places: np.ndarray
    ids: list[bytes]
    xyz: np.ndarray
    left: int


def room(size: int) -> int:
    """How many bodies a file of so many bytes may hold: each takes 311 values of a byte and a space, one of two."""
    return size // (2 * (BODY + 1 + V * JOINT)) + 1


def bodies(file: Path) -> Bodies:
    """All bodies of a `.skeleton` file; `DataError` naming file and frame where it is damaged."""
    size = file.stat().st_size
    values = _values(file)
    first = next(values, None)
    if first is None:
        raise DataError("no frames", file=file.name, got="an empty file", expected="at least 1")
    frames = _count(first, "frame count", file, None)
    if frames == 0:
        raise DataError("no frames", file=file.name, got=0, expected="at least 1")
    if frames > size // 2:  # a frame takes a digit and the end of a line
        raise DataError(
            "the file is shorter than its frame count",
            file=file.name,
            got=f"{sum(1 for _ in values)} values",
            expected=f"{frames} frames",
            fix=_AGAIN,
        )
    places, ids = np.empty(room(size), np.int32), list[bytes]()
    xyz = np.empty((len(places), V, 3), np.float32)
    for t in range(frames):
        first = next(values, None)
        if first is None:
            raise _cut(file, t, f"{t} frames", f"{frames} frames")
        here = _count(first, "body count", file, t)
        if here > MAX_SLOTS:
            raise DataError("too many bodies", file=file.name, frame=t, got=here, expected=f"<= {MAX_SLOTS}")
        for body in range(here):
            line = list(islice(values, BODY + 1))
            if len(line) < BODY + 1:
                raise _cut(file, t, f"the end of the file in body {body + 1}", f"{here} bodies")
            joints = _count(line[-1], "joint count", file, t)
            if joints != V:
                raise DataError("wrong joint count", file=file.name, frame=t, got=joints, expected=V)
            pose = list(islice(values, V * JOINT))
            if len(pose) < V * JOINT:
                raise _cut(file, t, f"{len(pose) // JOINT} whole joints of body {body + 1}", f"{V}")
            places[len(ids)] = t
            with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused later
                xyz[len(ids)] = _floats(pose, file, t)
            ids.append(line[0])
    return Bodies(frames, places[: len(ids)], ids, xyz[: len(ids)], sum(1 for _ in values))


def _values(file: Path) -> Iterator[bytes]:
    """What stands between white space, piece by piece, so that the text is never held."""

    def pieces() -> Iterator[list[bytes]]:
        rest = b""
        with file.open("rb") as stream:
            while piece := stream.read(_PIECE):
                values = (rest + piece).split()
                rest = values.pop() if values and not piece[-1:].isspace() else b""
                if len(rest) > _LONGEST:
                    raise DataError("not an NTU file", file=file.name, got=f"a value of {len(rest)} bytes", fix=_AGAIN)
                yield values
        yield rest.split()

    return chain.from_iterable(pieces())


def _floats(pose: list[bytes], file: Path, frame: int) -> np.ndarray:
    """(V, 3): the first three of each joint's values."""
    wanted = pose[::JOINT] + pose[1::JOINT] + pose[2::JOINT]
    try:
        return np.fromiter(map(float, wanted), np.float64, len(wanted)).reshape(3, V).T
    except ValueError:
        bad = first_wrong(value for i, value in enumerate(pose) if i % JOINT < 3)
        raise DataError("not a number", file=file.name, frame=frame, got=bad, expected="x y z") from None


def _count(value: bytes, what: str, file: Path, frame: int | None) -> int:
    if value.isdigit() and len(value) <= _DIGITS:
        return int(value)
    raise DataError(
        f"the {what} is not a whole number",
        file=file.name,
        frame=frame,
        got=repr(value[:40].decode(errors="replace")),
        expected="a count",
        fix=f"a value is missing or too many before it; {_AGAIN}",
    )


def _cut(file: Path, frame: int, got: str, expected: str) -> DataError:
    return DataError("cut mid-frame", file=file.name, frame=frame, got=got, expected=expected, fix=_AGAIN)
