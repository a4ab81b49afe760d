"""Run folders at a glance: which stages are made, what they gave, and which may be made from here."""

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from app import sources
from stgcn_lens.errors import LensError, RunError
from stgcn_lens.runs import STAGES, Run

# Cheap stage -> the stage that it is made from; seconds to minutes, the run goes on where it was if they are cut off.
CHEAP = {"embed": "train", "graph": "embed", "explain": "embed", "report": "train"}
DONE, STALE, RUNNING, MISSING = "done", "stale", "running", "missing"
_FINISHED = (DONE, STALE)


@dataclass(frozen=True)
class Overview:
    """A run folder in one line.

    `stages`: stage -> (status, seconds or None); `top1` of the test split; `bytes` of all its files; `trouble`: why
    nothing else is known of it.
    """

    path: Path
    stages: dict[str, tuple[str, float | None]]
    top1: float | None
    bytes: int
    trouble: str = ""

    @property
    def next(self) -> list[str]:
        """Cheap stages that are not made or stale, and can be made now."""
        done = {stage for stage, (status, _) in self.stages.items() if status == DONE}
        return [stage for stage, source in CHEAP.items() if stage not in done and source in done]


def overview(path: Path) -> Overview:
    """What a run folder holds; a broken one says what is wrong with it."""
    found = _overview(str(path), sources.stamp(path))
    # Whether a stage that says it runs still does is not in the manifest.
    if not any(status == RUNNING for status, _ in found.stages.values()) or held(path):
        return found
    stages = {name: ("interrupted" if s == RUNNING else s, seconds) for name, (s, seconds) in found.stages.items()}
    return Overview(found.path, stages, found.top1, found.bytes, found.trouble)


@st.cache_data(max_entries=512, show_spinner=False)
def _overview(path: str, stamp: str) -> Overview:
    try:
        run = Run.open(path)
        records = run.manifest()["stages"]
        stages = {name: _status(records.get(name)) for name in STAGES}
        return Overview(run.path, stages, _top1(run), _size(run.path))
    except LensError as error:
        return Overview(Path(path), {}, None, 0, str(error))


def _status(record: Any) -> tuple[str, float | None]:
    if not isinstance(record, dict):
        return MISSING, None
    seconds = record.get("seconds")
    return str(record.get("status", MISSING)), float(seconds) if isinstance(seconds, (int, float)) else None


def _top1(run: Run) -> float | None:
    if not (run / "metrics.json").is_file():
        return None
    try:
        told = run.read_json("metrics.json")
        return float(told["test"]["top1"])
    except (RunError, KeyError, TypeError, ValueError):
        return None


def _size(folder: Path) -> int:
    """Bytes of all files in a folder, of links the link's own."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(place) / name).lstat().st_size
            except OSError:  # gone since it was listed
                continue
    return total


def held(path: Path) -> bool:
    """Whether a process writes to a run; the lock is asked for and given back at once."""
    try:
        with (path / ".lock").open() as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def inside(path: Path, root: Path, given: Path | None) -> bool:
    """Whether a run lies in the root, links followed, or is the one that the app was started on."""
    return path.resolve().is_relative_to(root.resolve()) or (given is not None and path.resolve() == given.resolve())
