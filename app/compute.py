"""What the model says of a clip and which evidence every layer holds, computed live and cached."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import streamlit as st

from app import analysis, opening
from stgcn_lens.data.clip import Clip
from stgcn_lens.data.transforms import EARLIER, Preprocessing, Sample, clean, fit, prepare
from stgcn_lens.errors import RunError
from stgcn_lens.explain import upsample
from stgcn_lens.explain.cells import Cells, cells_of
from stgcn_lens.runs import Run

if TYPE_CHECKING:
    from app.sources import ClipRow, Source
    from stgcn_lens.studies.one_clip import Seen

GRADCAM = "gradcam"
# The rows of EXPLAINERS, in its order; the table itself needs captum, and the sidebar must not wait for that.
QUICK = (GRADCAM, "hirescam", "layercam", "gradcampp", "saliency", "input_x_gradient")
SLOW = {
    "layer_integrated_gradients": "32 times, forward and back through every layer",
    "integrated_gradients": "32 times, forward and back",
    "occlusion_joints": "once for every joint",
    "occlusion_parts": "once for every body part",
    "occlusion_windows": "once for every window of 8 frames",
    "occlusion_cells": "once for every joint in every window of 8 frames",
    "shapley_parts": "once for every group of body parts",
}
KEPT = 96  # explained clips of all sessions together; ten layers of 300 frames and two people take 0.7 MB (ours)


@dataclass(frozen=True, eq=False)
class Explained:
    """A cleaned clip, what the model says of it, and every layer's evidence for one class.

    `maps`: layer -> (F, V, M) float32 on the clip's own frames, >= 0, not normalised; "input" alone for a method that
    explains the input only. `target` is the class explained, `against` the one that it is held against, if any.
    """

    clip: Clip
    probabilities: np.ndarray
    target: int
    maps: dict[str, np.ndarray]
    no_evidence: dict[str, bool]
    method: str = GRADCAM
    against: int | None = None


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
    if opening.loading.is_set() and (known := _analysed(source)) and st.query_params.get("layer") in (None, *known):
        return known
    if source.has_model:
        if source.path is None and (kept := opening.read(source.model)) is not None:
            return list(kept.layers)
        return [*model(str(source.model), source.stamp).loaded.model.layers, "logits"]
    return _analysed(source) or ["input"]


def _analysed(source: "Source") -> list[str]:
    """The layers of a run's graphs; none if there are none."""
    if source.path is None or not (source.path / "layers.json").is_file():
        return []
    return [row["layer"] for row in analysis.layer_table(str(source.path), source.stamp)]


def explain(
    source: "Source",
    row: "ClipRow",
    target: int | None,
    method: str = GRADCAM,
    against: int | None = None,
    *,
    by: "Source | None" = None,
) -> Explained:
    """A method's evidence in a clip, at every layer that it explains, computed once for all who ask.

    Parameters
    ----------
    target : the class that is explained; None: the predicted one. `against`: explain the difference to this one.
    by : whose model is asked; by default that of the clip's own source.

    Raises
    ------
    RunError : the model knows other skeletons than the clip's. LensError: see `explain.EXPLAINERS`.
    """
    by = by or source
    if source.path is None and by is source and (target, method, against) == (None, GRADCAM, None):
        kept = opening.read(source.model)
        if kept is not None and kept.number == row.number:
            return _kept(source, row, kept)
    return live(source, row, target, method, against, by=by)


def _kept(source: "Source", row: "ClipRow", kept: opening.Opening) -> Explained:
    """The evidence that the app opens on, without the network."""
    said = kept.probabilities[row.number]
    return Explained(
        clip=clean(source.clip(row), Preprocessing(**{**EARLIER, **kept.preprocessing})),
        probabilities=said,
        target=int(said.argmax()),
        maps=kept.maps,
        no_evidence={layer: not map.any() for layer, map in kept.maps.items()},
    )


def live(
    source: "Source",
    row: "ClipRow",
    target: int | None = None,
    method: str = GRADCAM,
    against: int | None = None,
    *,
    by: "Source | None" = None,
) -> Explained:
    """`explain`, asked of the network even where the answer is kept."""
    by = by or source
    whose = (str(source.path), source.stamp, row.number)
    return _explain(str(by.model), by.stamp, whose, target, method, against, source, row, by)


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _explain(
    folder: str,
    stamp: str,
    whose: tuple[str, str, int],
    target: int | None,
    method: str,
    against: int | None,
    _source: "Source",
    _row: "ClipRow",
    _by: "Source",
) -> Explained:
    import torch

    held = model(folder, stamp)
    fed = feed(held, _source.clip(_row))
    classes, others = (None if side is None else torch.tensor([side]) for side in (target, against))
    how = {"pooling": _pooling(_by)} if method == GRADCAM else {}
    with held.lock:
        result = _function(method)(
            held.loaded.model, torch.from_numpy(fed.sample.x)[None], classes, against=others, cells=[fed.cells], **how
        )
    maps = {layer: fed.on_clip(maps[0], held.loaded.model.strides[layer]) for layer, maps in result.maps.items()}
    return Explained(
        clip=fed.clip,
        probabilities=softmax(result.logits[0]),
        target=int(result.target[0]),
        maps=maps,
        no_evidence={layer: bool(none[0]) or not maps[layer].any() for layer, none in result.no_evidence.items()},
        method=method,
        against=against,
    )


def _function(method: str) -> Callable[..., Any]:
    """The method; the one that the app opens on comes without captum, which takes long to import."""
    if method == GRADCAM:
        from stgcn_lens.explain.gradcam import grad_cam

        return grad_cam
    from stgcn_lens.explain import EXPLAINERS

    return EXPLAINERS[method].function


@dataclass(frozen=True, eq=False)
class Fed:
    """A clip as a model is fed it: cleaned, and as a sample with its cells."""

    clip: Clip
    sample: Sample
    cells: Cells

    def on_clip(self, map: np.ndarray, stride: int) -> np.ndarray:
        """A layer's map (T_l, V, M') on the frames and bodies of the cleaned clip, (F, V, M) float32."""
        return upsample.on_clip(map, stride, self.sample, self.clip)


def feed(held: Model, clip: Clip) -> Fed:
    """A recorded clip, prepared for a model; `RunError` if the model knows other skeletons."""
    loaded, prep = held.loaded, held.loaded.preprocessing
    if loaded.layout.joints != clip.skeleton.joints:
        raise RunError(
            f"the model cannot read '{clip.name}'",
            got=f"a skeleton of layout {clip.layout}, {clip.skeleton.V} joints",
            expected=f"layout {loaded.layout.name}, {loaded.layout.V} joints",
            fix="choose a run of the same layout",
        )
    cleaned = clean(clip, prep)
    sample = fit(cleaned, prep, loaded.bodies)
    return Fed(cleaned, sample, cells_of(sample, loaded.layout, prep.stream, replayed=prep.fit == "replay"))


def softmax(logits: np.ndarray) -> np.ndarray:
    """(classes,) probabilities, float64."""
    odds = np.exp(logits.astype(np.float64) - logits.max())
    return odds / odds.sum()


def _pooling(source: "Source") -> Literal["clip", "body"]:
    """How the run's stored maps were pooled, so that live ones agree with them."""
    stored = None if source.path is None else source.path / "saliency" / "saliency.json"
    if stored is None or not stored.is_file():
        return "clip"
    return "body" if Run(stored.parents[1]).read_json("saliency/saliency.json").get("pooling") == "body" else "clip"


def predict(folder: str, stamp: str, clip: Clip) -> np.ndarray:
    """(classes,) probabilities that the checkpoint in a folder gives a clip."""
    return predict_all(folder, stamp, [clip])[0]


def predict_all(folder: str, stamp: str, clips: Sequence[Clip]) -> np.ndarray:
    """(N, classes) probabilities of a few clips, in one pass."""
    import torch

    held = model(folder, stamp)
    fed = [prepare(clip, held.loaded.preprocessing, held.loaded.bodies).x for clip in clips]
    with held.lock, torch.inference_mode():
        return torch.softmax(held.loaded.model(torch.from_numpy(np.stack(fed))), dim=1).numpy()


def shown_layer(explained: "Explained | Seen", layer: str) -> str:
    """The layer whose map is shown: the chosen one, or the nearest that has a map (input and logits have none)."""
    if layer in explained.maps:
        return layer
    return next(iter(explained.maps)) if layer == "input" else list(explained.maps)[-1]


def scaled(maps: Sequence[np.ndarray], *, shared: bool) -> list[np.ndarray]:
    """Maps (F, V, M) in [0, 1]: each relative to its own maximum, or all to the largest of them."""
    if shared:
        return upsample.normalise(maps, "layer")
    return [upsample.normalise([map], "clip")[0] for map in maps]


def normalised(explained: Explained, layer: str) -> tuple[np.ndarray, float]:
    """A layer's map relative to the clip's maximum in this layer, in [0, 1], and that maximum."""
    raw = explained.maps[layer]
    return upsample.normalise([raw], "clip")[0], float(raw.max(initial=0))
