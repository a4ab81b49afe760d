"""Weights with all that is needed to use them again: safetensors beside a JSON that describes them.

``model.json`` holds the architecture and its configuration, the layout with its bone set, the classes, the
preprocessing and the hash of the weights. Nothing in either file can run.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.transforms import EARLIER, Preprocessing
from stgcn_lens.errors import CheckpointError, DataError, LensError
from stgcn_lens.files import atomic, file_hash
from stgcn_lens.models import MODELS, Lens
from stgcn_lens.runs import plain
from stgcn_lens.skeleton import Layout, from_record, to_record

FORMAT = 1
GIVEN = "given"  # in the architecture of a network that no file can build
# Type of a setting's default -> what JSON may hold. What is None until it is known is a list of numbers afterwards.
_WRITTEN: dict[type, tuple[type, ...]] = {float: (float, int), tuple: (list,), type(None): (type(None), list)}


@dataclass(frozen=True)
class Loaded:
    """A network ready for use: the model in eval mode and what it expects; of a checkpoint, or `given.given`."""

    model: Lens
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    bodies: int
    layout: Layout
    about: dict[str, Any]
    hash: str

    def check(self, clips: ClipSet, *, file: object = None, fix: str | None = None) -> None:
        """`DataError` unless the clips have the joints, the bones and the channels that the network was trained on."""
        channels = int(self.about["channels"])
        if (clips.layout, clips.channels) == (self.layout.name, channels):
            return
        name, _, own = self.layout.name.partition("@")
        wish = f"{name}.toml" if own else name
        mend = f"bring the clips to that layout: stgcn-lens data convert DATA OUT --to native --to-layout {wish}"
        if clips.layout == self.layout.name:
            mend = f"make clips of {channels} channels"
        elif clips.skeleton.dims < self.layout.dims:
            mend, fix = "clips in 2-D cannot become 3-D ones: choose a network that was trained on 2-D clips", None
        raise DataError(
            "the clips do not fit the model",
            file=None if file is None else str(file),
            got=_numbers(clips.skeleton, clips.channels),
            expected=_numbers(self.layout, channels),
            fix=f"{mend}; or {fix}" if fix else mend,
        )


def save(
    folder: Path,
    model: torch.nn.Module,
    *,
    architecture: str,
    classes: Sequence[str],
    preprocessing: Preprocessing,
    bodies: int,
    about: Mapping[str, Any],
) -> str:
    """Write model.safetensors and model.json to a folder, each atomically; returns the hash of the weights."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    path = folder / "model.safetensors"
    with atomic(path) as temporary:
        temporary.write_bytes(to_bytes(weights))  # save_file tells a full disk as a SafetensorError
    digest = file_hash(path)
    told = description(
        model,
        architecture={"model": architecture, "config": plain(model.config)},
        channels=int(model.channels),  # type: ignore[arg-type]
        classes=classes,
        preprocessing=preprocessing,
        bodies=bodies,
        digest=digest,
        about=about,
    )
    with atomic(folder / "model.json") as temporary:
        temporary.write_text(json.dumps(told, indent=1) + "\n")
    return digest


def description(
    model: torch.nn.Module,
    *,
    architecture: Mapping[str, Any],
    channels: int,
    classes: Sequence[str],
    preprocessing: Preprocessing,
    bodies: int,
    digest: str,
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """What model.json holds of a network."""
    return {
        "format": FORMAT,
        "architecture": plain(architecture),
        **to_record(model.layout),  # type: ignore[arg-type]
        "bones": plain(model.layout.bones),  # type: ignore[union-attr]
        "channels": channels,
        "bodies": bodies,
        "classes": list(classes),
        "preprocessing": plain(preprocessing),
        "parameters": sum(p.numel() for p in model.parameters()),
        "weights_sha256": digest,
        "about": plain(about),
    }


def load(folder: Path | str, *, device: str = "cpu") -> Loaded:
    """Read a checkpoint folder; every key must be there and fit, else `CheckpointError` lists what does not."""
    folder = Path(folder)
    if folder.is_file():
        fix = f"import it first: stgcn-lens checkpoint import {folder} --frames T --out FOLDER"
        raise CheckpointError("a file of weights, not a checkpoint folder", file=folder, fix=fix)
    described, path = folder / "model.json", folder / "model.safetensors"
    _there(described)
    try:
        about = json.loads(described.read_text())
        if about["format"] != FORMAT:
            raise CheckpointError(
                "a checkpoint of another format",
                file=described,
                got=about["format"],
                expected=FORMAT,
                fix="use the version of stgcn-lens that wrote it",
            )
        _refuse_given(about["architecture"], described)
        _there(path)
        layout = from_record(about, file=described)
        spec = MODELS.get(about["architecture"]["model"])
        if spec is None:
            raise CheckpointError(
                "unknown architecture",
                file=described,
                got=repr(about["architecture"]["model"]),
                expected=f"one of {', '.join(MODELS)}",
                fix="use the version of stgcn-lens that wrote it",
            )
        config = from_plain(spec.config, about["architecture"]["config"], described)
        preprocessing = from_plain(Preprocessing, {**EARLIER, **about["preprocessing"]}, described)
        bones = tuple(tuple(bone) for bone in about["bones"])
        classes, channels, bodies = tuple(about["classes"]), int(about["channels"]), int(about["bodies"])
        expected_hash = about["weights_sha256"]
        if channels < 1 or bodies < 1 or not isinstance(expected_hash, str):
            raise ValueError(f"channels {channels}, bodies {bodies}, hash {expected_hash}")
        model = spec.build(config, layout, channels, len(classes))
    except CheckpointError:
        raise
    except LensError as error:
        raise CheckpointError(f"model.json does not fit together: {error}", file=described, fix="restore it") from error
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(
            f"model.json cannot be read ({type(error).__name__}: {error})", file=described, fix="restore the file"
        ) from error
    if bones != layout.bones:
        raise CheckpointError(
            f"the weights were trained on other bones than layout '{layout.name}' has",
            file=described,
            got=f"{sorted(set(bones) - set(layout.bones))} not in the layout",
            expected="the same bones",
            fix="name the layout variant that fits",
        )
    if file_hash(path) != expected_hash:
        raise CheckpointError(
            "the weights are not those that model.json describes (damaged or exchanged)",
            file=path,
            got=f"sha256 {file_hash(path)[:12]}...",
            expected=f"{expected_hash[:12]}...",
            fix="restore both files from the same run",
        )
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"not a safetensors file ({error})", file=path, fix="restore the file") from error
    fill(model, weights, path)
    model.eval().to(device)
    return Loaded(model, classes, preprocessing, bodies, layout, about, expected_hash)  # type: ignore[arg-type]


def _there(file: Path) -> None:
    if not file.is_file():
        raise CheckpointError("no checkpoint here", file=file, fix="train a model: stgcn-lens train")


def _refuse_given(architecture: Mapping[str, Any], file: Path) -> None:
    """A network that was given from Python is described in its run and built by nobody but who wrote it."""
    if GIVEN in architecture:
        raise CheckpointError(
            "the network of this run was given from Python, and no file can build it",
            file=file,
            got=repr(architecture["model"]),
            expected=f"one of {', '.join(MODELS)}",
            fix="run the stage from Python with network=... (docs/adapter.md); graph, report and app need no network",
        )


def fill(
    model: torch.nn.Module,
    weights: Mapping[str, torch.Tensor],
    file: Path,
    fix: str = "restore both files from the same run",
    called: Callable[[str], str] = str,
) -> None:
    """Load weights strictly: missing, unexpected and mis-shaped keys are listed and refused, nothing half-loaded.

    `called` gives the name that a key has in the file.
    """
    wanted = model.state_dict()
    missing = [called(key) for key in sorted(set(wanted) - set(weights))]
    unexpected = [called(key) for key in sorted(set(weights) - set(wanted))]
    shared = sorted(set(wanted) & set(weights))
    misshaped = [
        f"{called(key)} {tuple(weights[key].shape)} for {tuple(wanted[key].shape)}"
        for key in shared
        if weights[key].shape != wanted[key].shape
    ]
    misshaped += [
        f"{called(key)} of {weights[key].dtype} for {wanted[key].dtype}"
        for key in shared
        if weights[key].is_floating_point() != wanted[key].is_floating_point()
    ]
    if missing or unexpected or misshaped:
        parts = {"missing": missing, "unexpected": unexpected, "of another shape or kind": misshaped}
        got = "; ".join(f"{len(keys)} {what}: {_some(keys)}" for what, keys in parts.items() if keys)
        raise CheckpointError(
            "the weights do not fit the architecture",
            file=file,
            got=got,
            expected=f"exactly {len(wanted)} keys",
            fix=fix,
        )
    model.load_state_dict(dict(weights))


def from_plain(kind: type, values: Mapping[str, Any], file: Path) -> Any:
    """A frozen config from its JSON form; unknown names are refused, lists become tuples."""
    if not isinstance(values, Mapping):
        raise TypeError(f"settings of {kind.__name__} are a {type(values).__name__}")
    known = {field.name: field.default for field in fields(kind)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise CheckpointError(
            f"unknown settings of {kind.__name__}",
            file=file,
            got=", ".join(unknown),
            expected=f"among {sorted(known)}",
            fix="use the version of stgcn-lens that wrote it",
        )
    for name, value in values.items():
        wanted = type(known[name])
        fits = type(value) in _WRITTEN.get(wanted, (wanted,))
        if not fits or (isinstance(value, list) and not all(type(item) in (int, float) for item in value)):
            raise CheckpointError(
                f"setting '{name}' of {kind.__name__} is of another kind",
                file=file,
                got=f"{value!r:.60}",
                expected="numbers or null" if wanted is type(None) else wanted.__name__,
                fix="restore the file",
            )
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def _numbers(layout: Layout, channels: int) -> str:
    """A layout as a network sees it."""
    return f"layout '{layout.name}', {channels} channels x {layout.V} joints = {channels * layout.V} numbers a frame"


def _some(keys: Sequence[str], most: int = 4) -> str:
    return ", ".join(keys[:most]) + (f" and {len(keys) - most} more" if len(keys) > most else "")
