"""What a C3D file says before its data: a header of 512 bytes, and parameters with names."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, prod
from typing import BinaryIO, Literal

import numpy as np

from stgcn_lens.data.clip import MAX_FPS
from stgcn_lens.errors import DataError

BLOCK = 512
MAGIC = 0x50
INTEL, DEC, SGI = 84, 85, 86  # how the machine that wrote the file stores numbers
MAX_POINTS = 5000  # ours: a body wears less than a hundred markers
_SATURATED = 65535  # the number of frames where the recording has more than 16 bits can say
_FIX = "get the file again or remove it"


@dataclass(frozen=True)
class _Parameter:
    """One named value: kind -1 text, 1 bytes, 2 whole numbers, 4 numbers; as stored."""

    kind: int
    dims: tuple[int, ...]
    data: bytes


@dataclass(frozen=True)
class About:
    """What a file says before its data."""

    frames: int
    points: int
    analog: int  # further values of a frame, after its points
    floats: bool  # else whole numbers times `scale`
    scale: float
    start: int  # byte at which the data begin
    processor: int
    fps: float
    labels: tuple[str, ...]
    units: str
    up: str  # axis that points to the sky

    @property
    def stride(self) -> int:
        """Bytes of a frame."""
        return (4 * self.points + self.analog) * (4 if self.floats else 2)


def read_about(stream: BinaryIO, size: int, file: str) -> About:
    """What stands before the data; where the header and the parameters both say something, the parameters hold."""
    header = stream.read(BLOCK)
    if len(header) < BLOCK or header[1] != MAGIC or header[0] < 2:
        raise DataError("not a C3D file", file=file, got=f"{len(header)} bytes", expected="a header of 512", fix=_FIX)
    stream.seek((header[0] - 1) * BLOCK)
    section = stream.read(4)
    if len(section) < 4 or section[3] not in (INTEL, DEC, SGI):
        raise DataError(
            "a C3D file without parameters",
            file=file,
            got=f"processor {section[3]}" if len(section) == 4 else "the end of the file",
            expected="84 (Intel), 85 (DEC) or 86 (SGI)",
            fix=_FIX,
        )
    processor = section[3]
    said = _Said(_parameters(stream.read(255 * BLOCK), processor, file), processor, file)
    words = [int(word) & 0xFFFF for word in numbers(header, 2, processor)]
    scale, rate = (float(numbers(header[at : at + 4], 4, processor)[0]) for at in (12, 20))
    scale = said.number("POINT:SCALE", scale)
    points = int(said.number("POINT:USED", words[1]))
    about = About(
        frames=_frames(words[4] - words[3] + 1, said),
        points=points,
        analog=words[2],
        floats=scale < 0,
        scale=scale,
        start=((words[8] or int(said.number("POINT:DATA_START", 0))) - 1) * BLOCK,
        processor=processor,
        fps=float(f"{said.number('POINT:RATE', rate):.6g}"),
        labels=said.labels(min(points, MAX_POINTS)),
        units=said.text("POINT:UNITS").casefold(),
        up="+" + (said.text("POINT:Y_SCREEN").casefold()[-1:] or "z"),
    )
    wrong = {
        "number of points": (about.points, 0 < about.points <= MAX_POINTS, f"1 to {MAX_POINTS}"),
        "a scale that is no number": (about.scale, isfinite(about.scale) and about.scale != 0, "not 0"),
        "no frame rate": (about.fps, 0 < about.fps <= MAX_FPS, f"over 0, up to {MAX_FPS:g} frames a second"),
        "no upward axis in POINT:Y_SCREEN": (about.up, about.up[1] in "xyz", "x, y or z"),
        "data that begin nowhere": (about.start, 2 * BLOCK <= about.start <= size, f"byte 1024 to {size}"),
        "no frames": (about.frames, about.frames > 0, "at least 1"),
    }
    for what, (got, right, expected) in wrong.items():
        if not right:
            raise DataError(what, file=file, got=got, expected=expected, fix=_FIX)
    return about


def _frames(header: int, said: "_Said") -> int:
    """Number of frames: of the header, of POINT:FRAMES or, where that has no room for it, of further parameters."""
    frames = int(said.number("POINT:FRAMES", header))
    if frames > 0 and frames != _SATURATED:
        return frames
    begin, end = (said.words(f"TRIAL:ACTUAL_{which}_FIELD") for which in ("START", "END"))
    if begin is not None and end is not None and end >= begin:
        return end - begin + 1
    return int(said.number("POINT:LONG_FRAMES", frames))


class _Said:
    """The parameters, asked for by name."""

    def __init__(self, parameters: Mapping[str, _Parameter], processor: int, file: str) -> None:
        self.parameters, self.processor, self.file = parameters, processor, file

    def number(self, name: str, default: float) -> float:
        """The first value, whole numbers taken without a sign; the default where there is none."""
        found = self.parameters.get(name)
        if found is None or found.kind < 1 or not found.data:
            value = default
        else:
            value = float(numbers(found.data, found.kind, self.processor)[0])
            value += 256.0**found.kind if found.kind < 4 and value < 0 else 0
        if not isfinite(value):
            raise DataError(f"{name} is not a finite number", file=self.file, got=value, expected="a number", fix=_FIX)
        return value

    def words(self, name: str) -> int | None:
        """A whole number of 32 bits that is kept as two of 16, the lower one first."""
        found = self.parameters.get(name)
        if found is None or found.kind != 2 or prod(found.dims) != 2:
            return None
        low, high = (int(word) & 0xFFFF for word in numbers(found.data, 2, self.processor))
        return low + (high << 16)

    def texts(self, name: str) -> list[str]:
        """A table of names, or one name."""
        found = self.parameters.get(name)
        if found is None or found.kind != -1 or not found.data or len(found.dims) > 2:
            return []
        width = found.dims[0] if found.dims else 1
        cells = [found.data[i : i + width] for i in range(0, len(found.data), width)]
        return [cell.decode("utf-8", errors="replace").strip(" \0") for cell in cells]

    def text(self, name: str) -> str:
        """One name, "" where there is none."""
        return next(iter(self.texts(name)), "")

    def labels(self, points: int) -> tuple[str, ...]:
        """The names of the points: LABELS, and past 255 of them LABELS2 and on."""
        found = self.texts("POINT:LABELS")
        more = 2
        while f"POINT:LABELS{more}" in self.parameters and len(found) < points:
            found += self.texts(f"POINT:LABELS{more}")
            more += 1
        return tuple(found[:points])


def _parameters(section: bytes, processor: int, file: str) -> dict[str, _Parameter]:
    """All parameters as "GROUP:NAME"; a section that is damaged is refused."""
    groups: dict[int, str] = {}
    found: list[tuple[int, str, _Parameter]] = []
    at = 0
    order: Literal["little", "big"] = "big" if processor == SGI else "little"
    try:
        while True:
            length, group = _signed(section[at]), _signed(section[at + 1])  # a locked one has a negative length
            if length == 0 or group == 0:
                break
            name = section[at + 2 : at + 2 + abs(length)].decode("latin-1").strip().upper()
            here = at + 2 + abs(length)
            step = int.from_bytes(section[here : here + 2], order, signed=True)
            if group < 0:
                groups[-group] = name
            else:
                found.append((group, name, _parameter(section, here + 2)))
            if step == 0:
                break
            if step < 3:
                raise ValueError("a step back")
            at = here + step
    except (IndexError, ValueError) as error:
        raise DataError(
            "parameters that cannot be understood", file=file, got=f"damage near byte {at} of them", fix=_FIX
        ) from error
    return {f"{groups.get(group, '')}:{name}": value for group, name, value in found}


def _parameter(section: bytes, at: int) -> _Parameter:
    kind, count = _signed(section[at]), section[at + 1]
    dims = tuple(section[at + 2 : at + 2 + count])
    begin = at + 2 + count
    size = abs(kind) * prod(dims)
    if kind not in (-1, 1, 2, 4) or count > 7 or len(dims) < count or begin + size > len(section):
        raise ValueError("a value past the end")
    return _Parameter(kind, dims, section[begin : begin + size])


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def numbers(data: bytes, width: int, processor: int) -> np.ndarray:
    """Numbers of 1, 2 or 4 bytes, the last of these with a fraction, as one of the processors stores them."""
    order = ">" if processor == SGI else "<"
    if processor == DEC and width == 4:  # halves swapped, and a bias of 129 in place of 127
        halves = np.frombuffer(data, "<u2").reshape(-1, 2)[:, ::-1]
        with np.errstate(invalid="ignore"):
            return np.ascontiguousarray(halves).view("<f4").ravel() / np.float32(4)
    return np.frombuffer(data, {1: "i1", 2: f"{order}i2", 4: f"{order}f4"}[width])
