"""Serves the workbench on this machine alone; without a run it opens on the newest in ./runs, or on the demo model."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.errors import LensError
from stgcn_lens.runs import Run

EXAMPLE = "stgcn-lens app runs/mine"
FLAGS = ()


@dataclass(frozen=True)
class Args(Common):
    """What to open, and where to listen."""

    run: Annotated[Path | None, tyro.conf.Positional] = None
    """The run folder."""
    root: Path | None = None
    """Folder whose runs can be chosen in the app; by default the one that the run lies in."""
    port: int = 8501
    """Port to listen on."""
    address: str = "127.0.0.1"
    """Address to listen on; anything but the loopback lets others in."""
    browser: bool = True
    """Open the browser."""


def run(args: Args) -> Result:
    """Serve until closed."""
    if args.run is not None:
        Run.open(args.run)
    status = until_closed(serve(args.run, args.port, root=args.root, address=args.address, browser=args.browser))
    return Result("the app was closed", {"status": status}, 1 if status > 0 else 0)


def until_closed(command: list[str]) -> int:
    """Serve until the user closes the app, as a rule with Ctrl-C; the exit status."""
    told = dict(flag[2:].split("=", 1) for flag in command if flag.startswith("--server."))
    if told:
        place = f"http://{told.get('server.address')}:{told.get('server.port')}"
        print(f"the app is at {place}; Ctrl-C ends it", file=sys.stderr, flush=True)
    try:
        return subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:
        return 0


def serve(
    run: Path | None, port: int, *, root: Path | None = None, address: str = "127.0.0.1", browser: bool = True
) -> list[str]:
    """The command line of the app; `LensError` where it is not installed beside the package."""
    try:
        from app.launch import command
    except ImportError as error:
        raise LensError(
            f"the app is not installed ({error})", fix="install the project with its app folder: pip install -e ."
        ) from error
    return command(run, port, root=root, address=address, browser=browser)
