"""Two maps that know nothing of the network, beside which every explanation is judged.

A random map, and the speed of every joint: a map that does not beat them explains nothing that noise or plain motion
would not.
"""

from collections.abc import Sequence

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.skeleton import Layout


def motion(clip: Clip) -> np.ndarray:
    """Speed of every joint relative to its body's centre joint, (T, V, M) float32, in units of the clip per second.

    Mean of the steps to the frame before and after, of those in which the body is present at both ends.
    """
    layout = clip.skeleton
    xyz = clip.xyz[: layout.dims]
    return _speed(xyz - xyz[:, :, layout.centre, None], clip.valid, clip.fps)


def motion_of_input(x: np.ndarray, there: np.ndarray, layout: Layout, stream: str) -> np.ndarray:
    """Motion magnitude in what a network is fed, (T, V, M) float32, per frame; for disturbed inputs as well.

    Of joint positions their speed as in `motion`; of bones how fast they change; of a motion stream its length.

    Parameters
    ----------
    x : (C, T, V, M), a prepared clip. `there`: (T, M) bool. `stream`: a key of `data.streams`.
    """
    x = x[: layout.dims]
    if stream.endswith("motion"):
        return (np.linalg.norm(x, axis=0) * there[:, None]).astype(np.float32)
    return _speed(x - x[:, :, layout.centre, None] if stream == "joint" else x, there, 1.0)


def random_map(shape: Sequence[int], seed: Sequence[int]) -> np.ndarray:
    """Uniform values in [0, 1), float32, each cell by itself; the same for the same seed."""
    return np.random.default_rng(list(seed)).random(tuple(shape), dtype=np.float32)


def _speed(relative: np.ndarray, valid: np.ndarray, fps: float) -> np.ndarray:
    """Mean length of the steps before and after each frame, (C, T, V, M) and (T, M) -> (T, V, M) float32."""
    both = valid[1:] & valid[:-1]
    step = np.where(both[:, None], np.linalg.norm(np.diff(relative, axis=1), axis=0), 0) * fps
    total = np.zeros(relative.shape[1:])
    steps = np.zeros(valid.shape)
    for ends in (slice(1, None), slice(None, -1)):
        total[ends] += step
        steps[ends] += both
    return (total / np.maximum(steps, 1)[:, None]).astype(np.float32)
