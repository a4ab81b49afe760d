"""Says what a checkpoint is: a folder of this package, or a file of weights that others have trained."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.models.checkpoints import load
from stgcn_lens.models.foreign import read_foreign
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
        f"  settings {settings}",
        *(f"  {note}" for note in told["notes"]),
    ]
    return Result("\n".join(lines), told)


def _folder(path: Path) -> dict[str, Any]:
    loaded = load(path)
    about = loaded.about
    preprocessing = ", ".join(f"{name} {value}" for name, value in about["preprocessing"].items())
    return {
        "architecture": about["architecture"]["model"],
        "config": about["architecture"]["config"],
        "layout": loaded.layout.name,
        "channels": about["channels"],
        "classes": len(loaded.classes),
        "parameters": about["parameters"],
        "layers": loaded.model.strides,
        "notes": [f"fed with {loaded.bodies} bodies: {preprocessing}", *about["about"].get("notes", [])],
    }


def _file(path: Path, layout: str | None) -> dict[str, Any]:
    from stgcn_lens.models import MODELS
    from stgcn_lens.models.checkpoints import fill

    found = read_foreign(path, layout)
    model = MODELS[found.architecture].build(found.config, found.layout, found.channels, found.classes)
    fill(model, found.weights, path)
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
