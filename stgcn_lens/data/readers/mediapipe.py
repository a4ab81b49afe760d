"""MediaPipe landmarks as JSON: 33 of a body or 21 of a hand, in any of the shapes that people save them in.

A file is a list of frames, or an object that holds one under "frames", or lists of frames under the names of results
("poseLandmarks", "pose_world_landmarks", "landmarks", "multiHandLandmarks", ...), in camel or snake case. A frame is a
list of landmarks, a list of such lists (several people), an object with the names of results, or null. A landmark is
``{x, y, z, visibility}`` or ``[x, y, z]``. A frame rate may stand under "fps".
"""

import re
from array import array
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import Fault
from stgcn_lens.data.parsing.detections import Detections
from stgcn_lens.data.parsing.json_text import Text, head, numbers, opened, shown
from stgcn_lens.data.parsing.tracking import MAX_SLOTS, follow
from stgcn_lens.data.source import Contents, Found, OnFault, Reader, each, names
from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import get_layout

FPS, MAX_FPS = 30.0, 1000.0  # ours, where the file does not say it
MAX_LANDMARKS = 1000  # of one frame that is a file by itself
BODY, HAND = 33, 21

_FRAMES = {"frames", "results"}
# Name of a result, lower case, without "_" and "world" -> what it is of, and the side where it says one.
_RESULTS: dict[str, tuple[str | None, int | None]] = {
    "poselandmarks": ("pose", None),
    "landmarks": ("any", None),
    "handlandmarks": ("hand", None),
    "multihandlandmarks": ("hand", None),
    "lefthandlandmarks": ("hand", 0),
    "righthandlandmarks": ("hand", 1),
}
_KEY = re.compile(
    r'"(?:pose_?|hand_?|multi_?hand_?|left_?hand_?|right_?hand_?)?(?:world_?)?landmarks"\s*:\s*[\[{n]', re.IGNORECASE
)
# The list of frames, and those without a body.
_BEFORE = r'(?:\{.*?"(?:frames|results)"\s*+:\s*+)?\[\s*+(?:(?:null|\[\s*+\])\s*+,\s*+)*+'
_DICTS = re.compile(_BEFORE + r'[\[\s]*+\{(?=[^{}]*"x"\s*:)(?=[^{}]*"y"\s*:)(?=[^{}]*"z"\s*:)', re.DOTALL)
_NUMBER = r"-?\d[\d.eE+-]*+\s*+"
_LISTS = re.compile(
    rf"{_BEFORE}\[\s*+(?:\[\s*+)?((?:\[\s*+{_NUMBER}(?:,\s*+{_NUMBER}){{2,3}}\]\s*+,?+\s*+)++)\]", re.DOTALL
)


@dataclass
class _Result:
    """The bodies of one kind of result, and the place of each in the list of its frame, or its side."""

    found: Detections
    places: "array[int]" = field(default_factory=lambda: array("q"))
    sided: bool = False


class _Results:
    """All results of a file: (what they are of, whether they are world landmarks) -> bodies."""

    def __init__(self, file: str, wish: str | None) -> None:
        self._file, self._wish = file, wish
        # A layout that was asked for says which of body and hands is meant.
        self._other = None if wish is None else "pose" if get_layout(wish).V == HAND else "hand"
        self._all: dict[tuple[str, bool], _Result] = {}

    def frame(self, frame: int, value: object) -> None:
        """Add all results of a frame."""
        if isinstance(value, dict) and "landmark" not in value:
            for name, inner in value.items():
                self.add(frame, name, inner)
        else:
            self.add(frame, "landmarks", value)

    def add(self, frame: int, name: str, value: object) -> None:
        """Add what a frame has under the name of a result; other names are passed over."""
        of, side, world = _result(name)
        if of is None or of == self._other:
            return
        result = self._all.setdefault((of, world), _Result(Detections(self._file, self._wish, dims=3)))
        result.sided |= side is not None
        for place, body in enumerate(_bodies(value, self._file, frame)):
            if result.found.add(frame, _points(body, self._file, frame)):
                result.places.append(place if side is None else side)

    def best(self) -> tuple[Detections, np.ndarray, str]:
        """The result to use, its slots and its units: bodies before hands, in metres before those in the picture."""
        there = [kind for kind, result in self._all.items() if len(result.found)]
        if not there:
            raise DataError("no body in any frame", file=self._file, expected="landmarks of a body or a hand")
        of, world = min(there, key=lambda kind: (["pose", "any", "hand"].index(kind[0]), not kind[1]))
        best, picture = self._all[of, world], self._all.get((of, False))
        slots = np.array(best.places, np.int64)
        # World landmarks have their origin in each body: where people are, the picture says.
        same = picture is not None and np.array_equal(picture.found.frames, best.found.frames)
        if slots.any() and not best.sided and same and picture is not None:
            xy = picture.found.joints[..., :2]
            slots = follow(best.found.frames, np.concatenate([xy, np.ones_like(xy[..., :1])], axis=-1))
        return best.found, np.where(slots < MAX_SLOTS, slots, -1), "metres" if world else "normalised"


def parse(file: Path, name: str, on_fault: OnFault, layout: str | None = None) -> Clip:
    """One file as a clip of x, y, z; every entry of its lists is a frame.

    World landmarks are used where there are some: metres from the middle of the hips. Else x and z are fractions of the
    picture's width, and y of its height. Of body and hands the body is used, unless a layout of 21 joints is asked for.
    Several people are told apart by where they are in the picture (see `tracking.follow`), without it by their order, a
    left and a right hand by their side (slots 0 and 1).

    Parameters
    ----------
    layout : what the landmarks are; by default by their number.
    """
    results, fps = _Results(file.name, layout), None
    with opened(file) as text:
        if text.peek() == "[":
            _list(text, results, None)
        else:
            for key in text.members():
                if key.lower() == "fps":
                    fps = text.value()
                elif text.peek() == "[" and (key.lower() in _FRAMES or _result(key)[0]):
                    _list(text, results, None if key.lower() in _FRAMES else key)
                elif _result(key)[0]:
                    results.add(0, key, text.value())
    found, slots, units = results.best()
    if (slots < 0).any():
        told = f"{int((slots < 0).sum())} of {len(slots)} bodies are left out; kept are {MAX_SLOTS} of every frame"
        on_fault(Fault(file.name, told, "frames"))
    xyz, valid = found.arrays(slots, start=0)
    if fps is not None and not (type(fps) in (int, float) and 0 < fps <= MAX_FPS):
        told = f"no frame rate: got {shown(fps)}, expected above 0, at most {MAX_FPS:g}; {FPS:g} is taken"
        on_fault(Fault(file.name, told, "nothing"))
        fps = None
    return Clip(
        xyz=xyz,
        valid=valid,
        name=name,
        layout=found.layout,
        fps=FPS if fps is None else float(fps),
        units=units,
    )


def _list(text: Text, results: _Results, name: str | None) -> None:
    """Read the list here, of frames or of the landmarks of one frame; `name` is that of the result, if it has one."""
    one: list[object] = []
    for place in text.items():
        value = text.value()
        point = _is_point(value)
        if point and place == len(one) < MAX_LANDMARKS:
            one.append(value)
        elif point or one:
            got, expected = f"{len(one)} landmarks, then {shown(value)}", "frames, or the landmarks of one"
            raise DataError("landmarks among frames", file=text.file, frame=place, got=got, expected=expected)
        elif name is None:
            results.frame(place, value)
        else:
            results.add(place, name, value)
    if one:
        results.add(0, name or "landmarks", one)


def _result(name: str) -> tuple[str | None, int | None, bool]:
    """What a result of that name is of (None: it is none), the side, and whether it is one of world landmarks."""
    key = name.replace("_", "").lower()
    return *_RESULTS.get(key.replace("world", ""), (None, None)), "world" in key


def _is_point(value: object) -> bool:
    if isinstance(value, dict):
        return "x" in value
    return isinstance(value, list) and bool(value) and type(value[0]) in (int, float)


def _bodies(value: object, file: str, frame: int) -> list[list[object]]:
    """The lists of landmarks in the value of a result, however deep they are."""
    if isinstance(value, dict) and "landmark" in value:  # as protocol buffers become JSON
        value = value["landmark"]
    if not value:
        return []
    if not isinstance(value, list):
        expected = "a list of {x, y, z} or [x, y, z]"
        raise DataError("no landmarks", file=file, frame=frame, got=shown(value), expected=expected)
    if any(_is_point(inner) for inner in value):
        return [value]
    return [body for inner in value for body in _bodies(inner, file, frame)]


def _points(body: list[object], file: str, frame: int) -> np.ndarray:
    """(V, 3) float64."""
    flat: list[object] = []
    for landmark in body:
        if isinstance(landmark, dict):
            flat += [landmark.get(axis) for axis in "xyz"]
        elif isinstance(landmark, list) and 3 <= len(landmark) <= 5:  # visibility and presence may follow
            flat += landmark[:3]
        else:
            expected = "{x, y, z} or [x, y, z]"
            raise DataError("no landmark", file=file, frame=frame, got=shown(landmark), expected=expected)
    return numbers(flat, "landmarks", file=file, frame=frame).reshape(-1, 3)


def _sniff(file: Path) -> bool:
    begin = head(file)
    if _KEY.search(begin) or _DICTS.match(begin):
        return True
    lists = _LISTS.match(begin)
    return lists is not None and lists[1].count("[") in (HAND, BODY)


def _open(found: Found) -> Contents:
    files = names(found.path, found.files)
    return Contents(lambda *told: each(files, partial(parse, layout=found.layout), *told))


READER = Reader(
    name="mediapipe",
    what=".json files, one a clip: frames with 33 pose or 21 hand landmarks {x, y, z}",
    layout="mediapipe33 or hand21, by the number of landmarks",
    suffixes=(".json",),
    sniff=_sniff,
    open=_open,
)
