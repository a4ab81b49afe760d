"""From a layer's rows to frames: where a saliency map sits in time, and on which scale it is shown."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.rows import rows
from stgcn_lens.data.transforms import Sample
from stgcn_lens.errors import LensError

SCOPES = ("clip", "layer", "none")


def to_frames(map: np.ndarray, stride: int, frames: int) -> np.ndarray:
    """A layer's map on the model's frames: row tau at frame tau * r_l, linear between, constant past the last.

    Rows that belong to padding do not take part: the result is the same whether they were cut before or not.

    Parameters
    ----------
    map : (T_l, V, M), at least ceil(frames / stride) rows.
    stride : total temporal stride r_l.
    frames : number of real frames.

    Returns
    -------
    (frames, V, M) float32.
    """
    valid = rows(frames, max(stride, 1))
    if map.ndim != 3 or frames < 1 or stride < 1 or len(map) < valid:
        raise LensError(
            "the map does not span the frames",
            got=f"axes {map.shape}",
            expected=f"(T_l, V, M) with T_l >= {valid} for {frames} frames at stride {stride}",
        )
    return _linear(map[:valid], np.arange(frames) / stride)


def to_clip(map: np.ndarray, source: np.ndarray, clip_frames: int) -> np.ndarray:
    """A map on the model's frames, resampled to the frames of the cleaned clip that they were taken from.

    Linear between the positions of the model's frames. A clip frame a whole frame or more outside of them (cut
    off by a crop) was never seen by the model and gets 0.

    Parameters
    ----------
    map : (f, V, M), on the real model frames.
    source : (f,), position of each model frame in the clip, in frames, not falling.
    clip_frames : number of frames F of the clip.

    Returns
    -------
    (F, V, M) float32.
    """
    source = np.asarray(source, dtype=np.float64)
    if map.ndim != 3 or source.shape != (len(map),) or not len(map) or clip_frames < 1:
        raise LensError(
            "map and frame positions differ", got=f"{map.shape} and {source.shape}", expected="(f, V, M), (f,)"
        )
    if not np.isfinite(source).all() or (np.diff(source) < 0).any():
        raise LensError("frame positions must not fall", got=f"{source.tolist()}", expected="Sample.source")
    # Model frames that share one position (a clip of one frame, stretched) count as one: their mean.
    places, group, count = np.unique(source, return_inverse=True, return_counts=True)
    merged = np.zeros((len(places), *map.shape[1:]))
    np.add.at(merged, group, map)
    merged /= count[:, None, None]
    frame = np.arange(clip_frames)
    on_clip = _linear(merged, np.interp(frame, places, np.arange(len(places))))
    on_clip[(frame <= places[0] - 1) | (frame >= places[-1] + 1)] = 0
    return on_clip


def on_clip(map: np.ndarray, stride: int, sample: Sample, clip: Clip) -> np.ndarray:
    """A layer's map (T_l, V, M') on the F frames and M bodies of the cleaned clip that the sample was made from.

    (F, V, M) float32, zero where no body is.
    """
    shown = to_clip(to_frames(map, stride, sample.frames), sample.source, clip.frames)
    there = np.zeros(clip.xyz.shape[1:], np.float32)
    bodies = min(clip.bodies, shown.shape[2])
    there[..., :bodies] = shown[..., :bodies]
    return np.asarray(there * clip.valid[:, None])


def normalise(maps: Sequence[np.ndarray], scope: Literal["clip", "layer", "none"] = "clip") -> list[np.ndarray]:
    """One layer's maps of several clips, scaled to a largest absolute value of 1; a zero map stays zero.

    `scope` is what shares a scale and must be said beside the colours: "clip" scales each clip by itself, "layer"
    all clips of the layer together, "none" leaves the values alone. Signs are kept.
    """
    if scope not in SCOPES:
        raise LensError("unknown normalisation scope", got=repr(scope), expected=f"one of {', '.join(SCOPES)}")
    peaks = [float(np.abs(map).max(initial=0)) for map in maps]
    if scope == "layer":
        peaks = [max(peaks, default=0.0)] * len(maps)
    if scope == "none":
        peaks = [1.0] * len(maps)
    return [(map / (peak or 1.0)).astype(np.float32) for map, peak in zip(maps, peaks, strict=True)]


def _linear(map: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Rows of `map` at float row numbers, linear between rows, constant outside of them."""
    position = np.clip(position, 0, len(map) - 1)
    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, len(map) - 1)
    part = (position - low)[:, None, None]
    return (map[low] * (1 - part) + map[high] * part).astype(np.float32)
