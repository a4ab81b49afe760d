"""Clips of one layout put onto another, by the names of the joints."""

from functools import cache

import numpy as np

from stgcn_lens.data.bodies import clear_absent
from stgcn_lens.data.clip import Clip
from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import get_layout
from stgcn_lens.skeleton.mapping import Mapping, mapping


def relayout(clip: Clip, target: str) -> Clip:
    """The clip with the joints of another layout.

    A joint with one source is that source, to the bit; means are taken in float64. The score of a 2-D joint is the
    least of those it is made of; where it is 0, nothing is known of the joint and its coordinates are 0 too. Absent
    bodies stay exactly zero, evidence goes to every joint that is made of one that carries it, units are kept.

    Parameters
    ----------
    target : name of a layout, see `skeleton.get_layout`.

    Raises
    ------
    DataError
        where the target has joints, or a depth, that the clip does not have; see `skeleton.mapping.mapping`.
    """
    how = joint_mapping(clip.layout, target)
    matrix, source_dims = how.matrix, how.axes.shape[1]
    if clip.xyz.shape[0] < source_dims:
        raise DataError(
            f"a clip of layout '{clip.layout}' without depth",
            file=clip.name,
            got=f"{clip.xyz.shape[0]} channels",
            expected=f"{source_dims}, to put it onto layout '{target}'",
        )
    position, score = _turned(clip.xyz[:source_dims], how.axes), clip.xyz[source_dims:]
    joints = [_made(position, row) for row in matrix]
    channels = [np.stack(joints, axis=2)]
    if len(score):
        least = [score[:, :, np.flatnonzero(row)].min(axis=2) for row in matrix]
        channels.append(np.stack(least, axis=2))
        channels[0][:, channels[1][0] == 0] = 0
    elif how.axes.shape[0] < source_dims:
        channels.append(np.ones((1, *channels[0].shape[1:]), np.float32))
    evidence = clip.evidence
    if evidence is not None:
        evidence = np.stack([evidence[:, np.flatnonzero(row)].any(axis=1) for row in matrix], axis=1)
    xyz = np.concatenate(channels)
    return clear_absent(clip.replace(xyz=xyz, layout=target, evidence=evidence))


@cache
def joint_mapping(source: str, target: str) -> Mapping:
    """`mapping` of two layouts by their names, which stand for one content each."""
    return mapping(get_layout(source), get_layout(target))


def _turned(position: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Coordinates (D, T, V, M) along other axes: each is one of the old ones, or its opposite."""
    old = np.abs(axes).argmax(axis=1)
    sign = axes[np.arange(len(axes)), old].astype(np.float32)
    return position[old] * sign[:, None, None, None]


def _made(position: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """One joint, (D, T, M) float32, as the weighted mean of others."""
    used = np.flatnonzero(weights)
    if len(used) == 1:
        return position[:, :, used[0]]
    return np.einsum("dtvm,v->dtm", position[:, :, used], weights[used], dtype=np.float64).astype(np.float32)
