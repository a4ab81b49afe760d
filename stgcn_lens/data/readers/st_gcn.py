"""The arrays of ST-GCN and its followers: ``{train,val}_data.npy`` (N, C, T, V, M) beside ``{train,val}_label.pkl``.

The label file holds (names, labels). 2s-AGCN writes ``train_data_joint.npy`` and, beside it, arrays of bones and
motion, which follow from the joints and are not read. A single clip without label is (C, T, V, M). Clips are read from
their file one by one: the array may be larger than memory. Zeros mean absence, see `padding`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stgcn_lens.arrays import open_npy, read_header, read_rows
from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import Fault
from stgcn_lens.data.parsing import pickles
from stgcn_lens.data.parsing.joints import guess
from stgcn_lens.data.parsing.padding import unpadded
from stgcn_lens.data.readers import ntu
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
from stgcn_lens.skeleton import get_layout

FPS = 30.0  # of NTU and of Kinetics as ST-GCN sampled it
MAX_BODIES = 6  # a sensor tracks six at a time
SIDES = ("train", "val", "test")
# What the public arrays of these joints are in: NTU as the sensor gave it, Kinetics divided by the picture's size.
UNITS = {get_layout("ntu25").joints: "metres", get_layout("openpose18").joints: "normalised"}
AXES = f"(N, C, T, V, M) or, of one clip, (C, T, V, M); C = 2 or 3 channels, at most {MAX_BODIES} bodies"
_DATA = re.compile(r"(?P<before>.*?)data(?:_joint)?")
_DERIVED = re.compile(r".*data_(?P<stream>.*(?:bone|motion).*)")
_LABELS = re.compile(r".*label\.npy", re.IGNORECASE)


@dataclass(frozen=True)
class _Part:
    """One array file and what its label file says: a name or None, and a label, for each of its clips."""

    file: Path
    shown: str  # as faults name the file
    base: str  # of the names of clips that have none
    clips: int
    layout: str
    names: Sequence[str | None] | None  # None where the file is one clip, called like it
    labels: Sequence[Any]
    splits: tuple[str, ...]


def side_of(stem: str) -> tuple[str, ...]:
    """The side that a file's name speaks of: ("train",), ("val",), ("test",) or ()."""
    said = {word for word in re.split(r"[^a-z]+", stem.lower()) if word in SIDES}
    return tuple(said) if len(said) == 1 else ()


def _axes(array: np.ndarray, file: Path) -> tuple[int, int, int, int, int]:
    """(N, C, T, V, M) of an array; `DataError` where its axes can not be these, or could be others as well."""
    shape = array.shape if array.ndim == 5 else (1, *array.shape)
    said = f"{array.dtype} {array.shape}"
    if array.dtype.kind not in "fiu" or array.dtype.itemsize < 2:
        raise DataError("not coordinates", file=file.name, got=said, expected="floating-point numbers")
    if len(shape) != 5 or shape[1] not in (2, 3) or shape[4] > MAX_BODIES or 0 in shape:
        fix = "transpose the array to these axes and save it again"
        raise DataError("other axes than expected", file=file.name, got=said, expected=AXES, fix=fix)
    n, c, t, v, m = shape
    if (c, m) == (2, 3):
        got, fix = f"{said}, which may be (N, M, T, V, C) just as well", "save the array with 1 or 2 bodies"
        raise DataError("its axes cannot be told apart", file=file.name, got=got, expected=AXES, fix=fix)
    if n > 1 and not array.flags.c_contiguous:
        # One clip then lies scattered over the whole file.
        fix = "save it again with numpy.save(file, numpy.ascontiguousarray(array))"
        raise DataError("not stored clip by clip", file=file.name, got="Fortran order", expected="C order", fix=fix)
    return n, c, t, v, m


def _part(file: Path, base: str, wish: str | None, on_fault: OnFault) -> _Part:
    array = open_npy(file)
    n, c, _, v, _ = _axes(array, file)
    layout = guess(v, 2 if c == 2 else None, wish, file.name)
    if array.ndim == 4:
        return _Part(file, base + file.suffix, base, n, layout, None, [None], side_of(file.stem))
    known, labels = _labels(file, n, on_fault)
    folder = base[: -len(file.stem)]  # not empty where another folder holds a file of that name
    known = [name and folder + name for name in known]
    return _Part(file, base + file.suffix, base, n, layout, known, labels, side_of(file.stem))


def _labels(file: Path, n: int, on_fault: OnFault) -> tuple[list[str | None], list[Any]]:
    """Names and labels of n clips; None for each where there are none or they cannot be used.

    Raises
    ------
    DataError
        where there are more or fewer than clips: no label could then be trusted.
    """
    stem = f"{match['before']}label" if (match := _DATA.fullmatch(file.stem)) else f"{file.stem}_label"
    beside = [file.with_name(stem + suffix) for suffix in (".pkl", ".npy")]
    found = next((path for path in beside if path.is_file()), None)
    if found is None:
        on_fault(Fault(file.name, f"no labels: there is no {beside[0].name} beside it", "nothing"))
        return [None] * n, [None] * n
    try:
        content = open_npy(found) if found.suffix == ".npy" else pickles.load(found)
        known, labels = _columns(content, found)
    except (DataError, OSError, MemoryError) as error:
        said = reason(error) if isinstance(error, DataError) else str(error)
        on_fault(Fault(found.name, f"{said}; the clips of {file.name} are read without labels", "nothing"))
        return [None] * n, [None] * n
    for what, column in (("names", known), ("labels", labels)):
        if column is not None and len(column) != n:
            got, fix = f"{len(column)} {what} in {found.name}", "get the two files that belong together"
            raise DataError("labels of another array", file=file.name, got=got, expected=f"{n}, one a clip", fix=fix)
    clean = [None if name is None else _name(name) for name in (known or [None] * n)]
    if known is not None and None in clean:
        first = _shown(known[clean.index(None)])
        told = f"{clean.count(None)} names cannot be used, the first is {first}; these clips are numbered"
        on_fault(Fault(found.name, told, "nothing"))
    return clean, labels


def _columns(content: Any, file: Path) -> tuple[list[Any] | None, list[Any]]:
    """Names, where there are any, and labels of what a label file holds."""
    columns = content if isinstance(content, list | tuple) and len(content) == 2 else (None, content)
    known, labels = columns if _is_column(columns[0]) or columns[0] is None else (None, content)
    if not _is_column(labels):
        expected = "(names, labels), two lists of equal length, or one array of labels"
        raise DataError("not a label file", file=file.name, got=type(labels).__name__, expected=expected)
    return (None if known is None else list(known)), list(labels)


def _is_column(value: Any) -> bool:
    return isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim == 1)


def _name(value: Any) -> str | None:
    """A clip's name, or None where it could not be shown on one line or would lead out of a folder."""
    text = value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value
    if not isinstance(text, str):
        return None
    text = str(text).strip().removesuffix(".skeleton")
    return text if text and text.isprintable() and not {"", ".."} & set(re.split(r"[\\/]", text)) else None


def _label(value: Any) -> int | None:
    if value is None:
        return None
    if _is_whole(value):
        return int(value)
    raise DataError("the label is not a whole number", got=_shown(value), expected="a class counted from 0")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    """A value in few words, however large it is."""
    if isinstance(value, str | bytes):
        return repr(value[:40])
    return repr(value) if isinstance(value, bool | int | float | np.number) else type(value).__name__


def _clip(part: _Part, array: np.ndarray, i: int, name: str) -> Clip:
    xyz, valid = unpadded(read_rows(array, i, i + 1)[0] if array.ndim == 5 else array)
    said = ntu.code(name)
    return Clip(
        xyz=xyz,
        valid=valid,
        name=name,
        layout=part.layout,
        label=_label(part.labels[i]),
        subject=said.get("subject"),
        view=said.get("view"),
        setup=said.get("setup"),
        splits=part.splits,
        fps=FPS,
        units=UNITS.get(get_layout(part.layout).joints, "unknown"),
    )


def _clips(
    parts: Sequence[_Part], faults: Sequence[Fault], on_fault: OnFault, progress: Progress | None
) -> Iterator[Clip]:
    for fault in faults:
        on_fault(fault)
    done, total = 0, sum(part.clips for part in parts)
    for part in parts:
        array = None
        for i in range(part.clips):
            name = part.base if part.names is None else part.names[i] or f"{part.base}_{i:06d}"
            shown = part.shown if part.names is None else f"{part.shown}[{i}] {name}"
            try:
                array = open_npy(part.file) if array is None else array
                clip = _clip(part, array, i, name)
            except DataError as error:
                on_fault(Fault(shown, reason(error)))
            except (OSError, MemoryError) as error:
                on_fault(Fault(shown, f"cannot be read ({error})"))
            else:
                yield clip.replace(file=shown)
            done += 1
            if progress is not None:
                progress(done, total)


def _sniff(file: Path) -> bool:
    """Numbers along five axes, or along four that can be (C, T, V, M)."""
    try:
        with file.open("rb") as stream:
            head = read_header(stream, file)
    except (DataError, OSError):
        return False
    four = len(head.shape) == 4 and head.shape[0] in (2, 3) and 0 < head.shape[3] <= MAX_BODIES
    return head.dtype.kind in "fiu" and (four or len(head.shape) == 5)


def _open(found: Found) -> Contents:
    parts: list[_Part] = []
    faults: list[Fault] = []
    for file, base in names(found.path, [file for file in found.files if not _LABELS.fullmatch(file.name)]):
        if derived := _DERIVED.fullmatch(file.stem):
            told = f"not read: a stream ({derived['stream']}) that is computed from the joints here"
            faults.append(Fault(base + file.suffix, told, "nothing"))
            continue
        try:
            parts.append(_part(file, base, found.layout, faults.append))
        except DataError as error:
            faults.append(Fault(base + file.suffix, reason(error)))
        except (OSError, MemoryError) as error:
            faults.append(Fault(base + file.suffix, f"cannot be read ({error})"))
    return Contents(lambda *told: _clips(parts, faults, *told), *_classes(found.path, parts))


def _classes(path: Path, parts: Sequence[_Part]) -> tuple[tuple[str, ...], str]:
    """The names of all classes, and the protocol: NTU's where clips are called as its files are."""
    named = [
        (name, label) for part in parts for name, label in zip(part.names or (), part.labels, strict=False) if name
    ]
    codes = [(said, label) for name, label in named if (said := ntu.code(name))]
    noted = ((path if path.is_dir() else path.parent) / "protocol.txt").is_file()
    protocol = ntu.protocol(path, [said for said, _ in codes]) if codes or noted else "generic"
    if codes and all(_is_whole(label) and said["label"] == label for said, label in codes):
        return tuple(ntu.classes(path, [said for said, _ in codes])), protocol
    labels = [int(label) for part in parts for label in part.labels if _is_whole(label)]
    return tuple(class_names(path) or numbered(labels, MAX_CLASSES, "action {}")), protocol


READER = Reader(
    name="st-gcn",
    what="train_data.npy (N, C, T, V, M) with train_label.pkl beside it, or one clip (C, T, V, M) as .npy",
    layout="by its number of joints",
    suffixes=(".npy",),
    sniff=_sniff,
    open=_open,
)
