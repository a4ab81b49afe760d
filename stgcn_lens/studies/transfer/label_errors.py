"""How smooth the target's labels are over the clips at every layer of the source network, before anything is tuned."""

from collections.abc import Callable
from contextlib import closing

import numpy as np

from stgcn_lens.arrays import open_npy
from stgcn_lens.data.batches import batches
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.distances import Sequences
from stgcn_lens.embeddings import EmbedConfig, embed_batch
from stgcn_lens.files import atomic_folder
from stgcn_lens.graphs import GraphConfig, layer_graph
from stgcn_lens.graphs.smoothness import label_errors, row_normalised
from stgcn_lens.models.checkpoints import Loaded
from stgcn_lens.parts import Parts
from stgcn_lens.shelf import Shelf, put_together
from stgcn_lens.studies.layers import same_torch_threads

MEASURES = ("knn", "nnk")
_BATCH = 32  # clips per forward pass; does not change the result


def errors_of_layers(
    loaded: Loaded,
    clips: ClipSet,
    rows: np.ndarray,
    k: int,
    window: int,
    device: str,
    parts: Parts,
    said: Callable[[int], None],
) -> dict[str, np.ndarray]:
    """Measure -> (L, n) weight of each clip on neighbours of another class, at every layer from "input" on.

    Parameters
    ----------
    rows : (n,) clips of the set; neighbours are looked for among them alone.
    parts : a folder of their own; what is finished stays there.
    said : called with the number of layers that are done.
    """
    layers = list(loaded.model.layers)
    folder = parts.folder / "windows"
    if not folder.is_dir():
        _embed(loaded, clips, rows, window, device, parts, layers)
    labels = clips.labels[rows]
    found: dict[str, list[np.ndarray]] = {name: [] for name in MEASURES}
    for number, layer in enumerate(layers, start=1):
        part = parts.read(layer)
        if part is None:
            windows, offsets = (open_npy(folder / layer / f"{name}.npy") for name in ("windows", "offsets"))
            with same_torch_threads():
                near, nnk = layer_graph(Sequences(windows, offsets), GraphConfig(k=k))
            part = {
                "knn": label_errors(near.indices, row_normalised(np.ones_like(near.distances)), labels),
                "nnk": label_errors(nnk.indices, row_normalised(nnk.weights), labels),
            }
            parts.write(layer, **part)
        for name in MEASURES:
            found[name].append(part[name])
        said(number)
    return {name: np.stack(values) for name, values in found.items()}


def chance(labels: np.ndarray) -> float:
    """What either label error is on average when labels are permuted: the share of other classes among the others."""
    sizes, n = np.bincount(labels), len(labels)
    return float(1 - (sizes * (sizes - 1)).sum() / (n * (n - 1)))


def _embed(
    loaded: Loaded, clips: ClipSet, rows: np.ndarray, window: int, device: str, parts: Parts, layers: list[str]
) -> None:
    """The windows of every layer as files, one forward pass for all."""
    config = EmbedConfig(window=window, batch=_BATCH)
    with closing(Shelf(parts, "shelf", layers, np.float32)) as shelf:
        for batch in batches(clips, rows[shelf.clips :], loaded.preprocessing, loaded.bodies, _BATCH):
            pieces = embed_batch(loaded, batch, config, device)
            for layer, piece in pieces.items():
                piece.check("float32", layer, [clips.rows[clip].name for clip in batch.clips])
            shelf.append(pieces)
        shelf.keep()
    with atomic_folder(parts.folder / "windows") as folder:
        put_together([Shelf(parts, "shelf", layers, np.float32)], layers, folder)
