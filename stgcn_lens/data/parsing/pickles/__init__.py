"""Pickles read as data: a small stack machine over the mapped file, which can build values and can call nothing.

Protocols 0 to 5 of Python 3 and 0 to 2 of Python 2, of these things: None, bool, int, float, complex, text, bytes,
list, tuple, dict, OrderedDict, set, frozenset, and numpy's arrays and scalars of numbers or text. Arrays are laid over
the mapped file, read-only: a pickle of 3 GB opens without loading them. Any other name in the file is refused.

`pickle.Unpickler` with a `find_class` of one's own would forbid the calls too, but not the damage. Measured with
CPython 3.11 and numpy 2.4: a memo number of 2 * 10^8 in a file of 9 bytes takes 3 GB and 11 s; a bytes object that
promises 2 GB in a file of 15 bytes has them allocated before the file is found to be too short; and a state of 135
bytes for an array of Python objects, whose class is numpy's own, kills the process. (numpy's arrays of numbers compare
the promised size with the bytes, and are refused in time.) Here a promise is compared with what is left of the file
before anything is made, and what is made of few bytes (a set of one) is counted against the file's size.
"""

import mmap
from pathlib import Path
from typing import Any

import numpy as np

from stgcn_lens.data.parsing.pickles import machine
from stgcn_lens.data.parsing.pickles.steps import run
from stgcn_lens.errors import DataError


def load(path: Path | str) -> Any:
    """The object in a pickle file; nothing in the file is executed.

    Raises
    ------
    DataError
        naming the byte at which the file is damaged, goes on too long, or asks for more than data.
    OSError
        where the file cannot be opened.
    """
    path = Path(path)
    with path.open("rb") as stream:
        try:
            view = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise DataError("an empty file", file=path.name, expected="a pickle") from None
    return run(view, path.name)


def forget(array: np.ndarray) -> None:
    """Give the pages of the file that an array lies over back to the system; they are read again when needed."""
    base: object = array.base
    if isinstance(base, mmap.mmap):
        machine.forget(base)
