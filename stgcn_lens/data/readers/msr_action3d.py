"""MSR-Action3D: one text file a clip, ``aXX_sXX_eXX_skeleton3D.txt``, 20 rows (x y z confidence) a frame, metres."""

import re
from pathlib import Path

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import Fault
from stgcn_lens.data.readers.source import Contents, Found, OnFault, Reader, class_names, each, names, numbered
from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import get_layout

CLASSES = 20
FPS = 15.0
# The order in which the set stores the joints of layout kinect20.
JOINTS = (
    *("left_shoulder", "right_shoulder", "shoulder_centre", "spine", "left_hip", "right_hip", "hip_centre"),
    *("left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand"),
    *("left_knee", "right_knee", "left_ankle", "right_ankle", "left_foot", "right_foot", "head"),
)
V, COLUMNS = len(JOINTS), 4
_ORDER = [JOINTS.index(name) for name in get_layout("kinect20").joints]
_NAME = re.compile(r"a(\d+)_s(\d+)_e(\d+)", re.IGNORECASE)


def parse(file: Path, name: str, on_fault: OnFault) -> Clip | None:
    """One text file as a clip, or None (told to `on_fault`) where no frame shows a body.

    Frames whose coordinates are all zero show no body: they are cut off at the end and marked absent
    elsewhere. The fourth column, a confidence, is zero for many joints that are well placed; it is not used.
    """
    table = _table(file)
    frames = table.reshape(-1, V, COLUMNS)[..., :3]
    filled = (frames != 0).any(axis=(1, 2))  # NaN counts as filled: it is refused later, with its place
    empty = int((~filled).sum())
    if not filled.any():
        on_fault(Fault(file.name, f"no body in any frame: got {empty} all-zero frames", "clip", empty))
        return None
    length = int(np.flatnonzero(filled)[-1]) + 1
    if empty:
        cut = len(filled) - length
        parts = [f"{cut} of {len(filled)} frames cut off the end"] if cut else []
        parts += [f"{empty - cut} of {len(filled)} frames marked as without a body"] if empty > cut else []
        on_fault(Fault(file.name, f"all-zero frames: {' and '.join(parts)}", "frames", empty))
    code = _NAME.search(name)
    xyz = frames[:length, _ORDER].transpose(2, 0, 1)[..., None]  # (C, T, V, M)
    return Clip(
        xyz=np.ascontiguousarray(xyz, dtype=np.float32),
        valid=filled[:length, None].copy(),
        name=name,
        layout="kinect20",
        label=int(code[1]) - 1 if code else None,
        subject=int(code[2]) if code else None,
        fps=FPS,
    )


def _table(file: Path) -> np.ndarray:
    """All rows of a file, (20 * frames, 4)."""
    rows = [line for line in file.read_bytes().split(b"\n") if line.strip()]
    if not rows:
        raise DataError("an empty file", file=file.name, expected="20 rows a frame")
    tokens = b" ".join(rows).split()
    if len(tokens) != COLUMNS * len(rows) or len(rows) % V:
        for i, row in enumerate(rows):
            if len(row.split()) != COLUMNS:
                raise DataError(
                    f"a row of another length (row {i})",
                    file=file.name,
                    frame=i // V,
                    got=f"{len(row.split())} values",
                    expected=f"{COLUMNS}: x y z confidence",
                    fix="get the file again or remove it",
                )
        raise DataError(
            "cut mid-frame",
            file=file.name,
            frame=len(rows) // V,
            got=f"{len(rows) % V} rows in the last frame",
            expected=f"{V}",
            fix="get the file again or remove it",
        )
    try:
        return np.fromiter(map(float, tokens), np.float64, len(tokens)).reshape(-1, COLUMNS)
    except ValueError:
        bad = next(i for i, token in enumerate(tokens) if not _is_number(token))
        raise DataError(
            "not a number",
            file=file.name,
            frame=bad // (V * COLUMNS),
            got=repr(tokens[bad].decode(errors="replace")[:40]),
            expected="x y z confidence",
        ) from None


def _is_number(token: bytes) -> bool:
    try:
        float(token)
    except ValueError:
        return False
    return True


def _sniff(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            row = stream.readline(1000).split()
    except OSError:
        return False
    return len(row) == COLUMNS and all(map(_is_number, row))


def _open(found: Found) -> Contents:
    """Files of the format by name, damaged or not, and text files of four columns under other names."""
    wanted = [file for file in found.files if _NAME.search(file.stem) or _sniff(file)]
    files = names(found.path, wanted or found.files)
    labels = [int(code[1]) - 1 for _, name in files if (code := _NAME.search(name))]
    classes = class_names(found.path) or numbered(labels, CLASSES, "action {}")
    return Contents(lambda *told: each(files, parse, *told), tuple(classes), "msr-action3d")


READER = Reader(
    name="msr-action3d",
    what="aXX_sXX_eXX_skeleton3D.txt files, 20 rows 'x y z confidence' a frame",
    layout="kinect20",
    suffixes=(".txt",),
    sniff=_sniff,
    open=_open,
)
