"""A set of clips as flat arrays, ragged and unpadded, in memory or mapped from disk (see `stgcn_lens.data.native`)."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from stgcn_lens.arrays import read_rows
from stgcn_lens.data.clip import Clip
from stgcn_lens.errors import DataError
from stgcn_lens.files import fingerprint
from stgcn_lens.skeleton import Layout, get_layout


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
    splits: tuple[str, ...] = ()


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
            splits=row.splits,
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
        return set_hash(self.rows, self.classes, self.layout, joined(map(_sha, (self.xyz, self.valid))))

    @classmethod
    def from_clips(cls, clips: Iterable[Clip], classes: Sequence[str], **about: object) -> "ClipSet":
        """Pack clips into memory. `about` fills the remaining fields (source, protocol, faults)."""
        clips = list(clips)
        if not clips:
            raise nothing_read(about)
        first = clips[0]
        check_uniform(clips)
        known = all(clip.evidence is not None for clip in clips)
        return cls(
            rows=tuple(row(clip) for clip in clips),
            classes=tuple(classes),
            layout=first.layout,
            xyz=np.concatenate([flat(clip) for clip in clips]),
            valid=np.concatenate([clip.valid.reshape(-1) for clip in clips]),
            evidence=np.concatenate([flat_evidence(clip) for clip in clips]) if known else None,
            fps=first.fps,
            units=first.units,
            **about,  # type: ignore[arg-type]
        )

    def save(self, folder: Path | str) -> "ClipSet":
        """Write the set to a folder (native form) and return it opened from there."""
        from stgcn_lens.data.native import pack

        return pack(self, folder, classes=self.classes, source=self.source, protocol=self.protocol, faults=self.faults)

    @classmethod
    def open(cls, folder: Path | str) -> "ClipSet":
        """Open a native folder; coordinates stay on disk until a clip is asked for."""
        from stgcn_lens.data.native import open_set

        return open_set(Path(folder))


def flat(clip: Clip) -> np.ndarray:
    """(C, T, V, M) -> (T * M, V, C), contiguous float32."""
    c, t, v, m = clip.xyz.shape
    return np.ascontiguousarray(clip.xyz.transpose(1, 3, 2, 0), dtype=np.float32).reshape(t * m, v, c)


def flat_evidence(clip: Clip) -> np.ndarray:
    """(T, V, M) -> (T * M, V) bool."""
    assert clip.evidence is not None
    t, v, m = clip.evidence.shape
    return np.ascontiguousarray(clip.evidence.transpose(0, 2, 1)).reshape(t * m, v)


def row(clip: Clip) -> Row:
    """The table's line for a clip."""
    return Row(clip.name, clip.label, clip.subject, clip.view, clip.setup, clip.frames, clip.bodies, clip.splits)


def check_uniform(clips: Sequence[Clip]) -> None:
    """`DataError` where a clip has another layout or other channels than the first."""
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


def nothing_read(about: dict) -> DataError:
    """The error for a set without clips, with the first of its faults."""
    faults = about.get("faults") or ()
    fix = f"first of {len(faults)} faults: {faults[0].file}: {faults[0].reason}" if faults else None
    return DataError("no clip could be read", got=0, expected="at least 1 clip", fix=fix)


def _sha(array: np.ndarray) -> Any:
    digest = fingerprint()
    digest.update(np.ascontiguousarray(array).data)
    return digest


def joined(digests: Iterable[Any]) -> str:
    """Hex digests in a row."""
    return " ".join(digest.hexdigest() for digest in digests)


def set_hash(rows: tuple[Row, ...], classes: tuple[str, ...], layout: str, data: str) -> str:
    """Hash of a whole set, of the hashes of its arrays."""
    digest = fingerprint()
    digest.update(repr((rows, classes, layout, data)).encode())
    return digest.hexdigest()
