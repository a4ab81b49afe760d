"""The annotation pickles of pyskl and mmaction2: one dict a clip, alone, in a list, or in a set with its splits.

``{"split": {side: [frame_dir, ...]}, "annotations": [{"frame_dir", "total_frames", "label", "keypoint", ...}, ...]}``
with keypoint (M, T, V, C): C = 2 with keypoint_score (M, T, V) beside it, or C = 3 for x, y, z. The mask is not stored:
a body is absent from a frame where all its joints, or all their scores, are exactly zero. What the writer of that name
adds, other programs pass over: of a clip "present" (M, T), "subject", "view" and "setup"; of a set "classes",
"protocol", "layout", "fps" and "units".
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stgcn_lens.data.clip import MAX_FPS, UNITS, Clip
from stgcn_lens.data.dataset import Fault
from stgcn_lens.data.parsing import annotations, pickles
from stgcn_lens.data.parsing.joints import guess
from stgcn_lens.data.protocols import PROTOCOLS
from stgcn_lens.data.readers import ntu
from stgcn_lens.data.source import (
    MAX_CLASSES,
    Contents,
    Found,
    OnFault,
    Progress,
    Reader,
    class_names,
    numbered,
    reason,
)
from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import LAYOUTS, Layout, from_record, get_layout

FPS = 30.0
MAX_SPLITS, MAX_SIDE = 64, 100  # sides of a set, and characters of their names
MAX_SKELETON = 2**15  # characters; the largest in use, 133 joints, take about 12,000
HELD = 16  # files that are kept open between the two looks at them; of more, each is opened twice
IDS = ("subject", "view", "setup")
_OF_A_SET = ("split", "classes", "protocol", "layout", "skeleton", "fps", "units")
_SIDE = re.compile(r"(.+[_-])?(train|val|test)", re.IGNORECASE)
# How a dict or a list begins in protocols 0 to 5, and one whose first key is that of the splits.
_PICKLE = re.compile(rb"\x80[\x02-\x05](\x95.{8})?[]}(c]|\(d|\(l|\}q|\]q", re.DOTALL)
_KEYS = re.compile(rb"frame_dir|keypoint|annotations|total_frames")
_SPLIT = re.compile(
    rb"(\x80.)?(\x95.{8})?(\}(\x94|q.)?|\(d(p\d+\n)?)\(?(\x8c\x05|X\x05\0\0\0|U\x05|V|S')split", re.DOTALL
)


@dataclass(frozen=True)
class _Part:
    """One file: names and labels of its clips, what it says of all of them, and the annotations where they are held."""

    file: Path
    names: list[str]
    labels: list[int]
    layout: str
    about: Mapping[str, Any]
    annotations: Sequence[Any] | None


def _part(file: Path, wish: str | None, hold: bool) -> _Part:
    """What a file holds; `DataError` where no annotation of it can be used."""
    listed, about = _listed(pickles.load(file), file)
    lacking = sum(not isinstance(one, dict) or "keypoint" not in one for one in listed)
    if lacking == len(listed):
        raise DataError(
            "no keypoints",
            file=file.name,
            got=f"{lacking} annotations, none of which has a keypoint array",
            expected="keypoint (M, T, V, C) in each",
            fix="get the file that holds the poses, not only the list of videos",
        )
    dicts = [one if isinstance(one, dict) else {} for one in listed]
    labels = [one["label"] for one in dicts if isinstance(one.get("label"), int | np.integer)]
    return _Part(
        file=file,
        names=[_name(one, file.stem if len(dicts) == 1 else f"{file.stem}_{i:06d}") for i, one in enumerate(dicts)],
        labels=[int(label) for label in labels],
        layout=_layout(listed, about, wish, file),
        about=about,
        annotations=listed if hold else None,
    )


def _listed(content: Any, file: Path) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """The annotations of a file and what it says of all of them."""
    about: Mapping[str, Any] = {}
    if isinstance(content, dict) and "annotations" in content:
        about = {key: content[key] for key in _OF_A_SET if key in content}
        content = content["annotations"]
    elif isinstance(content, dict) and not {"keypoint", "frame_dir"}.isdisjoint(content):
        content = [content]
    if not isinstance(content, list | tuple) or not any(isinstance(one, dict) for one in content):
        size = f" of {len(content)}" if isinstance(content, list | tuple | dict) else ""
        got = f"{type(content).__name__}{size}"
        raise DataError("no annotations", file=file.name, got=got, expected="dicts with frame_dir, label and keypoint")
    return content, about


def _layout(listed: Sequence[Any], about: Mapping[str, Any], wish: str | None, file: Path) -> str:
    """The layout of most clips: the one wished for, that of the file, or one of so many joints."""
    first: DataError | None = None
    kinds: Counter[tuple[int, int]] = Counter()
    for one in listed:
        try:
            kinds[annotations.pose(one).shape[2:]] += 1
        except DataError as error:
            first = first or error
    if not kinds:
        raise DataError(f"none of {len(listed)} annotations can be used; the first: {first}", file=file.name)
    (v, c), _ = kinds.most_common(1)[0]
    own = _own_layout(about)
    if wish is None and own is not None and v == own.V and own.dims <= c:
        wish = own.name
    meant = None if wish is None else get_layout(wish)
    flat = c == 2 or (meant is not None and meant.dims == 2 and v == meant.V)  # then a third number is a score
    return guess(v, 2 if flat else 3, wish, file.name)


def _own_layout(about: Mapping[str, Any]) -> Layout | None:
    """The layout that the file names, or describes in JSON as other files do; None where it cannot be right."""
    name, said = about.get("layout"), about.get("skeleton")
    if not isinstance(name, str) or not isinstance(said, str) or len(said) > MAX_SKELETON:
        return LAYOUTS.get(name) if isinstance(name, str) else None
    try:
        return from_record({"layout": name, "skeleton": json.loads(said)})
    except (DataError, ValueError, TypeError, OverflowError, RecursionError):
        return None


def _name(one: Mapping[str, Any], otherwise: str) -> str:
    """What an annotation calls its clip; another name where that could not be shown or would lead out of a folder."""
    said = one.get("frame_dir")
    text = str(said).strip() if isinstance(said, str) else ""
    parts = re.split(r"[\\/]", text)
    text, parts = (parts[-1], parts[-1:]) if parts[0] == "" else (text, parts)  # of an absolute path, the last
    return text if text.isprintable() and not {"", ".."} & set(parts) else otherwise


def _sides(part: _Part, listed: Sequence[Any], on_fault: OnFault) -> dict[str, list[str]]:
    """frame_dir -> the sides that the file's splits put it on."""
    tell = lambda told: on_fault(Fault(part.file.name, told, "nothing"))  # noqa: E731
    splits = part.about.get("split")
    if splits is None:
        return {}
    if not isinstance(splits, dict) or len(splits) > MAX_SPLITS:
        tell(f"its splits are not used: a {type(splits).__name__}, expected at most {MAX_SPLITS} lists of names")
        return {}
    sides: dict[str, list[str]] = {}
    for side, members in splits.items():
        named = isinstance(side, str) and side.isprintable() and "|" not in side and len(side) <= MAX_SIDE
        if not named or not isinstance(members, list | tuple):
            tell("one of its splits is not a list of names under a name, and is not used")
            continue
        for name in members:
            if isinstance(name, str) and side not in sides.setdefault(name, []):
                sides[name].append(str(side))
    held = {said for one in listed if isinstance(one, dict) and isinstance(said := one.get("frame_dir"), str)}
    if strange := len(sides.keys() - held):
        tell(f"its splits name {strange} clip{'s' * (strange > 1)} that it does not hold")
    return sides


def _about(told: Mapping[str, Any]) -> dict[str, Any]:
    """What a file says of all its clips, as far as it can be right."""
    fps, units = told.get("fps"), told.get("units")
    about: dict[str, Any] = {}
    if isinstance(fps, float | int) and not isinstance(fps, bool) and 0 < fps <= MAX_FPS:
        about["fps"] = float(fps)
    if isinstance(units, str) and units in UNITS:
        about["units"] = units
    return about


def _once(one: Any, met: set[int]) -> None:
    """`DataError` for an annotation, or an array, that the file holds once and lists again."""
    ids = {id(one), id(one.get("keypoint")) if isinstance(one, dict) else id(one)}
    if met & ids:
        raise DataError("the same annotation again", fix="list it once")
    met |= ids


def _clips(
    parts: Sequence[_Part],
    root: Path,
    wish: str | None,
    faults: Sequence[Fault],
    on_fault: OnFault,
    progress: Progress | None,
) -> Iterator[Clip]:
    for fault in faults:
        on_fault(fault)
    shared = Counter(name for part in parts for name in set(part.names)) if len(parts) > 1 else Counter()
    done, total = 0, sum(len(part.names) for part in parts)
    for part in parts:
        try:
            clips = _of_part(part if part.annotations else _part(part.file, wish, True), on_fault)
            home = part.file.relative_to(root).with_suffix("").as_posix() if len(parts) > 1 else ""
            for clip in clips:
                if clip is not None:
                    again = shared[clip.name] > 1
                    elsewhere = home if part.file.stem == clip.name else f"{home}/{clip.name}"
                    yield clip.replace(name=elsewhere) if again else clip
                done += 1
                if progress is not None:
                    progress(done, total)
        except (DataError, OSError, MemoryError) as error:  # it could be read before
            on_fault(Fault(part.file.name, f"changed while it was read ({error})"))


def _of_part(part: _Part, on_fault: OnFault) -> Iterator[Clip | None]:
    """The clips of a file, None in the place of one that cannot be used."""
    listed = part.annotations or ()
    sides, about, met = _sides(part, listed, on_fault), _about(part.about), set[int]()
    own = [part.file.stem] if "split" not in part.about and _SIDE.fullmatch(part.file.stem) else []
    units = "pixels" if get_layout(part.layout).dims == 2 else "metres"
    for i, (one, name) in enumerate(zip(listed, part.names, strict=True)):
        shown = f"{part.file.name}[{i}] {name}" if len(part.names) > 1 else part.file.name
        try:
            _once(one, met)
            clip, remark = annotations.clip(one, part.layout)
            ids: dict[str, Any] = {key: value for key, value in ntu.code(name).items() if key in IDS}
            ids |= {key: number for key in IDS if (number := annotations.whole(one.get(key))) is not None}
        except DataError as error:
            on_fault(Fault(shown, reason(error)))
            yield None
            continue
        if remark:
            on_fault(Fault(shown, remark, "nothing"))
        said = one.get("frame_dir")
        splits = tuple(sides.get(said, own)) if isinstance(said, str) else tuple(own)
        yield clip.replace(name=name, file=shown, splits=splits, **{"fps": FPS, "units": units, **about, **ids})
        pickles.forget(one["keypoint"])


def _sniff(file: Path) -> bool:
    """The beginning of a pickle in which the words of such a set stand."""
    try:
        with file.open("rb") as stream:
            head = stream.read(2**16)
    except OSError:
        return False
    return bool(_PICKLE.match(head) and (_KEYS.search(head) or _SPLIT.match(head)))


def _open(found: Found) -> Contents:
    parts: list[_Part] = []
    faults: list[Fault] = []
    for file in found.files:
        try:
            parts.append(_part(file, found.layout, hold=len(found.files) <= HELD))
        except DataError as error:
            if len(found.files) == 1:
                raise
            faults.append(Fault(file.name, reason(error)))
        except (OSError, MemoryError) as error:
            faults.append(Fault(file.name, f"cannot be read ({error})"))
    codes = [ntu.code(name) for part in parts for name in part.names]
    every = bool(codes) and all(codes)
    own = _first(parts, "classes", _is_names)
    labels = [label for part in parts for label in part.labels]
    classes = class_names(found.path) or own or (ntu.classes(found.path, codes) if every else [])
    protocol = _first(parts, "protocol", lambda told: isinstance(told, str) and told in PROTOCOLS)
    return Contents(
        lambda *told: _clips(parts, found.path, found.layout, faults, *told),
        tuple(map(str, classes or numbered(labels, MAX_CLASSES, "class {}"))),
        protocol or (ntu.protocol(found.path, codes) if every else "generic"),
    )


def _first(parts: Sequence[_Part], key: str, fits: Callable[[Any], bool]) -> Any:
    """What the first file says that says something fitting."""
    return next((told for part in parts if fits(told := part.about.get(key))), None)


def _is_names(told: Any) -> bool:
    return isinstance(told, list) and all(isinstance(one, str) and one and one.isprintable() for one in told)


READER = Reader(
    name="pyskl",
    what="annotation pickles of pyskl and mmaction2, 2-D or 3-D: keypoint (M, T, V, C) in dicts",
    layout="by its number of joints",
    suffixes=(".pkl", ".pickle"),
    sniff=_sniff,
    open=_open,
)
