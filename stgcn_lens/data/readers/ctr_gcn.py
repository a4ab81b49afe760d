"""The archive of CTR-GCN and its followers: an `.npz` of x_train, y_train, x_test, y_test.

x is (N, T, F), F numbers a frame: bodies, in them joints, in them coordinates, 150 = 2 x 25 x 3. y is one-hot (N,
classes), or (N,) classes counted from 0. Clips have no names: they are called train_000000 and so on. Zeros mean
absence, see `padding`; a second body that copies the first, as some tools fill it, is none.

Clips are read as a stream, stored or compressed: one row of x is in memory at a time, and no more than the file's size
allows is ever unpacked.
"""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import IO

import numpy as np

from stgcn_lens.arrays import Header, read_header
from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import Fault
from stgcn_lens.data.parsing.archives import DAMAGE
from stgcn_lens.data.parsing.joints import guess
from stgcn_lens.data.parsing.padding import unpadded
from stgcn_lens.data.source import (
    MAX_CLASSES,
    Contents,
    Found,
    OnFault,
    Progress,
    Reader,
    class_names,
    names,
    numbered,
    reason,
)
from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import LAYOUTS, get_layout

FPS = 30.0
SIDES = ("train", "val", "test")
# What a member may unpack to. Zeros fill most of x (short clips, absent bodies), so that honest arrays shrink to a
# tenth or a fiftieth; and the numbers of one body in one frame alone take more than 64 bytes.
RATIO, SMALL, LEAST = 100, 4 << 20, 64
ROW, ROW_RATIO = 1 << 20, 4
BLOCK = 1 << 16  # bytes of y that are looked at in one go


@dataclass(frozen=True)
class _Part:
    """One side of one archive."""

    file: Path
    shown: str  # file and member, as faults name them
    base: str  # of the clips' names
    side: str
    head: Header
    axes: tuple[int, int, int]  # (M, V, C) of the numbers of a frame
    layout: str
    labels: np.ndarray | None  # (N,) int64, -1 where y marks no class or several
    classes: int


def _member(archive: zipfile.ZipFile, name: str, file: Path) -> tuple[zipfile.ZipInfo, Header]:
    """An array in the archive, its sizes checked against each other and against the file."""
    info = archive.getinfo(f"{name}.npy")
    if info.flag_bits & 1:
        raise DataError("encrypted", file=name, expected="an archive without a password", fix="save the arrays again")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError("compressed in a way that numpy does not use", file=name, got=f"method {info.compress_type}")
    if info.compress_size > file.stat().st_size:
        got, expected = f"{info.compress_size} bytes of {name}", f"at most {file.stat().st_size}, the file's size"
        raise DataError("the archive promises more than it holds", got=got, expected=expected, fix="get the file again")
    with archive.open(info) as stream:
        head = read_header(stream, name)
    if head.size + head.bytes != info.file_size:
        got, expected = f"{info.file_size} bytes of {name}", f"{head.size + head.bytes} for {head.shape} {head.dtype}"
        raise DataError("an array of another size than its header says", got=got, expected=expected)
    return info, head


def _part(file: Path, base: str, side: str, wish: str | None, on_fault: OnFault) -> _Part:
    shown = f"{file.name}:x_{side}"
    with zipfile.ZipFile(file) as archive:
        info, head = _member(archive, f"x_{side}", file)
        said = f"{head.dtype} {head.shape}"
        if head.dtype.kind not in "fiu" or head.dtype.itemsize < 2 or len(head.shape) != 3 or 0 in head.shape[1:]:
            raise DataError("not clips", got=said, expected="numbers (N, T, F), as (N, 300, 150)")
        if head.fortran:
            fix = "save numpy.ascontiguousarray(x) again"
            raise DataError("not stored clip by clip", got="Fortran order", expected="C order", fix=fix)
        _check_bomb(info, head, file)
        axes, layout = _frame(head.shape[2], wish, shown)
        labels, classes = _labels(archive, side, head.shape[0], info.file_size, file, on_fault)
    return _Part(file, shown, base, side, head, axes, layout, labels, classes)


def _check_bomb(info: zipfile.ZipInfo, head: Header, file: Path) -> None:
    """`DataError` where so few bytes cannot be so many honest clips."""
    if info.compress_type == zipfile.ZIP_STORED or not head.shape[0]:
        return
    row, held = head.bytes // head.shape[0], file.stat().st_size
    if (
        info.file_size > max(SMALL, RATIO * info.compress_size)
        or head.shape[0] * LEAST > info.compress_size
        or row > max(ROW, ROW_RATIO * held)
    ):
        raise DataError(
            "would unpack to more than clips ever do",
            got=f"{info.compress_size} bytes for {head.shape} {head.dtype}, {info.file_size} bytes",
            expected=f"at most {RATIO} times the bytes, and {LEAST} bytes for a clip",
            fix="if the file is sound, save it again with numpy.savez (not compressed)",
        )


def _frame(numbers: int, wish: str | None, file: str) -> tuple[tuple[int, int, int], str]:
    """(M, V, C) of the numbers of one frame, and the layout; `DataError` where they mean nothing, or several things."""
    joints = {get_layout(wish).V} if wish is not None else {layout.V for layout in LAYOUTS.values()}
    fitting = [axes for axes in product((1, 2), sorted(joints), (2, 3)) if np.prod(axes) == numbers]
    if len(fitting) != 1:
        meant = " or ".join(f"{m} x {v} x {c}" for m, v, c in fitting) or "1 or 2 bodies of no known layout"
        raise DataError(
            "the numbers of a frame do not say what they are",
            got=f"{numbers}, {meant}",
            expected="bodies x joints x channels, as 2 x 25 x 3 = 150",
            fix="name the joints with --layout",
        )
    (axes,) = fitting
    return axes, guess(axes[1], 2 if axes[2] == 2 else None, wish, file)


def _labels(
    archive: zipfile.ZipFile, side: str, n: int, most: int, file: Path, on_fault: OnFault
) -> tuple[np.ndarray | None, int]:
    """(N,) labels, -1 where y marks no class or several, and the number of classes; None where there is no y."""
    name = f"y_{side}"
    if f"{name}.npy" not in archive.namelist():
        on_fault(Fault(f"{file.name}:x_{side}", f"no labels: there is no {name} beside it", "nothing"))
        return None, 0
    try:
        info, head = _member(archive, name, file)
        width = head.bytes // max(head.shape[0], 1) if head.shape else 0
        if head.dtype.kind not in "fiub" or len(head.shape) not in (1, 2) or (head.fortran and len(head.shape) > 1):
            got = f"{head.dtype} {head.shape}{', Fortran order' * head.fortran}"
            raise DataError("not labels", got=got, expected="one-hot (N, classes) or whole numbers (N,)")
        if head.shape[0] == n and (width > BLOCK or info.file_size > max(SMALL, most)):
            raise DataError("too large for labels", got=f"{head.dtype} {head.shape}", expected="less than the clips")
    except (DataError, *DAMAGE) as error:
        return _without(side, error, file, on_fault)
    if head.shape[0] != n:
        got, expected = f"{head.shape[0]} rows of {name}", f"{n}, one a clip"
        raise DataError("labels of other clips", got=got, expected=expected, fix="save x and y of one set again")
    labels = np.empty(n, np.int64)
    try:
        with archive.open(info) as stream:
            _exactly(stream, head.size)
            rows = max(1, BLOCK // max(width, 1))
            for begin in range(0, n, rows):
                end = min(begin + rows, n)
                block = np.frombuffer(_exactly(stream, (end - begin) * width), head.dtype)
                labels[begin:end] = _marked(block.reshape(end - begin, *head.shape[1:]))
    except (DataError, *DAMAGE) as error:
        return _without(side, error, file, on_fault)
    return labels, head.shape[1] if len(head.shape) == 2 and head.shape[1] > 1 else 0


def _without(side: str, error: Exception, file: Path, on_fault: OnFault) -> tuple[None, int]:
    said = reason(error) if isinstance(error, DataError) else f"damaged ({error})"
    on_fault(Fault(f"{file.name}:y_{side}", f"{said}; the clips are read without labels", "nothing"))
    return None, 0


def _marked(y: np.ndarray) -> np.ndarray:
    """(n,) labels of some rows of y; -1 where a one-hot row has no mark or several, or a class is no whole number."""
    if y.ndim == 2 and y.shape[1] > 1:
        marks = y > 0
        return np.where(marks.sum(axis=1) == 1, marks.argmax(axis=1), -1)
    y = y.reshape(len(y))
    sound = (y >= 0) & (y < MAX_CLASSES)
    classes = np.where(sound, y, 0).astype(np.int64)
    return np.where(sound & (classes == y), classes, -1)


def _exactly(stream: IO[bytes], count: int) -> bytes:
    parts = []
    while count and (part := stream.read(count)):
        parts.append(part)
        count -= len(part)
    if count:
        raise EOFError(f"{count} bytes are missing at its end")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _clip(part: _Part, row: bytes, i: int) -> tuple[Clip, bool]:
    """One row of x as a clip, and whether its second body was a copy of the first."""
    m, v, c = part.axes
    array = np.frombuffer(row, part.head.dtype).reshape(-1, m, v, c).transpose(3, 0, 2, 1)  # (C, T, V, M)
    with np.errstate(invalid="ignore"):
        copied = m == 2 and bool(array.any()) and np.array_equal(array[..., 0], array[..., 1], equal_nan=True)
    xyz, valid = unpadded(array[..., :1] if copied else array)
    label = None if part.labels is None else int(part.labels[i])
    if label == -1:
        raise DataError(f"y_{part.side} does not say the class", expected="one mark in its row, or a number from 0")
    clip = Clip(
        xyz=xyz,
        valid=valid,
        name=f"{part.base}{part.side}_{i:06d}",
        layout=part.layout,
        label=label,
        splits=(part.side,),
        fps=FPS,
        units="metres" if get_layout(part.layout).joints == get_layout("ntu25").joints else "unknown",
    )
    return clip, copied


def _clips(
    parts: Sequence[_Part], faults: Sequence[Fault], on_fault: OnFault, progress: Progress | None
) -> Iterator[Clip]:
    for fault in faults:
        on_fault(fault)
    done, total = 0, sum(part.head.shape[0] for part in parts)
    for part in parts:
        n, copies, i = part.head.shape[0], 0, 0
        try:
            with zipfile.ZipFile(part.file) as archive, archive.open(f"x_{part.side}.npy") as stream:
                _exactly(stream, part.head.size)
                for i in range(n):
                    row = _exactly(stream, part.head.bytes // n)
                    try:
                        clip, copied = _clip(part, row, i)
                    except DataError as error:
                        on_fault(Fault(f"{part.shown}[{i}]", reason(error)))
                    else:
                        copies += copied
                        yield clip.replace(file=f"{part.shown}[{i}]")
                    if progress is not None:
                        progress(done + i + 1, total)
        except DAMAGE as error:
            lost = f"clips {i} to {n - 1} are lost"
            if isinstance(error, zipfile.BadZipFile) and i == n - 1:  # the checksum, which is compared at the end
                lost = "the last clip is lost, and any other may be wrong"
            on_fault(Fault(part.shown, f"damaged ({error}); {lost}"))
        if copies:
            where = f"{copies} clips, and was left out of them" if copies > 1 else "1 clip, and was left out of it"
            told = f"the second body copies the first in {where}"
            on_fault(Fault(part.shown, told, "nothing"))
        done += n


def _sides(file: Path) -> list[str]:
    """The sides that an archive holds clips of; none where it is no such archive."""
    with suppress(*DAMAGE), file.open("rb") as stream:
        if stream.read(2) == b"PK":
            with zipfile.ZipFile(stream) as archive:
                members = set(archive.namelist())
            return [side for side in SIDES if f"x_{side}.npy" in members]
    return []


def _open(found: Found) -> Contents:
    parts: list[_Part] = []
    faults: list[Fault] = []
    for file, name in names(found.path, found.files):
        sides = _sides(file)
        if not sides:
            faults.append(Fault(file.name, "not an .npz archive with x_train or x_test, or a damaged one"))
        for side in sides:
            try:
                base = "" if len(found.files) == 1 else f"{name}_"
                parts.append(_part(file, base, side, found.layout, faults.append))
            except DataError as error:
                faults.append(Fault(f"{file.name}:x_{side}", reason(error)))
            except DAMAGE as error:
                faults.append(Fault(f"{file.name}:x_{side}", f"damaged: {error}"))
    marks = max((part.classes for part in parts), default=0)
    highest = max((int(part.labels.max(initial=-1)) for part in parts if part.labels is not None), default=-1)
    classes = class_names(found.path) or numbered([marks - 1, highest], MAX_CLASSES, "action {}")
    return Contents(lambda *told: _clips(parts, faults, *told), tuple(classes))


READER = Reader(
    name="ctr-gcn",
    what="an .npz archive of x_train (N, T, 150), y_train, x_test, y_test",
    layout="by the numbers of a frame",
    suffixes=(".npz",),
    sniff=lambda file: bool(_sides(file)),
    open=_open,
)
