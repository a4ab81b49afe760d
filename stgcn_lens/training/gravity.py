"""How far every joint is from the body's centre of gravity, over the clips that train.

Source: Yan et al. 2018 (ST-GCN), section 3.3 and equation 8: r_i is "the average distance from gravity center to joint
i over all frames in the training set", and the gravity centre of a frame is the mean of its joints.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from stgcn_lens.adjacency import MEASURED
from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.transforms import Preprocessing, clean
from stgcn_lens.models import STGCNConfig


def radii(clips: Iterable[Clip]) -> np.ndarray:
    """Mean distance (V,) of every joint to the mean of all joints, over all bodies and frames, in the clips' unit."""
    total: np.ndarray | None = None
    count = 0
    for clip in clips:
        bodies = clip.xyz[: clip.skeleton.dims].transpose(1, 3, 0, 2)[clip.valid].astype(np.float64)  # (n, D, V)
        distance = np.linalg.norm(bodies - bodies.mean(axis=2, keepdims=True), axis=1).sum(axis=0)
        total = distance if total is None else total + distance
        count += len(bodies)
    assert total is not None
    return total / count


def measured(config: Any, clips: ClipSet, prep: Preprocessing, chosen: np.ndarray) -> Any:
    """The settings of a network, with the radius that they leave to be measured over the chosen clips (N,) bool.

    Clips are cleaned first, so that with `scale` people of every size count alike.
    """
    if not isinstance(config, STGCNConfig) or config.partition != MEASURED or config.radius is not None:
        return config
    if not chosen.any():
        return config  # the training will say that there is nothing to train on
    found = radii(clean(clips[int(i)], prep) for i in np.flatnonzero(chosen))
    return replace(config, radius=tuple(round(float(r), 6) for r in found))
