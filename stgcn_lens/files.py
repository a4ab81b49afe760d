"""Files that appear whole or not at all, and fingerprints of what is in them."""

import errno
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from stgcn_lens.errors import WorkError

TEMPORARY = re.compile(r"\.(?P<name>.+)\.\d+\.[0-9a-f]{6}\.(?P<kind>tmp|old)")  # as `_beside` makes them


def fingerprint(*texts: str) -> Any:
    """A sha256 to feed; with texts, already fed with them."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode())
    return digest


def file_hash(path: Path) -> str:
    """sha256 of a file's bytes, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it when the block ends well, removed when it does not."""
    temporary = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Like `atomic`, for a whole folder: an existing one is replaced only when the new one is complete."""
    temporary = _beside(path)
    old = temporary.with_suffix(".old")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if path.exists():
            path.replace(old)
        temporary.replace(path)
    except OSError as error:
        if old.exists() and not path.exists():
            old.replace(path)
        raise cannot_write(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove what killed processes left half-written; only for who alone may write there.

    A folder that a kill took away before its successor was in place is put back.
    """
    for leftover in [*folder.rglob(".*.tmp"), *folder.rglob(".*.old")]:
        match = TEMPORARY.fullmatch(leftover.name)
        if match is None or not leftover.exists():  # its folder may just have gone
            continue
        home = leftover.with_name(match["name"])
        if match["kind"] == "old" and not home.exists():
            leftover.replace(home)
        elif leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:6]}.tmp")


def cannot_write(path: Path, error: OSError) -> WorkError:
    """What to say when a file cannot be written."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    fix = "free the disk or write to another place" if full else "write to another place, or mend what is said"
    return WorkError(f"cannot write ({error.strerror or error})", file=path, fix=fix)
