"""Reads weights that others have trained and writes a checkpoint folder: model.safetensors and model.json.

Architecture, depth, width, kernel, partition, joints, channels and classes are read off the weights; strides are taken
as published. What weights cannot say has to be named: how many frames the network is fed, and, where several would
fit, the layout.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.errors import CheckpointError, RunError
from stgcn_lens.files import file_hash
from stgcn_lens.models import MODELS
from stgcn_lens.models.checkpoints import fill, save
from stgcn_lens.models.foreign import Foreign, read_foreign, theirs

EXAMPLE = "stgcn-lens checkpoint import st_gcn.ntu-xsub.pt --frames 300 --out checkpoints/released"
FLAGS = ()
FIX = "get the file again; a network of another build goes behind an adapter (docs/adapter.md)"


@dataclass(frozen=True)
class Args(Common):
    """Which weights, and what they do not say."""

    file: Annotated[Path, tyro.conf.Positional]
    """A .pt of the released ST-GCN, or a .pth of pyskl or mmaction2 (ST-GCN, ST-GCN++)."""
    out: Path
    """The checkpoint folder to write."""
    frames: int
    """T, the number of frames that the network was fed (released ST-GCN: 300; pyskl: 100)."""
    layout: str | None = None
    """The joints, where several layouts would fit: a name or a TOML file."""
    classes: Path | None = None
    """A text file with one class name a line."""
    bodies: int = 2
    """Bodies that the network was fed."""
    preprocessing: Preprocessing = field(default_factory=lambda: Preprocessing(scale=False))
    """How clips were prepared for it; its own frames and bodies are those above."""
    force: bool = False
    """Replace a checkpoint."""


def run(args: Args) -> Result:
    """Recognise, check and write."""
    if (args.out / "model.safetensors").exists() and not args.force:
        raise RunError("a checkpoint is there", file=args.out, fix="choose another --out, or --force to replace it")
    found = read_foreign(args.file, args.layout)
    names, assumed = _names(args, found)
    model = MODELS[found.architecture].build(found.config, found.layout, found.channels, found.classes)
    fill(model, found.weights, args.file, fix=FIX, called=partial(theirs, found.dialect))
    preprocessing = replace(args.preprocessing, frames=args.frames, bodies=args.bodies)
    args.out.mkdir(parents=True, exist_ok=True)
    about = {
        "source": found.dialect,
        "file": args.file.name,
        "sha256": file_hash(args.file),
        "notes": found.notes,
        "assumed_classes": assumed,
    }
    save(
        args.out,
        model.eval(),
        architecture=found.architecture,
        classes=names,
        preprocessing=preprocessing,
        bodies=args.bodies,
        about=about,
    )
    used = f"{len(found.weights)} tensors, every one used"
    return Result(
        "\n".join([f"{args.out}: {used}", *(f"  {note}" for note in found.notes)]), {"out": str(args.out), **about}
    )


def _names(args: Args, found: Foreign) -> tuple[list[str], bool]:
    """The class names, and whether they had to be made up."""
    if args.classes is None:
        return [f"class {i}" for i in range(1, found.classes + 1)], True
    if not args.classes.is_file():
        raise CheckpointError("no such file of class names", file=args.classes, fix="check --classes")
    names = [line.strip() for line in args.classes.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    if len(names) != found.classes:
        raise CheckpointError(
            "another number of classes than the weights have",
            file=args.classes,
            got=len(names),
            expected=found.classes,
            fix="name every class, one a line, in the order of the weights",
        )
    return names, False
