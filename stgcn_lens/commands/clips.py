"""The clips that a run is made from, put there once and never exchanged under its network; and others, for a while."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stgcn_lens.commands.progress import bar
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.readers import read
from stgcn_lens.errors import RunError
from stgcn_lens.runs import MANIFEST, Run


def own_clips(target: Run, told: Mapping[str, Any], make: Callable[[], ClipSet], force: bool) -> ClipSet:
    """The clips of a run, made if they are not there yet.

    Parameters
    ----------
    told : {"data": path of a native set elsewhere} or {"source": what RUN/data is made from}; kept in the manifest.
    make : makes or opens them.
    force : make them again; replace others.

    Raises
    ------
    RunError : the run was made from other clips and `force` is False; these stay as they are.
    """
    manifest = target.manifest()
    known: dict[str, Any] = {name: manifest[name] for name in ("data", "source") if name in manifest}
    if manifest["stages"] and known != told and not force:
        raise RunError(
            "the run was made from other clips",
            file=target.path,
            got=_shown(told),
            expected=_shown(known),
            fix="choose another --out, or --force to replace the run",
        )
    if known == told and "source" in told and (target / "data" / "clipset.json").is_file() and not force:
        return ClipSet.open(target / "data")
    clips = make()
    rest = {name: value for name, value in target.manifest().items() if name not in ("data", "source")}
    target.write_json(MANIFEST, {**rest, **told})
    return clips


@contextmanager
def other_clips(
    target: Run, data: Path | None, format: str, layout: str | None, to_layout: str | None
) -> Iterator[ClipSet | None]:
    """Other clips than the run's, None without `data`; what is not native is packed beside them for the block only."""
    if data is None:
        yield None
        return
    if (data / "clipset.json").is_file() and layout is None and to_layout is None:
        yield ClipSet.open(data)
        return
    # Under a name that `Run.lock` sweeps away where a kill has left it.
    folder = target / f".clips.{os.getpid()}.{uuid.uuid4().hex[:6]}.tmp"
    try:
        with bar("reading", "file") as progress:
            clips = read(data, format, layout, folder / "clips", progress, to_layout)
        yield clips
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _shown(told: Mapping[str, Any]) -> str:
    """In one line, what clips are made from."""
    parts = [part for value in told.values() for part in (value.values() if isinstance(value, Mapping) else [value])]
    return " ".join(str(part) for part in parts if part) or "nothing that is known"
