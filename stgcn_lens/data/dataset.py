"""A set of clips as flat arrays, in memory or on disk: the native form.

On disk a set is a folder with

* ``clipset.json``: format, layout, classes, fps, units, source, protocol, faults;
* ``clips.csv``: one row a clip (name, label, subject, view, setup, frames, bodies, channels);
* ``xyz.npy``: (rows, V, C) float32, where the rows of a clip are its (T, M) flattened, frames first;
* ``valid.npy``: (rows,) bool; ``evidence.npy``: (rows, V) bool, where it is known.

Clips are ragged in T and M, nothing is padded, and one clip is read without touching the others: sets larger
than memory stay on disk.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from stgcn_lens.arrays import NpyWriter, read_rows
from stgcn_lens.data.clip import Clip
from stgcn_lens.errors import DataError
from stgcn_lens.files import atomic, atomic_folder, fingerprint
from stgcn_lens.skeleton import Layout, get_layout

FORMAT = 1
_IDS = ("subject", "view", "setup")


@dataclass(frozen=True)
class Fault:
    """Something wrong in the source, and what was done about it.

    `dropped` is "clip" where the whole clip was left out, "frames" where only some of its frames were, and
    "nothing" for a warning.
    """

    file: str
    reason: str
    dropped: str = "clip"
    frames: int = 0


@dataclass(frozen=True)
class Row:
    """What is known of one clip without reading its coordinates."""

    name: str
    label: int | None
    subject: int | None
    view: int | None
    setup: int | None
    frames: int
    bodies: int


@dataclass(frozen=True, eq=False)
class ClipSet:
    """Clips with one layout and one list of classes; `set[i]` reads one `Clip`.

    `protocol` names the splits that belong to the data set (a key of `splits.PROTOCOLS`). `faults` lists all
    that was dropped while reading, with its reason.
    """

    rows: tuple[Row, ...]
    classes: tuple[str, ...]
    layout: str
    xyz: np.ndarray  # (rows, V, C) float32; a memory map when on disk
    valid: np.ndarray  # (rows,) bool
    evidence: np.ndarray | None = None  # (rows, V) bool
    fps: float = 30.0
    units: str = "metres"
    source: str = "native"
    protocol: str = "generic"
    faults: tuple[Fault, ...] = ()
    folder: Path | None = None
    _starts: np.ndarray | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self._starts is None:
            sizes = [row.frames * row.bodies for row in self.rows]
            object.__setattr__(self, "_starts", np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]))

    @property
    def skeleton(self) -> Layout:
        """The layout of every clip."""
        return get_layout(self.layout)

    @property
    def labels(self) -> np.ndarray:
        """(N,) int64, -1 where unknown."""
        return np.array([-1 if row.label is None else row.label for row in self.rows], dtype=np.int64)

    @property
    def channels(self) -> int:
        """C of every clip."""
        return int(self.xyz.shape[2])

    @property
    def max_bodies(self) -> int:
        """Largest number of body slots of any clip."""
        return max((row.bodies for row in self.rows), default=0)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> Clip:
        row = self.rows[i]
        assert self._starts is not None
        i = i % len(self.rows)
        begin, end = int(self._starts[i]), int(self._starts[i + 1])
        shape = (row.frames, row.bodies)
        xyz = read_rows(self.xyz, begin, end).reshape(*shape, self.xyz.shape[1], self.channels)
        evidence = None
        if self.evidence is not None:
            evidence = read_rows(self.evidence, begin, end).reshape(*shape, -1).transpose(0, 2, 1)
        return Clip(
            xyz=np.ascontiguousarray(xyz.transpose(3, 0, 2, 1), dtype=np.float32),
            valid=read_rows(self.valid, begin, end).reshape(shape).copy(),
            name=row.name,
            layout=self.layout,
            label=row.label,
            subject=row.subject,
            view=row.view,
            setup=row.setup,
            fps=self.fps,
            units=self.units,
            evidence=None if evidence is None else np.ascontiguousarray(evidence),
        )

    def __iter__(self) -> Iterator[Clip]:
        return (self[i] for i in range(len(self)))

    def index(self, name: str) -> int:
        """Position of a clip by name; `DataError` if there is none."""
        for i, row in enumerate(self.rows):
            if row.name == name:
                return i
        raise DataError("no clip of that name", got=repr(name), expected=f"one of {len(self)} clips of the set")

    def subset(self, indices: Sequence[int] | np.ndarray) -> "ClipSet":
        """The chosen clips, in that order, in memory."""
        chosen = [int(i) for i in indices]
        assert self._starts is not None
        spans = [(int(self._starts[i]), int(self._starts[i + 1])) for i in chosen]
        pick = lambda array: np.concatenate([array[:0], *(read_rows(array, a, b) for a, b in spans)])  # noqa: E731
        return replace(
            self,
            rows=tuple(self.rows[i] for i in chosen),
            xyz=pick(self.xyz),
            valid=pick(self.valid),
            evidence=None if self.evidence is None else pick(self.evidence),
            folder=None,
            _starts=None,
        )

    def fingerprint(self) -> str:
        """Hash of the table, the classes and the coordinates' size; equal sets have equal fingerprints."""
        if self.folder is not None:
            return str(json.loads((self.folder / "clipset.json").read_text())["fingerprint"])
        return _fingerprint(self.rows, self.classes, self.layout, _joined(map(_sha, (self.xyz, self.valid))))

    @classmethod
    def from_clips(cls, clips: Iterable[Clip], classes: Sequence[str], **about: object) -> "ClipSet":
        """Pack clips into memory. `about` fills the remaining fields (source, protocol, faults)."""
        clips = list(clips)
        if not clips:
            raise _nothing_read(about)
        first = clips[0]
        _check_uniform(clips)
        known = all(clip.evidence is not None for clip in clips)
        return cls(
            rows=tuple(_row(clip) for clip in clips),
            classes=tuple(classes),
            layout=first.layout,
            xyz=np.concatenate([_flat(clip) for clip in clips]),
            valid=np.concatenate([clip.valid.reshape(-1) for clip in clips]),
            evidence=np.concatenate([_flat_evidence(clip) for clip in clips]) if known else None,
            fps=first.fps,
            units=first.units,
            **about,  # type: ignore[arg-type]
        )

    def save(self, folder: Path | str) -> "ClipSet":
        """Write the set to a folder (native form) and return it opened from there."""
        return pack(self, folder, classes=self.classes, source=self.source, protocol=self.protocol, faults=self.faults)

    @classmethod
    def open(cls, folder: Path | str) -> "ClipSet":
        """Open a native folder; coordinates stay on disk until a clip is asked for."""
        folder = Path(folder)
        about_file = folder / "clipset.json"
        if not about_file.is_file():
            raise DataError("not a native clip set", file=folder, expected="a folder that holds clipset.json")
        try:
            about = json.loads(about_file.read_text())
            with (folder / "clips.csv").open(newline="") as stream:
                rows = tuple(_row_from_csv(line) for line in csv.DictReader(stream))
            xyz = np.load(folder / "xyz.npy", mmap_mode="r", allow_pickle=False)
            valid = np.load(folder / "valid.npy", mmap_mode="r", allow_pickle=False)
            evidence = folder / "evidence.npy"
            planted = np.load(evidence, mmap_mode="r", allow_pickle=False) if evidence.is_file() else None
            layout = get_layout(about["layout"])
            expected = sum(row.frames * row.bodies for row in rows)
            if xyz.ndim != 3 or xyz.shape[:2] != (expected, layout.V) or valid.shape != (expected,):
                raise DataError(
                    "arrays and table of a native clip set disagree",
                    file=folder,
                    got=f"xyz {xyz.shape}, valid {valid.shape}",
                    expected=f"{expected} rows of {layout.V} joints",
                    fix="write the set again",
                )
            return cls(
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
        except (OSError, EOFError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, DataError):
                raise
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
            _check_uniform([first, clip])
            xyz, valid = _flat(clip), clip.valid.reshape(-1)
            xyz_file.append(xyz)
            valid_file.append(valid)
            if clip.evidence is not None:
                evidence_file.append(_flat_evidence(clip))
                planted += 1
            digests["xyz"].update(xyz.data)
            digests["valid"].update(np.ascontiguousarray(valid).data)
            rows.append(_row(clip))
        if first is None:
            raise _nothing_read({"faults": faults})
        writers.close()
        if planted < len(rows):  # known for every clip, or for the set not at all
            (temporary / "evidence.npy").unlink()
        with (temporary / "clips.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(Row.__dataclass_fields__)
            for row in rows:
                writer.writerow(["" if value is None else value for value in vars(row).values()])
        about = {
            "format": FORMAT,
            "layout": first.layout,
            "classes": list(classes),
            "fps": first.fps,
            "units": first.units,
            "source": source,
            "protocol": protocol,
            "faults": [vars(fault) for fault in faults],
            "fingerprint": _fingerprint(tuple(rows), tuple(classes), first.layout, _joined(digests.values())),
        }
        with atomic(temporary / "clipset.json") as path:
            path.write_text(json.dumps(about, indent=1))
    return ClipSet.open(folder)


def _flat(clip: Clip) -> np.ndarray:
    """(C, T, V, M) -> (T * M, V, C), contiguous float32."""
    c, t, v, m = clip.xyz.shape
    return np.ascontiguousarray(clip.xyz.transpose(1, 3, 2, 0), dtype=np.float32).reshape(t * m, v, c)


def _flat_evidence(clip: Clip) -> np.ndarray:
    """(T, V, M) -> (T * M, V) bool."""
    assert clip.evidence is not None
    t, v, m = clip.evidence.shape
    return np.ascontiguousarray(clip.evidence.transpose(0, 2, 1)).reshape(t * m, v)


def _row(clip: Clip) -> Row:
    return Row(clip.name, clip.label, clip.subject, clip.view, clip.setup, clip.frames, clip.bodies)


def _row_from_csv(line: dict[str, str]) -> Row:
    number = lambda key: int(line[key]) if line[key] else None  # noqa: E731
    ids = {key: number(key) for key in ("label", *_IDS)}
    return Row(name=line["name"], frames=int(line["frames"]), bodies=int(line["bodies"]), **ids)


def _check_uniform(clips: Sequence[Clip]) -> None:
    first = clips[0]
    for clip in clips:
        got, expected = (clip.layout, clip.xyz.shape[0]), (first.layout, first.xyz.shape[0])
        if got != expected:
            raise DataError(
                "clips of one set differ in layout or channels",
                file=clip.name,
                got=f"{got[0]} with {got[1]} channels",
                expected=f"{expected[0]} with {expected[1]} channels, as in {first.name}",
                fix="read the two kinds as two sets",
            )


def _nothing_read(about: dict) -> DataError:
    faults = about.get("faults") or ()
    fix = f"first of {len(faults)} faults: {faults[0].file}: {faults[0].reason}" if faults else None
    return DataError("no clip could be read", got=0, expected="at least 1 clip", fix=fix)


def _sha(array: np.ndarray) -> Any:
    digest = fingerprint()
    digest.update(np.ascontiguousarray(array).data)
    return digest


def _joined(digests: Iterable[Any]) -> str:
    return " ".join(digest.hexdigest() for digest in digests)


def _fingerprint(rows: tuple[Row, ...], classes: tuple[str, ...], layout: str, data: str) -> str:
    digest = fingerprint()
    digest.update(repr((rows, classes, layout, data)).encode())
    return digest.hexdigest()
