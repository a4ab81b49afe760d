"""Every clip at every layer: windowed features, streamed to files that can be memory-mapped.

Source: Das, Shekkizhar, Ortega, arXiv 2312.07777: a clip at a layer is the sequence of its frames' features,
cut into windows. `windows.npy` holds the windows of all clips one after the other; those of clip i are rows
``offsets[i]:offsets[i + 1]``.
"""

import csv
import json
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from stgcn_lens.activations import evaluating, record
from stgcn_lens.arrays import NpyWriter
from stgcn_lens.data.batches import Batch, batches
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.rows import present_rows, rows
from stgcn_lens.errors import DataError, LensError, RunError
from stgcn_lens.files import atomic_folder
from stgcn_lens.models.checkpoints import Loaded, load
from stgcn_lens.runs import Run, stage_key


@dataclass(frozen=True)
class EmbedConfig:
    """How a clip becomes a sequence of windows at each layer."""

    window: int = 8
    """Input frames per window (ours; the paper's value could not be seen)."""
    stride: int | None = None
    """Input frames from window to window (ours: as many as a window has)."""
    how: str = "mean"
    """mean of a window's frames, or their concatenation (a short last window then repeats its last frame)."""
    split: str = "test"
    """Which clips of the run: test, val, train or all of these."""
    batch: int = 32
    """Clips per forward pass; does not change the result."""

    def __post_init__(self) -> None:
        if self.window < 1 or (self.stride is not None and not 1 <= self.stride <= self.window) or self.batch < 1:
            raise LensError(
                "impossible windows",
                got=f"window {self.window}, stride {self.stride}, batch {self.batch}",
                expected="window >= 1, 1 <= stride <= window, batch >= 1",
            )
        if self.how not in ("mean", "concatenate"):
            raise LensError("unknown way to make a window", got=repr(self.how), expected="mean or concatenate")
        if self.split not in ("test", "val", "train", "all"):
            raise LensError("unknown split", got=repr(self.split), expected="test, val, train or all")


def windows(features: np.ndarray, config: EmbedConfig, layer_stride: int) -> np.ndarray:
    """Windows (n, D) of one clip's valid rows (rows, D') at a layer of that total stride.

    A window spans max(1, round(w / r_l)) rows; the last one may be shorter and counts; a clip shorter than a
    window has one. D is D' for the mean, D' times the span for the concatenation.
    """
    span = max(1, round(config.window / layer_stride))
    step = max(1, round((config.stride or config.window) / layer_stride))
    count = max(1, -(-(len(features) - span) // step) + 1)
    parts = [features[i * step : i * step + span] for i in range(count)]
    if config.how == "mean":
        return np.stack([part.mean(axis=0) for part in parts])
    return np.stack([np.pad(part, ((0, span - len(part)), (0, 0)), mode="edge").ravel() for part in parts])


def frame_features(activation: np.ndarray, present: np.ndarray, frames: int, layer_stride: int) -> np.ndarray:
    """One clip's rows at a layer, mean over the bodies present: (M, C_l, T_l, V) -> (valid rows, C_l * V)."""
    valid = rows(frames, layer_stride)
    there = present_rows(present, layer_stride, frames).astype(activation.dtype)
    weight = there / np.maximum(there.sum(axis=1, keepdims=True), 1)
    return np.einsum("mctv,tm->tcv", activation[:, :, :valid], weight).reshape(valid, -1)


def embed(
    run: Run,
    config: EmbedConfig,
    *,
    device: str = "cpu",
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write ``embeddings/`` of a run: every layer from "input" to "logits", for the labelled clips of the split.

    One batch of clips is in memory at a time. Returns the number of clips.

    Raises
    ------
    RunError : the run has no model or no clip in the split.
    DataError : a feature is not finite; names clip and layer.
    """
    inputs = {"train": run.key("train"), "weights": str(run.manifest()["stages"]["train"].get("weights"))}
    sides = ("train", "val", "test") if config.split == "all" else (config.split,)
    # A clip without a label would have no place in any label error.
    chosen = np.array(
        [i for i, row in enumerate(read_clips(run)) if row["split"] in sides and row["label"]], dtype=np.int64
    )
    if len(chosen) == 0:
        raise RunError(f"no labelled clip in split '{config.split}'", file=run / "clips.csv", got=0, expected=">= 1")
    if run.fresh("embed", stage_key(config, inputs), "embeddings/clips.npy", "embeddings/layers.json") and not force:
        return len(chosen)
    loaded, clips = open_model(run, device)
    with (
        run.stage("embed", config=config, inputs=inputs, device=device),
        atomic_folder(run / "embeddings") as folder,
        ExitStack() as writers,
    ):
        np.save(folder / "clips.npy", chosen)
        files: dict[str, NpyWriter] = {}
        offsets: dict[str, list[int]] = {}
        about: list[dict[str, object]] = []
        done = 0
        for batch in batches(clips, chosen, loaded.preprocessing, loaded.bodies, config.batch):
            for layer, (channels, sequences) in _embed_batch(loaded, batch, config, device).items():
                if layer not in files:
                    path = folder / layer / "windows.npy"
                    files[layer] = writers.enter_context(closing(NpyWriter(path, np.float32, sequences[0].shape[1:])))
                    offsets[layer] = [0]
                    stride = loaded.model.strides.get(layer)
                    features = sequences[0].shape[1]
                    about.append({"layer": layer, "channels": channels, "stride": stride, "features": features})
                for clip, sequence in zip(batch.clips, sequences, strict=True):
                    if not np.isfinite(sequence).all():
                        raise DataError(
                            f"features at layer '{layer}' are not finite",
                            file=clips.rows[clip].name,
                            got=f"{(~np.isfinite(sequence)).sum()} of {sequence.size} numbers",
                            expected="finite numbers",
                            fix="train again at a lower --lr, or leave the clip out if the other clips are sound",
                        )
                    files[layer].append(sequence)
                    offsets[layer].append(files[layer].rows)
            done += len(batch.clips)
            if progress is not None:
                progress(done, len(chosen))
        for layer, ends in offsets.items():
            np.save(folder / layer / "offsets.npy", np.array(ends, dtype=np.int64))
        (folder / "layers.json").write_text(json.dumps(about, indent=1))
    return len(chosen)


def _embed_batch(
    loaded: Loaded, batch: Batch, config: EmbedConfig, device: str
) -> dict[str, tuple[int, list[np.ndarray]]]:
    """Layer -> its channels, and the windows of each clip of the batch."""
    model = loaded.model
    n, m = len(batch.x), batch.x.shape[-1]
    with torch.inference_mode(), evaluating(model), record(model, model.layers) as kept:  # type: ignore[arg-type]
        logits = model(torch.from_numpy(batch.x).to(device))
        layers = {name: kept[name].float().cpu().numpy() for name in model.layers}
    out: dict[str, tuple[int, list[np.ndarray]]] = {}
    for name, activation in layers.items():
        stride = model.strides[name]
        by_clip = activation.reshape(n, m, *activation.shape[1:])
        sequences = [
            windows(frame_features(by_clip[i], batch.present[i], int(batch.frames[i]), stride), config, stride)
            for i in range(n)
        ]
        out[name] = activation.shape[1], sequences
    out["logits"] = logits.shape[1], list(logits.float().cpu().numpy()[:, None])
    return out


def open_model(run: Run, device: str) -> tuple[Loaded, ClipSet]:
    """The run's network and its clips.

    Raises
    ------
    DataError : the clips are of another layout or have other channels than the network.
    RunError : they are not the ones that `train` left there.
    """
    loaded, clips = load(run.path, device=device), open_clips(run)
    mend = f"put the clips of that training back, or train anew: stgcn-lens train --data DATA --out {run.path}"
    loaded.check(clips, file=clips.folder, fix=mend)
    trained = run.manifest()["stages"]["train"]["inputs"]["clips"]
    if clips.fingerprint() != trained:
        got, expected = (f"fingerprint {text[:12]}..." for text in (clips.fingerprint(), trained))
        raise RunError("the clips have changed since `train`", file=clips.folder, got=got, expected=expected, fix=mend)
    return loaded, clips


def open_clips(run: Run) -> ClipSet:
    """The clips that the run was made from."""
    elsewhere = run.manifest().get("data")
    return ClipSet.open(Path(elsewhere) if elsewhere else run / "data")


def read_clips(run: Run) -> list[dict[str, str]]:
    """Rows of clips.csv; `RunError` if the run has none."""
    path = run / "clips.csv"
    if not path.is_file():
        raise RunError("missing from the run", file=path, fix="run: stgcn-lens train --data DATA --out RUN")
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))
