"""A network that is given from Python, behind an adapter: ready for use like a checkpoint, but built by no file.

A run of such a network keeps what describes it, and the hash of its weights. Nothing of it can be run from there, so
whatever needs the network itself has to be given it again.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.errors import LensError
from stgcn_lens.files import atomic, fingerprint
from stgcn_lens.models.checkpoints import GIVEN, Loaded, description
from stgcn_lens.models.probe import check


def given(
    model: torch.nn.Module,
    *,
    classes: Sequence[str],
    preprocessing: Preprocessing | None = None,
    channels: int = 3,
    bodies: int | None = None,
    name: str | None = None,
) -> Loaded:
    """A network in memory, in evaluation mode from now on, with what it expects; checked by running it (`probe.check`).

    Parameters
    ----------
    model : an adapter that meets `protocol.Lens`.
    classes : names of its logits, in their order.
    preprocessing : how its clips are prepared; by default as this package would train.
    channels : C of its clips.
    bodies : M, body slots of its clips; by default as many as the preprocessing keeps.
    name : what the report calls it; by default the name of its Python class.

    Raises
    ------
    LensError : it does not keep to the protocol, or the classes are not names.
    """
    prepared = Preprocessing() if preprocessing is None else preprocessing
    slots = prepared.bodies if bodies is None else bodies
    names = _names(classes)
    if channels < 1 or slots < 1:
        raise LensError("impossible clips", got=f"{channels} channels, {slots} bodies", expected="both >= 1")
    widths = check(model, channels=channels, frames=prepared.frames, bodies=slots, classes=len(names))
    digest = weights_hash(model)
    about = description(
        model,
        architecture={
            "model": name or type(model).__name__,
            "config": {},
            GIVEN: {"layers": widths, "strides": {layer: model.strides[layer] for layer in widths}},  # type: ignore[index]
        },
        channels=channels,
        classes=names,
        preprocessing=prepared,
        bodies=slots,
        digest=digest,
        about={},
    )
    model.eval()
    return Loaded(model, names, prepared, slots, model.layout, about, digest)  # type: ignore[arg-type]


def note(folder: Path, loaded: Loaded, classes: Sequence[str]) -> None:
    """Describe a given network in model.json, in place of a checkpoint that was there."""
    (folder / "model.safetensors").unlink(missing_ok=True)
    with atomic(folder / "model.json") as temporary:
        temporary.write_text(json.dumps({**loaded.about, "classes": list(classes)}, indent=1) + "\n")


def recorded(folder: Path) -> dict[str, Any] | None:
    """What the model.json of a given network holds; None where there is none, or that of a checkpoint."""
    try:
        about = json.loads((folder / "model.json").read_text())
        return about if GIVEN in about["architecture"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # `checkpoints.load` says what is wrong with it


def weights_hash(model: torch.nn.Module) -> str:
    """sha256 of all tensors of a network's state: their names, kinds, shapes and values."""
    digest = fingerprint()
    for name, tensor in sorted(model.state_dict().items()):
        if isinstance(tensor, torch.Tensor):  # a module may keep other things there
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return str(digest.hexdigest())


def _names(classes: Any) -> tuple[str, ...]:
    """Class names, one for each logit, none twice."""
    names = () if isinstance(classes, str) else tuple(classes)
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if not names or twice or not all(isinstance(name, str) for name in names):
        got = f"{twice[0]!r} twice" if twice else f"{classes!r:.60}"
        raise LensError("not the names of classes", got=got, expected="a list of texts, one for each logit")
    return names
