"""What a network makes of clips, all in memory: answers, windows of every layer and Grad-CAM, from one pass."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from stgcn_lens.activations import plain_float32
from stgcn_lens.data.batches import Batch, ahead, batches
from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.rows import present_rows, rows
from stgcn_lens.data.transforms import Sample
from stgcn_lens.distances import Sequences
from stgcn_lens.embeddings import EmbedConfig, windowed
from stgcn_lens.errors import WorkError
from stgcn_lens.explain.gradcam import channel_weighted
from stgcn_lens.explain.layer_gradients import layer_gradients, maps_of
from stgcn_lens.models.checkpoints import Loaded
from stgcn_lens.studies.maps import cells_in

INPUT, LOGITS = "input", "logits"


@dataclass(frozen=True, eq=False)
class Seen:
    """N clips as a network sees them.

    Attributes
    ----------
    predicted : (N,) int64.
    windows : layer -> windows of the clips.
    maps : block -> Grad-CAM of each clip, (valid rows, V, M) float32, not normalised.
    there : block -> which bodies are in the rows of each clip, (valid rows, M) bool.
    """

    predicted: np.ndarray
    windows: dict[str, Sequences]
    maps: dict[str, list[np.ndarray]]
    there: dict[str, list[np.ndarray]]


def look(
    network: Loaded,
    clips: ClipSet,
    chosen: np.ndarray,
    layers: tuple[str, ...],
    config: EmbedConfig,
    *,
    target: np.ndarray | None = None,
    make: Callable[[Clip], Sample] | None = None,
    batch: int,
    device: str,
) -> Seen:
    """One forward and one backward pass over the chosen clips.

    Parameters
    ----------
    layers : of which windows are kept; "logits" may be among them. Maps are kept of the blocks among them.
    target : (N,) the classes that the maps speak for; by default the predicted ones.
    make : prepares a clip; by default as the network asks for it, and no more.

    Raises
    ------
    WorkError : a batch does not fit into the GPU's memory.
    DataError, LensError : a feature or an answer is not finite.
    """
    blocks = [layer for layer in layers if layer not in (INPUT, LOGITS)]
    seen = Seen(np.empty(0), {}, {name: [] for name in blocks}, {name: [] for name in blocks})
    parts: dict[str, list[np.ndarray]] = {layer: [] for layer in layers}
    counts: dict[str, list[np.ndarray]] = {layer: [] for layer in layers}
    predicted: list[np.ndarray] = []
    given = batches(clips, chosen, network.preprocessing, network.bodies, batch, make=make)
    done = 0
    for some in ahead(given):
        of = None if target is None else torch.from_numpy(target[done : done + len(some.x)])
        done += len(some.x)
        try:
            predicted.append(_batch(network, some, of, blocks, config, device, seen, parts, counts))
        except torch.OutOfMemoryError as error:
            fix = f"study with --batch {max(1, len(some.x) // 2)}"
            raise WorkError("the GPU's memory does not hold a batch", got=f"{len(some.x)} clips", fix=fix) from error
    held = {}
    for layer in layers:
        offsets = np.concatenate([[0], np.cumsum(np.concatenate(counts[layer]))])
        held[layer] = Sequences(np.concatenate(parts[layer]), offsets)
    return Seen(np.concatenate(predicted), held, seen.maps, seen.there)


def _batch(
    network: Loaded,
    some: Batch,
    target: torch.Tensor | None,
    blocks: list[str],
    config: EmbedConfig,
    device: str,
    seen: Seen,
    parts: dict[str, list[np.ndarray]],
    counts: dict[str, list[np.ndarray]],
) -> np.ndarray:
    """Put what a batch shows to the lists; the predicted classes."""
    model = network.model
    named = [layer for layer in parts if layer != LOGITS]
    # With no layer but the logits asked for, some layer still has to be named.
    with plain_float32(device):
        found = layer_gradients(model, torch.from_numpy(some.x).to(device), target, None, named or [INPUT])
    for layer in named:
        own, count = windowed(found.features[layer], some, model.strides[layer], config)
        parts[layer].append(own.cpu().numpy())
        counts[layer].append(count)
    if LOGITS in parts:
        parts[LOGITS].append(found.logits.float().cpu().numpy())
        counts[LOGITS].append(np.ones(len(some.x), dtype=np.int64))
    rule, cells = channel_weighted(), cells_in(some, network)
    made = maps_of(found, blocks, model.strides, cells=cells, signed=False, weigh=rule)
    for block in blocks:
        stride = model.strides[block]
        for map, present, frames in zip(made.maps[block], some.present, some.frames, strict=True):
            seen.maps[block].append(map[: rows(int(frames), stride)])
            seen.there[block].append(present_rows(present, stride, int(frames)))
    return np.asarray(found.logits.argmax(dim=1).cpu().numpy(), dtype=np.int64)
