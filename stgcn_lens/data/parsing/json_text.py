"""JSON read front to back, one piece at a time: memory stays small however long the file is, and damage is named.

Python's `json.load` makes objects of four to ten times the file's size. `Text` walks through the containers of a file
instead and makes objects only of the pieces that a reader asks for, a person or a frame each.
"""

import codecs
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from stgcn_lens.errors import DataError

CHUNK = 1 << 16  # characters read at a time
LIMIT = 1 << 18  # characters of the largest piece; a face of 478 landmarks, indented, has 100,000
HEAD = 1 << 14  # bytes that tell a format
_MOST = float(np.finfo(np.float32).max)
_DECODE = json.JSONDecoder().raw_decode
_SPACE = re.compile(r"[ \t\n\r]*")
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # of UTF-32 in its usual order, too


class _TooLong(DataError):
    """A piece longer than `LIMIT`."""


class Text:
    """A place in a JSON file, which moves forward over the values that are asked for.

    `members` and `items` step into the container at the place. In their loops ask once for the value, by any of the
    methods; a value that is not asked for is checked and left behind.
    """

    def __init__(self, stream: TextIO, file: str) -> None:
        self.file = file
        self._stream, self._text, self._at, self._before = stream, "", 0, 0

    def peek(self) -> str:
        """The next character that is no space; "" at the end of the file."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]  # it always matches
            if self._at < len(self._text) or not self._fill():
                return self._text[self._at : self._at + 1]

    def value(self) -> Any:
        """The value here as Python objects; its text may have `LIMIT` characters at most."""
        self.peek()
        while True:
            try:
                value, end = _DECODE(self._text, self._at)
            except json.JSONDecodeError as error:  # or the value goes on past what has been read
                if len(self._text) - self._at >= LIMIT:
                    got = f"more than {LIMIT} characters after character {self._before + self._at}"
                    raise _TooLong("one value is too long", file=self.file, got=got, expected="frames") from None
                if not self._fill():
                    raise self._wrong(error.msg, error.pos) from None
            else:
                if end < len(self._text) or not self._fill():  # a number may go on
                    self._at = end
                    return value

    def members(self) -> Iterator[str]:
        """The keys of the object here, each when its value is next."""
        self._enter("{")
        while self.peek() != "}":
            if self.peek() != '"':
                raise self._wrong("Expecting a key in double quotes", self._at)
            key = self.value()
            self._pass(":")
            at = self._here()
            yield key
            if self._here() == at:
                self._skip()
            if self.peek() != "}":
                self._pass(",")
                if self.peek() == "}":
                    raise self._wrong("Expecting a key in double quotes", self._at)
        self._pass("}")

    def items(self) -> Iterator[int]:
        """The places, counted from 0, of the list's elements, each when it is next."""
        self._enter("[")
        place = 0
        while self.peek() != "]":
            at = self._here()
            yield place
            if self._here() == at:
                self._skip()
            place += 1
            if self.peek() != "]":
                self._pass(",")
                if self.peek() == "]":
                    raise self._wrong("Expecting value", self._at)
        self._pass("]")

    def _skip(self) -> None:
        """Step over a value of any length."""
        with suppress(_TooLong):
            self.value()
            return
        for _ in self.members() if self.peek() == "{" else self.items():
            pass

    def _enter(self, mark: str) -> None:
        kind = {"{": "an object", "[": "a list"}
        found, place = self.peek(), self._here()
        if found != mark:
            got = kind.get(found) or (shown(self.value()) if found else "the end of the file")
            what = f"{kind[mark]} is missing at character {place}"
            raise DataError(what, file=self.file, got=got, expected=kind[mark])
        self._at += 1

    def _pass(self, mark: str) -> None:
        if self.peek() != mark:
            raise self._wrong(f"Expecting {mark!r}", self._at)
        self._at += 1

    def _here(self) -> int:
        self.peek()
        return self._before + self._at

    def _fill(self) -> bool:
        """Read on, ever more for a piece that is not whole yet; False at the end of the file."""
        rest = self._text[self._at :]
        more = self._stream.read(min(max(CHUNK, len(rest)), LIMIT + 1 - len(rest)))
        if more:
            self._before += self._at
            self._text, self._at = rest + more, 0
        return bool(more)

    def _wrong(self, what: str, at: int) -> DataError:
        if at >= len(self._text.rstrip()) or what.startswith("Unterminated"):
            what = f"the file ends in the middle; {what}"
        return DataError(
            "not JSON", file=self.file, got=f"{what} at character {self._before + at}", fix="get the file again"
        )


@contextmanager
def opened(file: Path) -> Iterator[Text]:
    """A file's text, at its beginning; when the block ends, so must the file.

    Raises
    ------
    DataError
        for what is not JSON in UTF-8, with or without a byte order mark; also from inside the block for nesting that
        is too deep and whole numbers of thousands of digits.
    """
    with file.open("rb") as raw:
        begin = raw.read(4)
    if begin.startswith(_WIDE) or b"\0" in begin:
        raise _encoding(file, "UTF-16 or UTF-32")
    with file.open(encoding="utf-8-sig", newline="") as stream:
        text = Text(stream, file.name)
        try:
            yield text
            if text.peek():
                raise DataError("not JSON", file=file.name, got="more after the end", fix="get the file again")
        except UnicodeDecodeError as error:
            cut = error.reason == "unexpected end of data"
            got = (
                "the end of the file inside a character"
                if cut
                else f"byte 0x{error.object[error.start]:02x}, as of latin-1"
            )
            raise _encoding(file, got) from None
        except RecursionError:
            raise DataError("nested too deeply", file=file.name, expected="lists of frames") from None
        except DataError:
            raise
        except ValueError as error:
            raise DataError(f"a number cannot be read ({error})", file=file.name, expected="a float32") from None


def _encoding(file: Path, got: str) -> DataError:
    return DataError("another encoding", file=file.name, got=got, expected="UTF-8", fix="save the file as UTF-8")


def head(file: Path) -> str:
    """The beginning of a file, for a look at its keys; "" where there is none, or where it is no JSON container."""
    try:
        with file.open("rb") as stream:
            begin = stream.read(HEAD)
    except OSError:
        return ""
    wide = begin.startswith(_WIDE)  # known, so that the error can name the encoding
    text = begin.decode("utf-16" if wide else "utf-8-sig", errors="replace").lstrip()
    return text if text.startswith(("{", "[")) else ""


def numbers(value: object, what: str, *, file: str, frame: int | None = None, count: int | None = None) -> np.ndarray:
    """A list as a float64 array, if it holds numbers only, and these are finite as float32.

    Parameters
    ----------
    value : what was read.
    what : names it in the error, with file and frame.
    count : how many numbers there must be.
    """
    expected = "numbers" if count is None else f"{count} numbers"
    if not isinstance(value, list):
        raise DataError(f"{what}: no list", file=file, frame=frame, got=shown(value), expected=expected)
    if count is not None and len(value) != count:
        raise DataError(f"{what}: another length", file=file, frame=frame, got=len(value), expected=expected)
    if not {type(number) for number in value} <= {int, float}:  # True is an int to Python, and none here
        bad = next(number for number in value if type(number) not in (int, float))
        raise DataError(f"{what}: not a number", file=file, frame=frame, got=shown(bad), expected=expected)
    try:
        array = np.array(value, np.float64)
        finite = np.abs(array) <= _MOST  # False for NaN too
    except OverflowError:
        finite = np.array([abs(number) <= _MOST for number in value])
    if not finite.all():
        bad = value[int(np.argmin(finite))]
        raise DataError(f"{what}: not a finite number", file=file, frame=frame, got=shown(bad), expected="a float32")
    return array


def scored(value: object, what: str, *, file: str, frame: int | None = None, joints: int = 0) -> np.ndarray:
    """A list of x, y, score, x, y, score, ... as (V, 3) float64; `joints` is V where it is known. [] is nobody."""
    flat = numbers(value, what, file=file, frame=frame, count=3 * joints if joints and value != [] else None)
    if len(flat) % 3:
        expected = "x, y, score of every joint"
        raise DataError(f"{what}: another length", file=file, frame=frame, got=len(flat), expected=expected)
    return flat.reshape(-1, 3)


def whole(value: object, what: str, *, file: str, frame: int | None = None, least: int = 0) -> int:
    """A whole number of at least `least`, which may be written as 3.0; else `DataError`."""
    good = type(value) is int or (type(value) is float and value.is_integer())
    if not good or not least <= value < 1 << 53:  # type: ignore[operator]
        expected = f"a whole number from {least}"
        raise DataError(f"{what}: no such number", file=file, frame=frame, got=shown(value), expected=expected)
    return int(value)  # type: ignore[call-overload]


def shown(value: object) -> str:
    """A value as an error shows it: at most 40 characters."""
    text = f"a {type(value).__name__}" if isinstance(value, dict | list) else repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
