"""All clips of a training, preprocessed once and kept on disk: an epoch costs no preprocessing and no memory."""

import json
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stgcn_lens.arrays import NpyWriter
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.transforms import Preprocessing, prepare
from stgcn_lens.errors import DataError
from stgcn_lens.files import atomic_folder


@dataclass(frozen=True, eq=False)
class Prepared:
    """Prepared clips, one row per clip of the set.

    Attributes
    ----------
    x : (N, C, T, V, M) float32, memory-mapped; zeros for a clip that could not be prepared.
    present : (N, T, M) bool.
    usable : (N,) bool.
    dropped : name and reason of each unusable clip.
    """

    x: np.ndarray
    present: np.ndarray
    usable: np.ndarray
    dropped: list[dict[str, str]]

    @classmethod
    def make(cls, cache: Path, clips: ClipSet, prep: Preprocessing, bodies: int, key: str) -> "Prepared":
        """Prepare every clip for that many body slots, or open what an interrupted run of the same key has prepared."""
        folder = cache / key[:16]
        dropped: list[dict[str, str]] = []
        shape = (clips.channels, prep.frames, clips.skeleton.V, bodies)
        if not folder.is_dir():
            with atomic_folder(folder) as temporary, ExitStack() as files:
                x = files.enter_context(closing(NpyWriter(temporary / "x.npy", np.float32, shape)))
                mask = (prep.frames, bodies)
                present = files.enter_context(closing(NpyWriter(temporary / "present.npy", np.bool_, mask)))
                usable = np.ones(len(clips), bool)
                for i, clip in enumerate(clips):
                    try:
                        sample = prepare(clip, prep, bodies)
                        x.append(sample.x[None])
                        present.append(sample.present[None])
                    except DataError as error:
                        usable[i] = False
                        dropped.append({"clip": clip.name, "reason": str(error)})
                        x.append(np.zeros((1, *shape), np.float32))
                        present.append(np.zeros((1, *mask), bool))
                np.save(temporary / "usable.npy", usable)
                (temporary / "dropped.json").write_text(json.dumps(dropped))
        return cls(
            x=np.load(folder / "x.npy", mmap_mode="r", allow_pickle=False),
            present=np.load(folder / "present.npy", allow_pickle=False),
            usable=np.load(folder / "usable.npy", allow_pickle=False),
            dropped=json.loads((folder / "dropped.json").read_text()),
        )
