"""What lies at a path: its files, links that are not followed, and what may not be read."""

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from stgcn_lens.data.dataset import Fault
from stgcn_lens.errors import DataError

LONGEST = 1000  # characters of a clip's name


def as_text(name: str) -> str:
    """A name without what no file could hold (bytes of a path that are not UTF-8) and no line (control characters)."""
    if name.isprintable():
        return name
    return "".join("\ufffd" if unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") else sign for sign in name)


def as_name(name: str) -> str:
    """A clip's name as text of at most `LONGEST` characters, without steps that lead out of a folder.

    It may become the name of a file.
    """
    name = name[:LONGEST]
    steps = as_text(name).replace("\\", "/").split("/") if "/" in name or "\\" in name else [as_text(name)]
    kept = [step.lstrip(".") or "\ufffd" if set(step) <= {"."} else step for step in steps if step]
    return "/".join(kept) or "\ufffd"


def check_readable(path: Path) -> None:
    """`DataError` for a path where nothing is, or that this user may not read."""
    try:
        there = path.exists()
    except OSError:  # a folder above it is closed
        there, may = True, False
    else:
        may = os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0))
    if not there:
        raise DataError("no such file or folder", file=path, fix="check the path")
    if not may:
        raise _barred(path)


def check_any_readable(path: Path, files: Sequence[Path]) -> None:
    """`DataError` for a folder in which there are files, and none of them may be read."""
    if files and not any(os.access(file, os.R_OK) for file in files):
        raise _barred(path if path.is_file() else path / files[0])


def walk(path: Path) -> tuple[tuple[Path, ...], tuple[Fault, ...]]:
    """The file itself, or all files below the folder that are not hidden, sorted; and what was passed over."""
    if path.is_file():
        return (path,), ()
    root, files, astray, closed = path.resolve(), [], [], set[Path]()
    for file in sorted(path.rglob("*")):
        below = file.relative_to(path)
        if any(part.startswith(".") for part in below.parts) or not closed.isdisjoint(file.parents):
            continue
        if file.is_symlink() and not _is_inside(file, root):
            told = "a link out of the folder, or to nothing, was not followed; copy what it shows, or read that place"
            astray.append(Fault(str(below), told))
        elif file.is_file():
            files.append(file)
        elif not os.access(file, os.R_OK | os.X_OK):
            closed.add(file)
            astray.append(Fault(str(below), "a folder that this user may not read was passed over"))
    return tuple(files), tuple(astray)


def contents(path: Path) -> str:
    """What lies at a path, in few words."""
    if path.is_file():
        size = path.stat().st_size
        return f"a file of {size} bytes" if size else "an empty file"
    if not path.is_dir():
        return "neither a file nor a folder"
    suffixes: dict[str, int] = {}
    files, astray = walk(path)
    for file in files:
        suffixes[file.suffix or "no suffix"] = suffixes.get(file.suffix or "no suffix", 0) + 1
    counts = ", ".join(
        f"{n} {suffix}" for suffix, n in sorted(suffixes.items(), key=lambda item: (-item[1], item[0]))[:5]
    )
    links = f", and {len(astray)} links that lead elsewhere" if astray else ""
    return f"files: {counts}{links}" if counts else f"an empty folder{links}"


def _barred(path: Path) -> DataError:
    return DataError("may not be read", file=path, got="no permission", fix="ask its owner for it, or read a copy")


def _is_inside(link: Path, root: Path) -> bool:
    try:
        return link.resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError):  # nothing is there, or the link itself
        return False
