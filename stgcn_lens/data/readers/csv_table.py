"""CSV: one line for each joint of each body in each frame; docs/csv.md describes the columns.

Files are read as a stream: no more than one clip is held.
"""

import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import Fault
from stgcn_lens.data.parsing.csv_lines import FIX, Head, Line, is_table, lines, read_head
from stgcn_lens.data.parsing.joints import guess
from stgcn_lens.data.source import MAX_CLASSES, Contents, Found, OnFault, Progress, Reader, class_names, reason
from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import LAYOUTS, get_layout
from stgcn_lens.skeleton.layout import MOST_JOINTS

MAX_BODIES, MAX_FRAME = 64, 10**9
_SIDE = re.compile(r"\w{1,40}")
_CONSTANT = 1 << 20  # bytes that a small clip with many gaps may need beyond twice its lines


@dataclass
class _Clip:
    """A clip whose lines are being read; `error` is the first that came up, and no more lines are taken then."""

    name: str
    about: dict[str, str]  # what its first line says of the whole clip
    error: DataError | None = None
    size: int = 0  # bytes of its lines
    joints: dict[str, int] = field(default_factory=dict)
    bodies: dict[str, int] = field(default_factory=dict)
    # Of every line: frame, body and joint, and the coordinates.
    frame: array = field(default_factory=lambda: array("i"))
    body: array = field(default_factory=lambda: array("B"))
    joint: array = field(default_factory=lambda: array("H"))
    values: array = field(default_factory=lambda: array("f"))

    def add(self, line: Line, head: Head) -> None:
        """Take a line up; `DataError` where it cannot be understood."""
        if line.problem:
            expected = f"{head.width} cells"
            raise DataError(f"line {line.number} {line.problem}", expected=expected, fix=FIX)
        if head.about(line.cells) != self.about:
            raise line.wrong("differs from the clip's first line", head.about(line.cells), self.about)
        frame = _whole(line, head, "frame", MAX_FRAME)
        body = self.bodies.setdefault(head.cell(line.cells, "body"), len(self.bodies))
        joint = self.joints.setdefault(head.cell(line.cells, "joint"), len(self.joints))
        if body == MAX_BODIES or joint == MOST_JOINTS:
            raise line.wrong("too many bodies or joints", "one more", f"{MAX_BODIES} bodies of {MOST_JOINTS} joints")
        for name in head.channels:
            text = head.cell(line.cells, name)
            try:
                self.values.append(float(text) if text else np.nan)
            except ValueError:
                raise line.wrong(f"{name} is not a number", repr(text[:40]), "a number with a decimal point") from None
        self.frame.append(frame)
        self.body.append(body)
        self.joint.append(joint)
        self.size += line.size

    @property
    def frames(self) -> int:
        """From the lowest to the highest frame number."""
        return max(self.frame) - min(self.frame) + 1

    def finish(self, head: Head, layout: str, classes: dict[str, int]) -> Clip:
        """The clip of all lines, of a layout that `_layout` chose."""
        skeleton, where = get_layout(layout), f"{head.file.name}, clip {self.name}"
        own = np.array([_place(joint, layout, where) for joint in self.joints], np.int64)
        frame = np.frombuffer(self.frame, np.int32)
        first, frames, bodies, channels = int(frame.min()), self.frames, len(self.bodies), len(head.channels)
        if 4 * channels * frames * skeleton.V * bodies > 2 * self.size + _CONSTANT:
            raise DataError(
                "frames or bodies with next to no joints",
                file=where,
                got=f"{len(frame)} lines for {frames} frames of {bodies} bodies",
                expected=f"nearer to {skeleton.V} for each",
                fix="number the frames in order, and the bodies alike in all of them",
            )
        place = (frame.astype(np.int64) - first) * skeleton.V + own[np.frombuffer(self.joint, np.uint16)]
        place = place * bodies + np.frombuffer(self.body, np.uint8)
        given = np.zeros((frames, skeleton.V, bodies), bool)
        given.reshape(-1)[place] = True
        if np.count_nonzero(given) < len(place):
            ordered = np.sort(place)
            t, v, m = np.unravel_index(ordered[1:][ordered[1:] == ordered[:-1]][0], given.shape)
            got = f"{skeleton.joints[v]}{f' of body {list(self.bodies)[m]}' * (bodies > 1)} again"
            at = first + int(t)
            raise DataError("a joint twice", file=where, frame=at, got=got, expected="one line for each", fix=FIX)
        # A joint without a line is unknown, but where there are scores it was looked for and not found.
        xyz = np.full((channels, *given.shape), 0 if head.channels[-1] == "score" else np.nan, np.float32)
        for c, values in enumerate(np.frombuffer(self.values, np.float32).reshape(-1, channels).T):
            xyz[c].reshape(-1)[place] = values
        valid = np.any(given & np.all(np.isfinite(xyz), axis=0), axis=1)  # one joint is enough: (T, M)
        xyz.transpose(1, 3, 0, 2)[~valid] = 0
        length = int(np.flatnonzero(valid.any(axis=1))[-1]) + 1 if valid.any() else frames
        return Clip(
            xyz=xyz[:, :length],
            valid=valid[:length],
            name=self.name,
            layout=layout,
            label=self._label(classes, where),
            subject=self._number("subject", where),
            view=self._number("view", where),
            setup=self._number("setup", where),
            splits=self._splits(where),
            fps=head.fps,
            units=head.units,
        )

    def _number(self, name: str, where: str) -> int | None:
        text = self.about.get(name, "")
        if text and not _is_whole(text, 9):
            raise DataError(f"{name} is not a whole number", file=where, got=repr(text[:40]), expected="0, 1, 2 ...")
        return int(text) if text else None

    def _splits(self, where: str) -> tuple[str, ...]:
        sides = self.about.get("split", "").split()
        if wrong := [side for side in sides if not _SIDE.fullmatch(side)]:
            raise DataError("a split's name", file=where, got=repr(wrong[0]), expected="letters, digits, _", fix=FIX)
        return tuple(sides)

    def _label(self, classes: dict[str, int], where: str) -> int | None:
        name = self.about.get("class", "")
        if not name:
            return self._number("label", where)
        if name not in classes:
            expected = f"one of {', '.join(sorted(classes, key=classes.__getitem__))[:500]}"
            raise DataError(
                "unknown class", file=where, got=repr(name[:40]), expected=expected, fix="list all in classes.txt"
            )
        return classes[name]


def _clips(
    found: Found, classes: Sequence[str], total: int, on_fault: OnFault, progress: Progress | None
) -> Iterator[Clip]:
    """The clips of all files; a file that cannot be read, and a clip that is not sound, is told and passed over."""
    place = {name: i for i, name in reversed(list(enumerate(classes)))}
    done = 0
    for file in found.files:
        shown = file.relative_to(found.path).as_posix() if found.path.is_dir() else file.name
        try:
            head = read_head(file)
            layout = found.layout or head.layout
            for clip in _groups(head):
                try:
                    if clip.error is not None:
                        raise clip.error
                    layout = _layout(clip, head, layout)
                    made = clip.finish(head, layout, place).replace(file=f"{shown}, clip {clip.name}")
                    if cut := clip.frames - made.frames:
                        told = f"no joint is known in them: {cut} of {clip.frames} frames cut off the end"
                        on_fault(Fault(f"{shown}, clip {clip.name}", told, "frames", cut))
                    yield made
                except DataError as error:
                    on_fault(Fault(f"{shown}, clip {clip.name}", reason(error)))
                done += 1
                if progress is not None:
                    progress(min(done, total), total)
        except DataError as error:
            on_fault(Fault(shown, reason(error)))
        except (OSError, MemoryError) as error:
            on_fault(Fault(shown, f"cannot be read ({error})"))


def _groups(head: Head) -> Iterator[_Clip]:
    """The clips of a file, each of successive lines with one name; a name that comes back is an error of its own."""
    clip: _Clip | None = None
    met: set[int] = set()
    for line in lines(head):
        name = head.cell(line.cells, "clip") or (clip.name if clip else "")
        if clip is None or name != clip.name:
            if clip is not None:
                yield clip
            clip = _Clip(name, head.about(line.cells))
            if hash(name) in met:
                clip.error = line.wrong("the clip comes a second time", repr(name[:40]), "all its lines in a row")
            met.add(hash(name))
        if clip.error is None:
            try:
                clip.add(line, head)
            except DataError as error:
                clip.error = error
    if clip is not None:
        yield clip


def _layout(clip: _Clip, head: Head, known: str | None) -> str:
    """The layout that is said or was found before, else the one whose joints are named, or as many."""
    where, dims = f"{head.file.name}, clip {clip.name}", 3 if head.channels[-1] == "z" else 2
    if known is not None:
        if get_layout(known).dims != dims:
            raise DataError(
                f"layout '{known}' does not fit",
                file=where,
                got=f"columns {', '.join(head.channels)}",
                expected="x, y, z" if dims == 2 else "x, y, score",
                fix="choose the layout that the data were recorded with",
            )
        return known
    if all(_is_whole(joint, 4) for joint in clip.joints):
        return guess(max(map(int, clip.joints)) + 1, dims, None, where)
    for layout in LAYOUTS.values():
        if layout.dims == dims and set(layout.joints) == set(clip.joints):
            return layout.name
    raise DataError(
        "the joints are those of no known layout",
        file=where,
        got=", ".join(clip.joints)[:1000],
        expected="all joints of a layout",
        fix="say which it is in a line such as '# layout: ntu25' on top, or with --layout NAME or FILE.toml",
    )


def _place(joint: str, layout: str, where: str) -> int:
    """Place in the layout of a joint's name or number."""
    skeleton = get_layout(layout)
    if joint in skeleton.joints:
        return skeleton.joints.index(joint)
    if _is_whole(joint, 4) and int(joint) < skeleton.V:
        return int(joint)
    raise DataError(
        f"layout '{layout}' has no such joint",
        file=where,
        got=repr(joint[:40]),
        expected=f"0 to {skeleton.V - 1}, or one of {', '.join(skeleton.joints)}",
        fix=FIX,
    )


def _whole(line: Line, head: Head, column: str, most: int) -> int:
    text = head.cell(line.cells, column)
    if not _is_whole(text, 10) or int(text) > most:
        raise line.wrong(f"the {column} is not a whole number", repr(text[:40]), f"0 to {most}")
    return int(text)


def _is_whole(text: str, digits: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= digits


def _survey(found: Found) -> tuple[list[str], int]:
    """The classes and the number of clips, by a first pass over all files; faults are told by the second one."""
    named, highest, clips = set[str](), -1, 0
    for file in found.files:
        try:
            head = read_head(file)
            before: str | None = None
            for line in lines(head):
                clip = head.cell(line.cells, "clip") or before or ""
                if clip == before:
                    continue
                before = clip
                clips += 1
                about = head.about(line.cells)
                if name := about.get("class"):
                    named.add(name)
                label = about.get("label", "")
                highest = max(highest, int(label) if _is_whole(label, 4) else -1)
                if len(named) > MAX_CLASSES:
                    raise DataError("too many classes", file=found.path, got=len(named), expected=f"<= {MAX_CLASSES}")
        except (DataError, OSError):
            continue
    return class_names(found.path) or sorted(named) or [f"class {n}" for n in range(highest + 1)], clips


def _open(found: Found) -> Contents:
    classes, total = _survey(found)
    return Contents(lambda *told: _clips(found, classes, total, *told), tuple(classes))


READER = Reader(
    name="csv",
    what=".csv tables with the columns clip, frame, joint, x, y and z or score (docs/csv.md)",
    layout="by its joints, or as the file says",
    suffixes=(".csv", ".tsv"),
    sniff=is_table,
    open=_open,
)
