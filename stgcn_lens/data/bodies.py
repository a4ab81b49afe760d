"""Which bodies and which frames of a clip are kept: selection and empty ends."""

import numpy as np

from stgcn_lens.data.clip import Clip

_LASTING = 0.5  # ours: for a shorter share of its time nobody takes the place of a wide body


def points(clip: Clip, body: int) -> np.ndarray:
    """Positions of one body in the frames it is present in, (F, V, D), NaN where a 2-D joint was not detected.

    D is the number of spatial channels, `Clip.dims`.
    """
    here = clip.xyz[..., body][:, clip.valid[:, body]].astype(np.float64)
    position = here[: clip.dims]
    if clip.skeleton.dims == 2 and here.shape[0] == 3:
        position = np.where(here[2] > 0, position, np.nan)
    return position.transpose(1, 2, 0)


def spatial_energy(clip: Clip) -> np.ndarray:
    """How much room each body takes, (M,): the sum over axes of the standard deviation over frames and joints.

    Motion would be misled by tracking noise on furniture; file order is no order at all. 0 for a body that is
    never there.
    """
    energy = np.zeros(clip.bodies)
    for body in _ever_there(clip):
        cloud = np.concatenate(points(clip, body))
        cloud = cloud[np.isfinite(cloud).all(axis=1)]
        energy[body] = cloud.std(axis=0).sum() if len(cloud) else 0.0
    return energy


def flatness(clip: Clip) -> np.ndarray:
    """Width over height of each body, (M,): the median over its frames of x-spread / y-spread; inf if absent."""
    ratio = np.full(clip.bodies, np.inf)
    for body in _ever_there(clip):
        cloud = points(clip, body)
        cloud = cloud[np.isfinite(cloud).all(axis=2).any(axis=1)]
        if not len(cloud):
            continue
        spread = np.nanmax(cloud[..., :2], axis=1) - np.nanmin(cloud[..., :2], axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            each = spread[:, 0] / spread[:, 1]
        ratio[body] = np.median(np.nan_to_num(each, nan=np.inf, posinf=np.inf))
    return ratio


def select_bodies(clip: Clip, bodies: int = 2, max_flatness: float = 0.8) -> Clip:
    """Keep at most `bodies` bodies, those of the largest spatial energy, the largest first.

    A body wider than `max_flatness` times its height is furniture and is left out (0 switches the rule off), unless
    no upright body is there for at least half as many frames as it: then it is somebody who sits or lies, or is seen
    from the waist up, and the upright ones pass by. Where nobody is upright, the best body stays alone.
    """
    energy = spatial_energy(clip)
    order = sorted(_ever_there(clip), key=lambda body: -energy[body])
    if max_flatness > 0 and len(order) > 1:
        ratio, lasts = flatness(clip), clip.valid.sum(axis=0)
        upright = [body for body in order if ratio[body] <= max_flatness]
        longest = max((lasts[body] for body in upright), default=0)
        kept = [body for body in order if body in upright or longest < _LASTING * lasts[body]]
        order = kept if upright else order[:1]
    return take(clip, bodies=order[:bodies])


def drop_empty(clip: Clip) -> Clip:
    """Cut off the frames before the first and after the last one in which any body is present."""
    filled = np.flatnonzero(clip.valid.any(axis=1))
    if not len(filled):
        return clip
    return take(clip, frames=np.arange(filled[0], filled[-1] + 1))


def clear_absent(clip: Clip) -> Clip:
    """Set the coordinates of absent bodies to exactly zero."""
    xyz = np.where(clip.valid[None, :, None, :], clip.xyz, np.float32(0)).astype(np.float32, copy=False)
    return clip.replace(xyz=xyz)


def take(clip: Clip, *, frames: np.ndarray | None = None, bodies: list[int] | None = None) -> Clip:
    """Chosen frames and body slots of everything that a clip has per frame and body."""
    t = np.arange(clip.frames) if frames is None else frames
    m = np.arange(clip.bodies) if bodies is None else np.array(bodies)
    evidence = None if clip.evidence is None else np.ascontiguousarray(clip.evidence[t][..., m])
    return clip.replace(
        xyz=np.ascontiguousarray(clip.xyz[:, t][..., m]), valid=clip.valid[np.ix_(t, m)], evidence=evidence
    )


def _ever_there(clip: Clip) -> list[int]:
    """Slots in which a body is present in at least one frame."""
    return [int(body) for body in np.flatnonzero(clip.valid.any(axis=0))]
