"""Recorded clips as film strips: which frames are shown, from where, and what is written beside them."""

from collections.abc import Sequence

import numpy as np

from stgcn_lens.data.tally import Sample, undetected
from stgcn_lens.skeleton import Layout
from stgcn_lens.viz import film, player

_YAW = 0.35  # the angle at which the player opens, so that film strip and player look alike
_TITLE = 110  # characters that fit above a strip


def project(xyz: np.ndarray, layout: Layout, yaw: float) -> np.ndarray:
    """(T, V, 2, M): across and up, as the player's camera at that angle sees (C, T, V, M)."""
    sign, axis = (-1.0 if layout.up[0] == "-" else 1.0), "xyz".index(layout.up[1])
    across = xyz[0]
    if layout.dims == 3:
        across = -(xyz[(axis + 2) % 3] * np.cos(yaw) + sign * xyz[(axis + 1) % 3] * np.sin(yaw))
    return np.stack([across, sign * xyz[axis]], axis=2).astype(np.float64)


def strips(samples: Sequence[Sample], classes: Sequence[str], origin: str | None = None) -> list[film.Strip]:
    """One strip a sample, as it was recorded; what was not detected is not drawn.

    Parameters
    ----------
    samples : of `data.info.survey`.
    classes : names of the labels.
    origin : the joint that the clips are centred on, which is drawn although it lies at zero.
    """
    drawn = []
    for sample in samples:
        clip = sample.clip
        layout = clip.skeleton
        lost = undetected(clip)
        if origin is not None:
            lost[:, layout.index(origin)] = False
        yaw = player.payload(clip.xyz, clip.valid, layout)["yaw"] + _YAW if layout.dims == 3 else 0.0
        points = project(clip.xyz, layout, yaw)
        points[np.broadcast_to(lost[:, :, None], points.shape)] = np.nan
        label = classes[clip.label] if clip.label is not None else "no label"
        title = f"{clip.name}  ·  {label}  ·  {sample.frames} frames ({sample.why})"
        if len(title) > _TITLE:
            title = f"...{title[-_TITLE:]}"
        drawn.append(film.Strip(title, points, clip.valid, layout.bones, [f"frame {t}" for t in sample.at]))
    return drawn
