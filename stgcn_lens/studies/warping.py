"""From a warping path of windows to the frame of one clip that belongs to each frame of another."""

from collections.abc import Mapping, Sequence

import numpy as np


def frame_map(
    path: Sequence[tuple[int, int]],
    first: Sequence[Mapping[str, float]],
    second: Sequence[Mapping[str, float]],
    frames: tuple[int, int],
) -> np.ndarray:
    """Frame of the second clip for each frame of the first, (F1,) float64, never going back.

    The middle of a window of the first lies on the mean of the middles of those that the path lays on it; between them
    it is linear, and both begin and end together, as the path does.

    Parameters
    ----------
    path : pairs of windows (of the first, of the second), as `window_dtw.path` gives it.
    first, second : where the windows lie, as `Places.windows` gives it.
    frames : F1 and F2, of the cleaned clips.
    """
    laid: dict[int, list[float]] = {}
    for a, b in path:
        laid.setdefault(a, []).append(_middle(second[b]))
    at = [0.0, *(_middle(first[a]) for a in sorted(laid)), frames[0] - 1.0]
    to = [0.0, *(float(np.mean(laid[a])) for a in sorted(laid)), frames[1] - 1.0]
    # A clip of one window has its middle as good as at its ends; what is not beyond the point before is left out.
    kept = [0, *(i for i in range(1, len(at) - 1) if at[i - 1] < at[i] < at[-1] and to[i] <= to[-1])]
    kept += [len(at) - 1] if at[-1] > 0 else []
    return np.interp(np.arange(frames[0]), np.array(at)[kept], np.maximum.accumulate(np.array(to)[kept]))


def _middle(window: Mapping[str, float]) -> float:
    return (window["first_frame"] + window["last_frame"]) / 2
