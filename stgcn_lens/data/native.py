"""The native form of a set: a folder of flat arrays that is written as a stream and read clip by clip.

* ``clipset.json``: format, layout, classes, fps, units, source, protocol, faults, fingerprint;
* ``clips.csv``: one row a clip (name, label, subject, view, setup, frames, bodies, splits joined by "|");
* ``xyz.npy``: (rows, V, C) float32, where the rows of a clip are its (T, M) flattened, frames first;
* ``valid.npy``: (rows,) bool; ``evidence.npy``: (rows, V) bool, where it is known.

Clips are ragged in T and M, nothing is padded, and one clip is read without touching the others: sets larger
than memory stay on disk.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from stgcn_lens.arrays import NpyWriter, open_npy, read_rows
from stgcn_lens.data.clip import MAX_FPS, Clip
from stgcn_lens.data.dataset import (
    ClipSet,
    Fault,
    Row,
    check_uniform,
    flat,
    flat_evidence,
    joined,
    nothing_read,
    row,
    set_hash,
)
from stgcn_lens.errors import DataError
from stgcn_lens.files import atomic, atomic_folder, fingerprint
from stgcn_lens.skeleton import from_record, to_record

FORMAT = 1
ABOUT = "clipset.json"
_LONGEST = 2**14  # characters of a line of clips.csv
_PIECE = 2**16  # rows looked through at once
_DIGITS = 18  # of a number of clips.csv: 64 bits hold it


def open_set(folder: Path) -> ClipSet:
    """Open a native folder; coordinates stay on disk until a clip is asked for.

    Raises
    ------
    DataError
        where the folder is none, or its files are damaged or do not fit each other.
    """
    about_file = folder / ABOUT
    if not about_file.is_file():
        raise DataError("not a native clip set", file=folder, expected=f"a folder that holds {ABOUT}")
    try:
        about = json.loads(about_file.read_text(encoding="utf-8"))
        if not isinstance(about, dict):
            raise TypeError(f"{ABOUT} holds no object")
        if about["format"] != FORMAT:
            raise ValueError(f"format {str(about['format'])[:40]}; this version knows {FORMAT}")
        layout = from_record(about, file=about_file)
        classes = _texts(about["classes"], "classes")
        xyz, valid = open_npy(folder / "xyz.npy"), open_npy(folder / "valid.npy")
        planted = open_npy(folder / "evidence.npy") if (folder / "evidence.npy").is_file() else None
        with (folder / "clips.csv").open(newline="", encoding="utf-8") as stream:
            rows = _rows(csv.DictReader(_lines(stream)), len(classes), len(xyz) if xyz.ndim else 0)
        expected = sum(row.frames * row.bodies for row in rows)
        fit = xyz.ndim == 3 and xyz.shape[:2] == (expected, layout.V) and valid.shape == (expected,)
        if not fit or (planted is not None and planted.shape != (expected, layout.V)):
            raise DataError(
                "arrays and table of a native clip set disagree",
                file=folder,
                got=f"xyz {xyz.shape}, valid {valid.shape}{'' if planted is None else f', evidence {planted.shape}'}",
                expected=f"{expected} rows of {layout.V} joints",
                fix="write the set again",
            )
        if xyz.dtype.newbyteorder("=") != np.float32:
            raise TypeError(f"xyz.npy holds {xyz.dtype}, not float32")
        _check_bool(valid, "valid.npy")
        if planted is not None:
            _check_bool(planted, "evidence.npy")
        texts = _texts([about[key] for key in ("units", "source", "protocol")], "units, source, protocol")
        return ClipSet(
            rows=rows,
            classes=classes,
            layout=layout.name,
            xyz=xyz,
            valid=valid,
            evidence=planted,
            fps=_fps(about["fps"]),
            units=texts[0],
            source=texts[1],
            protocol=texts[2],
            faults=tuple(map(_fault, about["faults"])),
            folder=folder,
        )
    except DataError:
        raise
    except KeyError as error:
        what = f"{error} is missing"
    except (OSError, EOFError, TypeError, ValueError, RecursionError, csv.Error) as error:
        what = " ".join(str(error).split())[:200]
    raise DataError(f"a native clip set that cannot be read ({what})", file=folder, fix="write the set again")


def _lines(stream: TextIO) -> Iterator[str]:
    while line := stream.readline(_LONGEST):
        if len(line) == _LONGEST:
            raise ValueError(f"a line of {_LONGEST} or more characters in clips.csv")
        yield line


def _rows(table: csv.DictReader, classes: int, room: int) -> tuple[Row, ...]:
    """The lines of clips.csv, as long as the arrays have room for their clips."""
    rows: list[Row] = []
    for line in table:
        row = _row_from_csv(line)
        if min(row.frames, row.bodies) < 1 or not row.name:
            raise ValueError(f"clip {len(rows)} of clips.csv has no name, frames or bodies")
        if row.label is not None and not 0 <= row.label < classes:
            raise ValueError(f"clip {row.name[:80]!r} has class {row.label} of {classes} classes, counted from 0")
        room -= row.frames * row.bodies
        rows.append(row)
        if room < 0:
            break
    return tuple(rows)


def _check_bool(array: np.ndarray, name: str) -> None:
    """A byte that is neither 0 nor 1 would count as so many: numpy takes what a file says for granted."""
    if array.dtype != np.bool_:
        raise TypeError(f"{name} holds {array.dtype}, not bool")
    for begin in range(0, len(array), _PIECE):
        piece = read_rows(array, begin, min(begin + _PIECE, len(array)))
        if piece.view(np.uint8).max(initial=0) > 1:
            raise ValueError(f"{name} holds bytes that are neither true nor false")


def _texts(values: object, what: str) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"{what}: not text")
    return tuple(values)


def _fps(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_FPS:
        raise TypeError(f"fps: {str(value)[:40]}")
    return float(value)


def _fault(told: dict[str, Any]) -> Fault:
    fault = Fault(**told)
    _texts([fault.file, fault.reason, fault.dropped], "faults")
    if type(fault.frames) is not int:
        raise TypeError(f"faults: {str(fault.frames)[:40]} frames")
    return fault


def pack(
    clips: Iterable[Clip],
    folder: Path | str,
    *,
    classes: Sequence[str],
    source: str = "native",
    protocol: str = "generic",
    faults: Sequence[Fault] = (),
) -> ClipSet:
    """Stream clips into a native folder: one clip is in memory at a time; the folder appears when it is whole.

    `faults` may be a list that the iterator of clips still appends to: it is read at the end.
    """
    rows: list[Row] = []
    first: Clip | None = None
    planted = 0
    with atomic_folder(Path(folder)) as temporary, ExitStack() as writers:
        digests = {"xyz": fingerprint(), "valid": fingerprint()}
        for clip in clips:
            if first is None:
                first = clip
                v, c = clip.xyz.shape[2], clip.xyz.shape[0]
                xyz_file = writers.enter_context(closing(NpyWriter(temporary / "xyz.npy", np.float32, (v, c))))
                valid_file = writers.enter_context(closing(NpyWriter(temporary / "valid.npy", np.bool_, ())))
                evidence_file = writers.enter_context(closing(NpyWriter(temporary / "evidence.npy", np.bool_, (v,))))
            check_uniform([first, clip])
            xyz, valid = flat(clip), clip.valid.reshape(-1)
            xyz_file.append(xyz)
            valid_file.append(valid)
            if clip.evidence is not None:
                evidence_file.append(flat_evidence(clip))
                planted += 1
            digests["xyz"].update(xyz.data)
            digests["valid"].update(np.ascontiguousarray(valid).data)
            rows.append(row(clip))
        if first is None:
            raise nothing_read({"faults": faults})
        writers.close()
        if planted < len(rows):  # known for every clip, or for the set not at all
            (temporary / "evidence.npy").unlink()
        with (temporary / "clips.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(Row.__dataclass_fields__)
            for one in rows:
                told = {**vars(one), "splits": "|".join(one.splits)}
                writer.writerow(["" if value is None else value for value in told.values()])
        about = {
            "format": FORMAT,
            **to_record(first.skeleton),
            "classes": list(classes),
            "fps": first.fps,
            "units": first.units,
            "source": source,
            "protocol": protocol,
            "faults": [vars(fault) for fault in faults],
            "fingerprint": set_hash(tuple(rows), tuple(classes), first.layout, joined(digests.values())),
        }
        with atomic(temporary / ABOUT) as path:
            path.write_text(json.dumps(about, indent=1), encoding="utf-8")
    return open_set(Path(folder))


def _row_from_csv(line: dict[str, str]) -> Row:
    def number(key: str) -> int | None:
        if len(line[key]) > _DIGITS:
            raise ValueError(f"{key} of {len(line[key])} digits in clips.csv")
        return int(line[key]) if line[key] else None

    return Row(
        name=line["name"],
        label=number("label"),
        subject=number("subject"),
        view=number("view"),
        setup=number("setup"),
        frames=int(line["frames"]),
        bodies=int(line["bodies"]),
        splits=tuple(filter(None, (line.get("splits") or "").split("|"))),
    )
