"""A prepared clip as (frame, joint, body) cells, which can be taken out or disturbed to see what they are worth."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from stgcn_lens.data.transforms import Sample
from stgcn_lens.errors import LensError
from stgcn_lens.skeleton import Layout

Fill = Literal["mean", "zero"]


@dataclass(frozen=True, eq=False)
class Cells:
    """What a network is fed, and which of it is real. Make one with `cells_of`.

    Attributes
    ----------
    x : (C, T, V, M) float32.
    there : (T, M) bool, bodies present in real frames; False in every frame that is padding.
    frames : number of real frames.
    shows : (T,), the real frame that each model frame shows; where a clip is replayed, its repeats show it again, so
        that what is taken out of a frame is taken out of all of them.
    layout, stream : as the network is fed.
    """

    x: np.ndarray
    there: np.ndarray
    frames: int
    shows: np.ndarray
    layout: Layout
    stream: str

    @property
    def present(self) -> np.ndarray:
        """(T, V, M) bool, the cells that count."""
        return np.broadcast_to(self.there[:, None], self.x.shape[1:])

    @property
    def size(self) -> int:
        """Number of cells that count."""
        return int(self.there.sum()) * self.layout.V

    @property
    def relative(self) -> np.ndarray:
        """Spatial channels (D, T, V, M) about the body's centre joint; of bones and motion as they are."""
        x = self.x[: self.layout.dims]
        return x - x[:, :, self.layout.centre, None] if self.stream == "joint" else x

    @property
    def spread(self) -> float:
        """Root mean square of the cells that count about the body's centre, the clip's own signal strength."""
        inside = np.broadcast_to(self.present, self.relative.shape)
        return float(np.sqrt(np.mean(self.relative[inside].astype(np.float64) ** 2)))

    def neutral(self, fill: Fill = "mean") -> np.ndarray:
        """What takes a removed cell's place, (C, T, V, M) float32; absent bodies and empty frames as they are.

        "mean": the joint's own mean position relative to the body's centre, carried along with the centre, so that
        what is left stays a skeleton; the centre joint itself keeps its path. Of bones and motion streams, and of
        scores, the joint's own mean. "zero": zeros.
        """
        if fill not in ("mean", "zero"):
            raise LensError("unknown filling", got=repr(fill), expected="mean or zero")
        here = np.broadcast_to(self.there[self.shows][:, None], self.x.shape[1:])  # repeats too
        if fill == "zero":
            return np.where(here, np.float32(0), self.x)
        counted = self.there[:, None].astype(np.float64)
        about = self.x.astype(np.float64)
        centre = np.zeros_like(about)
        if self.stream == "joint":
            d = self.layout.dims
            centre[:d] = about[:d, :, self.layout.centre, None]
        total = ((about - centre) * counted).sum(axis=1, keepdims=True)
        mean = total / np.maximum(counted.sum(axis=0, keepdims=True), 1)
        return np.where(here, (centre + mean).astype(np.float32), self.x)

    def without(self, masks: np.ndarray, fill: Fill = "mean") -> np.ndarray:
        """The clip without the cells of each mask, (B, T, V, M) bool -> (B, C, T, V, M) float32."""
        return np.where((masks & self.present)[:, None][:, :, self.shows], self.neutral(fill), self.x)

    def noise(self, count: int, seed: list[int]) -> np.ndarray:
        """Gaussian noise (count, C, T, V, M) float32 of the clip's own strength, in the spatial channels of its cells.

        Repeats of a frame get the noise of that frame.
        """
        drawn = np.zeros((count, *self.x.shape), np.float32)
        rng = np.random.default_rng(seed)
        d = min(self.layout.dims, len(self.x))
        drawn[:, :d] = rng.standard_normal((count, d, *self.x.shape[1:]), dtype=np.float32)
        return (drawn * (self.present * np.float32(self.spread)))[:, :, self.shows]

    def ranks(self, map: np.ndarray, seed: list[int]) -> np.ndarray:
        """Place of every cell in the map's order, (T, V, M) int: 0 is the highest; absent cells come last, as `size`.

        Cells of equal value follow each other in an order drawn at random, the same for every map of the clip: a map
        that says nothing is a random one.
        """
        if map.shape != self.x.shape[1:] or not np.isfinite(map[self.present]).all():
            raise LensError("no map of this clip", got=f"{map.shape}", expected=f"finite {self.x.shape[1:]}")
        values = map[self.present]
        order = np.lexsort((np.random.default_rng(seed).random(len(values)), -values))
        ranks = np.full(map.shape, self.size)
        place = np.empty(len(values), int)
        place[order] = np.arange(len(values))
        ranks[self.present] = place
        return ranks


def cells_of(sample: Sample, layout: Layout, stream: str, *, replayed: bool) -> Cells:
    """The cells of a prepared clip; `replayed` where its frames start again at their end (`Preprocessing.fit`)."""
    total = sample.x.shape[1]
    there = sample.present.copy()
    there[sample.frames :] = False
    frame = np.arange(total)
    shows = frame % sample.frames if replayed else frame
    return Cells(sample.x, there, sample.frames, shows, layout, stream)
