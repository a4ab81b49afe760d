"""What the model says of a clip and which evidence every layer holds, computed live and cached."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import streamlit as st

from app import analysis
from stgcn_lens.data.clip import Clip
from stgcn_lens.data.transforms import clean, fit, prepare
from stgcn_lens.explain import upsample
from stgcn_lens.runs import Run

if TYPE_CHECKING:
    from app.sources import ClipRow, Source
    from stgcn_lens.studies.one_clip import Seen


@dataclass(frozen=True, eq=False)
class Explained:
    """A cleaned clip, what the model says of it, and every layer's evidence for one class.

    `maps`: layer -> (F, V, M) float32 on the clip's own frames, >= 0, not normalised.
    """

    clip: Clip
    probabilities: np.ndarray
    target: int
    maps: dict[str, np.ndarray]
    no_evidence: dict[str, bool]


@dataclass(frozen=True, eq=False)
class Model:
    """A checkpoint, and the lock that whoever runs its model holds: hooks and gradients are the model's own."""

    loaded: Any
    lock: threading.Lock


@st.cache_resource(max_entries=3, show_spinner="Loading the model ...")
def model(folder: str, stamp: str) -> Model:
    """The checkpoint in a folder."""
    from stgcn_lens.models.checkpoints import load

    return Model(load(Path(folder)), threading.Lock())


def layers(source: "Source") -> list[str]:
    """Names in depth order, from "input" to "logits"; the input alone if there is neither a model nor an analysis."""
    if source.has_model:
        return [*model(str(source.model), source.stamp).loaded.model.layers, "logits"]
    if source.path is not None and (source.path / "layers.json").is_file():
        return [row["layer"] for row in analysis.layer_table(str(source.path), source.stamp)]
    return ["input"]


def explain(source: "Source", row: "ClipRow", target: int | None) -> Explained:
    """Every layer's evidence in a clip for a class (None: the predicted one), from one forward and backward pass."""
    return _explain(str(source.model), source.stamp, row.number, target, source, row)


@st.cache_resource(max_entries=128, show_spinner=False)
def _explain(folder: str, stamp: str, number: int, target: int | None, _source: "Source", _row: "ClipRow") -> Explained:
    import torch

    from stgcn_lens.explain.gradcam import grad_cam

    held = model(folder, stamp)
    loaded = held.loaded
    clip = clean(_source.clip(_row), loaded.preprocessing)
    sample = fit(clip, loaded.preprocessing, loaded.bodies)
    classes = None if target is None else torch.tensor([target])
    with held.lock:
        result = grad_cam(loaded.model, torch.from_numpy(sample.x)[None], classes, pooling=_pooling(_source))
    maps = {}
    for layer, by_clip in result.maps.items():
        on_frames = upsample.to_frames(by_clip[0], loaded.model.strides[layer], sample.frames)
        on_clip = upsample.to_clip(on_frames, sample.source, clip.frames)
        there = np.zeros(clip.xyz.shape[1:], np.float32)
        bodies = min(clip.bodies, on_clip.shape[2])
        there[..., :bodies] = on_clip[..., :bodies]
        maps[layer] = there * clip.valid[:, None]
    logits = result.logits[0].astype(np.float64)
    odds = np.exp(logits - logits.max())
    return Explained(
        clip=clip,
        probabilities=odds / odds.sum(),
        target=int(result.target[0]),
        maps=maps,
        no_evidence={layer: bool(none[0]) or not maps[layer].any() for layer, none in result.no_evidence.items()},
    )


def _pooling(source: "Source") -> Literal["clip", "body"]:
    """How the run's stored maps were pooled, so that live ones agree with them."""
    stored = None if source.path is None else source.path / "saliency" / "saliency.json"
    if stored is None or not stored.is_file():
        return "clip"
    return "body" if Run(stored.parents[1]).read_json("saliency/saliency.json").get("pooling") == "body" else "clip"


def predict(folder: str, stamp: str, clip: Clip) -> np.ndarray:
    """(classes,) probabilities that the checkpoint in a folder gives a clip."""
    import torch

    held = model(folder, stamp)
    sample = prepare(clip, held.loaded.preprocessing, held.loaded.bodies)
    with held.lock, torch.inference_mode():
        return torch.softmax(held.loaded.model(torch.from_numpy(sample.x)[None]), dim=1)[0].numpy()


def shown_layer(explained: "Explained | Seen", layer: str) -> str:
    """The layer whose map is shown: the chosen one, or the nearest that has a map (input and logits have none)."""
    if layer in explained.maps:
        return layer
    return next(iter(explained.maps)) if layer == "input" else list(explained.maps)[-1]


def normalised(explained: Explained, layer: str) -> tuple[np.ndarray, float]:
    """A layer's map relative to the clip's maximum in this layer, in [0, 1], and that maximum."""
    raw = explained.maps[layer]
    return upsample.normalise([raw], "clip")[0], float(raw.max(initial=0))
