"""UTD-MHAD: one MATLAB file a clip, ``aA_sS_tT_skeleton.mat``, variable ``d_skel`` (20, 3, T) in metres."""

import re
from pathlib import Path

import numpy as np
from scipy.io import loadmat, whosmat

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.readers.source import Contents, Found, OnFault, Reader, class_names, each, names, numbered
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


def _sniff(file: Path) -> bool:
    try:
        return any(name == "d_skel" for name, *_ in whosmat(file))
    except Exception:  # see `parse`
        return False


def _open(found: Found) -> Contents:
    files = names(found.path, found.files)
    labels = [int(code[1]) - 1 for _, name in files if (code := _NAME.search(name))]
    classes = class_names(found.path) or numbered(labels, CLASSES, "action {}")
    return Contents(lambda *told: each(files, parse, *told), tuple(classes), "utd-mhad")


READER = Reader(
    name="utd-mhad",
    what="aA_sS_tT_skeleton.mat files, each with a variable d_skel (20, 3, frames)",
    layout="kinect20",
    suffixes=(".mat",),
    sniff=_sniff,
    open=_open,
)
