"""What of a stage's work is finished, kept in files until the whole is: a killed run goes on from there.

A part is believed only if it is whole and was made from the same configuration and inputs; else it is made again.
"""

import hashlib
import io
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stgcn_lens.files import atomic

FOLDER = "cache"  # in the run folder, for what only unfinished work needs
_DIGEST = hashlib.sha256().digest_size


@dataclass(frozen=True)
class Parts:
    """Named sets of arrays in a folder.

    Attributes
    ----------
    folder : where the files are; made when the first is written.
    key : fingerprint of all that the parts are made from.
    """

    folder: Path
    key: str

    def inside(self, name: str) -> "Parts":
        """Parts of the same work in a folder of their own."""
        return Parts(self.folder / name, self.key)

    def read(self, name: str) -> dict[str, np.ndarray] | None:
        """The arrays of that part; None if there is no such part, or it is cut, altered, of another key or name."""
        try:
            content = self._path(name).read_bytes()
        except OSError:
            return None
        # Checked before anything in it is interpreted.
        if content[:_DIGEST] != self._digest(name, content[_DIGEST:]):
            return None
        with np.load(io.BytesIO(content[_DIGEST:]), allow_pickle=False) as arrays:
            return dict(arrays)

    def write(self, name: str, **arrays: np.ndarray) -> None:
        """Keep the arrays as that part; `WorkError` if it cannot be written."""
        whole = io.BytesIO()
        np.savez(whole, **arrays)  # type: ignore[arg-type]
        with atomic(self._path(name)) as path, path.open("wb") as stream:
            stream.write(self._digest(name, whole.getvalue()))
            stream.write(whole.getvalue())

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.part"

    def _digest(self, name: str, content: bytes) -> bytes:
        return hashlib.sha256(f"{self.key} {self.folder.name} {name} ".encode() + content).digest()


def open_parts(run: Path, stage: str, key: str) -> Parts:
    """The parts of a stage's unfinished work; those of other work of that stage are removed."""
    parts = Parts(run / FOLDER / f"{stage}-{key[:16]}", key)
    for other in (run / FOLDER).glob(f"{stage}-*"):
        if other != parts.folder:
            shutil.rmtree(other, ignore_errors=True)
    return parts


def clear(run: Path, stage: str) -> None:
    """Remove a stage's unfinished work, and the folder of unfinished work if nothing else is in it."""
    for folder in (run / FOLDER).glob(f"{stage}-*"):
        shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        (run / FOLDER).rmdir()
