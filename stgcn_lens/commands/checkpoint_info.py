"""Says what a checkpoint is: a folder of this package, or a file of weights that others have trained."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.checkpoint_import import FIX
from stgcn_lens.models import MODELS
from stgcn_lens.models.checkpoints import GIVEN, fill, load
from stgcn_lens.models.foreign import read_foreign, theirs
from stgcn_lens.models.given import recorded
from stgcn_lens.runs import plain

EXAMPLE = "stgcn-lens checkpoint info checkpoints/demo"
FLAGS = (tyro.conf.OmitArgPrefixes,)


@dataclass(frozen=True)
class Args(Common):
    """Which checkpoint."""

    path: Annotated[Path, tyro.conf.Positional]
    """A folder with model.json, a run folder, or a .pt or .pth file."""
    layout: str | None = None
    """The joints of a .pt or .pth file, where several layouts would fit."""


def run(args: Args) -> Result:
    """Describe it."""
    told = _folder(args.path) if args.path.is_dir() else _file(args.path, args.layout)
    settings = ", ".join(f"{name} {value}" for name, value in told["config"].items())
    lines = [
        f"{args.path}: {told['architecture']}, {told['parameters']:,} parameters",
        f"  reads    layout {told['layout']}, {told['channels']} channels",
        f"  tells    {told['classes']} classes",
        f"  layers   {', '.join(f'{name} (1/{r})' if r > 1 else name for name, r in told['layers'].items())}",
        *([f"  settings {settings}"] if settings else []),
        *(f"  {note}" for note in told["notes"]),
    ]
    return Result("\n".join(lines), told)


def _folder(path: Path) -> dict[str, Any]:
    about, notes = recorded(path), []
    if about is None:
        loaded = load(path)
        about, strides = loaded.about, loaded.model.strides
    else:
        strides = about["architecture"][GIVEN]["strides"]
        weights = about["weights_sha256"][:12]
        notes = [f"given from Python: weights of sha256 {weights}... that are not in the folder (docs/adapter.md)"]
    preprocessing = ", ".join(f"{name} {value}" for name, value in about["preprocessing"].items())
    notes += [f"fed with {about['bodies']} bodies: {preprocessing}", *about["about"].get("notes", [])]
    return {
        "architecture": about["architecture"]["model"],
        "config": about["architecture"]["config"],
        "layout": about["layout"],
        "channels": about["channels"],
        "classes": len(about["classes"]),
        "parameters": about["parameters"],
        "layers": strides,
        "notes": notes,
    }


def _file(path: Path, layout: str | None) -> dict[str, Any]:
    found = read_foreign(path, layout)
    model = MODELS[found.architecture].build(found.config, found.layout, found.channels, found.classes)
    fill(model, found.weights, path, fix=FIX, called=partial(theirs, found.dialect))
    return {
        "architecture": found.architecture,
        "config": plain(found.config),
        "layout": found.layout.name,
        "channels": found.channels,
        "classes": found.classes,
        "parameters": sum(p.numel() for p in model.parameters()),
        "layers": model.strides,
        "notes": list(found.notes),
    }
