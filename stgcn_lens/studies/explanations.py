"""Explanations beside the one in ``saliency/``: any method, class and clips, each in ``explanations/<name>/`` of a run.

Such a folder is laid out like ``saliency/`` (see `maps`), so that what reads one reads the other; beside it has
``clips.npy`` (N,), rows of clips.csv, and ``targets.npy`` (N,), the class that each clip's maps speak for, with
``against.npy`` where it is held against another. ``saliency.json`` says in addition how it was made.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stgcn_lens import explain as methods
from stgcn_lens.activations import evaluating, select
from stgcn_lens.data.batches import batches
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.embeddings import open_model, read_clips
from stgcn_lens.errors import LensError
from stgcn_lens.explain import Explainer
from stgcn_lens.explain.cells import Fill
from stgcn_lens.files import atomic_folder
from stgcn_lens.models.checkpoints import Loaded
from stgcn_lens.runs import Run, plain, stage_key, versions
from stgcn_lens.studies import asked
from stgcn_lens.studies.maps import Progress, Request, write, write_localisation, write_tables
from stgcn_lens.studies.naming import file_name
from stgcn_lens.studies.saliency import METHOD, ExplainConfig, stage_inputs

FOLDER, ABOUT, INPUT = "explanations", "saliency.json", "input"
_LEAST = {"steps": 1, "window": 1, "samples": 1}


@dataclass(frozen=True)
class MethodConfig:
    """Which explanation is made, for which class, and of which clips."""

    method: str = METHOD
    """gradcam, hirescam, layercam, gradcampp, layer_integrated_gradients (of every layer), saliency, input_x_gradient,
    integrated_gradients, occlusion_joints, occlusion_parts, occlusion_windows, occlusion_cells or shapley_parts."""
    target: str = "predicted"
    """The class explained: predicted, true, a class by name or number, or a difference A-B of two of these."""
    clips: tuple[str, ...] = (asked.ALL,)
    """The clips: all that are under analysis, a number of them spread evenly, or clips by name."""
    layers: tuple[str, ...] = ()
    """Layers to explain; by default every block."""
    steps: int = 32
    """Of integrated gradients: points on the way (ours)."""
    fill: Fill = "mean"
    """What takes the place of what is removed, and where ways begin: a joint's mean about its body's centre, or 0."""
    window: int = 8
    """Of occlusion in time: model frames that are removed together (ours)."""
    samples: int = 25
    """Of Shapley values of more than 8 parts: orders that are drawn (captum)."""
    name: str | None = None
    """What the folder is called; by default the method, and what of target and clips is not the default."""

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise LensError(f"explanation: {name} too small", got=getattr(self, name), expected=f">= {least}")
        if self.name is not None and file_name(self.name) != self.name:
            raise LensError("no name for a folder", got=repr(self.name), expected="letters, digits, and . _ -")

    @property
    def usual(self) -> bool:
        """Whether it is what ``saliency/`` holds."""
        return self == MethodConfig(steps=self.steps, fill=self.fill, window=self.window, samples=self.samples)

    @property
    def folder(self) -> str:
        """Where in the run it goes."""
        parts = [self.method, *([self.target] if self.target != "predicted" else [])]
        parts += [" ".join(self.clips)] if self.clips != (asked.ALL,) else []
        return f"{FOLDER}/{self.name or '--'.join(map(file_name, parts))}"


@dataclass(frozen=True)
class Made:
    """An explanation in a run: its folder, what its ``saliency.json`` says, and whether it was there already."""

    folder: Path
    about: dict[str, Any]
    skipped: bool


def explain_with(
    run: Run,
    wanted: MethodConfig,
    config: ExplainConfig | None = None,
    *,
    network: Loaded | None = None,
    device: str = "cpu",
    force: bool = False,
    progress: Progress | None = None,
) -> Made:
    """Maps of clips of a run by a method of `EXPLAINERS`, into a folder of their own.

    Parameters
    ----------
    wanted : method, target, clips and layers.
    config : whether maps are signed, how Grad-CAM pools, and clips per pass.
    network : the run's network where it is already here, or one that no checkpoint holds; by default the run's own.
    progress : called with (clips done, clips in all).

    Raises
    ------
    LensError : an unknown method, class, clip or layer; `signed` or layers asked of a method that has none; a true
        class that is not known.
    RunError : the run has no embeddings.
    """
    config = config or ExplainConfig()
    row = _row(wanted, config)
    inputs = stage_inputs(run, network)
    settings = {name: getattr(config if name == "pooling" else wanted, name) for name in row.options}
    asks = {name: getattr(wanted, name) for name in ("method", "target", "clips", "layers")}
    key = stage_key({**asks, **settings, "signed": config.signed, "localisation": plain(config.localisation)}, inputs)
    path = run / wanted.folder
    if not force and (known := _read(path)) is not None and known["key"] == key:
        return Made(path, known, skipped=True)
    loaded, clips = open_model(run, device, network)
    aim, table = asked.target(wanted.target, loaded.classes), read_clips(run)
    chosen = asked.clips(wanted.clips, table, run.read_array("embeddings/clips.npy"), file=run / "clips.csv")
    labels = np.array([int(table[i]["label"] or -1) for i in chosen], dtype=np.int64)
    layers = tuple(select(loaded.model, wanted.layers or [n for n in loaded.model.layers if n != INPUT]))
    of, against, apart = asked.resolved(aim, labels, lambda: _predicted(loaded, clips, chosen, config.batch, device))
    request = Request(
        row=row,
        layers=layers if row.per_layer else (INPUT,),
        keywords=settings | ({"signed": config.signed} if row.signs else {}),
        of=of,
        against=against,
    )
    chosen = chosen[apart]
    began = time.perf_counter()
    with atomic_folder(path) as folder:
        written = write(folder, loaded, clips, chosen, request, batch=config.batch, device=device, progress=progress)
        np.save(folder / "clips.npy", chosen)
        np.save(folder / "targets.npy", written.targets)
        if against is not None:
            np.save(folder / "against.npy", against)
        if not config.signed:
            write_tables(folder, loaded, written)
            if aim in (asked.Target("predicted"), asked.Target("true")) and _planted(clips, chosen):
                write_localisation(folder, loaded, clips, chosen, request.layers, config.localisation)
        about = plain(
            {
                "method": row.name,
                "target": wanted.target,
                "signed": config.signed,
                **settings,
                "normalisation": "none",
                "layers": [
                    {
                        "layer": name,
                        "stride": loaded.model.strides[name],
                        "no_evidence": float(np.mean([bool(reason) for reason in reasons])),
                    }
                    for name, reasons in written.reasons.items()
                ],
                "clips": len(chosen),
                "key": key,
                "inputs": inputs,
                "versions": versions(),
                "device": device,
                "seconds": time.perf_counter() - began,
            }
        )
        (folder / ABOUT).write_text(json.dumps(about, indent=1))
    return Made(path, about, skipped=False)


def explanations(run: Run) -> dict[str, Made]:
    """The explanations of a run that fit its embeddings, by the name of their folder, without that in ``saliency/``."""
    embedded = run.key("embed")
    found = {path.name: _read(path) for path in sorted((run / FOLDER).glob("*")) if path.is_dir()}
    return {
        name: Made(run / FOLDER / name, about, skipped=True)
        for name, about in found.items()
        if about is not None and about["inputs"]["embed"] == embedded
    }


def _row(wanted: MethodConfig, config: ExplainConfig) -> Explainer:
    """The method, and whether it can do what is asked."""
    known = methods.EXPLAINERS
    if wanted.method not in known:
        raise LensError("unknown method", got=repr(wanted.method), expected=f"one of {', '.join(known)}")
    row = known[wanted.method]
    if config.signed and not row.signs:
        raise LensError(f"'{row.name}' knows no sign", got="--signed", fix="leave --signed out, or take another method")
    if wanted.layers and not row.per_layer:
        fix = f"leave --layers out; layers are explained by {', '.join(n for n, r in known.items() if r.per_layer)}"
        raise LensError(f"'{row.name}' explains the input only", got=f"--layers {' '.join(wanted.layers)}", fix=fix)
    return row


def _predicted(loaded: Loaded, clips: ClipSet, chosen: np.ndarray, batch: int, device: str) -> np.ndarray:
    """(N,) the class that the network gives each clip."""
    network: Callable[[torch.Tensor], torch.Tensor] = loaded.model
    with torch.inference_mode(), evaluating(loaded.model):  # type: ignore[arg-type]
        answers = [
            network(torch.from_numpy(some.x).to(device)).argmax(dim=1).cpu().numpy()
            for some in batches(clips, chosen, loaded.preprocessing, loaded.bodies, batch)
        ]
    return np.concatenate(answers)


def _planted(clips: ClipSet, chosen: np.ndarray) -> bool:
    """Whether any of the clips carries evidence."""
    if clips.evidence is None:
        return False
    found = (clips[int(i)].evidence for i in chosen)
    return any(evidence is not None and evidence.any() for evidence in found)


def _read(path: Path) -> dict[str, Any] | None:
    """What a folder says of itself; None where there is none that can be read."""
    try:
        about = json.loads((path / ABOUT).read_text())
        return about if {"key", "inputs", "layers"} <= about.keys() else None
    except (OSError, ValueError, AttributeError):
        return None
