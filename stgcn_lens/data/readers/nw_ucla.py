"""NW-UCLA: one JSON file a clip, ``aAA_sSS_eEE_vVV.json``: {file_name, skeletons [T][20][3] in metres, label 1 to 10}.

Source: Wang, Nie, Xia, Wu, Zhu, Cross-view action modeling, learning and recognition, CVPR 2014; as JSON it is passed
on with skeleton networks.
"""

import re
from array import array
from pathlib import Path

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import Fault
from stgcn_lens.data.parsing.json_text import Text, head, numbers, opened, shown, whole
from stgcn_lens.data.source import Contents, Found, OnFault, Reader, class_names, each, names
from stgcn_lens.errors import DataError

FPS = 30.0  # ours: that of the sensor; the files do not say it
ACTIONS = (1, 2, 3, 4, 5, 6, 8, 9, 11, 12)  # in the files' names; class 0 is action 1
CLASSES = (
    *("pick up with one hand", "pick up with two hands", "drop trash", "walk around", "sit down", "stand up"),
    *("donning", "doffing", "throw", "carry"),
)
V = 20
_NAME = re.compile(r"a(\d{1,3})_s(\d{1,3})_e(\d{1,3})_v(\d{1,3})", re.IGNORECASE)
_SKELETONS = re.compile(r'"skeletons"\s*:\s*\[\s*[\[\]]')


def parse(file: Path, name: str, on_fault: OnFault) -> Clip:
    """One file as a clip of one body, its joints in the order of layout kinect20.

    The label is that in the file, else the action in its name. Frames whose coordinates are all zero show no body:
    they are cut off at the end and marked absent elsewhere.
    """
    with opened(file) as text:
        frames, label, called = _read(text)
    code = _NAME.search(name) or _NAME.search(called)
    action = int(code[1]) if code else None
    named = ACTIONS.index(action) if action in ACTIONS else None
    if label is not None and action is not None and label != named:
        other = "no label" if named is None else f"label {named + 1}"
        why = f"the file says label {label + 1}, action {action} of its name is {other}; the file's is taken"
        on_fault(Fault(file.name, why, "nothing"))
    filled = np.any(frames != 0, axis=(1, 2))
    empty = int((~filled).sum())
    if empty == len(frames):
        raise DataError("no body in any frame", file=file.name, got=f"{empty} all-zero frames")
    length = int(np.flatnonzero(filled)[-1]) + 1
    if empty:
        cut = len(frames) - length
        parts = f"{cut} cut off the end and {empty - cut} marked as without a body"
        on_fault(Fault(file.name, f"{empty} of {len(frames)} frames are all zero: {parts}", "frames", empty))
    return Clip(
        xyz=np.ascontiguousarray(frames[:length].transpose(2, 0, 1)[..., None]),
        valid=filled[:length, None].copy(),
        name=name,
        layout="kinect20",
        label=named if label is None else label,
        subject=int(code[2]) if code else None,
        view=int(code[4]) if code else None,
        fps=FPS,
    )


def _read(text: Text) -> tuple[np.ndarray, int | None, str]:
    """The frames, (T, 20, 3) float32, the label counted from 0, and the name that the file gives itself."""
    values, label, called, there = array("f"), None, "", False
    for key in text.members():
        if key == "skeletons":
            there = True
            for frame in text.items():
                values.frombytes(_joints(text.value(), text.file, frame).tobytes())
        elif key == "label":
            given = text.value()
            label = None if given is None else whole(given, "label", file=text.file, least=1) - 1
        elif key == "file_name":
            called = str(text.value())
    if not there:
        raise DataError("a key is missing", file=text.file, expected="skeletons, a list of frames")
    return np.frombuffer(values, np.float32).reshape(-1, V, 3), label, called


def _joints(value: object, file: str, frame: int) -> np.ndarray:
    """The joints of a frame, (20, 3) float32."""
    if not isinstance(value, list) or len(value) != V:
        got = len(value) if isinstance(value, list) else shown(value)
        raise DataError("another number of joints", file=file, frame=frame, got=got, expected=f"{V} of [x, y, z]")
    for joint in value:
        if not isinstance(joint, list) or len(joint) != 3:
            raise DataError("not a joint", file=file, frame=frame, got=shown(joint), expected="[x, y, z]")
    flat = [coordinate for joint in value for coordinate in joint]
    return numbers(flat, "joints", file=file, frame=frame).astype(np.float32).reshape(V, 3)


def _sniff(file: Path) -> bool:
    begin = head(file)
    return begin.startswith("{") and _SKELETONS.search(begin) is not None


def _open(found: Found) -> Contents:
    files = names(found.path, found.files)
    classes = class_names(found.path) or CLASSES
    return Contents(lambda *told: each(files, parse, *told), tuple(classes), "nw-ucla")


READER = Reader(
    name="nw-ucla",
    what="aAA_sSS_eEE_vVV.json files, {file_name, skeletons: [frames of 20 [x, y, z]], label}",
    layout="kinect20",
    suffixes=(".json",),
    sniff=_sniff,
    open=_open,
)
