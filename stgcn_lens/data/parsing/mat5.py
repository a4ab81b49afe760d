"""Arrays of numbers in MATLAB files of version 5 (``save -v6`` and ``-v7``), and nothing else of them.

scipy's `loadmat` reads these files too, but a damaged one can crash the whole process (scipy 1.17 does not check the
type of the numbers) or make it allocate what a header promises. Here a size is believed when its bytes are there.

Source: *MAT-File Format*, The MathWorks: a header of 128 bytes, then elements of a type, a size and so many bytes;
an element holds one variable, and may be compressed.
"""

import math
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path
from typing import BinaryIO

import numpy as np

from stgcn_lens.errors import DataError

_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_MATRIX, _COMPRESSED = 14, 15
_NUMERIC = {
    **{6: "double", 7: "single", 8: "int8", 9: "uint8", 10: "int16", 11: "uint16"},
    **{12: "int32", 13: "uint32", 14: "int64", 15: "uint64"},
}
_CLASSES = {1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse", **_NUMERIC}
_MOST = 1000  # variables
_LONGEST = 2**12  # bytes of a name or of a list of dimensions
_PIECE = 2**16  # bytes read at once
_TIGHT, _SMALL = 50, 2**20  # no coordinates shrink to a fiftieth; up to a megabyte it does not matter
Take = Callable[[int], bytes]  # the next so many bytes, or fewer at the end


@dataclass(frozen=True, eq=False)
class Variable:
    """What a file says of one variable.

    Attributes
    ----------
    name : its name.
    shape : its axes.
    kind : MATLAB's name of its class, e.g. "double"; "complex double" or "logical" where that is so.
    numeric : whether it is an array of real numbers, which `values` can read.
    values : reads the numbers, in the type in which the file stores them; only before the next variable is asked for.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    numeric: bool
    values: Callable[[], np.ndarray]


def variables(stream: BinaryIO, file: Path) -> Iterator[Variable]:
    """The variables of an open file one by one; of each only the description is read, until its values are asked for.

    Raises
    ------
    DataError
        where the file is none of version 5, or is damaged as far as it was read.
    """
    size = stream.seek(0, SEEK_END)
    stream.seek(0)
    order = _order(stream.read(128), file)
    at = 128
    for _ in range(_MOST):
        if at == size:
            return
        stream.seek(at)
        kind, length = struct.unpack(order + "II", _exactly(stream.read, 8, file))
        at += 8 + length
        if at > size:
            raise _damaged(file, f"it ends {at - size} bytes early")
        take: Take = stream.read
        if kind == _COMPRESSED:
            take = _inflating(stream, length, file)
            kind, length = struct.unpack(order + "II", _exactly(take, 8, file))
        if kind == _MATRIX:
            yield _variable(take, order, file, size)
    raise _damaged(file, f"over {_MOST} variables")


def _order(header: bytes, file: Path) -> str:
    """The order of bytes, < or >, as the header of the file says."""
    mark = header[126:128]
    if len(header) < 128 or mark not in (b"IM", b"MI"):
        raise _damaged(file, "no header of version 5")
    order = "<" if mark == b"IM" else ">"
    (version,) = struct.unpack(order + "H", header[124:126])
    if version != 0x100:
        raise _damaged(file, f"version {version:#x}, not 5: save it with -v7 in MATLAB")
    return order


def _variable(take: Take, order: str, file: Path, size: int) -> Variable:
    flags = _element(take, order, file)
    dims = _element(take, order, file)
    name = _element(take, order, file)
    if len(flags) < 8 or len(dims) % 4:
        raise _damaged(file, "a variable without flags or dimensions")
    (flag,) = struct.unpack(order + "I", flags[:4])
    shape = struct.unpack(f"{order}{len(dims) // 4}i", dims)
    if min(shape, default=-1) < 0 or len(shape) > 32:
        raise _damaged(file, f"dimensions {shape[:8]}")
    kind = _CLASSES.get(flag & 0xFF, f"class {flag & 0xFF}")
    kind = "logical" if flag & 0x200 else f"complex {kind}" if flag & 0x800 else kind
    return Variable(
        name=name.decode("latin-1"),
        shape=shape,
        kind=kind,
        numeric=kind in _NUMERIC.values(),
        values=lambda: _values(take, order, shape, file, size),
    )


def _values(take: Take, order: str, shape: tuple[int, ...], file: Path, size: int) -> np.ndarray:
    kind, length, rest = _tag(take, order, file)
    if kind not in _NUMBERS:
        raise _damaged(file, f"numbers of type {kind}")
    dtype = np.dtype(order + _NUMBERS[kind])
    expected = math.prod(shape) * dtype.itemsize
    if length != expected:
        raise _damaged(file, f"{length} bytes of numbers where its dimensions {shape} need {expected}")
    if length > max(_SMALL, _TIGHT * size):
        raise _damaged(file, f"{length} bytes of numbers promised by a file of {size}")
    data = bytearray(rest[:length])
    while len(data) < length:
        data += _exactly(take, min(_PIECE, length - len(data)), file)
    take(8)  # past the padding: at the end of what was packed stands its checksum
    return np.frombuffer(data, dtype).reshape(shape, order="F")


def _element(take: Take, order: str, file: Path) -> bytes:
    """The content of a short element; it ends on a multiple of 8 bytes."""
    _, length, rest = _tag(take, order, file)
    if length > _LONGEST:
        raise _damaged(file, f"{length} bytes of a name or of dimensions")
    return rest[:length] if rest else _exactly(take, -(-length // 8) * 8, file)[:length]


def _tag(take: Take, order: str, file: Path) -> tuple[int, int, bytes]:
    """Type and size of an element, and its content if that is so short that it stands in the tag itself."""
    tag = _exactly(take, 8, file)
    kind, length = struct.unpack(order + "II", tag)
    if kind >> 16 == 0:
        return kind, length, b""
    if kind >> 16 > 4:
        raise _damaged(file, f"a short element of {kind >> 16} bytes")
    return kind & 0xFFFF, kind >> 16, tag[4:]


def _inflating(stream: BinaryIO, length: int, file: Path) -> Take:
    """What takes bytes out of the next `length` compressed ones, unpacking no more than it is asked for."""
    machine = zlib.decompressobj()
    left = length

    def take(wanted: int) -> bytes:
        nonlocal left
        parts: list[bytes] = []
        while wanted > 0 and not machine.eof:
            packed = machine.unconsumed_tail
            if not packed:
                packed = stream.read(min(left, _PIECE))
                left -= len(packed)
            try:
                part = machine.decompress(packed, wanted)
            except zlib.error as error:
                raise _damaged(file, str(error)) from None
            if not packed and not part:
                break
            parts.append(part)
            wanted -= len(part)
        return b"".join(parts)

    return take


def _exactly(take: Take, length: int, file: Path) -> bytes:
    data = take(length)
    if len(data) < length:
        raise _damaged(file, "it is cut")
    return data


def _damaged(file: Path, why: str) -> DataError:
    return DataError(f"not a MATLAB file that can be read ({why})", file=file.name, fix="get the file again")
