"""Lines of a CSV file: the comments and the header on top, and then one line after the other, none of them long."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from stgcn_lens.data.clip import MAX_FPS, UNITS
from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import get_layout

FIX = "mend the file as docs/csv.md describes it"
_LONGEST = 4096  # bytes of a line, at most
_COMMENTS = 100  # lines before the header, at most
_NEEDED = ("clip", "frame", "joint", "x", "y")
_ABOUT = ("label", "class", "subject", "view", "setup", "split")  # say one thing of a clip, in each of its lines
_DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True)
class Head:
    """What a file says before its lines of joints."""

    file: Path
    columns: dict[str, int]
    width: int  # cells of a line
    delimiter: str
    start: int  # bytes before the first line of joints
    number: int  # of lines before it
    channels: tuple[str, ...]  # columns of the coordinates
    layout: str | None
    fps: float
    units: str

    def cell(self, cells: list[str], column: str) -> str:
        """The text in a column; "" where the file has no such column or the line ends before it."""
        at = self.columns.get(column, len(cells))
        return cells[at].strip() if at < len(cells) else ""

    def about(self, cells: list[str]) -> dict[str, str]:
        """What a line says of its whole clip."""
        return {name: self.cell(cells, name) for name in _ABOUT if name in self.columns}


class Line(NamedTuple):
    """The cells of a line, its number counted from 1, its bytes, and what is wrong with it, "" if nothing is."""

    cells: list[str]
    number: int
    size: int
    problem: str = ""

    def wrong(self, what: str, got: object, expected: object) -> DataError:
        """The error for something in the line."""
        return DataError(f"{what} (line {self.number})", got=got, expected=expected, fix=FIX)


def read_head(file: Path) -> Head:
    """Comments and header of a file; `DataError` where it is no such table, or says what is not known."""
    said, text, start, number = _top(file)
    names, delimiter = _columns(text, file)
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        raise DataError("columns of one name", file=file.name, got=", ".join(twice)[:200], expected="one each", fix=FIX)
    if "label" in names and "class" in names:
        raise DataError("two columns for classes", file=file.name, got="label, class", expected="one of them", fix=FIX)
    third = [name for name in ("z", "score") if name in names][:1]
    layout, fps, units = _said(said, file.name)
    return Head(
        file=file,
        columns={name: i for i, name in enumerate(names) if name},
        width=len(names),
        delimiter=delimiter,
        start=start,
        number=number,
        channels=("x", "y", *third),
        layout=layout,
        fps=fps,
        units=units,
    )


def is_table(file: Path) -> bool:
    """Whether a file has the columns that are needed."""
    try:
        _columns(_top(file)[1], file)
    except (DataError, OSError):
        return False
    return True


def _top(file: Path) -> tuple[dict[str, str], str, int, int]:
    """What the comments say, the header's text, the byte at which it ends, and its line."""
    said: dict[str, str] = {}
    with file.open("rb") as stream:
        for number in range(1, _COMMENTS + 2):
            raw = _line(stream)
            text = _text(raw, file, number).removeprefix("\ufeff" if number == 1 else "").strip()
            if not raw or (text and not text.startswith("#")):
                break
            key, _, value = text.removeprefix("#").partition(":")
            said[key.strip().lower()] = value.strip()
        return said, text, stream.tell(), number


def _columns(text: str, file: Path) -> tuple[list[str], str]:
    """Names of the columns, and what stands between them."""
    delimiter = max(_DELIMITERS, key=text.count)
    try:
        names = [name.strip().lower() for name in _cells(text, delimiter)]
    except csv.Error as error:
        raise DataError(f"not a CSV header ({error})", file=file.name, fix=FIX) from error
    if missing := [name for name in _NEEDED if name not in names]:
        raise DataError(
            "columns are missing", file=file.name, got=repr(text[:200]), expected=f"also {', '.join(missing)}", fix=FIX
        )
    return names, delimiter


def _said(said: dict[str, str], file: str) -> tuple[str | None, float, str]:
    """Layout, frames per second and units, as the comments give them."""
    layout = get_layout(said["layout"]).name if "layout" in said else None
    units, fps = said.get("units", "unknown"), said.get("fps", "30")
    if units not in UNITS:
        raise DataError(
            "unknown units", file=file, got=repr(units[:40]), expected=f"one of {', '.join(UNITS)}", fix=FIX
        )
    try:
        rate = float(fps)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= MAX_FPS:
        raise DataError("fps", file=file, got=repr(fps[:40]), expected="frames a second", fix=FIX)
    return layout, rate, units


def lines(head: Head) -> Iterator[Line]:
    """The lines after the header; of one that cannot be understood the cells that can be, and the error."""
    number = head.number
    with head.file.open("rb") as stream:
        stream.seek(head.start)
        while raw := _line(stream):
            number += 1
            long = len(raw) > _LONGEST
            while len(raw) > _LONGEST and not raw.endswith(b"\n"):  # the rest of a long line
                rest = stream.readline(_LONGEST)
                raw = raw[:_LONGEST] + (b"\n" if not rest or rest.endswith(b"\n") else b"x")
            yield from _parsed(raw, number, long, head)


def _parsed(raw: bytes, number: int, long: bool, head: Head) -> Iterator[Line]:
    wrong = "is too long" if long else ""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text, wrong = raw.decode("utf-8", errors="replace"), wrong or "is not UTF-8 text"
    if not text.strip():
        return
    try:
        cells = _cells(text.rstrip("\r\n"), head.delimiter)
    except csv.Error as problem:
        cells, wrong = text.split(head.delimiter), wrong or f"is not CSV ({problem})"
    if not wrong and len(cells) != head.width:
        wrong = f"has {len(cells)} cells"
    yield Line(cells, number, len(raw), wrong)


def _line(stream: BinaryIO) -> bytes:
    """The next line, or as much of it as shows that it is too long."""
    return stream.readline(_LONGEST + 1)


def _cells(text: str, delimiter: str) -> list[str]:
    """A line's cells; quotes may enclose delimiters, but no line breaks."""
    if '"' not in text:
        return text.split(delimiter)
    if text.count('"') % 2:
        raise csv.Error("a quote without an end")
    return next(csv.reader([text], delimiter=delimiter, strict=True))


def _text(raw: bytes, file: Path, number: int) -> str:
    try:
        if len(raw) > _LONGEST:
            raise ValueError("a long line")
        return raw.decode("utf-8")
    except ValueError as error:
        raise DataError(
            "not a CSV file", file=file.name, got=f"line {number}: {error}", expected="UTF-8", fix=FIX
        ) from error
