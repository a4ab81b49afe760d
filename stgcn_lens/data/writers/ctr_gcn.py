"""The archive of CTR-GCN: an `.npz`, not compressed, of x_train, y_train, x_test, y_test.

x is (N, T, 150) float32, bodies x joints x coordinates; y is one-hot (N, classes). The format has no place for names:
row i of a side is the i-th clip of the set that is on it.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stgcn_lens.arrays import header
from stgcn_lens.data.dataset import ClipSet, Fault
from stgcn_lens.data.readers.ctr_gcn import FPS
from stgcn_lens.data.source import Progress
from stgcn_lens.data.writers.padded import BODIES, length, own_sides, padded
from stgcn_lens.data.writers.target import Writer
from stgcn_lens.errors import DataError
from stgcn_lens.files import atomic

V, C = 25, 3


def write(clips: ClipSet, out: Path, sides: np.ndarray, progress: Progress | None = None) -> list[Fault]:
    """Write every labelled clip, one at a time; see `Writer.write`.

    Clips that validate train, unless no clip tests: then they test. Where no clip has a side, all train.
    """
    layout = clips.skeleton
    if (layout.V, layout.dims, clips.channels) != (V, 3, C):
        raise DataError(
            "CTR-GCN's archive holds x, y, z of 25 joints",
            file=out,
            got=f"{clips.channels} channels of {layout.V} joints in {layout.dims}-D ('{layout.name}')",
            expected="3 channels of 25 joints in 3-D",
            fix="write another format, as st-gcn, or put the clips onto that layout with --to-layout ntu25",
        )
    faults: list[Fault] = []
    sides = _two_sides(clips, sides, faults)
    if not len(clips) or (sides == "none").all():
        raise DataError("no clip has a label", file=out, expected="labels, which this format needs", fix="write st-gcn")
    frames, done = length(clips), 0
    row = (frames, BODIES * V * C)
    with atomic(out) as path, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for side in ("train", "test"):
            chosen = np.flatnonzero(sides == side).tolist()
            labels = clips.labels[chosen]
            with archive.open(zipfile.ZipInfo(f"x_{side}.npy"), "w", force_zip64=True) as stream:
                stream.write(header(np.float32, (len(chosen), *row)))
                for i in chosen:
                    array = padded(clips[i], frames, faults.append)  # (C, T, V, M)
                    stream.write(np.ascontiguousarray(array.transpose(1, 3, 2, 0)).data)
                    done += 1
                    if progress is not None:
                        progress(done, len(clips))
            with archive.open(zipfile.ZipInfo(f"y_{side}.npy"), "w", force_zip64=True) as stream:
                width = max(2, len(clips.classes))  # one column could be read as the classes' numbers
                stream.write(header(np.float32, (len(chosen), width)))
                for marks in _one_hot(labels, width):
                    stream.write(marks.data)
    return faults


def _two_sides(clips: ClipSet, sides: np.ndarray, faults: list[Fault]) -> np.ndarray:
    """The side of every clip, (N,) text: "train" or "test"; "none" where it is left out, which `faults` lists."""
    sides = own_sides(clips, sides, faults.append)
    new = sides.copy()
    if (sides == "none").all():
        new[:] = "train"
        faults.append(Fault("x_train", "no clip has a side; all were written as clips that train", "nothing"))
    if (sides == "val").any():
        new[sides == "val"] = side = "train" if (sides == "test").any() else "test"
        if side == "train":
            told = f"{(sides == 'val').sum()} clips that validate were written as clips that train"
            faults.append(Fault("x_train", told, "nothing"))
    for i, row in enumerate(clips.rows):
        if row.label is None or new[i] == "none":
            new[i] = "none"
            why = "it has no label" if row.label is None else "it is on no side"
            faults.append(Fault(row.name, f"left out: {why}, and the format has no place for that"))
    return new


def _one_hot(labels: np.ndarray, width: int, block: int = 1024) -> Iterator[np.ndarray]:
    """One-hot float32 rows (n, width) of labels, some at a time."""
    for begin in range(0, len(labels), block):
        part = labels[begin : begin + block]
        marks = np.zeros((len(part), width), np.float32)
        marks[np.arange(len(part)), part] = 1
        yield marks


WRITER = Writer(
    name="ctr-gcn",
    what="an .npz of x_train (N, 300 frames or the longest clip's, 150), y_train, x_test, y_test; 25 joints in 3-D",
    suffix=".npz",
    write=write,
    keeps=("labels", "sides"),
    taken_for={"fps": FPS, "units": "metres"},
)
