"""What sensors do to a clip, in doses: noise, lost joints and frames, wrong times, another viewpoint, a lost body.

Each is done to the clip as it was recorded, before any preprocessing. What is drawn depends on the clip's name, the
kind and the seed, and not on the level: the doses of one seed go one way, and results can be compared in pairs.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stgcn_lens.data.bodies import clear_absent, select_bodies
from stgcn_lens.data.clip import Clip
from stgcn_lens.data.gaps import repair
from stgcn_lens.data.transforms import at
from stgcn_lens.errors import LensError
from stgcn_lens.files import fingerprint


@dataclass(frozen=True)
class Noise:
    """Facts about a way to disturb a clip, and the function that does it.

    Attributes
    ----------
    name, what : key of `NOISES`, and one sentence.
    unit : of the level; None where there is no level.
    levels : those of a study, mild ones first (ours).
    clean : the level at which nothing changes.
    rising : whether a larger level is more noise.
    least, most : ends of the levels that make sense.
    function : (clip, level, generator) -> clip.
    lacks : why a clip has nothing that could be disturbed so; "" where it has.
    """

    name: str
    what: str
    unit: str | None
    levels: tuple[float, ...]
    clean: float
    rising: bool
    least: float
    most: float
    function: Callable[[Clip, float, np.random.Generator], Clip]
    lacks: Callable[[Clip], str]


def disturb(clip: Clip, kind: str, level: float | None = None, *, seed: int) -> Clip:
    """The clip under one kind of noise: the same for the same name, level and seed, whatever other clips there are.

    A clip that lacks what the kind is about comes back as it is.

    Parameters
    ----------
    kind : a row of `NOISES`.
    level : in that row's unit; None where it has none.

    Raises
    ------
    LensError : no such kind, or a level outside of what makes sense.
    """
    row = get_noise(kind)
    if row.lacks(clip):
        return clip
    name = int(fingerprint(clip.name).hexdigest()[:16], 16)
    generator = np.random.default_rng([seed, list(NOISES).index(kind), name])
    return row.function(clip, checked(row, level), generator)


def get_noise(kind: str) -> Noise:
    """A row of `NOISES`; `LensError` if there is none of that name."""
    if kind not in NOISES:
        raise LensError("no such noise", got=repr(kind), expected=f"one of {', '.join(NOISES)}")
    return NOISES[kind]


def checked(row: Noise, level: float | None) -> float:
    """The level itself, `row.clean` where there is none; `LensError` for one that makes no sense."""
    if (level is None) != (row.unit is None):
        fix = "say at which level" if level is None else "leave the level out"
        raise LensError(f"noise '{row.name}' has {'a' if row.unit else 'no'} level", got=level, fix=fix)
    if level is None:
        return row.clean
    if not row.least <= level <= row.most:
        expected = f"{row.least:g} to {row.most:g} {row.unit}"
        raise LensError(f"impossible level of noise '{row.name}'", got=level, expected=expected)
    return level


def signal(clip: Clip) -> float:
    """The clip's own signal power: mean square of a coordinate about its body's centre joint in the same frame.

    In squared units of the clip; over all present bodies, all joints (undetected ones of 2-D clips left out), all axes.
    """
    about = _about(clip)
    return float(np.square(about[:, _seen(clip)]).mean()) if _seen(clip).any() else 0.0


def gaussian(clip: Clip, level: float, generator: np.random.Generator) -> Clip:
    """White noise on every coordinate; `level` dB is 10 log10 of `signal` over the noise's power (DESIGN 7; ours)."""
    d, seen = clip.dims, _seen(clip)
    drawn = generator.standard_normal((d, *seen.shape)) * math.sqrt(signal(clip) / 10 ** (level / 10))
    xyz = clip.xyz.copy()
    xyz[:d] += np.where(seen, drawn, 0).astype(np.float32)
    return clip.replace(xyz=xyz)


def joint_dropout(clip: Clip, level: float, generator: np.random.Generator) -> Clip:
    """A share `level` of each body's joints missing for the whole clip, the centre joint never.

    In their place stands the joint's own mean position relative to the centre, carried along with the centre, so that
    what is left stays a skeleton (as in `explain.cells`); the share is of the V - 1 other joints, rounded.
    """
    d, centre = clip.dims, clip.skeleton.centre
    others = np.delete(np.arange(clip.skeleton.V), centre)
    count = round(level * len(others))
    xyz = clip.xyz.copy()
    for body in range(clip.bodies):
        lost, here = generator.permutation(others)[:count], clip.valid[:, body]
        if not here.any():
            continue
        track = xyz[..., body].astype(np.float64)  # (C, T, V)
        path = np.zeros_like(track[:, :, :1])
        path[:d, :, 0] = track[:d, :, centre]
        mean = (track - path)[:, here].mean(axis=1, keepdims=True)
        xyz[:, :, lost, body] = (path + mean)[:, :, lost]
    return clear_absent(clip.replace(xyz=xyz))


def frame_dropout(clip: Clip, level: float, generator: np.random.Generator) -> Clip:
    """A share `level` of the frames lost for all bodies, and interpolated as `gaps.repair` does, however long.

    The first and the last frame of each body are never lost, and do not count.
    """
    kept = np.zeros(clip.frames, bool)
    for body in np.flatnonzero(clip.valid.any(axis=0)):
        kept[np.flatnonzero(clip.valid[:, body])[[0, -1]]] = True
    order = generator.permutation(clip.frames)
    order = order[~kept[order]]
    lost = np.zeros(clip.frames, bool)
    lost[order[: round(level * len(order))]] = True
    blank = np.where((lost[:, None] & clip.valid)[None, :, None], np.float32(np.nan), clip.xyz)
    return repair(clip.replace(xyz=blank), clip.frames)[0]


def jitter(clip: Clip, level: float, generator: np.random.Generator) -> Clip:
    """Every frame shows another moment: its own, displaced by a normal number of standard deviation `level` frames.

    Between frames the clip is linear, before its first and after its last moment it stays. A frame that would show
    nobody, or in which nobody is, stays as it is.
    """
    time, there = np.arange(clip.frames, dtype=np.float64), clip.valid.any(axis=1)
    first, last = np.flatnonzero(there)[[0, -1]]
    moved = np.clip(time + level * generator.standard_normal(clip.frames), first, last)
    moved = np.where(there & at(clip, moved)[1].any(axis=1), moved, time)
    xyz, valid = at(clip, moved)
    evidence = None if clip.evidence is None else clip.evidence[np.rint(moved).astype(int)]
    return clip.replace(xyz=xyz, valid=valid, evidence=evidence)


def viewpoint(clip: Clip, level: float, generator: np.random.Generator) -> Clip:
    """The scene turned by `level` degrees, to the left or to the right, about an upright axis.

    The axis goes through the centre joint of the first body that is there, in its first frame.
    """
    angle = math.radians(level) * (1 if generator.random() < 0.5 else -1)
    a, b = (axis for axis in range(3) if axis != "xyz".index(clip.skeleton.up[1]))
    frame = int(np.flatnonzero(clip.valid.any(axis=1))[0])
    body = int(np.flatnonzero(clip.valid[frame])[0])
    pivot = clip.xyz[:, frame, clip.skeleton.centre, body].astype(np.float64)[:, None, None, None]
    about = clip.xyz.astype(np.float64) - pivot
    turned = about.copy()
    turned[a] = math.cos(angle) * about[a] - math.sin(angle) * about[b]
    turned[b] = math.sin(angle) * about[a] + math.cos(angle) * about[b]
    return clear_absent(clip.replace(xyz=(turned + pivot).astype(np.float32)))


def second_body(clip: Clip, level: float, generator: np.random.Generator) -> Clip:
    """Only the main body is left: the one that preprocessing would keep as its first."""
    return select_bodies(clip, 1)


def _anything(clip: Clip) -> str:
    return ""


def _flat(clip: Clip) -> str:
    return "" if clip.dims == 3 else "a 2-D clip cannot be seen from elsewhere"


def _alone(clip: Clip) -> str:
    return "" if clip.valid.any(axis=0).sum() > 1 else "there is one body only"


def _about(clip: Clip) -> np.ndarray:
    """Coordinates (D, T, V, M) about the centre joint of the same body and frame, float64."""
    position = clip.xyz[: clip.dims].astype(np.float64)
    return position - position[:, :, clip.skeleton.centre, None]


def _seen(clip: Clip) -> np.ndarray:
    """(T, V, M) bool: the body is there, and in 2-D with scores the joint was detected."""
    there = np.broadcast_to(clip.valid[:, None], clip.xyz.shape[1:])
    return there & (clip.xyz[2] > 0) if clip.xyz.shape[0] > clip.dims else there


NOISES: dict[str, Noise] = {
    row.name: row
    for row in (
        Noise(
            name="gaussian",
            what="Gaussian noise on every coordinate, relative to the clip's own signal power about its centre",
            unit="dB",
            levels=(40, 30, 20, 15, 10, 5, 0),
            clean=math.inf,
            rising=False,
            least=-100,
            most=200,
            function=gaussian,
            lacks=_anything,
        ),
        Noise(
            name="joint_dropout",
            what="joints missing for the whole clip, held at their mean position relative to the centre",
            unit="of the joints",
            levels=(0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8),
            clean=0,
            rising=True,
            least=0,
            most=1,
            function=joint_dropout,
            lacks=_anything,
        ),
        Noise(
            name="frame_dropout",
            what="frames missing, interpolated between those that are left",
            unit="of the frames",
            levels=(0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95),
            clean=0,
            rising=True,
            least=0,
            most=1,
            function=frame_dropout,
            lacks=_anything,
        ),
        Noise(
            name="jitter",
            what="frames that show another moment than their own",
            unit="frames",
            levels=(0.5, 1, 2, 4, 8, 16, 32),
            clean=0,
            rising=True,
            least=0,
            most=1e6,
            function=jitter,
            lacks=_anything,
        ),
        Noise(
            name="viewpoint",
            what="the scene turned about an upright axis",
            unit="degrees",
            levels=(5, 10, 20, 30, 45, 60, 90),
            clean=0,
            rising=True,
            least=0,
            most=180,
            function=viewpoint,
            lacks=_flat,
        ),
        Noise(
            name="second_body",
            what="the second body missing",
            unit=None,
            levels=(),
            clean=0,
            rising=True,
            least=0,
            most=0,
            function=second_body,
            lacks=_alone,
        ),
    )
}
