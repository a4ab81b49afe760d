"""Prepared clips in batches, read from the set one batch at a time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.transforms import Preprocessing, Sample, prepare

Item = TypeVar("Item")


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


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The same items, of which the next is made in a thread while this one is used."""
    source, end = iter(items), object()
    with ThreadPoolExecutor(1) as worker:
        coming = worker.submit(next, source, end)
        while (item := coming.result()) is not end:
            coming = worker.submit(next, source, end)
            yield item  # type: ignore[misc]
