"""AlphaPose: one JSON file a video, ``[{image_id, category_id, keypoints: [x, y, score, ...], score, [idx]}, ...]``.

Each entry is a person in a picture; COCO's results of key points look the same. With ``--format cmu`` or ``open``
a file is ``{picture: {bodies: [{joints: [...]}]}}`` or ``{picture: {people: [{pose_keypoints_2d: [...]}]}}``.
"""

import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path, PurePath

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import Fault
from stgcn_lens.data.parsing.detections import Detections
from stgcn_lens.data.parsing.json_text import Text, head, opened, scored, shown, whole
from stgcn_lens.data.source import Contents, Found, OnFault, Reader, each, names
from stgcn_lens.errors import DataError

FPS = 30.0  # ours: the files do not say it
MAX_DIGITS = 18
_ENTRY = re.compile(r"\[\s*\{")
_PICTURE = re.compile(r'\{\s*"[^"]*"\s*:\s*\{[^{}\[\]]*"(?:bodies|people)"\s*:\s*\[')
_LISTS = {"bodies": "joints", "people": "pose_keypoints_2d"}  # of a picture, and what stands in them

Picture = str | int
Person = tuple[Picture, object, object]  # picture, list of numbers, idx


def parse(file: Path, name: str, on_fault: OnFault, layout: str | None = None) -> Clip:
    """One file as a clip, x and y in pixels and the score; its first frame is the first one with a person.

    Frames are ordered by the last number in the pictures' names, and in the order of the file where that does not tell
    them apart. A person who was followed has the slot of the idx; where idx does not tell the people of every frame
    apart, they are told apart by where they are (see `tracking.follow`).

    Parameters
    ----------
    layout : what the joints are; by default by their number.
    """
    found = Detections(file.name, layout, dims=2)
    ids: list[int | str | None] = []
    pictures: dict[Picture, int] = {}
    with opened(file) as text:
        for entry, (picture, keypoints, idx) in enumerate(_people(text)):
            frame = pictures.setdefault(picture, len(pictures))
            where = f"key points of entry {entry}, picture {shown(picture)}"
            if found.add(frame, scored(keypoints, where, file=file.name, frame=frame, joints=found.V)):
                ids.append(_who(idx))
    numbers = _frames(pictures)
    if numbers is not None:
        found.renumber(numbers)
    elif pictures:
        some = shown(next(iter(pictures)))
        on_fault(Fault(file.name, f"pictures named like {some} tell no order: they stay in the file's", "nothing"))
    xyz, valid = found.people(ids, on_fault)
    return Clip(xyz=xyz, valid=valid, name=name, layout=found.layout, fps=FPS, units="pixels")


def _people(text: Text) -> Iterator[Person]:
    """Everyone in a file."""
    if text.peek() == "[":
        for entry in text.items():
            person = text.value()
            if not isinstance(person, dict) or not {"image_id", "keypoints"} <= person.keys():
                expected = "{image_id, keypoints: [x, y, score, ...]}"
                raise DataError(f"entry {entry} is no person", file=text.file, got=shown(person), expected=expected)
            picture = person["image_id"]
            if not isinstance(picture, str):
                picture = whole(picture, f"image_id of entry {entry}", file=text.file)
            yield picture, person["keypoints"], person.get("idx")
        return
    for frame, picture in enumerate(text.members()):
        value = text.value()
        key = next((key for key in _LISTS if isinstance(value, dict) and isinstance(value.get(key), list)), None)
        if key is None:
            got, expected = f"{shown(value)} of picture {shown(picture)}", "{bodies: [{joints: [x, y, score, ...]}]}"
            raise DataError("no list of people", file=text.file, frame=frame, got=got, expected=expected)
        for person in value[key]:
            yield picture, person.get(_LISTS[key]) if isinstance(person, dict) else person, None


def _frames(pictures: Iterable[Picture]) -> np.ndarray | None:
    """The frame of each picture, by the last number in its name; None if some have none or share one."""
    found = [re.findall(r"\d+", PurePath(str(picture)).stem) for picture in pictures]
    if not all(digits and len(digits[-1]) <= MAX_DIGITS for digits in found):
        return None
    frames = np.array([int(digits[-1]) for digits in found], np.int64)
    return frames if len(np.unique(frames)) == len(frames) else None


def _who(idx: object) -> int | str | None:
    """What tells a person apart: a number or a name, by itself or in a list."""
    idx = idx[0] if isinstance(idx, list) and len(idx) == 1 else idx
    if isinstance(idx, float) and idx.is_integer():
        return int(idx)
    return idx if isinstance(idx, str) or type(idx) is int else None


def _sniff(file: Path) -> bool:
    begin = head(file)
    entries = _ENTRY.match(begin) is not None and '"image_id"' in begin and '"keypoints"' in begin
    return entries or _PICTURE.match(begin) is not None


def _open(found: Found) -> Contents:
    files = names(found.path, found.files)
    return Contents(lambda *told: each(files, partial(parse, layout=found.layout), *told))


READER = Reader(
    name="alphapose",
    what=".json files, one a video, [{image_id, keypoints: [x, y, score, ...], score}, ...]",
    layout="coco17, halpe26 or openpose18, by the number of joints",
    suffixes=(".json",),
    sniff=_sniff,
    open=_open,
)
