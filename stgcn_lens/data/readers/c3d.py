"""C3D: motion capture, one binary file a clip: a header, named parameters, and every marker in every frame.

Read by the description at c3d.org and not by ezc3d, which the tests hold it against: of 10,000 damaged copies of a
small file 119 ended ezc3d 1.7.2, and with it Python, by a memory fault, and 52 made it run on for more than 5 s.
"""

from pathlib import Path
from typing import BinaryIO

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import Fault
from stgcn_lens.data.parsing import folders
from stgcn_lens.data.parsing.c3d_header import BLOCK, DEC, INTEL, MAGIC, SGI, About, numbers, read_about
from stgcn_lens.data.parsing.markers import Placed, place
from stgcn_lens.data.source import OnFault, Reader
from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import get_layout

METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001, "in": 0.0254, "inch": 0.0254, "ft": 0.3048}
_CHUNK = 1 << 16  # bytes read at once
_FIX = "get the file again or remove it"


def parse(file: Path, name: str, on_fault: OnFault, layout: str | None = None, label: int | None = None) -> Clip:
    """One `.c3d` file as a clip, with one slot for each subject.

    A joint is the mean of its markers that were seen in the frame (residual not negative), NaN where none was; a frame
    in which no marker of a body was seen shows no body. Metres where POINT:UNITS is a known one. The axis that
    POINT:Y_SCREEN names, else z, is turned into the layout's upward axis; its sign there is not used, because files
    say "-Z" of recordings whose z points to the sky.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        about = read_about(stream, size, file.name)
        placed = place(about.labels, layout, file.name)
        whole = (size - about.start) // about.stride
        if whole < about.frames:
            raise DataError(
                "cut mid-frame",
                file=file.name,
                frame=whole,
                got=f"{whole} whole frames",
                expected=f"{about.frames}",
                fix=_FIX,
            )
        stream.seek(about.start)
        xyz, valid = _bodies(stream, about, placed)
    filled = np.flatnonzero(valid.any(axis=1))
    length = int(filled[-1]) + 1 if len(filled) else about.frames
    if length < about.frames:
        cut = about.frames - length
        on_fault(Fault(file.name, f"no marker seen: {cut} of {about.frames} frames cut off the end", "frames", cut))
    return Clip(
        xyz=xyz[:, :length],
        valid=valid[:length],
        name=name,
        layout=placed.layout,
        label=label,
        fps=about.fps,
        units="metres" if about.units in METRES else "unknown",
    )


def _bodies(stream: BinaryIO, about: About, placed: Placed) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (3, T, V, M) and mask (T, M), read in chunks of whole frames."""
    skeleton = get_layout(placed.layout)
    columns = sorted({column for body in placed.bodies for joint in body for column in joint})
    weights = np.zeros((len(placed.bodies), len(columns), skeleton.V))
    for m, body in enumerate(placed.bodies):
        for v, joint in enumerate(body):
            weights[m, np.searchsorted(columns, joint), v] = 1
    turn = _turn(about.up, skeleton.up) * METRES.get(about.units, 1.0)
    xyz = np.zeros((3, about.frames, skeleton.V, len(placed.bodies)), np.float32)
    valid = np.zeros((about.frames, len(placed.bodies)), bool)
    step = max(1, _CHUNK // about.stride)
    for begin in range(0, about.frames, step):
        end = min(begin + step, about.frames)
        raw = stream.read((end - begin) * about.stride)
        with np.errstate(over="ignore", invalid="ignore"):  # what is too large for float32 is refused later
            points, seen = _points(raw, about, columns)
            for m, weight in enumerate(weights):
                count = seen @ weight  # (t, V)
                mean = points.transpose(2, 0, 1) @ weight / np.where(count > 0, count, np.nan)  # (3, t, V)
                here = np.any(count > 0, axis=1)  # (t,)
                valid[begin:end, m] = here
                xyz[:, begin:end, :, m] = np.where(here[:, None], np.tensordot(turn, mean, 1), 0)
    return xyz, valid


def _points(raw: bytes, about: About, columns: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (t, K, 3) float64 of the chosen points, zero where not seen, and whether they were, (t, K)."""
    values = numbers(raw, 4 if about.floats else 2, about.processor)
    width = about.stride // (4 if about.floats else 2)
    table = values.reshape(-1, width)[:, : 4 * about.points].reshape(-1, about.points, 4)[:, columns].astype(np.float64)
    points = table[..., :3] * (1.0 if about.floats else about.scale)
    seen = (table[..., 3] >= 0) & np.isfinite(points).all(axis=-1)  # a negative last word: the cameras lost it
    return np.where(seen[..., None], points, 0), seen


def _turn(up: str, wanted: str) -> np.ndarray:
    """(3, 3) rotation that takes one upward axis to another, both as "+y" or "-y"."""
    return _from_y(wanted) @ _from_y(up).T


def _from_y(up: str) -> np.ndarray:
    """The rotation by a quarter or half turn that takes +y to an axis."""
    quarter = {"x": [[0, 1, 0], [-1, 0, 0], [0, 0, 1]], "y": np.eye(3), "z": [[1, 0, 0], [0, 0, -1], [0, 1, 0]]}
    half = np.diag([1, -1, -1]) if up[0] == "-" else np.eye(3)
    return np.asarray(quarter[up[1]], float) @ half


def _sniff(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            header = stream.read(2)
            if len(header) < 2 or header[1] != MAGIC or header[0] < 2:
                return False
            stream.seek((header[0] - 1) * BLOCK)
            section = stream.read(4)
    except OSError:
        return False
    return len(section) == 4 and section[3] in (INTEL, DEC, SGI)


READER = Reader(
    name="c3d",
    what=".c3d motion capture files, with the Plug-in Gait markers or markers named like the joints of a layout",
    layout="made of its markers",
    suffixes=(".c3d",),
    sniff=_sniff,
    open=lambda found: folders.labelled(found, parse),
)
