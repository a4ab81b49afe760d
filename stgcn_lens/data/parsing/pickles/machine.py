"""The stack machine that a pickle is written for: its stack, its marks, its memo, and its place in the file."""

import mmap
import re
from collections import OrderedDict
from typing import Any

import numpy as np

from stgcn_lens.data.parsing.pickles import names
from stgcn_lens.data.parsing.pickles.limits import DEPTH, check_depth, hashable
from stgcn_lens.data.parsing.pickles.names import Named, Span, Unfilled
from stgcn_lens.errors import DataError

SMALL = 64  # bytes of an array that are copied rather than mapped
LONG = 2**16  # bytes of a text that may hold any character, and so take four times their room
DIGITS = 2500  # of an integer, which has at most 1024 bytes where it is not written in digits
FRESH = 2**23  # bytes of the file that are walked over before their pages are given back
FEW, PER = 4096, 4  # containers allowed in any file, and bytes of the file that each further one must have
_NOTHING = Span(0, 0)  # a number of the memo that nothing was kept under
_PRIVATE = (Span, Unfilled)
_SIZED = (bytes, bytearray, list, tuple, set, frozenset, dict)
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|[\\'\"nrt])", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def forget(view: mmap.mmap) -> None:
    """Give the pages of a mapped file back to the system; they are read again when they are needed."""
    if hasattr(mmap, "MADV_DONTNEED"):
        view.madvise(mmap.MADV_DONTNEED)


class Machine:
    """The stack, the stacks below each open mark, the memo, and where in the file we are.

    `open` counts what is begun and must be used up before the end: arrays without their bytes, bytes of arrays.
    """

    def __init__(self, view: mmap.mmap, file: str) -> None:
        self.view, self.file, self.size = view, file, len(view)
        self.at = self.made = self.open = self.copied = self.forgotten = 0
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: list[Any] = []

    def end(self) -> Any:
        """The value that is left, if nothing else is and nothing in it was only begun."""
        value = self.stack[0] if len(self.stack) == 1 else _NOTHING
        if self.below or self.open or type(value) in (*_PRIVATE, Named):
            raise ValueError("it ends before its value is whole")
        if self.at < self.size:
            raise ValueError(f"{self.size - self.at} bytes follow the end")
        check_depth(value)
        return value

    def take(self, count: int) -> bytes:
        """The next bytes."""
        start, self.at = self.at, self.at + count
        if self.at > self.size:
            self.at = start
            raise ValueError(f"{count} bytes are promised and {self.size - start} are left")
        return self.view[start : self.at]

    def number(self, count: int) -> int:
        """A number of so many bytes."""
        return int.from_bytes(self.take(count), "little")

    def signed(self, count: int) -> int:
        """A number of so many bytes, the highest bit of which is a sign."""
        if count > 1024:
            raise ValueError(f"an integer of {count} bytes")
        return int.from_bytes(self.take(count), "little", signed=True)

    def line(self) -> bytes:
        """The bytes up to the end of a line."""
        end = self.view.find(b"\n", self.at)
        if end < 0:
            raise ValueError("a line that does not end")
        start, self.at = self.at, end + 1
        return self.view[start:end]

    def is_raw(self) -> bool:
        """Whether bytes that come now are those of an array or scalar, by what was last put on the stack."""
        under = self.below[-1][-1] if self.below and self.below[-1] else None
        if not self.stack:
            return under is names.FROM_BUFFER
        top = self.stack[-1]
        return type(under) is Unfilled if type(top) is bool else isinstance(top, np.dtype)

    def payload(self, count: int) -> Any:
        """Bytes, or where they are if they are many and an array's."""
        if count < SMALL or not self.is_raw():
            return self.take(count)
        start = self.at
        if start + count > self.size:
            raise ValueError(f"{count} bytes are promised and {self.size - start} are left")
        self.at = start + count
        self.open += 1
        if self.at - self.forgotten > FRESH:
            forget(self.view)
            self.forgotten = self.at
        return Span(start, self.at)

    def text(self, raw: bytes) -> None:
        """Put UTF-8 text on the stack."""
        if len(raw) > LONG and _is_wide(raw):
            raise ValueError("a text of more than 64 kB")
        self.stack.append(str(raw, "utf-8", "surrogatepass"))

    def line_of_text(self) -> None:
        """Put the text of protocol 0 on the stack: latin-1 with escapes for the rest."""
        raw = self.line()
        if len(raw) > LONG and re.search(rb"\\U|\\u(?!00)", raw):
            raise ValueError("a text of more than 64 kB")
        self.stack.append(str(raw, "raw-unicode-escape"))

    def old_text(self, raw: Any) -> None:
        """Put a Python 2 string on the stack: bytes where an array's stand, else text by UTF-8 or, failing it, latin-1.

        One of a single byte is always text: Python 2 has one object for it, which the memo may give out as either.
        """
        if type(raw) is bytes and not (len(raw) > 1 and self.is_raw()):
            try:
                raw = str(raw, "latin1" if len(raw) > LONG and _is_wide(raw) else "utf-8")
            except UnicodeDecodeError:
                raw = str(raw, "latin1")
        self.stack.append(raw)

    def quoted(self) -> None:
        """Put a Python 2 string, written as Python writes it, on the stack."""
        raw = self.line().strip()
        if len(raw) < 2 or raw[:1] != raw[-1:] or raw[:1] not in (b"'", b'"'):
            raise ValueError("a string without quotes")
        self.old_text(_ESCAPE.sub(_unescape, raw[1:-1]))

    def whole(self) -> None:
        """Put an integer written in digits on the stack; 00 and 01 are the truth values."""
        raw = self.line().removesuffix(b"L")
        if len(raw) > DIGITS:
            raise ValueError(f"an integer of {len(raw)} digits")
        self.stack.append({b"00": False, b"01": True}[raw] if raw in (b"00", b"01") else int(raw))

    def frame(self, count: int) -> None:
        """Begin a stretch of so many bytes."""
        if count > self.size - self.at:
            raise ValueError(f"{count} bytes are promised and {self.size - self.at} are left")

    def mark(self) -> None:
        """Begin a container's items."""
        if len(self.below) >= DEPTH:
            raise ValueError(f"more than {DEPTH} containers within each other")
        self.below.append(self.stack)
        self.stack = []

    def items(self) -> list[Any]:
        """All since the last mark."""
        items, self.stack = self.stack, self.below.pop()
        return items

    def new(self, container: Any, weight: int = 1) -> None:
        """Put a container on the stack, if the file is large enough for so many."""
        self.made += weight
        if self.made > FEW and self.made * PER > self.size + FEW * PER:
            raise ValueError("more containers than so small a file can hold")
        self.stack.append(container)

    def count(self, value: Any) -> None:
        """Refuse what was made of one value again and again: all that is made in earnest has its own bytes here."""
        self.copied += value.nbytes if isinstance(value, np.ndarray) else len(value) if isinstance(value, _SIZED) else 0
        if self.copied > 2 * self.size:
            raise ValueError("more made of its bytes than there are")

    def last(self, count: int) -> None:
        """Put the last few values back as one tuple."""
        if len(self.stack) < count:
            raise IndexError
        values = tuple(self.stack[-count:])
        del self.stack[-count:]
        self.new(values)

    def append(self, items: list[Any]) -> None:
        """Add to the list below."""
        if type(self.stack[-1]) is not list:
            raise ValueError(f"items for a {type(self.stack[-1]).__name__}")
        self.stack[-1].extend(items)

    def add(self, items: list[Any]) -> None:
        """Add to the set below."""
        if type(self.stack[-1]) is not set:
            raise ValueError(f"members for a {type(self.stack[-1]).__name__}")
        hashable(items)
        self.stack[-1].update(items)

    def set_items(self, items: list[Any]) -> None:
        """Add keys and values to the dict below."""
        self._fill(self.stack[-1], items)

    def dict(self) -> None:
        """Put a dict of all since the last mark on the stack."""
        items = self.items()
        self.new({})
        self._fill(self.stack[-1], items)

    def frozenset(self) -> None:
        """Put a frozenset of all since the last mark on the stack."""
        items = self.items()
        hashable(items)
        self.new(frozenset(items), 4)

    @staticmethod
    def _fill(into: Any, items: list[Any]) -> None:
        if type(into) not in (dict, OrderedDict) or len(items) % 2:
            raise ValueError(f"{len(items)} keys and values for a {type(into).__name__}")
        keys = items[::2]
        hashable(keys)
        into.update(zip(keys, items[1::2], strict=True))

    def put(self, index: int) -> None:
        """Keep the last value under a number of the memo."""
        value, memo = self.stack[-1], self.memo
        kind = type(value)
        if kind is Unfilled:
            value.kept.append(index)
        elif kind is tuple and value and (type(value[0]) is Span or type(value[-1]) is Span):
            value = _NOTHING  # the bytes of an array are used once, by it
        if index == len(memo):
            memo.append(value)
        elif 0 <= index < len(memo):
            memo[index] = value
        elif 0 <= index <= self.at:
            memo.extend([_NOTHING] * (index - len(memo)))
            memo.append(value)
        else:
            raise ValueError(f"memo number {index}, which no file of this size needs")

    def get(self, index: int) -> None:
        """Put what was kept under a number on the stack."""
        if not 0 <= index < len(self.memo) or type(self.memo[index]) in _PRIVATE:
            raise ValueError(f"nothing was kept under memo number {index}")
        self.stack.append(self.memo[index])

    def name(self, module: Any, title: Any) -> None:
        """Put what stands for a name on the stack, if it is one of those that data need."""
        known = names.find(module, title) if type(module) is type(title) is str else None
        if known is None:
            raise DataError(
                f"this pickle asks to run '{str(module)[:80]}.{str(title)[:80]}' (byte {self.at} of {self.size})",
                file=self.file,
                expected="containers, numbers, text and numpy arrays",
                fix="nothing read is ever executed; save its content as such",
            )
        self.stack.append(known)

    def reduce(self) -> None:
        """Make what was named of its arguments."""
        given, named = self.stack.pop(), self.stack.pop()
        if type(named) is not Named or named.make is None or type(given) is not tuple:
            raise ValueError(f"a call of a {named.title if type(named) is Named else type(named).__name__}")
        self.open -= sum(type(value) is Span for value in given)
        value = named.make(given, self.view)
        self.open += type(value) is Unfilled
        self.count(value)
        self.new(value, 4 if isinstance(value, (set, frozenset, dict)) else 1)

    def build(self) -> None:
        """Fill an array or a data type, wherever it is kept."""
        state = self.stack.pop()
        unfilled = self.stack[-1]
        if type(unfilled) is not Unfilled:
            raise ValueError(f"a state for a {type(unfilled).__name__}")
        value = self.stack[-1] = unfilled.fill(state, self.view)
        self.open -= 1 + (type(state[-1]) is Span)
        self.count(value)
        for index in unfilled.kept:
            if self.memo[index] is unfilled:
                self.memo[index] = value


def _is_wide(raw: bytes) -> bool:
    """Whether UTF-8 text has characters past U+00FF, which cost all others two or four bytes each."""
    return int(np.frombuffer(raw, np.uint8).max()) > 0xC3


def _unescape(match: re.Match[bytes]) -> bytes:
    what = match[1]
    return bytes([int(what[1:], 16)]) if len(what) == 3 else _ESCAPED.get(what, what)
