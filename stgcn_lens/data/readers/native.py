"""The native form: a folder with clipset.json, clips.csv and flat arrays (see `stgcn_lens.data.dataset`)."""

from collections.abc import Iterator
from pathlib import Path

from stgcn_lens.data.clip import Clip, check
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.readers.source import OnFault, Progress, Reader


def _read(path: Path, on_fault: OnFault, progress: Progress | None) -> Iterator[Clip]:
    clips = ClipSet.open(path)
    for fault in clips.faults:
        on_fault(fault)
    for i in range(len(clips)):
        yield check(clips[i])
        if progress is not None:
            progress(i + 1, len(clips))


READER = Reader(
    name="native",
    what="a folder with clipset.json, clips.csv, xyz.npy and valid.npy",
    layout="as stored",
    sniff=lambda path: (path / "clipset.json").is_file(),
    read=_read,
    classes=lambda path: list(ClipSet.open(path).classes),
    protocol=lambda path: ClipSet.open(path).protocol,
)
