"""NTU RGB+D: one text file a clip, ``SsssCcccPpppRrrrAaaa.skeleton``; reading and writing.

The file is a frame count; per frame a body count; per body a line of 10 values (its ID first), a joint count,
and a line of 12 values for each of the 25 joints, of which the first three are x, y, z in metres.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet, Fault
from stgcn_lens.data.readers.source import Contents, Found, OnFault, Progress, Reader, class_names, each, names
from stgcn_lens.errors import DataError
from stgcn_lens.files import atomic_folder

V, BODY, JOINT = 25, 10, 12  # joints, values in a body's line, values in a joint's line
FPS = 30.0
MAX_SLOTS = 64  # distinct body IDs of one clip; a sensor tracks six at a time
_CODE = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")
_SPAN = V * JOINT


def parse(file: Path, name: str, on_fault: OnFault) -> Clip:
    """One `.skeleton` file as a clip with one slot per body ID, the slots in the order of the IDs.

    IDs stay text (they exceed 2^53); a body keeps its slot when it leaves and returns.
    """
    tokens = file.read_bytes().split()
    frames = _whole(tokens, 0, file, None, "frame count") if tokens else 0
    if frames < 1:
        raise DataError("no frames", file=file.name, got=frames if tokens else "an empty file", expected="at least 1")
    if frames > len(tokens) - 1:
        raise DataError(
            "the file is shorter than its frame count",
            file=file.name,
            got=f"{len(tokens) - 1} values",
            expected=f"{frames} frames",
            fix="get the file again or remove it",
        )
    ids, places, numbers, end = _walk(tokens, frames, file)
    if end < len(tokens):
        left = f"{len(tokens) - end} values after the last of {frames} frames were not read"
        on_fault(Fault(file.name, left, "nothing"))
    slots = sorted(set(ids), key=lambda body: (len(body[0]), *body))
    if len(slots) > MAX_SLOTS:
        raise DataError("too many bodies", file=file.name, got=f"{len(slots)} body IDs", expected=f"<= {MAX_SLOTS}")
    xyz = np.zeros((frames, max(len(slots), 1), V, 3), np.float32)
    valid = np.zeros(xyz.shape[:2], bool)
    if ids:
        slot = {body: m for m, body in enumerate(slots)}
        where = np.array(places), np.array([slot[body] for body in ids])
        xyz[where] = _floats(numbers, places, file).reshape(-1, 3, V).transpose(0, 2, 1)
        valid[where] = True
    code = _CODE.search(name)
    setup, view, subject, _, label = map(int, code.groups()) if code else (None,) * 5
    return Clip(
        xyz=np.ascontiguousarray(xyz.transpose(3, 0, 2, 1)),
        valid=valid,
        name=name,
        layout="ntu25",
        label=None if label is None else label - 1,
        subject=subject,
        view=view,
        setup=setup,
        fps=FPS,
    )


def _walk(tokens: list[bytes], frames: int, file: Path) -> tuple[list[tuple[bytes, int]], list[int], list[bytes], int]:
    """Step through the counts of a file: body IDs, their frames, the text of all x, then y, then z, and the end.

    An ID that comes twice in one frame counts as two bodies, told apart by their order.
    """
    ids: list[tuple[bytes, int]] = []
    places: list[int] = []
    numbers: list[bytes] = []
    p, total = 1, len(tokens)
    for t in range(frames):
        if p >= total:
            raise _cut(file, t, f"{t} frames", f"{frames} frames")
        bodies = _whole(tokens, p, file, t, "body count")
        p += 1
        if bodies > MAX_SLOTS:
            raise DataError("too many bodies", file=file.name, frame=t, got=bodies, expected=f"<= {MAX_SLOTS}")
        seen: list[bytes] = []
        for body in range(bodies):
            start = p + BODY + 1
            if start > total:
                raise _cut(file, t, f"the end of the file in body {body + 1}", f"{bodies} bodies")
            joints = _whole(tokens, start - 1, file, t, "joint count")
            if joints != V:
                raise DataError("wrong joint count", file=file.name, frame=t, got=joints, expected=V)
            p = start + _SPAN
            if p > total:
                got = f"{(total - start) // JOINT} whole joints of body {body + 1}"
                raise _cut(file, t, got, f"{V}")
            who = tokens[start - BODY - 1]
            ids.append((who, seen.count(who)))
            seen.append(who)
            places.append(t)
            numbers += tokens[start:p:JOINT]
            numbers += tokens[start + 1 : p : JOINT]
            numbers += tokens[start + 2 : p : JOINT]
    return ids, places, numbers, p


def _whole(tokens: list[bytes], at: int, file: Path, frame: int | None, what: str) -> int:
    text = tokens[at]
    if text.isdigit() and len(text) <= 12:  # a body ID, read in the place of a count, is longer
        return int(text)
    raise DataError(
        f"the {what} is not a whole number",
        file=file.name,
        frame=frame,
        got=repr(text.decode(errors="replace")[:40]),
        expected="a count",
        fix="a value is missing or too many before it; get the file again or remove it",
    )


def _cut(file: Path, frame: int, got: str, expected: str) -> DataError:
    return DataError(
        "cut mid-frame", file=file.name, frame=frame, got=got, expected=expected, fix="get the file again or remove it"
    )


def _floats(numbers: list[bytes], places: list[int], file: Path) -> np.ndarray:
    try:
        return np.fromiter(map(float, numbers), np.float64, len(numbers))
    except ValueError:
        for i, text in enumerate(numbers):
            try:
                float(text)
            except ValueError:
                frame = places[i // (3 * V)]
                shown = repr(text.decode(errors="replace")[:40])
                raise DataError("not a number", file=file.name, frame=frame, got=shown, expected="x y z") from None
        raise


def write(clip: Clip, path: Path | str) -> Path:
    """Write a clip so that it reads back equal: coordinates to the last bit, absent bodies left out.

    Parameters
    ----------
    clip : a 3-D clip of 25 joints. Only its coordinates and mask are stored; label, subject, view and setup live
        in its name. A slot in which no body ever is does not come back.
    path : a ``.skeleton`` file, or the folder in which the clip's name becomes one.

    Returns
    -------
    Path
        The file.
    """
    if clip.xyz.shape[0] != 3 or clip.skeleton.V != V:
        raise DataError(
            "NTU files hold x, y, z of 25 joints",
            file=clip.name,
            got=f"{clip.xyz.shape[0]} channels of {clip.skeleton.V} joints",
            expected="3 channels of 25",
        )
    path = Path(path)
    file = path if path.suffix == ".skeleton" else path / f"{clip.name}.skeleton"
    file.parent.mkdir(parents=True, exist_ok=True)
    # 9 digits tell all float32 apart and, read as a double, round back to the same one.
    pose = "%.9g %.9g %.9g 0 0 0 0 0 0 0 0 2\n" * V
    lines = [f"{clip.frames}\n"]
    bodies = clip.xyz.transpose(1, 3, 2, 0).reshape(clip.frames, clip.bodies, -1)  # (T, M, V * 3)
    for t in range(clip.frames):
        here = np.flatnonzero(clip.valid[t])
        lines.append(f"{len(here)}\n")
        for m in here:
            lines.append(f"{_FIRST_ID + int(m)} 0 1 0 1 0 0 0 0 2\n{V}\n")
            lines.append(pose % tuple(bodies[t, m].tolist()))
    file.write_text("".join(lines), encoding="ascii")
    return file


_FIRST_ID = 72057594037927936  # 2^56, the range of a real sensor's IDs


def write_set(clips: ClipSet, folder: Path | str, progress: Progress | None = None) -> Path:
    """Write every clip of a set as an NTU file, with classes.txt and protocol.txt beside them.

    The folder appears when it is whole. `progress` is called with (clips done, clips in all).
    """
    folder = Path(folder)
    if folder.exists() and any(file.suffix not in (".skeleton", ".txt") for file in folder.iterdir()):
        raise DataError("would overwrite other things", file=folder, fix="choose a new or empty folder to write to")
    with atomic_folder(folder) as temporary:
        for done, clip in enumerate(clips, start=1):
            write(clip, temporary)
            if progress is not None:
                progress(done, len(clips))
        (temporary / "classes.txt").write_text("".join(f"{name}\n" for name in clips.classes), encoding="utf-8")
        (temporary / "protocol.txt").write_text(f"{clips.protocol}\n", encoding="utf-8")
    return folder


def _sniff(file: Path) -> bool:
    """A frame count, a body count, and a body's line of 10 values or, in an empty frame, the next body count."""
    try:
        with file.open("rb") as stream:
            lines = [stream.readline(400).split() for _ in range(3)]
    except OSError:
        return False
    if not all(len(line) == 1 and line[0].isdigit() for line in lines[:2]):
        return False
    return len(lines[2]) == (BODY if int(lines[1][0]) else 1) or int(lines[0][0]) <= 1


def _open(found: Found) -> Contents:
    files = names(found.path, found.files)
    codes = [tuple(map(int, code.groups())) for _, name in files if (code := _CODE.search(name))]
    return Contents(
        lambda *told: each(files, parse, *told),
        tuple(_classes(found.path, codes)),
        _protocol(found.path, codes),
    )


def _classes(path: Path, codes: Sequence[tuple[int, ...]]) -> list[str]:
    """The names beside the files, else the 60 or 120 action numbers of NTU; none where no name holds a number."""
    named = class_names(path)
    if named:
        return named
    actions = [code[4] for code in codes]
    most = 120 if any(60 < action <= 120 for action in actions) else 60
    return [f"A{action:03d}" for action in range(1, most + 1)] if actions else []


def _protocol(path: Path, codes: Sequence[tuple[int, ...]]) -> str:
    """What a protocol.txt beside the files says, else ntu60 or, with more setups or classes, ntu120."""
    said = (path if path.is_dir() else path.parent) / "protocol.txt"
    if said.is_file():
        return said.read_text(encoding="utf-8", errors="replace").strip()
    return "ntu120" if any(code[0] > 17 or code[4] > 60 for code in codes) else "ntu60"


READER = Reader(
    name="ntu",
    what="SsssCcccPpppRrrrAaaa.skeleton text files, 25 joints",
    layout="ntu25",
    suffixes=(".skeleton",),
    sniff=_sniff,
    open=_open,
)
