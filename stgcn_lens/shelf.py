"""Windows of a run of clips at every layer, in files that grow clip by clip and outlive a kill."""

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from stgcn_lens.arrays import header
from stgcn_lens.errors import DataError
from stgcn_lens.files import cannot_write
from stgcn_lens.parts import Parts

_JOURNAL = "journal"
_COPY = 16 << 20  # bytes at a time


@dataclass(frozen=True, eq=False)
class Piece:
    """What some clips are at one layer.

    Attributes
    ----------
    windows : (R, D) windows of one clip after the other.
    counts : (n,) windows of each clip.
    channels : of the layer.
    """

    windows: np.ndarray
    counts: np.ndarray
    channels: int

    def check(self, dtype: str, layer: str, names: Sequence[str]) -> None:
        """`DataError` if a clip's features are not finite, or too large for the type that they are to be stored as."""
        largest = np.finfo(dtype).max
        if (abs(self.windows) <= largest).all():
            return
        for name, rows in zip(names, np.split(self.windows, np.cumsum(self.counts)[:-1]), strict=True):
            if not np.isfinite(rows).all():
                raise DataError(
                    f"features at layer '{layer}' are not finite",
                    file=name,
                    got=f"{(~np.isfinite(rows)).sum()} of {rows.size} numbers",
                    expected="finite numbers",
                    fix="train again at a lower --lr, or leave the clip out if the other clips are sound",
                )
            if abs(rows).max() > largest:
                raise DataError(
                    f"a feature at layer '{layer}' is too large to be stored as {dtype}",
                    file=name,
                    got=f"{abs(rows).max():.6g}",
                    expected=f"at most {largest:.0f}",
                    fix="embed with --storage float32",
                )


class Shelf:
    """The files of a run of clips, to append to; what a killed process kept is there again.

    Parameters
    ----------
    parts : the work that the shelf is a part of.
    name : which of its shelves this is; names the clips and so the content.
    layers : in order of depth.
    dtype : of the windows in the files.

    Attributes
    ----------
    clips : how many clips are on the shelf.
    """

    def __init__(self, parts: Parts, name: str, layers: Sequence[str], dtype: Any) -> None:
        self._parts, self._layers, self.dtype = parts.inside(name), list(layers), np.dtype(dtype)
        self._streams: dict[str, IO[bytes]] = {}
        self._counts: list[np.ndarray] = []  # (layers, n) of each batch
        self._width: np.ndarray | None = None
        self._channels: np.ndarray | None = None
        self.clips = 0
        journal = self._parts.read(_JOURNAL)
        if journal is not None and self._believe(journal):
            self._counts, self.clips = [journal["counts"]], journal["counts"].shape[1]
            self._width, self._channels = journal["width"], journal["channels"]

    def append(self, pieces: Mapping[str, Piece]) -> None:
        """Add the next clips, all layers of them; `WorkError` where the disk is full."""
        if self._width is None:
            self._width = np.array([pieces[layer].windows.shape[1] for layer in self._layers])
            self._channels = np.array([pieces[layer].channels for layer in self._layers])
        for layer in self._layers:
            rows = np.ascontiguousarray(pieces[layer].windows, dtype=self.dtype)
            try:
                self._stream(layer).write(rows.data)
            except OSError as error:
                raise cannot_write(self.path(layer), error) from error
        self._counts.append(np.stack([pieces[layer].counts for layer in self._layers]))
        self.clips += self._counts[-1].shape[1]

    def keep(self) -> None:
        """From here a killed process goes on; `WorkError` where the disk is full."""
        if self._width is None or self._channels is None:
            return
        for layer, stream in self._streams.items():
            try:
                stream.flush()
                os.fsync(stream.fileno())
            except OSError as error:
                raise cannot_write(self.path(layer), error) from error
        self._counts = [np.concatenate(self._counts, axis=1)]
        self._parts.write(_JOURNAL, counts=self._counts[0], width=self._width, channels=self._channels)

    def close(self) -> None:
        """Let go of the files; what was not kept is lost."""
        for stream in self._streams.values():
            with suppress(OSError):  # of a full disk, which was told when it was met
                stream.close()
        self._streams.clear()

    def path(self, layer: str) -> Path:
        """The file of a layer: room for a header, then the windows."""
        return self._parts.folder / f"{layer}.rows"

    def counts(self, layer: str) -> np.ndarray:
        """Windows of each clip at a layer, (clips,)."""
        place = self._layers.index(layer)
        return np.concatenate([counts[place] for counts in self._counts])

    def facts(self, layer: str) -> tuple[int, int]:
        """Channels and features of a layer; the shelf must not be empty."""
        assert self._channels is not None
        assert self._width is not None
        place = self._layers.index(layer)
        return int(self._channels[place]), int(self._width[place])

    def _believe(self, journal: dict[str, np.ndarray]) -> bool:
        """Whether the files hold what the journal says; what they hold beyond it is cut off."""
        sizes = [
            self._size(counts.sum(), width) for counts, width in zip(journal["counts"], journal["width"], strict=True)
        ]
        for layer, size in zip(self._layers, sizes, strict=True):
            if not self.path(layer).is_file() or self.path(layer).stat().st_size < size:
                return False
        for layer, size in zip(self._layers, sizes, strict=True):
            os.truncate(self.path(layer), size)
        return True

    def _size(self, rows: int, width: int) -> int:
        return len(header(self.dtype, (0, 0))) + int(rows) * int(width) * self.dtype.itemsize

    def _stream(self, layer: str) -> IO[bytes]:
        if layer not in self._streams:
            path = self.path(layer)
            path.parent.mkdir(parents=True, exist_ok=True)
            if not self.clips:
                path.write_bytes(bytes(len(header(self.dtype, (0, 0)))))
            self._streams[layer] = path.open("ab")
        return self._streams[layer]


def put_together(shelves: Sequence[Shelf], layers: Sequence[str], folder: Path) -> None:
    """Move the windows of all shelves, one after the other, into ``folder/<layer>/windows.npy``, and write offsets.

    The first shelf's files become the result's; nothing passes through memory but a buffer. Killed while it copies,
    nothing is lost: a shelf that is opened again ends where it was kept.
    """
    first, *others = (shelf for shelf in shelves if shelf.clips)
    lengths = {layer: np.concatenate([shelf.counts(layer) for shelf in (first, *others)]) for layer in layers}
    for layer in layers:
        with first.path(layer).open("r+b") as stream:
            stream.seek(0, os.SEEK_END)
            for shelf in others:
                with shelf.path(layer).open("rb") as source:
                    source.seek(len(header(shelf.dtype, (0, 0))))
                    shutil.copyfileobj(source, stream, _COPY)
            stream.seek(0)
            stream.write(header(first.dtype, (int(lengths[layer].sum()), first.facts(layer)[1])))
    for layer in layers:
        (folder / layer).mkdir()
        first.path(layer).replace(folder / layer / "windows.npy")
        np.save(folder / layer / "offsets.npy", np.concatenate([[0], np.cumsum(lengths[layer])]).astype(np.int64))
