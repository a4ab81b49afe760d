"""Kinetics-skeleton: one JSON file a clip, the people of each frame as OpenPose found them, in no lasting order.

A file is ``{data: [{frame_index, skeleton: [{pose: [x, y, ...], score: [...]}]}], label, label_index}``, with 18 joints
of OpenPose or 17 of COCO; x and y are fractions of the picture, frames count from 1. A folder may have
``FOLDER_label.json`` beside it, ``{clip: {has_skeleton, label, label_index}}``.

Source: Yan, Xiong, Lin, ST-GCN, arXiv 1801.07455, and the loader released with it.
"""

import json
import re
from array import array
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import Fault
from stgcn_lens.data.parsing.detections import Detections
from stgcn_lens.data.parsing.json_text import Text, head, numbers, opened, shown, whole
from stgcn_lens.data.source import (
    MAX_CLASSES,
    Contents,
    Found,
    OnFault,
    Progress,
    Reader,
    class_names,
    each,
    names,
    reason,
)
from stgcn_lens.errors import DataError

FPS = 30.0  # to which the films were brought before OpenPose saw them
LOOKED, KEPT = 5, 2  # of a frame's people: the first 5 are looked at, the 2 of the highest scores kept
_END = 1 << 12  # bytes of a file's end, where its label stands
_INDEX = re.compile(r'"label_index"\s*:\s*(\d{1,9})\s*[,}]')
_LABEL = re.compile(r'"label"\s*:\s*("(?:[^"\\]|\\.){0,400}")')
_SIDE = re.compile(r"(?:kinetics[_-])?(train|val|test)")

Labels = dict[str, int]


def parse(file: Path, name: str, on_fault: OnFault, layout: str | None = None, labels: Labels | None = None) -> Clip:
    """One file as a clip of at most two bodies.

    People are not followed: slot 0 of every frame is its person of the highest score, slot 1 the second (`best_two`),
    as the released ST-GCN has it, so that one person may change slots. 0.5 is subtracted from x and y; joints of score
    0 are zero, and someone without any score is not there. Numbers between frames count as frames without a body.

    Parameters
    ----------
    layout : what the joints are; by default by their number.
    labels : of clips whose file says none, by name.
    """
    with opened(file) as text:
        found, places, start, label = _read(text, layout)
    far = float(np.abs(found.joints[..., :2]).max(initial=0))
    if far > 10:
        got = f"x and y reach {far + 0.5:.6g}, where fractions of the picture, 0 to 1, are expected"
        on_fault(Fault(file.name, f"{got}; 0.5 was subtracted all the same", "nothing"))
    slots = best_two(found.frames, places, found.joints[..., 2].sum(axis=1, dtype=np.float64))
    xyz, valid = found.arrays(slots, start)
    side = _SIDE.fullmatch(file.parent.name)
    return Clip(
        xyz=xyz,
        valid=valid,
        name=name,
        layout=found.layout,
        label=(labels or {}).get(file.stem) if label is None else label,
        splits=(side[1],) if side else (),
        fps=FPS,
        units="unknown" if far > 10 else "normalised",
    )


def best_two(frames: np.ndarray, places: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Slots of people by score: 0 and 1 for the two highest of each frame, -1 for the others.

    Only the first five of a frame are looked at; of equal scores the earlier comes first.

    Parameters
    ----------
    frames, places : (P,) int, the frame of each person, and the place in the frame's list.
    scores : (P,), summed over the joints.
    """
    scores = np.where(places < LOOKED, scores, -np.inf)
    order = np.lexsort((places, -scores, frames))
    begins = np.flatnonzero(np.diff(frames[order], prepend=-1))
    rank = np.arange(len(frames)) - np.repeat(begins, np.diff([*begins, len(frames)]))
    slots = np.full(len(frames), -1, np.int64)
    slots[order] = np.where((rank < KEPT) & np.isfinite(scores[order]), rank, -1)
    return slots


def _read(text: Text, layout: str | None) -> tuple[Detections, np.ndarray, int, int | None]:
    """The people of a file, their places in the lists of their frames, the number of the first frame, and the label."""
    found, places, label = Detections(text.file, layout, dims=2), array("q"), None
    met: array[int] | None = None
    for key in text.members():
        if key == "label_index":
            label = _label(text.value(), text.file)
        elif key == "data":
            met = array("q") if met is None else met
            for entry in text.items():
                frame, people = _frame(text, entry)
                met.append(frame)
                for place, (pose, score) in enumerate(people):
                    if found.add(frame, np.column_stack([pose.reshape(-1, 2) - 0.5, score])):
                        places.append(place)
    if met is None:
        raise DataError("a key is missing", file=text.file, expected="data, the list of frames")
    numbered, times = np.unique(np.array(met, np.int64), return_counts=True)
    if (times > 1).any():
        twice = f"frame_index {numbered[times > 1][0]} more than once"
        raise DataError("a frame comes twice", file=text.file, got=twice, expected="one entry a frame")
    return found, np.array(places, np.int64), 0 if 0 in met else 1, label


def _frame(text: Text, entry: int) -> tuple[int, list[tuple[np.ndarray, np.ndarray]]]:
    """The number of the frame here, the one at place `entry` of the list, and its people, (pose, score) each."""
    value = text.value()
    skeletons = value.get("skeleton") if isinstance(value, dict) else value
    if not isinstance(value, dict) or not isinstance(skeletons, list):
        expected = "{frame_index, skeleton: [people]}"
        raise DataError("no list of people", file=text.file, frame=entry, got=shown(skeletons), expected=expected)
    frame = whole(value.get("frame_index"), "frame_index", file=text.file, frame=entry)
    people = []
    for person in skeletons:
        if not isinstance(person, dict):
            expected = "{pose: [x, y, ...], score: [...]}"
            raise DataError("not a person", file=text.file, frame=entry, got=shown(person), expected=expected)
        score = numbers(person.get("score"), "score", file=text.file, frame=entry)
        people.append((numbers(person.get("pose"), "pose", file=text.file, frame=entry, count=2 * len(score)), score))
    return frame, people


def _label(value: object, file: str) -> int | None:
    """A class counted from 0; None where it says null or -1."""
    return None if value is None or value == -1 else whole(value, "label_index", file=file)


def _sniff(file: Path) -> bool:
    begin = head(file)
    frames = '"skeleton"' in begin and ('"frame_index"' in begin or '"pose"' in begin)
    return begin.startswith("{") and re.search(r'"data"\s*:\s*\[', begin) is not None and frames


def _is_list(file: Path) -> bool:
    """Whether a file lists the labels of a folder beside it."""
    return file.stem.endswith("_label") and '"has_skeleton"' in head(file)


def _listed(file: Path) -> tuple[Labels, dict[int, str]]:
    """The labels of a folder's clips, and the names of these labels."""
    labels: Labels = {}
    classes: dict[int, str] = {}
    with opened(file) as text:
        for clip in text.members():
            value = text.value()
            label = _label(value.get("label_index"), file.name) if isinstance(value, dict) else None
            if label is not None:
                labels[clip] = label
                if isinstance(value.get("label"), str):
                    classes.setdefault(label, _printable(value["label"]))
    return labels, classes


def _printable(text: str) -> str:
    """JSON can hold halves of characters, which no file or screen takes."""
    return text.encode(errors="replace").decode()


def _told(file: Path) -> tuple[int, str] | None:
    """The label of one file and its name, from the file's end or beginning, without reading it."""
    try:
        with file.open("rb") as stream:
            begin = stream.read(_END)
            stream.seek(max(stream.seek(0, 2) - _END, 0))
            end = stream.read(_END)
    except OSError:
        return None
    for place in (end.decode(errors="replace"), begin.decode(errors="replace")):
        index, label = _INDEX.search(place), _LABEL.search(place)
        if index and label:
            with suppress(ValueError):
                return int(index[1]), _printable(json.loads(label[1]))
    return None


def _open(found: Found) -> Contents:
    """The clips; their classes from the lists of labels beside their folders, else from the files themselves."""
    files = [file for file in found.files if not _is_list(file)]
    listed: dict[Path, Labels] = {}
    classes: dict[int, str] = {}
    faults = []
    for folder in sorted({file.parent for file in files}):
        beside = folder.parent / f"{folder.name}_label.json"
        if beside.is_file():
            try:
                listed[folder], named = _listed(beside)
                classes = named | classes
            except (DataError, OSError) as error:
                why = reason(error) if isinstance(error, DataError) else f"cannot be read ({error})"
                faults.append(Fault(beside.name, why, "nothing"))
    known = class_names(found.path)
    if known is None:
        others = (file for file in reversed(files) if file.parent not in listed)
        classes = dict(told for file in others if (told := _told(file))) | classes
    highest = max((label for label in classes if label < MAX_CLASSES), default=-1)
    named_all = known or [classes.get(label, f"class {label}") for label in range(highest + 1)]

    def parsed(file: Path, name: str, on_fault: OnFault) -> Clip:
        return parse(file, name, on_fault, found.layout, listed.get(file.parent))

    def clips(on_fault: OnFault, progress: Progress | None) -> Iterator[Clip]:
        for fault in faults:
            on_fault(fault)
        yield from each(names(found.path, files), parsed, on_fault, progress)

    return Contents(clips, tuple(named_all))


READER = Reader(
    name="kinetics",
    what="Kinetics-skeleton .json files, {data: [{frame_index, skeleton: [{pose, score}]}], label, label_index}",
    layout="openpose18 or coco17, by the number of joints",
    suffixes=(".json",),
    sniff=_sniff,
    open=_open,
)
