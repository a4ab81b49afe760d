"""Counts over a stream of clips: each clip is looked at once and let go, but for the few frames of three samples."""

from collections import Counter, defaultdict, deque
from dataclasses import dataclass, replace

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import Fault, Row, row
from stgcn_lens.data.source import reason
from stgcn_lens.data.transforms import Preprocessing, clean
from stgcn_lens.errors import DataError
from stgcn_lens.files import fingerprint

KEY_FRAMES = 8  # of a sample
SAMPLES = 3
_DEFAULT = Preprocessing()


@dataclass(frozen=True, eq=False)
class Sample:
    """A few frames of one clip, to be looked at.

    Attributes
    ----------
    clip : the clip with `len(at)` of its frames, evenly spread over those that hold a body.
    at : the numbers of these frames in the whole clip, from 0.
    frames : how many frames the whole clip has.
    why : "first", "shortest", "longest" or "another" of the clips.
    """

    clip: Clip
    at: tuple[int, ...]
    frames: int
    why: str


def undetected(clip: Clip) -> np.ndarray:
    """(T, V, M) bool: joints of present bodies that were not detected.

    In 2-D that is a score of 0 or less; without scores, and in 3-D, all coordinates exactly 0, the place where sensors
    and converters put what they did not see.
    """
    scored = clip.skeleton.dims == 2 and clip.xyz.shape[0] == 3
    lost = clip.xyz[2] <= 0 if scored else (clip.xyz == 0).all(axis=0)
    return np.asarray(lost & clip.valid[:, None, :])


class Tally:
    """What `info.inspect` counts; `add` every clip, then read the attributes.

    Attributes
    ----------
    first : a few frames of the first clip, None before there is one.
    rows : of all clips, in their order.
    fps, units : value -> clips.
    at_once : the most bodies of one frame -> clips.
    cells, present : frames times body slots, and how many of them hold a body.
    lost : (V,) frames and bodies in which a joint is not detected.
    origin : (V,) clips in whose first pose that joint lies at exactly zero.
    spines : length of the spine in the first pose of every clip.
    upright : (D,) mean direction from the bottom to the top of these spines, times the number of clips.
    bytes : of all coordinates and masks.
    extent : (2, C) lowest and highest coordinate of a present body.
    equal : hash of coordinates and mask -> positions in `rows`.
    unusable : clips that training leaves out with default preprocessing, and why.
    """

    def __init__(self) -> None:
        self.first: Clip | None = None
        self.rows: list[Row] = []
        self.fps: Counter[float] = Counter()
        self.units: Counter[str] = Counter()
        self.at_once: Counter[int] = Counter()
        self.cells = self.present = self.bytes = 0
        self.lost = self.origin = np.zeros(0, np.int64)
        self.spines: list[float] = []
        self.upright = np.zeros(0)
        self.extent = np.zeros((2, 0))
        self.equal: defaultdict[bytes, list[int]] = defaultdict(list)
        self.unusable: list[Fault] = []
        self._kept: dict[str, Sample] = {}
        self._others: deque[Sample] = deque(maxlen=SAMPLES)

    def add(self, clip: Clip) -> None:
        """Count one clip."""
        if self.first is None:
            self.first = _thinned(clip, "first").clip
            self.lost = self.origin = np.zeros(clip.skeleton.V, np.int64)
            self.upright = np.zeros(clip.skeleton.dims)
            self.extent = np.stack([np.full(clip.xyz.shape[0], np.inf), np.full(clip.xyz.shape[0], -np.inf)])
        self._keep(clip)
        digest = fingerprint(repr(clip.xyz.shape))
        digest.update(np.ascontiguousarray(clip.xyz).data)
        digest.update(np.ascontiguousarray(clip.valid).data)
        self.equal[digest.digest()].append(len(self.rows))
        self.rows.append(row(clip))
        self.fps[clip.fps] += 1
        self.units[clip.units] += 1
        self.at_once[int(clip.valid.sum(axis=1).max())] += 1
        self.cells += clip.valid.size
        self.present += int(clip.valid.sum())
        self.bytes += clip.xyz.nbytes + clip.valid.nbytes
        self._joints(clip)
        self._try(clip)

    def samples(self) -> tuple[Sample, ...]:
        """The first, the shortest and the longest clip; where these are one, others."""
        extremes = [self._kept[why] for why in self._kept if why != "first"]
        if len({sample.frames for sample in extremes}) < 2:
            extremes = []
        chosen: dict[str, Sample] = {}
        for sample in (*([self._kept["first"]] if self._kept else []), *extremes, *reversed(self._others)):
            known = chosen.get(sample.clip.name)
            if known is None:
                chosen[sample.clip.name] = sample
            elif sample.why != "another":
                chosen[sample.clip.name] = replace(known, why=f"{known.why}, {sample.why}")
        return tuple(list(chosen.values())[:SAMPLES])

    def _try(self, clip: Clip) -> None:
        """Whether training could use the clip."""
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                cleaned = clean(clip, _DEFAULT)
            if not np.isfinite(cleaned.xyz).all():
                raise DataError("coordinates too large to be centred and scaled", fix="repair or remove the clip")
        except DataError as error:
            self.unusable.append(Fault(clip.name, reason(error)))

    def _joints(self, clip: Clip) -> None:
        lost, layout = undetected(clip), clip.skeleton
        self.lost = self.lost + lost.sum(axis=(0, 2))
        t = int(clip.valid.any(axis=1).argmax())
        body = int(clip.valid[t].argmax())
        pose = clip.xyz[: layout.dims, t, :, body]  # (D, V) of the first body that is there
        seen = np.ones(layout.V, bool) if clip.xyz.shape[0] == layout.dims else ~lost[t, :, body]
        zero = (pose == 0).all(axis=0)
        self.origin = self.origin + (seen & zero & ~zero.all())
        bottom, top = layout.spine
        spine = (pose[:, top] - pose[:, bottom]).astype(np.float64)
        self.spines.append(float(np.linalg.norm(spine)))
        self.upright = self.upright + spine / max(self.spines[-1], 1e-12)
        there = clip.xyz.transpose(0, 1, 3, 2)[:, clip.valid].reshape(clip.xyz.shape[0], -1)
        self.extent = np.stack(
            [np.minimum(self.extent[0], there.min(axis=1)), np.maximum(self.extent[1], there.max(axis=1))]
        )

    def _keep(self, clip: Clip) -> None:
        """Samples: the extremes met so far and, of the others, clips at positions 2, 4, 8, ..."""
        count = len(self.rows) + 1
        if count == 1:
            self._kept["first"] = _thinned(clip, "first")
        for why, sign in (("shortest", -1), ("longest", 1)):
            known = self._kept.get(why)
            if known is None or sign * clip.frames > sign * known.frames:
                self._kept[why] = _thinned(clip, why)
        if (count > 1 and count & (count - 1) == 0) or count == 3:
            self._others.append(_thinned(clip, "another"))


def _thinned(clip: Clip, why: str) -> Sample:
    seen = np.flatnonzero(clip.valid.any(axis=1))
    at = np.unique(seen[np.linspace(0, len(seen) - 1, min(KEY_FRAMES, len(seen))).round().astype(int)])
    few = clip.replace(xyz=clip.xyz[:, at], valid=clip.valid[at], evidence=None)
    return Sample(few, tuple(at.tolist()), clip.frames, why)
