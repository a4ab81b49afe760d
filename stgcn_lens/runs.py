"""The run folder: what every stage reads and writes, and the promises that hold for it.

Every file appears whole (written under a temporary name, then renamed). A stage whose configuration and inputs
have not changed is skipped. One process writes to a run folder at a time.
"""

import fcntl
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, is_dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from stgcn_lens.errors import LensError, RunError, WorkError
from stgcn_lens.files import TEMPORARY, atomic, cannot_write, fingerprint, sweep

MANIFEST = "manifest.json"
STAGES = (
    *("train", "embed", "graph", "explain", "score"),
    *("study-layers", "study-noise", "study-transfer"),
    "report",
)
_PACKAGES = ("stgcn-lens", "torch", "numpy", "scipy", "scikit-learn", "tslearn", "captum", "streamlit")


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
        manifest = run.manifest()
        if not isinstance(manifest, dict) or not isinstance(manifest.get("stages"), dict):
            raise RunError("not the manifest of a run", file=path / MANIFEST, fix="choose another run folder")
        return run

    @classmethod
    def create(cls, path: Path | str) -> "Run":
        """The run folder at `path`, made if it is not there; a non-empty folder of another kind is refused."""
        path = Path(path)
        if (path / MANIFEST).is_file():
            return cls.open(path)
        if path.exists() and (not path.is_dir() or any(_foreign(p.name) for p in path.iterdir())):
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
        except (ValueError, OSError, EOFError) as error:
            raise RunError(f"not a .npy array ({error})", file=path, fix="run the stage again with --force") from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for writing; a second process gets a `RunError` at once. Freed even by a kill.

        What a killed holder left half-written is removed on the way in.
        """
        try:
            stream = (self.path / ".lock").open("a+")
        except OSError as error:
            raise cannot_write(self.path / ".lock", error) from error
        with stream:
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
            sweep(self.path)
            yield

    def key(self, stage: str) -> str:
        """Fingerprint of a finished stage; `RunError` saying how to make it if it is not finished."""
        record = self.manifest()["stages"].get(stage)
        if not record or record["status"] != "done":
            states = {None: "has not been run", "stale": "was made from what has since been replaced"}
            state = states.get(record and record["status"], "was interrupted")
            command = f"train --data DATA --out {self.path}" if stage == "train" else f"{stage} {self.path}"
            raise RunError(f"stage '{stage}' {state}", file=self.path, fix=f"run: stgcn-lens {command}")
        return str(record["key"])

    def fresh(self, stage: str, key: str, *outputs: str) -> bool:
        """Whether the stage is finished, was made from this very configuration and input, and its files are there."""
        record = self.manifest()["stages"].get(stage, {})
        same = record.get("status") == "done" and record.get("key") == key
        return same and all((self.path / name).is_file() for name in outputs)

    @contextmanager
    def stage(
        self, stage: str, *, config: Any, inputs: Mapping[str, str], device: str = "cpu"
    ) -> Iterator[dict[str, Any]]:
        """Record a stage while it runs: "running" at its start, "done" or "failed" at its end.

        Once it is done, stages that were made from an earlier, different one of it are "stale".

        Yields the record; what the block adds to it (numbers worth showing) is kept in the manifest.
        """
        record: dict[str, Any] = {
            "key": stage_key(config, inputs),
            "config": plain(config),
            "seed": plain(config).get("seed") if isinstance(plain(config), dict) else None,
            "versions": versions(),
            "inputs": dict(inputs),
            "device": device,
            "command": _command(),
            "started": _now(),
            "status": "running",
        }
        self._record(stage, record)
        begin = time.perf_counter()
        try:
            yield record
        except BaseException:
            with suppress(LensError):  # where not even this can be written, the first error is the one to tell
                self._record(stage, {**record, "status": "failed", "seconds": time.perf_counter() - begin})
            raise
        self._record(stage, {**record, "status": "done", "seconds": time.perf_counter() - begin})

    def _record(self, stage: str, record: dict[str, Any]) -> None:
        manifest = self.manifest()
        stages = manifest["stages"]
        stages[stage] = record
        if record["status"] == "done":
            # What was made from an older one of these files no longer fits them; in order, so that it is passed on.
            for later in (stages[name] for name in STAGES if name in stages and name != stage):
                sources = {name: key for name, key in later["inputs"].items() if name in stages}
                if later["status"] == "done" and any(
                    stages[name]["status"] == "stale" or stages[name]["key"] != key for name, key in sources.items()
                ):
                    later["status"] = "stale"
        self.write_json(MANIFEST, manifest)


def stage_key(config: Any, inputs: Mapping[str, str]) -> str:
    """Fingerprint of a stage: its configuration and the fingerprints of what it reads."""
    text = json.dumps([plain(config), dict(sorted(inputs.items()))], sort_keys=True)
    return str(fingerprint(text).hexdigest())


def _foreign(name: str) -> bool:
    """Whether a file in a folder without a manifest speaks against making a run there."""
    return name != ".lock" and TEMPORARY.fullmatch(name) is None


def _command() -> str:
    """The command line of this process, to be typed again: the installed command, or a script by its path."""
    program = Path(sys.argv[0])
    ours = program.name in ("stgcn-lens", "__main__.py")
    return shlex.join([*(["stgcn-lens"] if ours else ["python", str(program)]), *sys.argv[1:]])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _how_to_make(name: str) -> str:
    maker = {"embeddings": "embed", "graphs": "graph", "layers.json": "graph", "saliency": "explain", "scores": "score"}
    verb = maker.get(name.split("/")[0])
    return f"run: stgcn-lens {verb} RUN" if verb else "run: stgcn-lens train --data DATA --out RUN"
