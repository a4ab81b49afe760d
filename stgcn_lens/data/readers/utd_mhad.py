"""UTD-MHAD: one MATLAB file a clip, ``aA_sS_tT_skeleton.mat``, variable ``d_skel`` (20, 3, T) in metres."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.io import loadmat, whosmat

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.readers.source import SNIFFED, OnFault, Progress, Reader, class_names, each, listing, numbered
from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import get_layout

CLASSES = 27
FPS = 30.0
# The order in which the set stores the joints of layout kinect20.
JOINTS = (
    *("head", "shoulder_centre", "spine", "hip_centre"),
    *("left_shoulder", "left_elbow", "left_wrist", "left_hand"),
    *("right_shoulder", "right_elbow", "right_wrist", "right_hand"),
    *("left_hip", "left_knee", "left_ankle", "left_foot"),
    *("right_hip", "right_knee", "right_ankle", "right_foot"),
)
_ORDER = [JOINTS.index(name) for name in get_layout("kinect20").joints]
_NAME = re.compile(r"a(\d+)_s(\d+)_t(\d+)", re.IGNORECASE)


def parse(file: Path, name: str, on_fault: OnFault) -> Clip:
    """One `.mat` file as a clip; `DataError` naming the file where it is not one."""
    try:
        content = loadmat(file)
    except Exception as error:  # scipy raises a dozen kinds, from TypeError to zlib.error, on damaged files
        raise DataError(
            f"not a MATLAB file that can be read ({error})", file=file.name, fix="get the file again or remove it"
        ) from error
    if "d_skel" not in content:
        found = [key for key in content if not key.startswith("__")]
        raise DataError("a variable is missing", file=file.name, got=found or "no variable", expected="d_skel")
    skeleton = content["d_skel"]
    if skeleton.ndim == 2:
        skeleton = skeleton[..., None]  # MATLAB drops the last axis of a clip of one frame
    if skeleton.ndim != 3 or skeleton.shape[:2] != (20, 3) or skeleton.dtype.kind not in "fiu":
        raise DataError(
            "d_skel has another shape",
            file=file.name,
            got=f"{skeleton.shape} {skeleton.dtype}",
            expected="(20, 3, frames) numbers",
        )
    code = _NAME.search(name)
    xyz = skeleton[_ORDER].transpose(1, 2, 0)[..., None]  # (C, T, V, M)
    return Clip(
        xyz=np.ascontiguousarray(xyz, dtype=np.float32),
        valid=np.ones((skeleton.shape[2], 1), bool),
        name=name,
        layout="kinect20",
        label=int(code[1]) - 1 if code else None,
        subject=int(code[2]) if code else None,
        fps=FPS,
    )


def _files(path: Path) -> list[tuple[Path, str]]:
    return listing(path, lambda file: file.suffix.lower() == ".mat")


def _sniff(path: Path) -> bool:
    return any(_holds_skeleton(file) for file, _ in _files(path)[:SNIFFED])


def _holds_skeleton(file: Path) -> bool:
    try:
        return any(name == "d_skel" for name, *_ in whosmat(file))
    except Exception:  # see `parse`
        return False


def _read(path: Path, on_fault: OnFault, progress: Progress | None) -> Iterator[Clip]:
    return each(_files(path), parse, on_fault, progress)


def _classes(path: Path) -> list[str]:
    labels = [int(code[1]) - 1 for _, name in _files(path) if (code := _NAME.search(name))]
    return class_names(path) or numbered(labels, CLASSES, "action {}")


READER = Reader(
    name="utd-mhad",
    what="aA_sS_tT_skeleton.mat files, each with a variable d_skel (20, 3, frames)",
    layout="kinect20",
    sniff=_sniff,
    read=_read,
    classes=_classes,
    protocol=lambda path: "utd-mhad",
)
