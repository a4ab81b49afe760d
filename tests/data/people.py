"""Small made-up bodies for the tests of `stgcn_lens.data`: upright, wider at the shoulders than deep, with noise."""

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.skeleton import Layout, get_layout


def body(layout: Layout, frames: int, rng: np.random.Generator, *, place=(0.0, 0.0, 3.0), size=1.0) -> np.ndarray:
    """(3, T, V): someone about 1.7 m tall who faces the sensor; joints other than spine and shoulders are at random."""
    rest = rng.uniform([-0.2, -0.85, -0.1], [0.2, 0.85, 0.1], (layout.V, 3))
    rest[layout.spine[0]], rest[layout.spine[1]] = (0, 0, 0), (0, 0.5, 0)
    rest[layout.shoulders[0]], rest[layout.shoulders[1]] = (-0.2, 0.45, 0), (0.2, 0.45, 0)
    moving = rest + 0.02 * np.cumsum(rng.normal(size=(frames, layout.V, 3)), axis=0)
    return (size * moving + np.asarray(place)).transpose(2, 0, 1)


def clip(
    frames: int = 12,
    bodies: int = 1,
    *,
    layout: str = "ntu25",
    seed: int = 0,
    name: str = "S001C002P003R001A004",
    **about: object,
) -> Clip:
    """A clip in which every body is there in every frame; 2-D layouts get scores in (0.5, 1)."""
    rng = np.random.default_rng(seed)
    skeleton = get_layout(layout)
    # Later bodies are smaller, so that the first has the largest spatial energy.
    people = [body(skeleton, frames, rng, place=(m, 0, 3), size=1 - 0.2 * m) for m in range(bodies)]
    xyz = np.stack(people, axis=-1).astype(np.float32)
    if skeleton.dims == 2:
        xyz[2] = rng.uniform(0.5, 1, xyz.shape[1:])
    known = {"label": 3, "subject": 3, "view": 2, "setup": 1}
    return Clip(xyz=xyz, valid=np.ones((frames, bodies), bool), name=name, layout=layout, **{**known, **about})


def without(clip: Clip, body: int, frames: slice | list[int]) -> Clip:
    """The clip with one body absent in some frames."""
    xyz, valid = clip.xyz.copy(), clip.valid.copy()
    xyz[:, frames, :, body] = 0
    valid[frames, body] = False
    return clip.replace(xyz=xyz, valid=valid)


def furniture(clip: Clip, rng: np.random.Generator, noise: float = 0.0) -> np.ndarray:
    """A table the sensor took for a body: wide, low, and jittering; (3, T, V)."""
    shape = (3, clip.frames, clip.skeleton.V)
    place = rng.uniform([[-1.5], [-0.3], [2.5]], [[1.5], [0.1], [3.5]], (3, clip.skeleton.V))[:, None]
    return (place + noise * rng.normal(size=shape)).astype(np.float32)


def among_furniture(rng: np.random.Generator) -> Clip:
    """Person, table, person: the table in the middle slot, with evidence on the second person's head."""
    two = clip(bodies=2)
    xyz = np.stack([two.xyz[..., 1], furniture(two, rng, noise=0.2), two.xyz[..., 0]], axis=-1)
    evidence = np.zeros(xyz.shape[1:], bool)
    evidence[:, 3, 2] = True
    return two.replace(xyz=xyz, valid=np.ones((12, 3), bool), evidence=evidence)


def edited(lines, at, text):
    """The lines with one of them replaced."""
    return [*lines[:at], text, *lines[at + 1 :]]
