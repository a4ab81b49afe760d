"""Arrays larger than memory: `.npy` files written and read a few rows at a time."""

from pathlib import Path
from typing import Any

import numpy as np

from stgcn_lens.errors import DataError


class NpyWriter:
    """A `.npy` file written row by row, for arrays larger than memory; whole once `close` has written its header."""

    _HEADER = 128  # bytes, a multiple of 64 as the format asks, room for any shape

    def __init__(self, path: Path, dtype: Any, row: tuple[int, ...]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.dtype, self.row, self.rows = np.dtype(dtype), row, 0
        self._stream = path.open("wb+")
        self._stream.write(b"\0" * self._HEADER)

    def append(self, rows: np.ndarray) -> None:
        """Add rows of shape (n, *row)."""
        if rows.shape[1:] != self.row:
            raise ValueError(f"rows of shape {rows.shape[1:]}, expected {self.row}")
        self._stream.write(np.ascontiguousarray(rows, dtype=self.dtype).data)
        self.rows += len(rows)

    def close(self) -> None:
        """Write the header (format version 1.0) in front of the rows, and close the file."""
        text = repr({"descr": self.dtype.str, "fortran_order": False, "shape": (self.rows, *self.row)})
        with self._stream:
            self._stream.seek(0)
            self._stream.write(b"\x93NUMPY\x01\x00" + (self._HEADER - 10).to_bytes(2, "little"))
            self._stream.write(text.encode().ljust(self._HEADER - 11) + b"\n")


def open_npy(path: Path) -> np.ndarray:
    """A `.npy` file mapped read-only: nothing is loaded; a header that promises more than the file holds is refused.

    Raises
    ------
    DataError
        for a damaged file, or one that holds Python objects.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, OverflowError, SyntaxError, TypeError, ValueError) as error:
        raise DataError(
            "not an array file that can be used",
            file=path,
            got=" ".join(str(error).split())[:200],
            expected="a .npy file of numbers, as long as its header says",
            fix="get the file again",
        ) from error


def read_rows(array: np.ndarray, begin: int, end: int) -> np.ndarray:
    """Rows begin..end of an array; of a memory map, read from its file, so that no mapped page stays resident."""
    # A slice of a memory map, or one in Fortran order, does not say where in the file its rows lie.
    whole = not isinstance(array.base, np.ndarray) and array.flags.c_contiguous
    if isinstance(array, np.memmap) and array.filename is not None and whole:
        row = int(np.prod(array.shape[1:], dtype=np.int64))
        offset = array.offset + begin * row * array.dtype.itemsize
        flat = np.fromfile(array.filename, array.dtype, (end - begin) * row, offset=offset)
        return flat.reshape(end - begin, *array.shape[1:])
    return array[begin:end]
