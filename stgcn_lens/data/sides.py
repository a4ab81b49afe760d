"""A CSV of the user's own that says which side each clip is on."""

import csv
from pathlib import Path

from stgcn_lens.errors import DataError

# What a CSV may say -> the side; a run's own clips.csv also says "dropped".
SIDES = {"train": "train", "val": "val", "test": "test", "none": "none", "dropped": "none", "": "none"}


def read_sides(file: Path) -> dict[str, str]:
    """Clip name -> "train", "val", "test" or "none", of a CSV with the columns name (or clip) and split.

    Other columns are not read, so that the clips.csv of a run divides another run in the same way.

    Raises
    ------
    DataError
        naming file and line: columns missing, an unknown side, or one clip on two sides.
    """
    table: dict[str, str] = {}
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            lines = csv.reader(stream, strict=True)
            header = [title.strip().lower() for title in next(lines, [])]
            key = next((title for title in ("name", "clip") if title in header), None)
            if key is None or "split" not in header:
                raise DataError(
                    "not a list of sides",
                    file=f"{file}, line 1",
                    got=f"columns {', '.join(header)[:80]}" if header else "an empty file",
                    expected="a CSV with the columns name and split",
                )
            at, where = header.index(key), header.index("split")
            for line in lines:
                if line:
                    _add(table, line, at, where, f"{file}, line {lines.line_num}")
    except FileNotFoundError:
        raise DataError("no such file", file=file, fix="check the path of the CSV") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot be read as a CSV ({error})", file=file, expected="UTF-8 text") from error
    return table


def _add(table: dict[str, str], line: list[str], at: int, where: int, place: str) -> None:
    """One line of the CSV into the table."""
    if len(line) <= max(at, where):
        raise DataError("a line that is too short", file=place, got=f"{len(line)} columns", expected="name and split")
    name, said = line[at].strip(), line[where].strip().lower()
    if said not in SIDES:
        raise DataError("unknown side", file=place, got=repr(said[:40]), expected="train, val, test or none")
    if table.setdefault(name, SIDES[said]) != SIDES[said]:
        got = f"{name!r} {table[name]} above and {SIDES[said]} here"
        raise DataError("a clip on two sides", file=place, got=got, expected="one side")
