"""Training that does not start from nothing: weights of a checkpoint, a new head, layers that stay as they are."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

import torch

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.errors import CheckpointError, LensError
from stgcn_lens.models import MODELS
from stgcn_lens.models.checkpoints import Loaded
from stgcn_lens.runs import plain
from stgcn_lens.training.classes import nameless
from stgcn_lens.training.job import TrainJob

HEAD = "head."  # what the classes are told by, in the names of a network's weights
FREE = ("dropout",)  # settings that may differ between a checkpoint and what is made of it


def network(job: TrainJob, clips: ClipSet) -> torch.nn.Module:
    """The job's network with the random weights of its seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.training.seed)
        return MODELS[job.architecture].build(job.model, clips.skeleton, clips.channels, len(clips.classes))


def check(loaded: Loaded, job: TrainJob, clips: ClipSet) -> None:
    """`CheckpointError` or `LensError` unless the network of the job can start from the checkpoint."""
    file = job.training.init
    loaded.check(clips, file=file)
    of_ours, of_theirs = job.architecture, loaded.about["architecture"]["model"]
    if of_ours != of_theirs:
        raise CheckpointError(
            "the checkpoint is another network",
            file=file,
            got=of_theirs,
            expected=of_ours,
            fix=f"--architecture {of_theirs}",
        )
    ours, theirs = plain(asdict(job.model)), plain(asdict(loaded.model.config))  # type: ignore[attr-defined]
    other = [name for name in ours if name not in FREE and ours[name] != theirs[name]]
    if other:
        raise CheckpointError(
            "the checkpoint is a network of another shape",
            file=file,
            got=", ".join(f"{name} {theirs[name]}" for name in other),
            expected=", ".join(f"{name} {ours[name]}" for name in other),
            fix=f"give {' '.join(_flag(name, theirs[name]) for name in other)}",
        )
    known = loaded.classes == clips.classes or (nameless(loaded) and len(loaded.classes) == len(clips.classes))
    if not known and not job.training.new_head:
        raise CheckpointError(
            "the checkpoint tells other classes apart",
            file=file,
            got=_shown(loaded.classes, clips.classes),
            expected=_shown(clips.classes, loaded.classes),
            fix="--new-head starts with a new last layer for the classes of the clips",
        )
    if job.training.freeze_below is not None:
        check_layer(loaded.model.layers, job.training.freeze_below)


def like(config: Any, loaded: Loaded) -> Any:
    """The settings of a network, with the radius that they leave to be measured as the checkpoint has it."""
    theirs = loaded.model.config  # type: ignore[attr-defined]
    if getattr(config, "radius", 0) is None and hasattr(theirs, "radius"):
        return replace(config, radius=theirs.radius)
    return config


def start(model: torch.nn.Module, loaded: Loaded, new_head: bool) -> None:
    """Fill the network with a checkpoint's weights; a new head keeps those it has."""
    weights = dict(loaded.model.state_dict())  # type: ignore[attr-defined]
    if new_head:
        weights |= {name: tensor for name, tensor in model.state_dict().items() if name.startswith(HEAD)}
    model.load_state_dict(weights)


def frozen(model: torch.nn.Module, below: str | None) -> list[torch.nn.Module]:
    """The parts up to and with the layer `below`, made to take no gradient; they belong in eval mode.

    What is in no layer and not in the head comes before the first block. `input` is the clips: nothing is frozen.

    Raises
    ------
    LensError : no layer of that name; lists those that there are.
    """
    layers: dict[str, torch.nn.Module] = model.layers  # type: ignore[assignment]
    if below is None:
        return []
    check_layer(layers, below)
    names = list(layers)
    if below == names[0]:
        return []
    kept = [layers[name] for name in names[names.index(below) + 1 :]]
    kept += [part for name, part in model.named_children() if f"{name}." == HEAD]
    learning = {id(each) for part in kept for each in part.modules()}
    still = [part for part in model.modules() if not any(id(each) in learning for each in part.modules())]
    for part in still:
        part.requires_grad_(False)
    return still


def check_layer(layers: Iterable[str], below: str) -> None:
    """`LensError` where there is no layer of that name."""
    if below not in (names := list(layers)):
        raise LensError("no such layer to freeze", got=repr(below), expected=f"one of {', '.join(names)}")


def _flag(name: str, value: object) -> str:
    """A setting as words of the command line."""
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return flag if value else f"--no-{flag[2:]}"
    return f"{flag} {' '.join(map(str, value)) if isinstance(value, list) else value}"


def _shown(classes: tuple[str, ...], others: tuple[str, ...]) -> str:
    """How many classes, and one that the others have not."""
    own = [name for name in classes if name not in others]
    count = f"{len(classes)} class{'es' if len(classes) > 1 else ''}"
    return count + (f", such as '{own[0]}'" if own else f" from '{classes[0]}' to '{classes[-1]}'")
