"""The native form: a folder with clipset.json, clips.csv and flat arrays (see `stgcn_lens.data.native`)."""

from collections.abc import Iterator
from pathlib import Path

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.native import ABOUT, open_set
from stgcn_lens.data.source import Contents, Found, OnFault, Progress, Reader


def _clips(clips: ClipSet, on_fault: OnFault, progress: Progress | None) -> Iterator[Clip]:
    for fault in clips.faults:
        on_fault(fault)
    for i in range(len(clips)):
        yield clips[i]
        if progress is not None:
            progress(i + 1, len(clips))


def folder_of(path: Path) -> Path:
    """The set's folder, where its clipset.json is named too."""
    return path.parent if path.name == ABOUT else path


def _open(found: Found) -> Contents:
    clips = open_set(folder_of(found.path))
    return Contents(lambda *told: _clips(clips, *told), clips.classes, clips.protocol)


READER = Reader(
    name="native",
    what="a folder with clipset.json, clips.csv, xyz.npy and valid.npy",
    layout="as stored",
    suffixes=(".json",),
    sniff=lambda file: file.name == ABOUT and (file.parent / "xyz.npy").is_file(),
    open=_open,
)
