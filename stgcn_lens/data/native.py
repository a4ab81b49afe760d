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
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np

from stgcn_lens.arrays import NpyWriter, open_npy
from stgcn_lens.data.clip import Clip
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
        about = json.loads(about_file.read_text())
        with (folder / "clips.csv").open(newline="") as stream:
            rows = tuple(_row_from_csv(line) for line in csv.DictReader(stream))
        xyz, valid = open_npy(folder / "xyz.npy"), open_npy(folder / "valid.npy")
        planted = open_npy(folder / "evidence.npy") if (folder / "evidence.npy").is_file() else None
        layout = from_record(about, file=about_file)
        expected = sum(row.frames * row.bodies for row in rows)
        if xyz.ndim != 3 or xyz.shape[:2] != (expected, layout.V) or valid.shape != (expected,):
            raise DataError(
                "arrays and table of a native clip set disagree",
                file=folder,
                got=f"xyz {xyz.shape}, valid {valid.shape}",
                expected=f"{expected} rows of {layout.V} joints",
                fix="write the set again",
            )
        return ClipSet(
            rows=rows,
            classes=tuple(about["classes"]),
            layout=layout.name,
            xyz=xyz,
            valid=valid,
            evidence=planted,
            fps=float(about["fps"]),
            units=about["units"],
            source=about["source"],
            protocol=about["protocol"],
            faults=tuple(Fault(**fault) for fault in about["faults"]),
            folder=folder,
        )
    except DataError:
        raise
    except (OSError, EOFError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"a native clip set that cannot be read ({error})", file=folder, fix="write the set again"
        ) from error


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
        with (temporary / "clips.csv").open("w", newline="") as stream:
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
            path.write_text(json.dumps(about, indent=1))
    return open_set(Path(folder))


def _row_from_csv(line: dict[str, str]) -> Row:
    number = lambda key: int(line[key]) if line[key] else None  # noqa: E731
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
