"""UTD-MHAD: one MATLAB file a clip, ``aA_sS_tT_skeleton.mat``, variable ``d_skel`` (20, 3, T) in metres."""

import re
from pathlib import Path

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.parsing.mat5 import variables
from stgcn_lens.data.source import Contents, Found, OnFault, Reader, class_names, each, names, numbered
from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import get_layout

CLASSES = 27
VARIABLE = "d_skel"
FPS = 30.0
# The order in which the set stores the joints of layout kinect20.
JOINTS = (
    *("head", "shoulder_centre", "spine", "hip_centre"),
    *("left_shoulder", "left_elbow", "left_wrist", "left_hand"),
    *("right_shoulder", "right_elbow", "right_wrist", "right_hand"),
    *("left_hip", "left_knee", "left_ankle", "left_foot"),
    *("right_hip", "right_knee", "right_ankle", "right_foot"),
)
_PLACE = [get_layout("kinect20").joints.index(name) for name in JOINTS]
_NAME = re.compile(r"a(\d{1,9})_s(\d{1,9})_t\d", re.IGNORECASE)


def parse(file: Path, name: str, on_fault: OnFault) -> Clip:
    """One `.mat` file as a clip; `DataError` naming the file where it is not one."""
    skeleton = _skeleton(file)
    code = _NAME.search(name)
    xyz = np.empty((3, skeleton.shape[2], 20, 1), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # what no float32 holds is refused later
        xyz[..., _PLACE, 0] = skeleton.transpose(1, 2, 0)
    return Clip(
        xyz=xyz,
        valid=np.ones((skeleton.shape[2], 1), bool),
        name=name,
        layout="kinect20",
        label=int(code[1]) - 1 if code else None,
        subject=int(code[2]) if code else None,
        fps=FPS,
    )


def _skeleton(file: Path) -> np.ndarray:
    """(20, 3, T), as stored."""
    others: list[str] = []
    with file.open("rb") as stream:
        for variable in variables(stream, file):
            if variable.name != VARIABLE:
                others.append(variable.name[:40])
                continue
            shape = (*variable.shape, 1)[:3]  # MATLAB drops the last axis of a clip of one frame
            if shape[:2] != (20, 3) or len(variable.shape) > 3 or not variable.numeric:
                raise DataError(
                    f"{VARIABLE} has another shape",
                    file=file.name,
                    got=f"{variable.shape} {variable.kind}",
                    expected="(20, 3, frames) numbers",
                )
            return variable.values().reshape(shape)
    raise DataError("a variable is missing", file=file.name, got=others[:8] or "no variable", expected=VARIABLE)


def _sniff(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return any(variable.name == VARIABLE for variable in variables(stream, file))
    except (DataError, OSError):
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
