"""Arrays larger than memory: `.npy` files written and read a few rows at a time."""

import re
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from stgcn_lens.errors import DataError

_MAGIC = b"\x93NUMPY"
_HEADER = 128  # bytes, a multiple of 64 as the format asks, room for any shape
_AXES = 32
_LONGEST = 10_000  # bytes of a header that is still read; a plain array's has about 100

# A header is the text of a Python dictionary. Plain arrays have three plain entries, in any order; what else Python
# would understand (nested types, objects) is not needed, so nothing is evaluated.
_ENTRIES = {
    "descr": re.compile(r"""['"]descr['"]\s*:\s*['"]([<>|=]?[?biufc]\d{0,2})['"]"""),
    "fortran_order": re.compile(r"""['"]fortran_order['"]\s*:\s*(True|False)"""),
    "shape": re.compile(r"""['"]shape['"]\s*:\s*\(((?:\s*\d{1,18}L?\s*,)*(?:\s*\d{1,18}L?)?)\s*\)"""),
}


@dataclass(frozen=True)
class Header:
    """What stands in front of an array: its type, its shape, its order, and how many bytes the header itself takes."""

    dtype: np.dtype
    shape: tuple[int, ...]
    fortran: bool
    size: int

    @property
    def bytes(self) -> int:
        """Size of the array's data."""
        return prod(self.shape) * self.dtype.itemsize


def header(dtype: Any, shape: tuple[int, ...]) -> bytes:
    """The header (format version 1.0) of an array in C order, always of the same length."""
    text = repr({"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape})
    start = _MAGIC + b"\x01\x00" + (_HEADER - 10).to_bytes(2, "little")
    return start + text.encode().ljust(_HEADER - 11) + b"\n"


class NpyWriter:
    """A `.npy` file written row by row, for arrays larger than memory; whole once `close` has written its header."""

    def __init__(self, path: Path, dtype: Any, row: tuple[int, ...]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.dtype, self.row, self.rows = np.dtype(dtype), row, 0
        self._stream = path.open("wb+")
        self._stream.write(b"\0" * _HEADER)

    def append(self, rows: np.ndarray) -> None:
        """Add rows of shape (n, *row)."""
        if rows.shape[1:] != self.row:
            raise ValueError(f"rows of shape {rows.shape[1:]}, expected {self.row}")
        self._stream.write(np.ascontiguousarray(rows, dtype=self.dtype).data)
        self.rows += len(rows)

    def close(self) -> None:
        """Write the header in front of the rows, and close the file."""
        with self._stream:
            self._stream.seek(0)
            self._stream.write(header(self.dtype, (self.rows, *self.row)))


def read_header(stream: IO[bytes], file: Path | str) -> Header:
    """The header at the start of a stream, which then stands at the array's first byte.

    Raises
    ------
    DataError
        where it is none, or one of anything but numbers: text, Python objects, records.
    """
    start = stream.read(8)
    width = 2 if start[6:7] == b"\x01" else 4  # of the header's length, after the format's version
    length = int.from_bytes(stream.read(width), "little")
    if len(start) < 8 or not start.startswith(_MAGIC) or start[6] not in (1, 2, 3):
        raise _refused(file, f"a file that starts with {start!r}")
    if length > _LONGEST:
        raise _refused(file, f"a header of {length} bytes")
    raw = stream.read(length)
    if len(raw) < length:
        raise _refused(file, f"{len(raw)} bytes of a header of {length}")
    text = left = raw.decode("latin-1")
    found: dict[str, str] = {}
    for name, entry in _ENTRIES.items():
        if match := entry.search(left):
            found[name] = match[1]
            left = left[: match.start()] + left[match.end() :]
    if len(found) < len(_ENTRIES) or not re.fullmatch(r"\s*\{[\s,]*\}\s*", left):
        raise _refused(file, f"the header {' '.join(text.split())[:150]!r}")
    try:
        dtype = np.dtype(found["descr"])
    except TypeError:
        raise _refused(file, f"numbers of type {found['descr']!r}") from None
    shape = tuple(int(size) for size in re.findall(r"\d+", found["shape"]))
    if len(shape) > _AXES:
        raise _refused(file, f"{len(shape)} axes")
    return Header(dtype, shape, found["fortran_order"] == "True", 8 + width + length)


def open_npy(path: Path, at: int = 0, size: int | None = None) -> np.ndarray:
    """A `.npy` file mapped read-only: nothing is loaded; a header that promises more than the file holds is refused.

    Parameters
    ----------
    at, size : where the array lies in a file that holds other things too, in bytes.

    Raises
    ------
    DataError
        for a damaged file, or one that holds anything but numbers.
    """
    try:
        with path.open("rb") as stream:
            there = stream.seek(0, 2) - at if size is None else size
            stream.seek(at)
            found = read_header(stream, path)
        if found.size + found.bytes > there:
            raise _refused(
                path, f"{there} bytes for {found.shape} {found.dtype}, which takes {found.size + found.bytes}"
            )
        order: Literal["C", "F"] = "F" if found.fortran else "C"
        if found.bytes == 0:
            return np.empty(found.shape, found.dtype, order)
        return np.memmap(path, found.dtype, "r", at + found.size, found.shape, order)
    except FileNotFoundError:
        raise DataError("no such file", file=path, fix="restore it, or make the set again") from None
    except (OSError, OverflowError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise _refused(path, " ".join(str(error).split())[:200]) from error


def read_rows(array: np.ndarray, begin: int, end: int) -> np.ndarray:
    """Rows begin..end of an array; of a memory map, read from its file, so that no mapped page stays resident."""
    # A slice of a memory map, or one in Fortran order, does not say where in the file its rows lie.
    whole = not isinstance(array.base, np.ndarray) and array.flags.c_contiguous
    if isinstance(array, np.memmap) and array.filename is not None and whole:
        row = prod(array.shape[1:])
        offset = array.offset + begin * row * array.dtype.itemsize
        flat = np.fromfile(array.filename, array.dtype, (end - begin) * row, offset=offset)
        if len(flat) < (end - begin) * row:
            raise _refused(array.filename, "fewer bytes than when it was opened")
        return flat.reshape(end - begin, *array.shape[1:])
    return array[begin:end]


def _refused(file: Path | str, got: str) -> DataError:
    return DataError(
        "not an array file that can be used",
        file=str(file),
        got=got,
        expected="a .npy file of numbers, as long as its header says",
        fix="get the file again",
    )
