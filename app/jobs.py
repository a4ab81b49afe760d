"""The one stage that the app may be making: a command of its own, in a process group that can be ended as a whole."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamlit as st

from stgcn_lens.commands.progress import FILE
from stgcn_lens.errors import RunError

PATIENCE = 5.0  # seconds that a stage has to put its work away before it is ended for good (ours)
CODE = Path(__file__).resolve().parents[1]  # where the package of this app lies, if it is not installed
_ERROR = 4000  # characters of what it said last that are kept


@dataclass(eq=False)
class Job:
    """A stage of a run that is being made, or was: `status` is "running", "done", "failed" or "cancelled"."""

    run: Path
    verb: str
    process: "subprocess.Popen[bytes]"
    room: "tempfile.TemporaryDirectory[str]"
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None
    cancelled: bool = False
    said: str = ""

    @property
    def status(self) -> str:
        """How it stands; at its end what it said is read, and its folder removed."""
        code = self.process.poll()
        if code is None:
            return "running"
        if self.ended is None:
            self.ended = time.monotonic()
            name = "out" if code == 0 else "err"
            with suppress(OSError):
                self.said = (Path(self.room.name) / name).read_text(errors="replace").strip()[-_ERROR:]
            self.room.cleanup()
        if self.cancelled:
            return "cancelled"
        return "done" if code == 0 else "failed"

    @property
    def seconds(self) -> float:
        """Since its start, until its end."""
        return (time.monotonic() if self.ended is None else self.ended) - self.started

    def progress(self) -> dict[str, Any] | None:
        """{"what", "done", "total"} as the command tells it; None before its first word."""
        with suppress(OSError, ValueError):
            told = json.loads((Path(self.room.name) / "progress").read_text())
            return {"what": str(told["what"]), "done": int(told["done"]), "total": max(1, int(told["total"]))}
        return None

    def cancel(self) -> threading.Thread:
        """Begin to end the whole process group: as Ctrl-C does, so that the run goes on later; then for good."""
        self.cancelled = True
        ending = threading.Thread(target=self._end, daemon=True)
        ending.start()
        return ending

    def _end(self) -> None:
        for sign, patience in ((signal.SIGINT, PATIENCE), (signal.SIGKILL, None)):
            if self.process.poll() is not None:
                return
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, sign)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(patience)


class Jobs:
    """At most one job at a time, for all sessions of the app."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.last: Job | None = None

    @property
    def running(self) -> Job | None:
        """The one that runs now."""
        return self.last if self.last is not None and self.last.status == "running" else None

    def start(self, run: Path, verb: str) -> Job:
        """Start `stgcn-lens VERB RUN`; `RunError` if another one runs."""
        with self._lock:
            if self.running is not None:
                busy = f"{self.running.verb} of {self.running.run.name}"
                raise RunError("another stage is being made", got=busy, fix="wait for it, or cancel it")
            room = tempfile.TemporaryDirectory(prefix="stgcn_lens_job_")
            path = os.pathsep.join(filter(None, (str(CODE), os.environ.get("PYTHONPATH"))))
            surroundings = {**os.environ, "PYTHONPATH": path, FILE: str(Path(room.name) / "progress")}
            with (Path(room.name) / "out").open("wb") as out, (Path(room.name) / "err").open("wb") as err:
                process = subprocess.Popen(
                    command(verb, run),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    env=surroundings,
                    start_new_session=True,
                )
            self.last = Job(run, verb, process, room)
            return self.last

    def cancel(self) -> None:
        """Begin to end what runs, if anything does."""
        if (job := self.running) is not None:
            job.cancel()

    def close(self) -> None:
        """End what runs, and wait for that."""
        if (job := self.running) is not None:
            job.cancel().join()


def command(verb: str, run: Path) -> list[str]:
    """`stgcn-lens VERB RUN` with this very Python."""
    return [sys.executable, "-m", "stgcn_lens", verb, str(run)]


@st.cache_resource(max_entries=1, show_spinner=False)
def jobs() -> Jobs:
    """Those of this server; whatever runs is ended when the server ends."""
    import atexit

    found = Jobs()
    atexit.register(found.close)
    return found
