"""OpenPose: one JSON file a frame, ``{people: [{pose_keypoints_2d: [x, y, score, ...]}]}``; a clip is a run of files.

Files of one folder whose names differ in their last number only are the frames of one clip, in the order of that
number: ``NAME_000000000012_keypoints.json`` is frame 12 of clip NAME, ``12.json`` is one of a clip named like its
folder.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import Fault
from stgcn_lens.data.parsing.detections import Detections
from stgcn_lens.data.parsing.json_text import Text, head, opened, scored
from stgcn_lens.data.parsing.tracking import MAX_SLOTS
from stgcn_lens.data.readers import alphapose
from stgcn_lens.data.source import Contents, Found, OnFault, Progress, Reader, reason
from stgcn_lens.errors import DataError

FPS = 30.0  # ours: the files do not say it
_FRAME = re.compile(r"(?P<clip>.*?)[_\-. ]*(?P<frame>\d{1,18})(?:_keypoints)?")
_PEOPLE = re.compile(r'\{.*"people"\s*:\s*\[\s*(?:\]|.*"pose_keypoints)', re.DOTALL)

Frames = list[tuple[int, Path]]


def parse(name: str, frames: Frames, on_fault: OnFault, layout: str | None = None) -> Clip:
    """The files of one clip; x and y as OpenPose wrote them, and its score.

    OpenPose does not follow people: they are told apart by where they are (see `tracking.follow`), or by person_id
    where all have one. Joints that were not detected are zero. Numbers without a file, files that cannot be read and
    those without people are frames without a body; at the end of a clip they are cut off.

    Parameters
    ----------
    frames : (number, file), ascending by number.
    layout : what the joints are; by default by their number.
    """
    found = Detections(name, layout, dims=2)
    ids: list[int | None] = []
    faults = []
    number = first = frames[0][0]
    for i, (number, file) in enumerate(frames):
        where = file.name if file.stem.startswith(name) else f"{name}/{file.name}"
        try:
            if i and number == frames[i - 1][0]:
                raise DataError("another file has this number", got=number, expected="one file a frame")
            with opened(file) as text:
                people = _people(text, number, found.V)
            ids += [who for joints, who in people if found.add(number, joints)]
        except (DataError, OSError) as error:
            why = reason(error) if isinstance(error, DataError) else f"cannot be read ({error})"
            faults.append(Fault(where, f"{why}; the frame counts as one without a body", "frames", 1))
    if faults and not len(found):
        got = f"{len(faults)} faults, first {faults[0].file}: {faults[0].reason}"
        raise DataError("no body in any frame", file=name, got=got)
    for fault in faults:
        on_fault(fault)
    xyz, valid = found.people(ids, on_fault, first)
    missing = number - first + 1 - len({number for number, _ in frames})
    if missing:
        told = f"{missing} of the numbers {first} to {number} have no file; they count as frames without a body"
        on_fault(Fault(name, told, "nothing"))
    return Clip(
        xyz=xyz,
        valid=valid,
        name=name,
        layout=found.layout,
        fps=FPS,
        units="normalised" if np.abs(xyz[:2]).max() <= 1 else "pixels",  # see OpenPose's --keypoint_scale
        file=name,
    )


def _people(text: Text, frame: int, joints: int) -> list[tuple[np.ndarray, int | None]]:
    """The people of a file, (V, 3) and a number of their own or None; `joints` is V, or 0 where it is not known yet."""
    people: list[tuple[np.ndarray, int | None]] = []
    there = False
    for key in text.members():
        if key == "people":
            there = True
            for _ in text.items():
                person = text.value()
                given = person.get("pose_keypoints_2d", person.get("pose_keypoints")) if isinstance(person, dict) else 0
                values = scored(given, "pose_keypoints_2d", file=text.file, frame=frame, joints=joints)
                joints = joints or len(values)
                people.append((values, _number(person.get("person_id"))))
    if not there:
        raise DataError("a key is missing", file=text.file, frame=frame, expected="people, a list")
    if len(people) > MAX_SLOTS:
        raise DataError("too many people", file=text.file, frame=frame, got=len(people), expected=f"<= {MAX_SLOTS}")
    return people


def _number(given: object) -> int | None:
    """A person_id, which OpenPose writes as [id]; -1 means that people were not followed."""
    who = given[0] if isinstance(given, list) and len(given) == 1 else given
    return who if type(who) is int and who >= 0 else None


def _sniff(file: Path) -> bool:
    # AlphaPose has such frames too, under the names of their pictures.
    return _PEOPLE.match(head(file)) is not None and not alphapose.READER.sniff(file)


def _clips(found: Found) -> list[tuple[str, Frames]]:
    """The files of each clip, under a name of its own: the files' own without the number, else that of their folder."""
    groups: dict[tuple[Path, str], Frames] = {}
    for file in found.files:
        parts = _FRAME.fullmatch(file.stem)
        begin, number = (parts["clip"], int(parts["frame"])) if parts else (file.stem, 0)
        groups.setdefault((file.parent, begin), []).append((number, file))
    own = [begin or folder.resolve().name for folder, begin in groups]
    times = Counter(own)
    clips = []
    for name, ((folder, begin), frames) in zip(own, groups.items(), strict=True):
        below = folder.relative_to(found.path) / begin if found.path.is_dir() else Path(name)
        clips.append((name if times[name] == 1 else below.as_posix(), sorted(frames)))
    return clips


def _open(found: Found) -> Contents:
    clips = _clips(found)

    def each(on_fault: OnFault, progress: Progress | None) -> Iterator[Clip]:
        for done, (name, frames) in enumerate(clips, start=1):
            try:
                yield parse(name, frames, on_fault, found.layout)
            except DataError as error:
                on_fault(Fault(name, reason(error)))
            except MemoryError as error:
                on_fault(Fault(name, f"cannot be read ({error})"))
            if progress is not None:
                progress(done, len(clips))

    return Contents(each)


READER = Reader(
    name="openpose",
    what="NAME_000000000012_keypoints.json files, one a frame, {people: [{pose_keypoints_2d: [x, y, score, ...]}]}",
    layout="body25 or openpose18, by the number of joints",
    suffixes=(".json",),
    sniff=_sniff,
    open=_open,
)
