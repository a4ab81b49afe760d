"""What a network says of one clip, of whatever set: its answer, the evidence at every layer, its neighbours."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from stgcn_lens.arrays import read_rows
from stgcn_lens.data.batches import Batch
from stgcn_lens.data.clip import Clip
from stgcn_lens.data.transforms import Sample, clean, fit
from stgcn_lens.distances import Sequences, get_distance
from stgcn_lens.distances.window_dtw import RELATIVE
from stgcn_lens.embeddings import EmbedConfig, embed_batch
from stgcn_lens.explain.comparison import in_parts
from stgcn_lens.explain.gradcam import Pooling, grad_cam
from stgcn_lens.explain.upsample import on_clip
from stgcn_lens.models.checkpoints import Loaded

_TILE = 32 << 20  # bytes of the others' windows that are in memory at once (ours)


@dataclass(frozen=True, eq=False)
class Seen:
    """A clip as a network sees it.

    Attributes
    ----------
    clip, sample : the cleaned clip of F frames, and what the network is fed.
    probabilities : (classes,) float64.
    target : the class whose evidence the maps show.
    maps : layer -> (F, V, M) float32 on the clip's own frames, >= 0, not normalised; zero where no body is.
    no_evidence : layer -> whether its map is zero everywhere.
    """

    clip: Clip
    sample: Sample
    probabilities: np.ndarray
    target: int
    maps: dict[str, np.ndarray]
    no_evidence: dict[str, bool]


def look(
    loaded: Loaded, clip: Clip, target: int | None = None, *, against: int | None = None, pooling: Pooling = "clip"
) -> Seen:
    """A recorded clip's answer and the Grad-CAM of every block, from one forward and one backward pass.

    Parameters
    ----------
    target : the class to explain; None: the predicted one.
    against : explain by how much its score exceeds that of this class.
    pooling : see `grad_cam`.

    Raises
    ------
    DataError : the clip holds nobody, or does not fit its layout.
    """
    cleaned = clean(clip, loaded.preprocessing)
    sample = fit(cleaned, loaded.preprocessing, loaded.bodies)
    of, beside = (None if c is None else torch.tensor([c]) for c in (target, against))
    told = grad_cam(loaded.model, torch.from_numpy(sample.x)[None], of, against=beside, pooling=pooling)
    strides = loaded.model.strides
    maps = {layer: on_clip(by_clip[0], strides[layer], sample, cleaned) for layer, by_clip in told.maps.items()}
    logits = told.logits[0].astype(np.float64)
    odds = np.exp(logits - logits.max())
    return Seen(
        clip=cleaned,
        sample=sample,
        probabilities=odds / odds.sum(),
        target=int(told.target[0]),
        maps=maps,
        no_evidence={layer: bool(none[0]) or not maps[layer].any() for layer, none in told.no_evidence.items()},
    )


def windows(loaded: Loaded, samples: Sequence[Sample], how: EmbedConfig) -> dict[str, list[np.ndarray]]:
    """Layer, from "input" to "logits" -> each prepared clip's windows, (n, D) float32, cut as `embed` does."""
    batch = Batch(
        clips=np.arange(len(samples)),
        x=np.stack([sample.x for sample in samples]),
        present=np.stack([sample.present for sample in samples]),
        frames=np.array([sample.frames for sample in samples], dtype=np.int64),
    )
    pieces = embed_batch(loaded, batch, how, "cpu")
    return {layer: np.split(np.array(piece.windows), np.cumsum(piece.counts)[:-1]) for layer, piece in pieces.items()}


def nearest(
    one: np.ndarray, others: np.ndarray, offsets: np.ndarray, k: int, distance: Any, *, without: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest of N embedded clips to one that is none of them: positions and exact distances, nearest first.

    Parameters
    ----------
    one : (n, D) its windows.
    others, offsets : (R, D) windows of all N, maybe a memory map of float16, and (N + 1,); a tile is read at a time.
    distance : config of a row of `DISTANCES`. Ties go by position.
    without : a position that does not count.
    """
    row, alone = get_distance(distance), Sequences.of([np.asarray(one, dtype=np.float32)])
    about = np.empty(len(offsets) - 1)
    for start, stop in _tiles(others, offsets):
        about[start:stop] = row.cdist(alone, _clips(others, offsets, np.arange(start, stop)), distance)[0]
    if without is not None:
        about[without] = np.inf
    k = min(k, int(np.isfinite(about).sum()))
    if k == 0:
        return np.empty(0, dtype=np.int64), np.empty(0)
    # Every distance is known but for its `RELATIVE` part: who might be among the k nearest is measured exactly.
    limit = np.partition(about, k - 1)[k - 1] * (1 + RELATIVE)
    able = np.flatnonzero(about * (1 - RELATIVE) <= limit)
    exact = measured(one, others, offsets, able, distance)
    order = np.lexsort((able, exact))[:k]
    return able[order], exact[order]


def measured(
    one: np.ndarray, others: np.ndarray, offsets: np.ndarray, positions: np.ndarray, distance: Any
) -> np.ndarray:
    """Exact distances (P,) float64 of a clip to those at some positions; see `nearest`."""
    held = [np.asarray(one, dtype=np.float32), *(_windows(others, offsets, int(p)) for p in positions)]
    ones = np.arange(1, len(held))
    return get_distance(distance).pairs(Sequences.of(held), np.zeros_like(ones), ones, distance)


def _tiles(others: np.ndarray, offsets: np.ndarray) -> list[tuple[int, int]]:
    """Runs (start, stop) of clips whose windows fit into a tile, at least one each."""
    most = max(1, _TILE // (4 * others.shape[1]))
    runs, start = [], 0
    while start < len(offsets) - 1:
        stop = max(start + 1, int(np.searchsorted(offsets, offsets[start] + most, side="right")) - 1)
        runs.append((start, stop))
        start = stop
    return runs


def _clips(others: np.ndarray, offsets: np.ndarray, positions: np.ndarray) -> Sequences:
    """Clips that follow each other, in memory."""
    first, last = int(positions[0]), int(positions[-1])
    rows = read_rows(others, int(offsets[first]), int(offsets[last + 1]))
    return Sequences(np.asarray(rows, dtype=np.float32), offsets[first : last + 2] - offsets[first])


def _windows(others: np.ndarray, offsets: np.ndarray, position: int) -> np.ndarray:
    rows = read_rows(others, int(offsets[position]), int(offsets[position + 1]))
    return np.asarray(rows, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Difference:
    """How the evidence in a clip differs from that in the same clip before it was changed.

    Attributes
    ----------
    before, after : (V, P), each joint's and each P-th part of the clip's share of the whole map; zero where it is zero.
    likeness : Pearson's r of the two; None where one of them does not vary.
    strength : the mean of the later map over its cells, in units of the earlier one's; None where that is zero.
    """

    before: np.ndarray
    after: np.ndarray
    likeness: float | None
    strength: float | None


def difference(before: Seen, after: Seen, layer: str, parts: int = 10) -> Difference:
    """Two maps of one layer set side by side, though one clip may be longer than the other."""
    tables, means = [], []
    for seen in (before, after):
        table, total = in_parts(seen.maps[layer], 1, seen.clip.valid, parts)
        tables.append(table / total if total > 0 else table)
        means.append(total / max(1, int(seen.clip.valid.sum()) * seen.clip.skeleton.V))
    one, other = tables
    varied = np.ptp(one) > 0 and np.ptp(other) > 0
    return Difference(
        before=one,
        after=other,
        likeness=float(np.corrcoef(one.ravel(), other.ravel())[0, 1]) if varied else None,
        strength=means[1] / means[0] if means[0] > 0 else None,
    )
