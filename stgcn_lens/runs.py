"""The run folder: what every stage reads and writes, and the promises that hold for it.

Every file appears whole (written under a temporary name, then renamed). A stage whose configuration and inputs
have not changed is skipped. One process writes to a run folder at a time.
"""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from stgcn_lens.errors import RunError, WorkError

MANIFEST = "manifest.json"
STAGES = ("train", "embed", "graph", "explain", "report")
_PACKAGES = ("stgcn-lens", "torch", "numpy", "scipy", "scikit-learn", "tslearn", "captum", "streamlit")


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
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:6]}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise WorkError(
            f"cannot write ({error.strerror or error})", file=path, fix="free the disk or choose another --out"
        ) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Like `atomic`, for a whole folder: an existing one is replaced only when the new one is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:6]}.tmp")
    old = temporary.with_suffix(".old")
    try:
        temporary.mkdir()
        yield temporary
        if path.exists():
            path.replace(old)
        temporary.replace(path)
    except OSError as error:
        raise WorkError(
            f"cannot write ({error.strerror or error})", file=path, fix="free the disk or choose another --out"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


class NpyWriter:
    """A `.npy` file written row by row, for arrays larger than memory; whole once `close` has written its header."""

    _HEADER = 128  # bytes, a multiple of 64 as the format asks, room for any shape

    def __init__(self, path: Path, dtype: Any, row: tuple[int, ...]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.dtype, self.row, self.rows = np.dtype(dtype), row, 0
        self._stream = path.open("wb+")
        self._stream.write(b"\0" * self._HEADER)

    def append(self, rows: np.ndarray) -> None:
        """Add rows of shape (n, *row)."""
        if rows.shape[1:] != self.row:
            raise ValueError(f"rows of shape {rows.shape[1:]}, expected {self.row}")
        self._stream.write(np.ascontiguousarray(rows, dtype=self.dtype).data)
        self.rows += len(rows)

    def close(self) -> None:
        """Write the header (format version 1.0) in front of the rows, and close the file."""
        text = repr({"descr": self.dtype.str, "fortran_order": False, "shape": (self.rows, *self.row)})
        self._stream.seek(0)
        self._stream.write(b"\x93NUMPY\x01\x00" + (self._HEADER - 10).to_bytes(2, "little"))
        self._stream.write(text.encode().ljust(self._HEADER - 11) + b"\n")
        self._stream.close()


def read_rows(array: np.ndarray, begin: int, end: int) -> np.ndarray:
    """Rows begin..end of an array; of a memory map, read from its file, so that no mapped page stays resident."""
    if isinstance(array, np.memmap) and array.filename is not None:
        row = int(np.prod(array.shape[1:], dtype=np.int64))
        offset = array.offset + begin * row * array.dtype.itemsize
        flat = np.fromfile(array.filename, array.dtype, (end - begin) * row, offset=offset)
        return flat.reshape(end - begin, *array.shape[1:])
    return array[begin:end]


def plain(value: Any) -> Any:
    """A value as JSON can hold it: dataclasses to dicts, paths to text, numpy to Python, NaN to None."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that the numbers depend on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True)
class Run:
    """A run folder. Open one with `Run.open` (must exist) or `Run.create`."""

    path: Path

    @classmethod
    def open(cls, path: Path | str) -> "Run":
        """An existing run folder; `RunError` if it is none."""
        path = Path(path)
        if not (path / MANIFEST).is_file():
            raise RunError(
                "not a run folder",
                file=path,
                expected=f"a folder that holds {MANIFEST}",
                fix="make one: stgcn-lens train",
            )
        run = cls(path)
        run.manifest()
        return run

    @classmethod
    def create(cls, path: Path | str) -> "Run":
        """The run folder at `path`, made if it is not there; a non-empty folder of another kind is refused."""
        path = Path(path)
        if (path / MANIFEST).is_file():
            return cls.open(path)
        if path.exists() and (not path.is_dir() or any(p.name != ".lock" for p in path.iterdir())):
            raise RunError("a folder with other things in it", file=path, fix="choose an empty or a new folder")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkError(f"cannot make the run folder ({error.strerror})", file=path) from error
        run = cls(path)
        run.write_json(MANIFEST, {"format": 1, "created": _now(), "stages": {}})
        return run

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def manifest(self) -> dict[str, Any]:
        """The manifest as it stands."""
        return self.read_json(MANIFEST)

    def read_json(self, name: str) -> Any:
        """A JSON file of the run; `RunError` if it is missing or broken."""
        path = self.path / name
        try:
            return json.loads(path.read_text())
        except FileNotFoundError as error:
            raise RunError("missing from the run", file=path, fix=_how_to_make(name)) from error
        except ValueError as error:
            raise RunError(f"not JSON ({error})", file=path, fix="run the stage again with --force") from error

    def write_json(self, name: str, value: Any) -> None:
        """Write JSON atomically."""
        self.write_text(name, json.dumps(plain(value), indent=1) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Write text atomically."""
        with atomic(self.path / name) as path:
            path.write_text(text)

    def write_array(self, name: str, array: np.ndarray) -> None:
        """Write one `.npy` atomically."""
        with atomic(self.path / name) as path, path.open("wb") as stream:
            np.save(stream, array, allow_pickle=False)

    def write_arrays(self, name: str, **arrays: np.ndarray) -> None:
        """Write one `.npz` atomically."""
        with atomic(self.path / name) as path, path.open("wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]

    def read_array(self, name: str, *, mmap: bool = False) -> np.ndarray:
        """One `.npy`, memory-mapped on request; `RunError` if it is missing or broken."""
        path = self.path / name
        try:
            return np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)
        except FileNotFoundError as error:
            raise RunError("missing from the run", file=path, fix=_how_to_make(name)) from error
        except (ValueError, OSError) as error:
            raise RunError(f"not a .npy array ({error})", file=path, fix="run the stage again with --force") from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for writing; a second process gets a `RunError` at once. Freed even by a kill."""
        with (self.path / ".lock").open("a+") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                stream.seek(0)
                owner = stream.read().strip() or "another process"
                raise RunError(
                    f"the run is being written by {owner}", file=self.path, fix="wait for it or choose another run"
                ) from error
            stream.truncate(0)
            stream.write(f"process {os.getpid()}")
            stream.flush()
            yield

    def key(self, stage: str) -> str:
        """Fingerprint of a finished stage; `RunError` saying how to make it if it is not finished."""
        record = self.manifest()["stages"].get(stage)
        if not record or record["status"] != "done":
            state = "was interrupted" if record else "has not been run"
            raise RunError(f"stage '{stage}' {state}", file=self.path, fix=f"run: stgcn-lens {stage} {self.path}")
        return str(record["key"])

    def fresh(self, stage: str, key: str) -> bool:
        """Whether the stage is finished and was made from this very configuration and input."""
        record = self.manifest()["stages"].get(stage, {})
        return record.get("status") == "done" and record.get("key") == key

    @contextmanager
    def stage(
        self, stage: str, *, config: Any, inputs: Mapping[str, str], device: str = "cpu"
    ) -> Iterator[dict[str, Any]]:
        """Record a stage while it runs: "running" at its start, "done" or "failed" at its end.

        Yields the record; what the block adds to it (numbers worth showing) is kept in the manifest.
        """
        record: dict[str, Any] = {
            "key": stage_key(config, inputs),
            "config": plain(config),
            "seed": plain(config).get("seed") if isinstance(plain(config), dict) else None,
            "versions": versions(),
            "inputs": dict(inputs),
            "device": device,
            "command": " ".join(["stgcn-lens", *sys.argv[1:]]),
            "started": _now(),
            "status": "running",
        }
        self._record(stage, record)
        begin = time.perf_counter()
        try:
            yield record
        except BaseException:
            self._record(stage, {**record, "status": "failed", "seconds": time.perf_counter() - begin})
            raise
        self._record(stage, {**record, "status": "done", "seconds": time.perf_counter() - begin})

    def _record(self, stage: str, record: dict[str, Any]) -> None:
        manifest = self.manifest()
        manifest["stages"][stage] = record
        self.write_json(MANIFEST, manifest)


def stage_key(config: Any, inputs: Mapping[str, str]) -> str:
    """Fingerprint of a stage: its configuration and the fingerprints of what it reads."""
    text = json.dumps([plain(config), dict(sorted(inputs.items()))], sort_keys=True)
    return str(fingerprint(text).hexdigest())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _how_to_make(name: str) -> str:
    maker = {"embeddings": "embed", "graphs": "graph", "layers.json": "graph", "saliency": "explain"}
    verb = maker.get(name.split("/")[0], "train")
    return f"run: stgcn-lens {verb} RUN"
