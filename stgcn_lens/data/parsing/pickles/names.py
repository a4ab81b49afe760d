"""What a pickle may ask for by name: numpy's arrays and scalars of numbers or text, and plain containers.

A pickle names functions and asks to call them. Here a name is looked up in `NAMES` and nowhere else, and what is then
called was written in this file: no module is imported, nothing of numpy or of the standard library is called by its
name in the file. Both of numpy's module names, ``numpy.core`` until 1.26 and ``numpy._core`` since 2.0, mean the same.
"""

import math
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from mmap import mmap
from typing import Any, NamedTuple

import numpy as np

from stgcn_lens.data.parsing.pickles.limits import hashable

_CODE = re.compile(r"[<>=|]?(b1|[iu][1248]|f[248]|c8|c16|[SU][1-9]\d{0,5})")
_OBJECTS = re.compile(r"[<>=|]?O\d*")
_EMPTY = 2**31  # how large the other axes of an array of no elements may be: it holds nothing, but is walked along


class Span(NamedTuple):
    """Bytes that stay in the file: an array is laid over them."""

    start: int
    stop: int


class Named:
    """A name in a pickle; `make` is what stands for it here, given the arguments in the file and the mapped file."""

    __slots__ = ("make", "title")

    def __init__(self, title: str, make: Callable[[tuple, mmap], Any] | None = None) -> None:
        self.title, self.make = title, make


@dataclass(eq=False, slots=True)
class Unfilled:
    """An array or a data type between the two steps that a pickle makes it in; `kept` are its places in the memo."""

    fill: Callable[[Any, mmap], Any]
    kept: list[int] = field(default_factory=list)


def find(module: str, title: str) -> Named | None:
    """What stands for a name here, or None where the name is refused."""
    return NAMES.get((module, title))


def _array(shape: Any, dtype: Any, fortran: bool, raw: Any, view: mmap) -> np.ndarray:
    """An array over bytes of the file, read-only; its size is checked against them first."""
    if not isinstance(dtype, np.dtype) or type(shape) is not tuple or len(shape) > 32:
        raise ValueError("an array without a data type or a shape")
    if not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError("an array whose shape is not made of counts")
    raw = _raw(raw)
    there = raw.stop - raw.start if type(raw) is Span else len(raw)
    wanted = math.prod(shape) * dtype.itemsize
    if there != wanted or (wanted == 0 and math.prod(max(n, 1) for n in shape) > _EMPTY):
        sizes = " x ".join(str(n)[:30] for n in shape)
        raise ValueError(f"an array of {sizes} {dtype.name} elements over {there} bytes")
    buffer, offset = (view, raw.start) if type(raw) is Span else (bytes(raw), 0)
    return np.ndarray(shape, dtype, buffer, offset, order="F" if fortran else "C")


def _raw(value: Any) -> Any:
    """The bytes of an array or scalar. Python 2 shares strings of one byte with text, which arrive as text."""
    if type(value) is str and len(value) <= 1:
        value = value.encode("latin1")
    if type(value) not in (bytes, bytearray, Span):
        raise ValueError(f"a {type(value).__name__} in the place of an array's bytes")
    return value


def _reconstruct(given: tuple, view: mmap) -> Unfilled:
    if len(given) != 3 or given[0] is not _NDARRAY:
        raise ValueError("an array of another class than numpy.ndarray")
    return Unfilled(_array_state)


def _array_state(state: Any, view: mmap) -> np.ndarray:
    if type(state) is not tuple or len(state) not in (4, 5):
        raise ValueError("an array without its state")
    shape, dtype, fortran, raw = state[-4:]
    if type(fortran) not in (bool, int):
        raise ValueError("an array in no known order")
    return _array(shape, dtype, bool(fortran), raw, view)


def _from_buffer(given: tuple, view: mmap) -> np.ndarray:
    raw, dtype, shape, order = given
    if type(order) is not str or order not in "CF":
        raise ValueError("an array in no known order")
    return _array(shape, dtype, order == "F", raw, view)


def _scalar(given: tuple, view: mmap) -> Any:
    dtype, raw = given
    if type(raw) is Span:
        raw = view[raw.start : raw.stop]
    return _array((1,), dtype, False, raw, view)[0]


def _dtype(given: tuple, view: mmap) -> Unfilled:
    code = given[0] if given else None
    if type(code) is not str or not _CODE.fullmatch(code):
        if type(code) is str and _OBJECTS.fullmatch(code):
            raise ValueError("an array of Python objects; only arrays of numbers or text are read")
        raise ValueError(f"an array of elements {str(code)[:40]!r}; numbers and text of fixed length are read")
    plain = np.dtype(code)

    def state(state: Any, view: mmap) -> np.dtype:
        """Version, byte order, and four things that numbers and text do not have: parts, names, fields, metadata."""
        if type(state) is not tuple or len(state) != 8 or any(x is not None for x in state[2:5]):
            raise ValueError("a data type with fields, parts or metadata")
        version, order, size = state[0], state[1], state[5]
        known = type(version) is type(size) is int and type(order) is str
        if not known or version != 3 or order not in ("<", ">", "|", "=") or size not in (-1, plain.itemsize):
            raise ValueError("a data type whose byte order or size is not its own")
        return plain if state[1] == "|" else plain.newbyteorder(state[1])

    return Unfilled(state)


def _encode(given: tuple, view: mmap) -> bytes:
    """Bytes as protocols 0 to 2 keep them: as text of the same code points."""
    text, coding = given
    if type(text) is not str or type(coding) is not str or coding not in ("latin1", "latin-1"):
        raise ValueError("text in another coding than latin1")
    return text.encode("latin1")


def _bytes(given: tuple, view: mmap) -> bytes:
    if given:
        raise ValueError("bytes made of other things")
    return b""


def _bytearray(given: tuple, view: mmap) -> bytearray:
    if not given:
        return bytearray()
    if len(given) == 1 and type(given[0]) in (bytes, bytearray):
        return bytearray(given[0])
    return bytearray(_encode(given, view))


def _of(kind: Callable[..., Any], check: Callable[[Sequence[Any]], None] = lambda items: None) -> Any:
    """A container made of one list or tuple, or of nothing."""

    def make(given: tuple, view: mmap) -> Any:
        items = given[0] if given else ()
        if len(given) > 1 or type(items) not in (list, tuple):
            raise ValueError(f"a {kind.__name__} made of other than a list")
        check(items)
        return kind(items)

    return make


def _pairs(items: Sequence[Any]) -> None:
    if not all(type(pair) in (list, tuple) and len(pair) == 2 for pair in items):
        raise ValueError("a dict of other than pairs")
    hashable([key for key, _ in items])


def _complex(given: tuple, view: mmap) -> complex:
    real, imaginary = given
    if type(real) not in (int, float) or type(imaginary) not in (int, float):
        raise ValueError("a complex number of other than numbers")
    return complex(real, imaginary)


def _named(modules: str, **makers: Callable[[tuple, mmap], Any] | None) -> dict[tuple[str, str], Named]:
    return {(module, key): Named(f"{module}.{key}", make) for module in modules.split() for key, make in makers.items()}


_NDARRAY = Named("numpy.ndarray")
FROM_BUFFER = Named("_frombuffer", _from_buffer)

NAMES: dict[tuple[str, str], Named] = {
    **_named("numpy.core.multiarray numpy._core.multiarray", _reconstruct=_reconstruct, scalar=_scalar),
    **_named("numpy", dtype=_dtype),
    **dict.fromkeys((("numpy", "ndarray"), ("numpy", "memmap"), ("numpy.core.memmap", "memmap")), _NDARRAY),
    **dict.fromkeys(((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")), FROM_BUFFER),
    **_named("_codecs", encode=_encode),
    **_named("builtins __builtin__", bytearray=_bytearray, bytes=_bytes),
    **_named("builtins __builtin__", set=_of(set, hashable), frozenset=_of(frozenset, hashable), complex=_complex),
    **_named("builtins __builtin__", list=_of(list), tuple=_of(tuple), dict=_of(dict, _pairs)),
    **_named("collections", OrderedDict=_of(OrderedDict, _pairs)),
}
