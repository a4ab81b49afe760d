"""MSR-Action3D: one text file a clip, ``aXX_sXX_eXX_skeleton3D.txt``, 20 rows (x y z confidence) a frame, metres."""

import re
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import Fault
from stgcn_lens.data.parsing.numerals import first_wrong, is_number
from stgcn_lens.data.source import Contents, Found, OnFault, Reader, class_names, each, names, numbered
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
LONGEST = 1000  # bytes of a line
_PLACE = [get_layout("kinect20").joints.index(name) for name in JOINTS]
_NAME = re.compile(r"a(\d{1,9})_s(\d{1,9})_e\d", re.IGNORECASE)


def parse(file: Path, name: str, on_fault: OnFault) -> Clip | None:
    """One text file as a clip, or None (told to `on_fault`) where no frame shows a body.

    Frames whose coordinates are all zero show no body: they are cut off at the end and marked absent
    elsewhere. The fourth column, a confidence, is zero for many joints that are well placed; it is not used.
    """
    xyz = _coordinates(file)
    filled = (xyz != 0).any(axis=(0, 2, 3))  # NaN counts as filled: it is refused later, with its place
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
    return Clip(
        xyz=xyz[:, :length],
        valid=filled[:length, None].copy(),
        name=name,
        layout="kinect20",
        label=int(code[1]) - 1 if code else None,
        subject=int(code[2]) if code else None,
        fps=FPS,
    )


def _coordinates(file: Path) -> np.ndarray:
    """(C, T, V, M) float32: x, y, z of a file; read twice, line by line, so that its text is never held."""
    count = sum(1 for _ in _rows(file))
    if count == 0:
        raise DataError("an empty file", file=file.name, expected="20 rows a frame")
    if count % V:
        raise _fault("cut mid-frame", file, count, f"{count % V} rows in the last frame", f"{V}")
    xyz = np.empty((3, count // V, V, 1), np.float32)
    rows = chain.from_iterable(_rows(file))
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused later
        for t in range(count // V):
            values = list(islice(rows, V * COLUMNS))
            try:
                xyz[:, t, _PLACE, 0] = np.fromiter(map(float, values), float).reshape(V, COLUMNS).T[:3]
            except ValueError:
                raise _fault("not a number", file, t * V, str(first_wrong(values)), "x y z confidence") from None
    return xyz


def _rows(file: Path) -> Iterator[list[bytes]]:
    """The four values of each line that is not blank."""
    found = 0
    with file.open("rb") as stream:
        while line := stream.readline(LONGEST + 1):
            row = line.split()
            if len(line) > LONGEST or len(row) not in (0, COLUMNS):
                got = f"over {LONGEST} bytes" if len(line) > LONGEST else f"{len(row)} values"
                what = f"a row of another length (row {found})"
                raise _fault(what, file, found, got, f"{COLUMNS}: x y z confidence")
            if row:
                found += 1
                yield row


def _fault(what: str, file: Path, row: int, got: str, expected: str) -> DataError:
    return DataError(
        what, file=file.name, frame=row // V, got=got, expected=expected, fix="get the file again or remove it"
    )


def _sniff(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            row = stream.readline(LONGEST).split()
    except OSError:
        return False
    return len(row) == COLUMNS and all(map(is_number, row))


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
