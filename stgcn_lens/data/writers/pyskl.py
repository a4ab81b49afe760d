"""The annotation pickle of pyskl and mmaction2, written instruction by instruction: one clip is in memory at a time.

``pickle.load`` opens it in any Python since 3.4 and with any numpy: arrays go by the module name ``numpy.core``, which
old versions have and new ones still know. Keys that those programs do not have (the reader's page names them) bring
back what their format has no place for; they pass over them.
"""

import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet, Fault
from stgcn_lens.data.readers.pyskl import IDS
from stgcn_lens.data.source import Progress
from stgcn_lens.data.writers.target import FIELDS, Writer
from stgcn_lens.errors import DataError
from stgcn_lens.files import atomic
from stgcn_lens.skeleton import to_record

_ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85C\1b\x87R(K\1"  # and its state
_DTYPE = b"cnumpy\ndtype\n%b\x89\x88\x87R(K\3%bNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"


def write(clips: ClipSet, out: Path, sides: np.ndarray, progress: Progress | None) -> list[Fault]:
    """Write a set as ``{"split": ..., "annotations": [...]}``; see `Writer`."""
    if clips.channels < clips.skeleton.dims:
        got, expected = f"{clips.channels} channels of '{clips.layout}'", f"{clips.skeleton.dims} coordinates a joint"
        raise DataError("annotations hold whole positions", file=clips.source, got=got, expected=expected)
    about = {
        "classes": list(clips.classes),
        "protocol": clips.protocol,
        "fps": float(clips.fps),
        "units": clips.units,
        **to_record(clips.skeleton),
    }
    if "skeleton" in about:
        about["skeleton"] = json.dumps(about["skeleton"])
    with atomic(out) as temporary, temporary.open("wb") as stream:
        stream.write(b"\x80\4}(" + _plain("split"))
        _put_splits(stream, clips, sides)
        stream.write(_plain("annotations") + b"]")
        for done, clip in enumerate(clips, start=1):
            _put_dict(stream, _annotation(clip))
            stream.write(b"a")
            if progress is not None:
                progress(done, len(clips))
        for key, value in about.items():
            stream.write(_plain(key) + _plain(value))
        stream.write(b"u.")
    return []


def _put_splits(stream: BinaryIO, clips: ClipSet, sides: np.ndarray) -> None:
    """Names by side: the sides that the clips are put on; where all are put on none, those of their source."""
    chosen = bool((sides != "none").any())
    on = [
        ((side,) if side != "none" else ()) if chosen else row.splits
        for row, side in zip(clips.rows, sides, strict=True)
    ]
    stream.write(b"}(")
    for name in dict.fromkeys(side for each in on for side in each):
        stream.write(_plain(str(name)) + b"]")
        for row, each in zip(clips.rows, on, strict=True):
            if name in each:
                stream.write(_plain(row.name) + b"a")
    stream.write(b"u")


def _annotation(clip: Clip) -> dict[str, Any]:
    """One clip as pyskl has it, beside what tells our reader which bodies are there."""
    flat = clip.skeleton.dims == 2
    one: dict[str, Any] = {"frame_dir": clip.name, "total_frames": clip.frames}
    one |= {key: value for key in ("label", *IDS) if (value := getattr(clip, key)) is not None}
    one["keypoint"] = clip.xyz[: 2 if flat else 3].transpose(3, 1, 2, 0)
    if flat and clip.xyz.shape[0] == 3:
        one["keypoint_score"] = clip.xyz[2].transpose(2, 0, 1)
    return {**one, "present": clip.valid.T}


def _put_dict(stream: BinaryIO, items: Mapping[str, Any]) -> None:
    stream.write(b"}(")
    for key, value in items.items():
        stream.write(_plain(key))
        for piece in _array(value) if isinstance(value, np.ndarray) else (_plain(value),):
            stream.write(piece)
    stream.write(b"u")


def _plain(value: Any) -> bytes:
    """Instructions that make a text, a number, or a list of them."""
    if isinstance(value, str):
        raw = value.encode("utf-8", "surrogatepass")
        return b"X" + struct.pack("<I", len(raw)) + raw
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    if isinstance(value, list):
        return b"](" + b"".join(map(_plain, value)) + b"e"
    return b"\x8a\x08" + struct.pack("<q", value)


def _array(array: np.ndarray) -> Iterator[Any]:
    """Instructions that make an array, its bytes among them as they lie in memory."""
    array = np.ascontiguousarray(array, bool if array.dtype == bool else "<f4")
    shape = b"(" + b"".join(map(_plain, array.shape)) + b"t"
    yield _ARRAY + shape + _DTYPE % (_plain(array.dtype.str[1:]), _plain(array.dtype.str[0]))
    yield b"\x89\x8e" + struct.pack("<Q", array.nbytes)  # in C order; so many bytes
    yield array.data.cast("B")
    yield b"tb"


WRITER = Writer(
    name="pyskl",
    what="an annotation pickle of pyskl and mmaction2",
    suffix=".pkl",
    write=write,
    keeps=tuple(field for field in FIELDS if field != "evidence"),
)
