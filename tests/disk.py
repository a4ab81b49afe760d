"""A disk that is full: the system refuses to let any file grow past a limit. And a folder that is not ours."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Writing past `size` bytes of a file fails with an OSError inside the block, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def no_right_to_write(folder: Path) -> Iterator[None]:
    """Nothing can be made or renamed in the folder inside the block; root, who may do anything, is nobody there."""
    mode, root = folder.stat().st_mode, os.geteuid() == 0
    folder.chmod(0o555)
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(mode)
