"""Saliency of every clip under analysis at every layer, streamed into ``saliency/`` of a run."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from stgcn_lens.arrays import NpyWriter, read_rows
from stgcn_lens.data.batches import batches
from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.rows import present_rows, rows
from stgcn_lens.data.transforms import clean, fit
from stgcn_lens.embeddings import open_model
from stgcn_lens.errors import LensError
from stgcn_lens.explain.evaluate import LocalisationConfig, class_by_joint, localise
from stgcn_lens.explain.gradcam import grad_cam
from stgcn_lens.explain.upsample import to_clip, to_frames
from stgcn_lens.files import atomic_folder
from stgcn_lens.models.checkpoints import Loaded
from stgcn_lens.runs import Run, plain, stage_key


@dataclass(frozen=True)
class ExplainConfig:
    """Which saliency is computed."""

    signed: bool = False
    """Keep evidence against the class as negative values."""
    pooling: Literal["clip", "body"] = "clip"
    """Channel weights per clip (the authors') or per body (captum's)."""
    batch: int = 16
    """Clips per pass; does not change the result."""
    localisation: LocalisationConfig = field(default_factory=LocalisationConfig)

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise LensError("impossible batch", got=self.batch, expected=">= 1")


def explain(
    run: Run,
    config: ExplainConfig,
    *,
    device: str = "cpu",
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Grad-CAM of the predicted class at every block, for the clips that were embedded; returns the layers.

    Writes maps per layer, the class-by-joint tables and, where clips carry planted evidence, localisation.
    """
    inputs = {"embed": run.key("embed")}
    if run.fresh("explain", stage_key(config, inputs), "saliency/saliency.json") and not force:
        return [row["layer"] for row in run.read_json("saliency/saliency.json")["layers"]]
    loaded, clips = open_model(run, device)
    chosen = run.read_array("embeddings/clips.npy")
    layers = [name for name in loaded.model.layers if name != "input"]
    with run.stage("explain", config=config, inputs=inputs, device=device) as record:
        with atomic_folder(run / "saliency") as folder:
            silent, targets, seen = _write_maps(folder, loaded, clips, chosen, layers, config, device, progress)
            about = {
                "method": "gradcam",
                "target": "predicted",
                "signed": config.signed,
                "pooling": config.pooling,
                "normalisation": "none",
                "layers": [
                    {"layer": name, "stride": loaded.model.strides[name], "no_evidence": float(np.mean(silent[name]))}
                    for name in layers
                ],
            }
            (folder / "saliency.json").write_text(json.dumps(plain(about), indent=1))
            if not config.signed:
                _write_tables(folder, loaded, layers, targets, seen)
                if clips.evidence is not None:
                    scores = _localise(folder, loaded, clips, chosen, layers, config.localisation)
                    (folder / "localisation.json").write_text(json.dumps(scores, indent=1))
        record["clips"] = len(chosen)
    return layers


def _write_maps(
    folder: Path,
    loaded: Loaded,
    clips: ClipSet,
    chosen: np.ndarray,
    layers: Sequence[str],
    config: ExplainConfig,
    device: str,
    progress: Callable[[int, int], None] | None,
) -> tuple[dict[str, list[bool]], list[int], list[np.ndarray]]:
    """Valid rows of all maps, clip after clip.

    Returns which clips are silent per layer, the classes explained, and each clip's presence (real frames, M).
    """
    model, cells = loaded.model, (loaded.layout.V, loaded.bodies)
    offsets: dict[str, list[int]] = {name: [0] for name in layers}
    silent: dict[str, list[bool]] = {name: [] for name in layers}
    targets: list[int] = []
    seen: list[np.ndarray] = []
    with ExitStack() as writers:
        files = {
            name: writers.enter_context(closing(NpyWriter(folder / name / "maps.npy", np.float32, cells)))
            for name in layers
        }
        for batch in batches(clips, chosen, loaded.preprocessing, loaded.bodies, config.batch):
            x = torch.from_numpy(batch.x).to(device)
            cam = grad_cam(model, x, layers=layers, signed=config.signed, pooling=config.pooling)
            targets += cam.target.tolist()
            seen += [there[:frames] for there, frames in zip(batch.present, batch.frames, strict=True)]
            for name in layers:
                stride = model.strides[name]
                for i, frames in enumerate(int(f) for f in batch.frames):
                    # Empty body slots and padded frames have activations too; nothing there is evidence.
                    there = present_rows(batch.present[i], stride, frames)
                    shown = cam.maps[name][i, : rows(frames, stride)] * there[:, None]
                    silent[name].append(bool(shown.max() <= 0))
                    files[name].append(shown)
                    offsets[name].append(files[name].rows)
            if progress is not None:
                progress(len(targets), len(chosen))
    for name in layers:
        np.save(folder / name / "offsets.npy", np.array(offsets[name], dtype=np.int64))
    return silent, targets, seen


def read_maps(folder: Path, layer: str) -> Iterator[np.ndarray]:
    """Maps of a layer, clip by clip, (valid rows, V, M), read one at a time."""
    maps = np.load(folder / layer / "maps.npy", mmap_mode="r", allow_pickle=False)
    offsets = np.load(folder / layer / "offsets.npy", allow_pickle=False)
    return (read_rows(maps, int(a), int(b)) for a, b in pairwise(offsets))


def _write_tables(
    folder: Path, loaded: Loaded, layers: Sequence[str], targets: Sequence[int], seen: Sequence[np.ndarray]
) -> None:
    """class_by_joint.npy of each layer: maps speak for the predicted class and count under it."""
    for name in layers:
        there = (present_rows(present, loaded.model.strides[name]) for present in seen)
        table = class_by_joint(read_maps(folder, name), targets, len(loaded.classes), there)
        np.save(folder / name / "class_by_joint.npy", table)


def _localise(
    folder: Path,
    loaded: Loaded,
    clips: ClipSet,
    chosen: np.ndarray,
    layers: Sequence[str],
    config: LocalisationConfig,
) -> list[dict]:
    """Scores of every layer's maps against the planted evidence, on the frames of the cleaned clips."""
    prep = loaded.preprocessing

    def cleaned() -> Iterator[Clip]:
        return (clean(clips[int(i)], prep) for i in chosen)

    def on_clips() -> Iterator[dict[str, np.ndarray]]:
        streams = {name: read_maps(folder, name) for name in layers}
        for clip in cleaned():
            sample = fit(clip, prep, loaded.bodies)
            yield {
                name: to_clip(
                    to_frames(next(streams[name]), loaded.model.strides[name], sample.frames),
                    sample.source,
                    clip.frames,
                )
                for name in layers
            }

    return [plain(score) for score in localise(cleaned(), on_clips(), config)]
