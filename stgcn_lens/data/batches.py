"""Prepared clips in batches, read from the set one batch at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.transforms import Preprocessing, Sample, prepare


@dataclass(frozen=True, eq=False)
class Batch:
    """Prepared clips: `x` (n, C, T, V, M) float32, `present` (n, T, M) bool, `frames` (n,) real frames of each.

    `clips` are their row numbers in the set.
    """

    clips: np.ndarray
    x: np.ndarray
    present: np.ndarray
    frames: np.ndarray


def batches(
    clipset: ClipSet,
    indices: Sequence[int] | np.ndarray,
    prep: Preprocessing,
    bodies: int,
    size: int,
    *,
    make: Callable[[Clip], Sample] | None = None,
) -> Iterator[Batch]:
    """The chosen clips in their order, `size` at a time; `make` prepares one, by default as `prepare` does."""
    indices = np.asarray(indices, dtype=np.int64)
    for begin in range(0, len(indices), size):
        chosen = indices[begin : begin + size]
        samples = [make(clipset[int(i)]) if make else prepare(clipset[int(i)], prep, bodies) for i in chosen]
        yield Batch(
            clips=chosen,
            x=np.stack([sample.x for sample in samples]),
            present=np.stack([sample.present for sample in samples]),
            frames=np.array([sample.frames for sample in samples], dtype=np.int64),
        )
