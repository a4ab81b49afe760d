"""NTU RGB+D: one text file a clip, ``SsssCcccPpppRrrrAaaa.skeleton``; reading and writing.

The file is a frame count; per frame a body count; per body a line of 10 values (its ID first), a joint count,
and a line of 12 values for each of the 25 joints, of which the first three are x, y, z in metres.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet, Fault
from stgcn_lens.data.parsing.ntu_text import BODY, MAX_SLOTS, Bodies, V, bodies
from stgcn_lens.data.source import Contents, Found, OnFault, Progress, Reader, class_names, each, names, note
from stgcn_lens.errors import DataError
from stgcn_lens.files import atomic_folder

FPS = 30.0
MANY = 100  # files, of which the compiled code pays
ROOM = 2**20  # bytes that a clip may take more than its file
_CODE = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")


def parse(file: Path, name: str, on_fault: OnFault, one_of_many: bool = False) -> Clip:
    """One `.skeleton` file as a clip with one slot per body ID, the slots in the order of the IDs.

    IDs stay text (they exceed 2^53); a body keeps its slot when it leaves and returns, and one whose ID comes twice
    in a frame counts as two. `one_of_many` asks for compiled code, three times as fast, which takes half a second to
    import.
    """
    found = None
    if one_of_many:
        from stgcn_lens.data.parsing import ntu_scan

        found = ntu_scan.bodies(file)
    found = bodies(file) if found is None else found
    if found.left:
        left = f"{found.left} values after the last of {found.frames} frames were not read"
        on_fault(Fault(file.name, left, "nothing"))
    ids = _told_apart(found)
    slots = sorted(set(ids), key=lambda body: (len(body[0]), *body))
    if len(slots) > MAX_SLOTS:
        raise DataError("too many bodies", file=file.name, got=f"{len(slots)} body IDs", expected=f"<= {MAX_SLOTS}")
    if not slots:
        got = f"{found.frames} empty frames"
        raise DataError("no body in any frame", file=file.name, got=got, expected="at least one body")
    _check_dense(file, found.frames, len(slots), len(ids))
    xyz = np.zeros((3, found.frames, V, len(slots)), np.float32)
    valid = np.zeros((found.frames, len(slots)), bool)
    slot = {body: m for m, body in enumerate(slots)}
    places = found.places, [slot[body] for body in ids]
    xyz[:, places[0], :, places[1]] = found.xyz.transpose(0, 2, 1)
    valid[places] = True
    return Clip(
        xyz=xyz,
        valid=valid,
        name=name,
        layout="ntu25",
        fps=FPS,
        **code(name),  # type: ignore[arg-type]
    )


def code(name: str) -> dict[str, int]:
    """Setup, view, subject and label, as the SsssCcccPpppRrrrAaaa in a clip's name says; empty where it holds none."""
    found = _CODE.search(name)
    if found is None:
        return {}
    setup, view, subject, _, action = map(int, found.groups())
    return {"setup": setup, "view": view, "subject": subject, "label": action - 1}


def _told_apart(found: Bodies) -> list[tuple[bytes, int]]:
    """Each body's ID, and how many bodies of that ID come before it in the same frame."""
    ids: list[tuple[bytes, int]] = []
    frame, seen = -1, list[bytes]()
    for t, who in zip(found.places.tolist(), found.ids, strict=True):
        if t != frame:
            frame, seen = t, []
        ids.append((who, seen.count(who)))
        seen.append(who)
    return ids


def _check_dense(file: Path, frames: int, slots: int, bodies: int) -> None:
    """A clip has room for every slot in every frame: refuse one that is nearly all empty room, before it is made."""
    if 12 * V * frames * slots > file.stat().st_size + ROOM:
        raise DataError(
            "too few bodies for its frames and body IDs",
            file=file.name,
            got=f"{bodies} bodies in {frames} frames under {slots} IDs",
            expected="a clip that takes no more memory than its file",
            fix="cut the empty frames, or remove the IDs that are seen in a few frames only",
        )


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
            fix="write another format, or put the clips onto that layout with --to-layout ntu25",
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
    codes = [said for _, name in files if (said := code(name))]
    read = partial(parse, one_of_many=len(files) >= MANY)
    return Contents(
        lambda *told: each(files, read, *told),
        tuple(classes(found.path, codes)),
        protocol(found.path, codes),
    )


def classes(path: Path, codes: Sequence[Mapping[str, int]]) -> list[str]:
    """The names beside the files, else the 60 or 120 action numbers of NTU; none where no name holds a number."""
    named = class_names(path)
    if named:
        return named
    most = 120 if any(60 <= code["label"] < 120 for code in codes) else 60
    return [f"A{action:03d}" for action in range(1, most + 1)] if codes else []


def protocol(path: Path, codes: Sequence[Mapping[str, int]]) -> str:
    """What a protocol.txt beside the files says, else ntu60 or, with more setups or classes, ntu120."""
    if said := note((path if path.is_dir() else path.parent) / "protocol.txt"):
        return said[0]
    return "ntu120" if any(code["setup"] > 17 or code["label"] >= 60 for code in codes) else "ntu60"


READER = Reader(
    name="ntu",
    what="SsssCcccPpppRrrrAaaa.skeleton text files, 25 joints",
    layout="ntu25",
    suffixes=(".skeleton",),
    sniff=_sniff,
    open=_open,
)
