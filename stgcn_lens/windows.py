"""From a layer's activation to the windows of each clip: a whole batch at once, and where the network computes.

Source: Das, Shekkizhar, Ortega, arXiv 2312.07777: a clip at a layer is the sequence of its frames' features, cut into
windows.
"""

from typing import Literal

import numpy as np
import torch

from stgcn_lens.data.rows import rows

How = Literal["mean", "concatenate"]


def windows(
    activation: torch.Tensor,
    present: np.ndarray,
    frames: np.ndarray,
    *,
    stride: int,
    window: int,
    window_stride: int | None,
    how: How,
) -> tuple[torch.Tensor, np.ndarray]:
    """Windows of a batch of clips at a layer, one clip after the other, and how many each has; see `cut`.

    Parameters
    ----------
    activation : (n * M, C_l, T_l, V), what the layer put out.
    present, frames, stride : see `frame_features`.
    window, window_stride : input frames of a window, and from one to the next, see `extent`.
    """
    features = frame_features(activation.float().unflatten(0, (len(frames), -1)), present, frames, stride)
    return cut(features, -(-frames // stride), *extent(window, window_stride, stride), how)


def frame_features(activation: torch.Tensor, present: np.ndarray, frames: np.ndarray, stride: int) -> torch.Tensor:
    """Each clip's rows at a layer, mean over the bodies present: (n, M, C_l, T_l, V) -> (n, longest, C_l * V).

    A row stands for the frames from its own to the next row's: a body is in it if it is in any of them. Rows past a
    clip's own are zero, whatever the layer holds there.

    Parameters
    ----------
    present : (n, T, M) bool, which bodies are in each frame.
    frames : (n,) real frames of each clip; `longest` is the number of valid rows of the longest.
    stride : total temporal stride r_l of the layer.
    """
    there = _present_rows(present, frames, stride)
    longest = there.shape[1]
    share = there / np.maximum(there.sum(axis=2, keepdims=True), 1)
    weight = torch.from_numpy(share).to(activation)  # (n, longest, M)
    features = sum(
        activation[:, body, :, :longest] * weight[:, None, :, None, body] for body in range(activation.shape[1])
    )
    past = torch.from_numpy(np.arange(longest) >= -(-frames[:, None] // stride)).to(activation.device)
    # No product with zero: what is not finite would stay so.
    return features.permute(0, 2, 1, 3).flatten(2).masked_fill(past[:, :, None], 0.0)  # type: ignore[union-attr]


def cut(features: torch.Tensor, valid: np.ndarray, span: int, step: int, how: How) -> tuple[torch.Tensor, np.ndarray]:
    """Windows of all clips, one clip after the other, and how many each has.

    A window spans `span` rows and begins `step` rows after the one before. The last one may be shorter and counts; a
    clip shorter than a window has one.

    Parameters
    ----------
    features : (n, longest, D) rows of each clip.
    valid : (n,) how many of them are its own.
    how : mean of a window's rows, or their concatenation (a short window then repeats its last row).

    Returns
    -------
    (sum of counts, D), or (sum of counts, D * span) for the concatenation; and the counts (n,).
    """
    n, longest, _ = features.shape
    counts = np.maximum(1, -(-(valid - span) // step) + 1)
    start = np.arange(counts.max()) * step
    stop = np.minimum(start + span, valid[:, None])  # (n, most windows of a clip)
    if how == "mean":
        row = np.arange(longest)
        inside = (row >= start[:, None]) & (row < stop[:, :, None])  # (n, most, longest)
        size = np.maximum(stop - start, 1)[:, :, None]
        out = torch.from_numpy(inside).to(features) @ features / torch.from_numpy(size).to(features)
    else:
        place = np.minimum(start[:, None] + np.arange(span), stop[:, :, None] - 1).clip(min=0)
        clip = torch.arange(n, device=features.device)[:, None, None]
        out = features[clip, torch.from_numpy(place).to(features.device)].flatten(2)
    there = np.flatnonzero(np.arange(len(start)) < counts[:, None])
    return out.flatten(0, 1)[torch.from_numpy(there).to(features.device)], counts


def extent(window: int, stride: int | None, layer_stride: int) -> tuple[int, int]:
    """Rows that a window of so many input frames spans at a layer, and rows from one to the next.

    max(1, round(w / r_l)) of both; `stride` None means as many frames as a window has.
    """
    return max(1, round(window / layer_stride)), max(1, round((stride or window) / layer_stride))


def _present_rows(present: np.ndarray, frames: np.ndarray, stride: int) -> np.ndarray:
    """Which bodies are in each row of each clip, (n, longest, M) bool."""
    n, total, bodies = present.shape
    longest = rows(int(frames.max()), stride)
    seen = present & (np.arange(total)[:, None] < frames[:, None, None])
    seen = np.pad(seen, ((0, 0), (0, max(0, longest * stride - total)), (0, 0)))[:, : longest * stride]
    return np.asarray(seen.reshape(n, longest, stride, bodies).any(axis=2))
