"""From a recorded clip to what a model is fed: cleaning at the clip's own frame rate, then fitting to T frames.

Every step is a pure function with a switch of its own in `Preprocessing`; the order is that of `clean`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from stgcn_lens.data.bodies import clear_absent, drop_empty, select_bodies
from stgcn_lens.data.clip import Clip, check
from stgcn_lens.data.gaps import GAP, fill_gaps, fill_joints, refuse_long
from stgcn_lens.data.streams import STREAMS, stream
from stgcn_lens.errors import DataError

Centre = Literal["first", "every", "none"]
Fit = Literal["resample", "replay", "crop"]
Stream = Literal["joint", "bone", "joint-motion", "bone-motion"]
LongGaps = Literal["refuse", "cut"]

# What a model.json means that was written before these switches were.
EARLIER = {"long_gaps": "cut", "joint_gap": 0}


@dataclass(frozen=True)
class Preprocessing:
    """What is done to a clip before a model sees it; stored in model.json."""

    bodies: int = 2
    """Keep at most this many bodies, those of the largest spatial energy (NTU RGB+D: at most two act)."""
    max_flatness: float = 0.8
    """Drop a body wider than this many times its height (usual for NTU), unless no upright one stays half as long; 0:
    never."""
    drop_empty: bool = True
    """Cut off leading and trailing frames without a body (ours)."""
    max_gap: int = GAP
    """Interpolate gaps of a body up to this many frames (ours: a third of a second at 30 fps)."""
    long_gaps: LongGaps = "refuse"
    """Refuse a clip in which nobody is there for longer than that, or cut these frames out of it (ours)."""
    joint_gap: int = 0
    """Give a 2-D joint that was not detected for up to this many frames an interpolated place (0: never)."""
    centre: Centre = "first"
    """Origin at the centre joint of the first frame (keeps locomotion), of every frame, or as recorded."""
    rotate: bool = True
    """Turn the main body's spine up and its shoulders along x, by its first frame; 3-D only (2s-AGCN)."""
    scale: bool = True
    """Divide by the main body's spine length: people differ in size (ours)."""
    frames: int = 64
    """T, the number of frames that the model gets (ours; ST-GCN: 300)."""
    fit: Fit = "resample"
    """Resample in time (ours), replay from the start (ST-GCN), or crop the middle."""
    stream: Stream = "joint"
    """Joint positions, bones, or the motion of either (2s-AGCN; ST-GCN: joint)."""

    def __post_init__(self) -> None:
        choices = {"centre": get_args(Centre), "fit": get_args(Fit), "stream": STREAMS, "long_gaps": get_args(LongGaps)}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise DataError(
                    f"unknown {name}", got=repr(getattr(self, name)), expected=f"one of {', '.join(allowed)}"
                )
        for name, least in (("bodies", 1), ("frames", 1), ("max_gap", 0), ("joint_gap", 0), ("max_flatness", 0)):
            if getattr(self, name) < least:
                raise DataError(f"preprocessing: {name} too small", got=getattr(self, name), expected=f">= {least}")


@dataclass(frozen=True, eq=False)
class Sample:
    """A clip as a model gets it.

    Attributes
    ----------
    x : (C, T, V, M) float32, zero where a body is absent.
    present : (T, M) bool, which bodies are there in which model frames.
    frames : how many of the T frames are real; the rest repeats (replay) or is empty (crop).
    source : (frames,) float64, the position in the cleaned clip, in frames, that each real frame shows.
    """

    x: np.ndarray
    present: np.ndarray
    frames: int
    source: np.ndarray


def centre(clip: Clip, how: str = "first") -> Clip:
    """Move the origin to the centre joint of the main body (slot 0): of its first frame, or of every frame.

    All bodies are moved by the same vector, so their places relative to each other survive. With "every",
    the vector is interpolated over frames in which the main body is absent.
    """
    if how == "none":
        return clip
    here = np.flatnonzero(clip.valid[:, 0])
    d = clip.dims
    joint = clip.xyz[:d, :, clip.skeleton.centre, 0].astype(np.float64)  # (D, T)
    if how == "first":
        origin = np.repeat(joint[:, here[:1]], clip.frames, axis=1)
    else:
        origin = np.stack([np.interp(np.arange(clip.frames), here, axis[here]) for axis in joint])
    xyz = clip.xyz.copy()
    xyz[:d] -= origin[:, :, None, None].astype(np.float32)
    return clear_absent(clip.replace(xyz=xyz))


def rotation(clip: Clip) -> np.ndarray | None:
    """The matrix (3, 3) that turns the main body of its first frame upright and to the front, or None.

    The spine comes to lie on the layout's up axis, the line from the left to the right shoulder as nearly on +x
    as that allows: in a Kinect's frame, a person who faces the sensor. None where the spine has no length
    or the shoulders lie on its line.
    """
    layout = clip.skeleton
    first = int(np.flatnonzero(clip.valid[:, 0])[0])
    pose = clip.xyz[:, first, :, 0].T.astype(np.float64)  # (V, 3)
    spine = pose[layout.spine[1]] - pose[layout.spine[0]]
    across = pose[layout.shoulders[1]] - pose[layout.shoulders[0]]
    length = np.linalg.norm(spine)
    if length < 1e-6:
        return None
    spine /= length
    across -= spine * (across @ spine)
    width = np.linalg.norm(across)
    if width < 1e-6:
        return None
    across /= width
    up = np.zeros(3)
    up["xyz".index(layout.up[1])] = -1.0 if layout.up[0] == "-" else 1.0
    right = np.array([1.0, 0.0, 0.0])
    seen = np.stack([across, spine, np.cross(across, spine)], axis=1)
    wanted = np.stack([right, up, np.cross(right, up)], axis=1)
    return wanted @ seen.T


def rotate(clip: Clip) -> Clip:
    """Turn the whole scene by `rotation`, about the main body's centre joint in its first frame.

    2-D clips, and bodies without a direction, stay as they are.
    """
    if clip.dims != 3:
        return clip
    turn = rotation(clip)
    if turn is None:
        return clip
    first = int(np.flatnonzero(clip.valid[:, 0])[0])
    pivot = clip.xyz[:, first, clip.skeleton.centre, 0].astype(np.float64)[:, None, None, None]
    turned = np.einsum("dc,ctvm->dtvm", turn, clip.xyz.astype(np.float64) - pivot) + pivot
    return clear_absent(clip.replace(xyz=turned.astype(np.float32)))


def scale(clip: Clip) -> Clip:
    """Divide positions by the main body's spine length (median over its frames); scores are left alone."""
    d = clip.dims
    bottom, top = clip.skeleton.spine
    bones = clip.xyz[:d, :, top, 0] - clip.xyz[:d, :, bottom, 0]
    length = float(np.median(np.linalg.norm(bones[:, clip.valid[:, 0]].astype(np.float64), axis=0)))
    if length < 1e-6:
        return clip
    xyz = clip.xyz.copy()
    xyz[:d] /= np.float32(length)
    return clip.replace(xyz=xyz)


def clean(clip: Clip, prep: Preprocessing) -> Clip:
    """The clip made comparable, still at its own frame rate; what a player shows.

    In order: body selection, long gaps, empty ends, undetected joints, short gaps, centre, rotation, scale. The main
    body is slot 0. Absent bodies are exactly zero afterwards; evidence follows its bodies and frames.

    Raises
    ------
    DataError
        where the clip holds no body at all, or nobody for too long, does not fit its layout, or has coordinates that
        are not finite.
    """
    clip = select_bodies(check(clip), prep.bodies, prep.max_flatness)
    if prep.long_gaps == "refuse":
        refuse_long(clip, prep.max_gap)
    if prep.drop_empty:
        clip = drop_empty(clip)
    clip = clear_absent(fill_gaps(fill_joints(clip, prep.joint_gap), prep.max_gap))
    clip = centre(clip, prep.centre)
    if prep.rotate:
        clip = rotate(clip)
    if prep.scale:
        clip = scale(clip)
    return clip


def _resample(clip: Clip, frames: int) -> np.ndarray:
    return np.linspace(0, clip.frames - 1, frames)


def _middle(clip: Clip, frames: int) -> np.ndarray:
    kept = min(frames, clip.frames)
    return (clip.frames - kept) // 2 + np.arange(kept, dtype=np.float64)


FITS: dict[str, Callable[[Clip, int], np.ndarray]] = {"resample": _resample, "replay": _middle, "crop": _middle}


def at(clip: Clip, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (C, P, V, M) and mask (P, M) at fractional frames (P,), linear in time.

    A body is there if it is there in the nearest frame; a frame without it takes no part in the mean.
    """
    below = np.floor(position).astype(int)
    above = np.minimum(below + 1, clip.frames - 1)
    w = (position - below)[:, None]  # (P, 1)
    present = np.where(w > 0.5, clip.valid[above], clip.valid[below])
    w0, w1 = (1 - w) * clip.valid[below], w * clip.valid[above]  # (P, M)
    total = np.where(present, w0 + w1, 1)
    mix = [(part * present / total).astype(np.float32)[None, :, None, :] for part in (w0, w1)]
    return clip.xyz[:, below] * mix[0] + clip.xyz[:, above] * mix[1], present


def fit(clip: Clip, prep: Preprocessing, bodies: int) -> Sample:
    """A cleaned clip as `prep.frames` model frames and `bodies` body slots, in the chosen stream.

    `resample` stretches the whole clip over all frames; `replay` starts again at the end; `crop` leaves frames
    past the end empty. The last two keep the middle of a clip that is too long. Streams are computed over the
    real frames, before they are repeated.
    """
    source = FITS[prep.fit](clip, prep.frames)
    some, here = at(clip, source)
    c, real, v, _ = some.shape
    m = min(bodies, clip.bodies)
    x = np.zeros((c, real, v, bodies), np.float32)
    present = np.zeros((real, bodies), bool)
    x[..., :m], present[:, :m] = some[..., :m], here[:, :m]
    x = stream(x, present, clip.skeleton, prep.stream)
    missing = prep.frames - real
    if missing and prep.fit == "replay":
        again = np.arange(prep.frames) % real
        x, present = np.ascontiguousarray(x[:, again]), present[again]
    elif missing:
        x = np.pad(x, ((0, 0), (0, missing), (0, 0), (0, 0)))
        present = np.pad(present, ((0, missing), (0, 0)))
    return Sample(x, present, real, source)


def prepare(clip: Clip, prep: Preprocessing, bodies: int) -> Sample:
    """`clean`, then `fit`."""
    return fit(clean(clip, prep), prep, bodies)
