"""One annotation of pyskl or mmaction2, a dict, as a clip."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import get_layout


def pose(one: Any) -> np.ndarray:
    """The keypoints of an annotation, (M, T, V, C)."""
    if not isinstance(one, dict):
        raise DataError("not an annotation", got=_shown(one), expected="a dict")
    if one.get("keypoint") is None:
        raise DataError("no keypoints", expected="keypoint (M, T, V, C)")
    points = _numbers(one["keypoint"], "keypoint")
    if points.ndim != 4 or points.shape[3] not in (2, 3) or 0 in points.shape:
        expected = "(M, T, V, C), at least one of each, with C = 2 or 3"
        raise DataError("other axes of keypoint than expected", got=points.shape, expected=expected)
    return points


def whole(value: Any) -> int | None:
    """A number of an annotation; None where there is none, or something else."""
    if isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind in "iu":
        value = value.item()
    number = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return int(value) if number and abs(int(value)) < 2**31 else None


def clip(one: Mapping[str, Any], layout: str) -> tuple[Clip, str | None]:
    """One annotation as a clip that has no name yet, and what is odd about it.

    Raises
    ------
    DataError
        where keypoint, keypoint_score or label is not what it should be.
    """
    points = pose(one)
    m, t, v, c = points.shape
    skeleton = get_layout(layout)
    if v != skeleton.V or c < skeleton.dims:
        expected = f"{skeleton.V} joints of '{layout}' in {skeleton.dims}-D, as most of its clips"
        raise DataError("other joints than the file's", got=f"{v} joints in {c}-D", expected=expected)
    label, frames = whole(one.get("label")), one.get("total_frames")
    if label is None and one.get("label") is not None:
        raise DataError("the label is not a whole number", got=_shown(one["label"]), expected="a class counted from 0")
    xyz = np.empty((3, t, v, m), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold becomes infinite, and is listed
        there: np.ndarray = np.any(points, axis=(2, 3))
        xyz[:c] = points.transpose(3, 1, 2, 0)
        if c == 2 or (skeleton.dims == 2 and one.get("keypoint_score") is not None):
            score = _score(one, points)
            there &= np.any(score, axis=2)
            xyz[2] = score.transpose(1, 2, 0)
    valid, told = there.T, one.get("present")
    if isinstance(told, np.ndarray) and told.dtype == bool and told.shape == (m, t):
        valid = told.T.view(np.uint8) != 0  # a damaged byte is neither true nor false
    elif there.any():
        bodies, end = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))[-1] + 1
        xyz, valid = xyz[:, :end], valid[:end, bodies]
        xyz = xyz if len(bodies) == m else xyz[..., bodies]
    xyz.transpose(1, 3, 0, 2)[~valid] = 0
    odd = frames is not None and whole(frames) != t
    remark = f"total_frames says {_shown(frames)}; the {t} frames of the array were read" if odd else None
    return Clip(xyz=xyz, valid=np.ascontiguousarray(valid), name="", layout=layout, label=label), remark


def _shown(value: Any) -> str:
    """A value, in few words."""
    return f"{value!r:.40}" if isinstance(value, int | float | str | np.number) else type(value).__name__


def _numbers(value: Any, what: str) -> np.ndarray:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu" or value.dtype.itemsize < 2:
        got = f"an array of {value.dtype}" if isinstance(value, np.ndarray) else _shown(value)
        raise DataError(f"{what} is not coordinates", got=got, expected="an array of floating-point numbers")
    return value


def _score(one: Mapping[str, Any], points: np.ndarray) -> np.ndarray:
    """(M, T, V): how sure each joint is; without scores in the file 1, and 0 for joints at exactly zero."""
    if one.get("keypoint_score") is None:
        joints: np.ndarray = np.any(points, axis=3)
        return joints
    score = _numbers(one["keypoint_score"], "keypoint_score")
    if score.shape != points.shape[:3]:
        raise DataError("keypoint_score does not fit keypoint", got=score.shape, expected=points.shape[:3])
    return score
