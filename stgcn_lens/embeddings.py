"""Every clip at every layer: windowed features, streamed to files that can be memory-mapped.

Source: Das, Shekkizhar, Ortega, arXiv 2312.07777: a clip at a layer is the sequence of its frames' features,
cut into windows. `windows.npy` holds the windows of all clips one after the other; those of clip i are rows
``offsets[i]:offsets[i + 1]``.
"""

import csv
import json
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from stgcn_lens import __version__
from stgcn_lens.activations import evaluating, plain_float32, record
from stgcn_lens.data.batches import Batch, ahead, batches
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.errors import DataError, LensError, RunError, WorkError
from stgcn_lens.files import atomic_folder, fingerprint
from stgcn_lens.models.checkpoints import Loaded, load
from stgcn_lens.parts import Parts, clear, open_parts
from stgcn_lens.processes import ALONE, Group
from stgcn_lens.runs import Run, stage_key
from stgcn_lens.shelf import Piece, Shelf, put_together
from stgcn_lens.windows import How, windows

_KEEP = 20.0  # seconds of work that a killed process loses at most (ours)


@dataclass(frozen=True)
class EmbedConfig:
    """How a clip becomes a sequence of windows at each layer."""

    window: int = 8
    """Input frames per window (ours; the paper's value could not be seen)."""
    stride: int | None = None
    """Input frames from window to window (ours: as many as a window has)."""
    how: How = "mean"
    """mean of a window's frames, or their concatenation (a short last window then repeats its last frame)."""
    split: str = "test"
    """Which clips of the run: test, val, train or all of these."""
    batch: int = 32
    """Clips per forward pass; does not change the result."""
    storage: Literal["float32", "float16"] = "float32"
    """Type of the numbers in the files; float16 takes half the disk, keeps 3 digits, and holds nothing above 65504."""

    def __post_init__(self) -> None:
        if self.window < 1 or (self.stride is not None and not 1 <= self.stride <= self.window) or self.batch < 1:
            raise LensError(
                "impossible windows",
                got=f"window {self.window}, stride {self.stride}, batch {self.batch}",
                expected="window >= 1, 1 <= stride <= window, batch >= 1",
            )
        if self.how not in ("mean", "concatenate"):
            raise LensError("unknown way to make a window", got=repr(self.how), expected="mean or concatenate")
        if self.storage not in ("float32", "float16"):
            raise LensError("unknown storage", got=repr(self.storage), expected="float32 or float16")
        if self.split not in ("test", "val", "train", "all"):
            raise LensError("unknown split", got=repr(self.split), expected="test, val, train or all")


def embed(
    run: Run,
    config: EmbedConfig,
    *,
    network: Loaded | None = None,
    device: str = "cpu",
    group: Group = ALONE,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write ``embeddings/`` of a run: every layer from "input" to "logits", for the labelled clips of the split.

    A few batches of clips are in memory at a time. Killed and started again, it goes on where it was.
    Returns the number of clips.

    Parameters
    ----------
    network : the run's network where it is already here, or one that no checkpoint holds; by default the run's own.
    group : the processes that share the clips; process 0 writes the result.
    progress : called with (clips done, clips in all).

    Raises
    ------
    RunError : the run has no model or no clip in the split.
    DataError : a feature is not finite, or too large for the storage; names clip and layer.
    """
    inputs = {"train": run.key("train"), "weights": str(run.manifest()["stages"]["train"].get("weights"))}
    if network is not None:
        inputs["weights"] = network.hash
    chosen = labelled(run, config.split)
    key = stage_key(config, inputs)
    done = run.fresh("embed", key, "embeddings/clips.npy", "embeddings/layers.json") and not force
    if group.agreed(done):
        if group.first:
            clear(run.path, "embed")
        return len(chosen)
    loaded, clips = open_model(run, device, network)
    layers = [*loaded.model.layers, "logits"]
    with ExitStack() as stage:
        if group.first:
            about = stage.enter_context(run.stage("embed", config=config, inputs=inputs, device=device))
            about["processes"] = group.world
        with group.in_turn():
            work = fingerprint(key, device.partition(":")[0], __version__).hexdigest()
            parts = open_parts(run.path, "embed", work)
        try:
            _fill(parts, loaded, clips, chosen, config, device, group, progress)
        except DataError:
            if group.world == 1:
                clear(run.path, "embed")  # the same clip would stop it again
            raise
        group.meet()
        if group.first:
            with atomic_folder(run / "embeddings") as folder:
                _finish(folder, _shelves(parts, layers, len(chosen), config, group), layers, loaded, chosen)
    if group.first:
        clear(run.path, "embed")
    group.meet()
    return len(chosen)


def labelled(run: Run, split: str) -> np.ndarray:
    """Rows of clips.csv of the split, (N,) int64; a clip without a label has no place in any label error.

    Raises
    ------
    RunError : there is none.
    """
    sides = ("train", "val", "test") if split == "all" else (split,)
    found = [i for i, row in enumerate(read_clips(run)) if row["split"] in sides and row["label"]]
    if not found:
        raise RunError(f"no labelled clip in split '{split}'", file=run / "clips.csv", got=0, expected=">= 1")
    return np.array(found, dtype=np.int64)


def _fill(
    parts: Parts,
    loaded: Loaded,
    clips: ClipSet,
    chosen: np.ndarray,
    config: EmbedConfig,
    device: str,
    group: Group,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Put this process's share of the clips onto its shelf."""
    first, last = _ranges(len(chosen), config.batch, group.world)[group.rank]
    shelf = _shelf(parts, [*loaded.model.layers, "logits"], config, first, last)
    left = batches(clips, chosen[first + shelf.clips : last], loaded.preprocessing, loaded.bodies, config.batch)
    kept = time.monotonic()
    try:
        for batch, pieces in ahead((batch, embed_batch(loaded, batch, config, device)) for batch in ahead(left)):
            for layer, piece in pieces.items():
                piece.check(config.storage, layer, [clips.rows[clip].name for clip in batch.clips])
            shelf.append(pieces)
            if time.monotonic() - kept > _KEEP:
                shelf.keep()
                kept = time.monotonic()
            if progress is not None:
                # The others have shares of the same size.
                progress(shelf.clips * len(chosen) // (last - first), len(chosen))
        shelf.keep()
    except BaseException:
        with suppress(LensError):
            shelf.keep()
        raise
    finally:
        shelf.close()


def _finish(folder: Path, shelves: list[Shelf], layers: list[str], loaded: Loaded, chosen: np.ndarray) -> None:
    """Write the whole result from what all processes have done."""
    put_together(shelves, layers, folder)
    np.save(folder / "clips.npy", chosen)
    first = next(shelf for shelf in shelves if shelf.clips)
    table = []
    for layer in layers:
        channels, features = first.facts(layer)
        stride = loaded.model.strides.get(layer)
        table.append({"layer": layer, "channels": channels, "stride": stride, "features": features})
    (folder / "layers.json").write_text(json.dumps(table, indent=1))


def _ranges(n: int, batch: int, world: int) -> list[tuple[int, int]]:
    """Which of n clips each process embeds: whole batches, so that every batch is as with one process."""
    shares = [Group(rank, world).share(-(-n // batch)) for rank in range(world)]
    return [(share.start * batch, min(share.stop * batch, n)) for share in shares]


def _shelf(parts: Parts, layers: list[str], config: EmbedConfig, first: int, last: int) -> Shelf:
    return Shelf(parts, f"{first:08d}_{last:08d}", layers, config.storage)


def _shelves(parts: Parts, layers: list[str], n: int, config: EmbedConfig, group: Group) -> list[Shelf]:
    """What all processes have done, in the order of the clips."""
    ranges = _ranges(n, config.batch, group.world)
    shelves = [_shelf(parts, layers, config, *ends) for ends in ranges]
    found = sum(shelf.clips for shelf in shelves)
    if found != n:
        fix = "all processes must see the same run folder"
        raise WorkError("embeddings that other processes made are not here", got=found, expected=f"{n} clips", fix=fix)
    return shelves


def embed_batch(loaded: Loaded, batch: Batch, config: EmbedConfig, device: str) -> dict[str, Piece]:
    """Layer -> the windows of the clips of the batch; one transfer brings them all from the device.

    Raises
    ------
    WorkError : the batch does not fit into the GPU's memory.
    """
    try:
        return _on_device(loaded, batch, config, device)
    except torch.OutOfMemoryError as error:
        fix = f"embed with --batch {max(1, config.batch // 2)}"
        raise WorkError("the GPU's memory does not hold a batch", got=f"{len(batch.x)} clips", fix=fix) from error


def _on_device(loaded: Loaded, batch: Batch, config: EmbedConfig, device: str) -> dict[str, Piece]:
    model = loaded.model
    found, counts, channels = [], [], []
    with torch.inference_mode(), plain_float32(device), evaluating(model), record(model, model.layers) as kept:  # type: ignore[arg-type]
        x = torch.from_numpy(batch.x)
        logits = model((x.pin_memory() if device.startswith("cuda") else x).to(device, non_blocking=True))
        for name in model.layers:
            rows, count = windowed(kept[name], batch, model.strides[name], config)
            found.append(rows)
            counts.append(count)
            channels.append(kept[name].shape[1])
        found.append(logits.float())
        counts.append(np.ones(len(batch.x), dtype=np.int64))
        channels.append(logits.shape[1])
        whole = torch.cat([rows.flatten() for rows in found]).cpu().numpy()
    edges = np.cumsum([0, *(rows.numel() for rows in found)])
    out = {}
    for place, name in enumerate([*model.layers, "logits"]):
        own = whole[edges[place] : edges[place + 1]].reshape(found[place].shape)
        out[name] = Piece(own, counts[place], channels[place])
    return out


def windowed(
    activation: torch.Tensor, batch: Batch, stride: int, config: EmbedConfig
) -> tuple[torch.Tensor, np.ndarray]:
    """Windows of a batch at a layer of that total stride, and how many each clip has; see `windows.windows`."""
    return windows(
        activation,
        batch.present,
        batch.frames,
        stride=stride,
        window=config.window,
        window_stride=config.stride,
        how=config.how,
    )


def open_model(run: Run, device: str, network: Loaded | None = None) -> tuple[Loaded, ClipSet]:
    """The run's network, or the one given, on the device, and the run's clips.

    Raises
    ------
    DataError : the clips are of another layout or have other channels than the network.
    RunError : they are not the ones that `train` left there.
    """
    loaded, clips = network or load(run.path, device=device), open_clips(run)
    if network is not None:
        network.model.to(device)  # type: ignore[attr-defined]
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
