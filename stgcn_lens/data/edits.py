"""Changes of one recorded clip that ask "what if": joints held still or lost, frames lost, noise, another view or pace.

Each is a pure function of a clip as it was recorded; `edit` makes several of them in one order. Absent bodies stay
absent and exactly zero; 2-D joints that were not detected (score 0) stay so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from stgcn_lens.data.bodies import clear_absent
from stgcn_lens.data.clip import Clip
from stgcn_lens.data.transforms import at
from stgcn_lens.errors import DataError

SLOWEST = 4.0  # times the clip's own length, at most, and its inverse at least (ours)
MOST_DROPPED = 0.9  # share of the frames (ours): what is left still shows the motion
NOISE = (-20.0, 60.0)  # dB that can be asked for (ours): from noise alone to less than a sensor's own


@dataclass(frozen=True)
class Edits:
    """What is changed, in the order in which it is done: what the body does first, what the sensor sees of it last."""

    mirror: bool = False
    """Left for right."""
    rotate: float = 0.0
    """Degrees about the up axis; 2-D: in the picture's plane."""
    freeze: tuple[str, ...] = ()
    """Joints that keep the place about the body's centre joint that they first have."""
    slow: float = 1.0
    """Times as many frames at the same rate; below 1: faster."""
    noise: float | None = None
    """Signal-to-noise ratio in dB; None: no noise."""
    drop: float = 0.0
    """Share of the frames that is lost, and interpolated."""
    hide: tuple[str, ...] = ()
    """Joints of which nothing is known but, in 3-D, their mean place about the body's centre joint."""
    seed: int = 0
    """Of the noise, and of which frames are lost."""

    @property
    def any(self) -> bool:
        """Whether there is anything to do."""
        return self != Edits(seed=self.seed)


def edit(clip: Clip, edits: Edits) -> Clip:
    """The clip with all edits made; the clip itself where there are none."""
    if edits.mirror:
        clip = mirror(clip)
    if edits.rotate:
        clip = rotate(clip, edits.rotate)
    if edits.freeze:
        clip = freeze(clip, edits.freeze)
    if edits.slow != 1:
        clip = slow(clip, edits.slow)
    if edits.noise is not None:
        clip = noise(clip, edits.noise, seed=edits.seed)
    if edits.drop:
        clip = drop(clip, edits.drop, seed=edits.seed)
    return hide(clip, edits.hide) if edits.hide else clip


def mirror(clip: Clip) -> Clip:
    """The mirror image in x, about the main body's first place, with left and right joints swapped (`Layout.mirror`).

    As training augments, but for where the mirror stands.
    """
    order = list(clip.skeleton.mirror)
    xyz = clip.xyz[:, :, order].copy()
    xyz[0] = 2 * _pivot(clip)[0] - xyz[0]
    evidence = None if clip.evidence is None else clip.evidence[:, order].copy()
    return _known(clip.replace(xyz=xyz, evidence=evidence), _detected(clip)[:, order])


def rotate(clip: Clip, degrees: float) -> Clip:
    """The scene turned about the up axis, counter-clockwise seen from above, round the main body's first place.

    A 2-D clip is turned in its picture, from +x to +y.
    """
    d, angle = _dims(clip), np.deg2rad(degrees)
    if d == 3:
        up = "xyz".index(clip.skeleton.up[1])
        a, b = (up + 1) % 3, (up + 2) % 3
        angle = -angle if clip.skeleton.up[0] == "-" else angle
    else:
        a, b = 0, 1
    pivot = _pivot(clip)[:, None, None, None]
    old = clip.xyz[:d].astype(np.float64) - pivot
    new = old.copy()
    new[a] = np.cos(angle) * old[a] - np.sin(angle) * old[b]
    new[b] = np.sin(angle) * old[a] + np.cos(angle) * old[b]
    xyz = clip.xyz.copy()
    xyz[:d] = new + pivot
    return _known(clip.replace(xyz=xyz), _detected(clip))


def freeze(clip: Clip, joints: Sequence[str]) -> Clip:
    """Joints held still about the body's centre joint, where each body first shows them; the body still moves about.

    The centre joint itself is never held: all other places are told from it.
    """
    return _placed(clip, joints, lambda relative: relative[:, :1])


def hide(clip: Clip, joints: Sequence[str]) -> Clip:
    """Joints of which nothing is known.

    In 3-D they stay at their own mean place about the body's centre joint, which keeps a skeleton a skeleton; in 2-D
    they are not detected, with a score of 0.
    """
    if not _has_score(clip):
        return _placed(clip, joints, lambda relative: relative.mean(axis=1, keepdims=True))
    xyz = clip.xyz.copy()
    xyz[:, :, [clip.skeleton.index(joint) for joint in joints]] = 0
    return clip.replace(xyz=xyz)


def slow(clip: Clip, factor: float) -> Clip:
    """The clip stretched to `factor` times its length, linear in time; at the same frame rate it plays slower."""
    if not 1 / SLOWEST <= factor <= SLOWEST:
        raise DataError("a pace that cannot be", got=factor, expected=f"{1 / SLOWEST:g} to {SLOWEST:g} times as long")
    position = np.linspace(0, clip.frames - 1, max(1, round((clip.frames - 1) * factor) + 1))
    xyz, valid = at(clip, position)
    evidence = None if clip.evidence is None else clip.evidence[np.rint(position).astype(int)]
    return clip.replace(xyz=xyz, valid=valid, evidence=evidence)


def noise(clip: Clip, decibels: float, *, seed: int) -> Clip:
    """Gaussian noise on every coordinate, at that ratio of the clip's own signal power to the noise's.

    The signal is what the present joints are about their body's centre joint, as its mean square over joints, frames,
    bodies and axes (ours). One seed draws one noise, which the level only scales.
    """
    if not NOISE[0] <= decibels <= NOISE[1]:
        raise DataError("a level of noise that cannot be", got=decibels, expected=f"{NOISE[0]:g} to {NOISE[1]:g} dB")
    d = _dims(clip)
    detected = _detected(clip)
    relative = clip.xyz[:d] - clip.xyz[:d, :, clip.skeleton.centre, None]
    power = float(np.mean(relative[:, detected].astype(np.float64) ** 2)) if detected.any() else 0.0
    drawn = np.random.default_rng(seed).standard_normal((d, *clip.xyz.shape[1:]))
    xyz = clip.xyz.copy()
    xyz[:d] += (drawn * np.sqrt(power / 10 ** (decibels / 10))).astype(np.float32)
    return _known(clip.replace(xyz=xyz), detected)


def drop(clip: Clip, share: float, *, seed: int) -> Clip:
    """A share of the frames lost at random, each body put on the straight line between the frames that remain.

    The first and the last frame remain. Before a body's first remaining frame it stands where it is in that one, after
    its last likewise; a body of which no frame remains is left as it was.
    """
    if not 0 <= share <= MOST_DROPPED:
        raise DataError("a share of frames that cannot be lost", got=share, expected=f"0 to {MOST_DROPPED}")
    inner = np.arange(1, clip.frames - 1)
    lost = np.zeros(clip.frames, bool)
    lost[np.random.default_rng(seed).permutation(inner)[: round(share * clip.frames)]] = True
    xyz = clip.xyz.copy()
    for body in range(clip.bodies):
        kept = np.flatnonzero(clip.valid[:, body] & ~lost)
        gone = np.flatnonzero(clip.valid[:, body] & lost)
        if not len(kept) or not len(gone):
            continue
        after = np.searchsorted(kept, gone)
        low, high = kept[np.maximum(after - 1, 0)], kept[np.minimum(after, len(kept) - 1)]
        weight = np.clip((gone - low) / np.maximum(high - low, 1), 0, 1)[None, :, None].astype(np.float32)
        track = xyz[..., body]  # a view, (C, T, V)
        track[:, gone] = (1 - weight) * track[:, low] + weight * track[:, high]
        if _has_score(clip):
            track[:, gone] *= (track[2, low] > 0) & (track[2, high] > 0)
    return clip.replace(xyz=xyz)


def _placed(clip: Clip, joints: Sequence[str], place: Callable[[np.ndarray], np.ndarray]) -> Clip:
    """Joints put where `place` says, from (D, frames), their way about the centre, to (D, 1)."""
    d, layout, detected, xyz = _dims(clip), clip.skeleton, _detected(clip), clip.xyz.copy()
    for joint in (layout.index(name) for name in joints):
        for body in range(clip.bodies):
            here = np.flatnonzero(detected[:, joint, body])
            if len(here) and joint != layout.centre:
                centre = clip.xyz[:d, here, layout.centre, body]
                xyz[:d, here, joint, body] = centre + place(clip.xyz[:d, here, joint, body] - centre)
    return clip.replace(xyz=xyz)


def _pivot(clip: Clip) -> np.ndarray:
    """The main body's centre joint in its first frame, (D,) float64; the main body is slot 0 where it is ever there."""
    body = int(clip.valid.any(axis=0).argmax())
    frame = int(clip.valid[:, body].argmax())
    return clip.xyz[: _dims(clip), frame, clip.skeleton.centre, body].astype(np.float64)


def _known(clip: Clip, detected: np.ndarray) -> Clip:
    """The clip with zeros where a joint was not detected or a body is absent."""
    if _has_score(clip):
        clip = clip.replace(xyz=clip.xyz * detected)
    return clear_absent(clip)


def _detected(clip: Clip) -> np.ndarray:
    """(T, V, M) bool: joints of present bodies; in 2-D those with a score above 0."""
    there = np.broadcast_to(clip.valid[:, None], clip.xyz.shape[1:])
    return there & (clip.xyz[2] > 0) if _has_score(clip) else there


def _dims(clip: Clip) -> int:
    """Number of spatial channels."""
    return min(clip.skeleton.dims, clip.xyz.shape[0])


def _has_score(clip: Clip) -> bool:
    return clip.skeleton.dims == 2 and clip.xyz.shape[0] == 3
