"""All clips of a training, preprocessed once and kept on disk: an epoch costs no preprocessing and no memory."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.transforms import Preprocessing, prepare
from stgcn_lens.errors import DataError
from stgcn_lens.runs import NpyWriter, atomic_folder


@dataclass(frozen=True, eq=False)
class Prepared:
    """Prepared clips, one row per clip of the set.

    Attributes
    ----------
    x : (N, C, T, V, M) float32, memory-mapped; zeros for a clip that could not be prepared.
    present : (N, T, M) bool.
    usable : (N,) bool.
    bodies : M.
    dropped : name and reason of each unusable clip.
    """

    folder: Path
    x: np.ndarray
    present: np.ndarray
    usable: np.ndarray
    bodies: int
    dropped: list[dict[str, str]]

    @classmethod
    def make(cls, cache: Path, clips: ClipSet, prep: Preprocessing, key: str) -> "Prepared":
        """Prepare every clip, or open what an interrupted run of the same key has prepared."""
        folder = cache / key[:16]
        bodies = max(1, min(prep.bodies, clips.max_bodies))
        dropped: list[dict[str, str]] = []
        shape = (clips.channels, prep.frames, clips.skeleton.V, bodies)
        if not folder.is_dir():
            with atomic_folder(folder) as temporary:
                x = NpyWriter(temporary / "x.npy", np.float32, shape)
                present = NpyWriter(temporary / "present.npy", np.bool_, (prep.frames, bodies))
                for clip in clips:
                    try:
                        sample = prepare(clip, prep, bodies)
                        x.append(sample.x[None])
                        present.append(sample.present[None])
                    except DataError as error:
                        dropped.append({"clip": clip.name, "reason": str(error)})
                        x.append(np.zeros((1, *shape), np.float32))
                        present.append(np.zeros((1, prep.frames, bodies), bool))
                x.close()
                present.close()
                (temporary / "dropped.txt").write_text("".join(f"{d['clip']}\t{d['reason']}\n" for d in dropped))
        lines = (folder / "dropped.txt").read_text().splitlines()
        dropped = [dict(zip(("clip", "reason"), line.split("\t", 1), strict=True)) for line in lines]
        lost = {d["clip"] for d in dropped}
        return cls(
            folder=folder,
            x=np.load(folder / "x.npy", mmap_mode="r", allow_pickle=False),
            present=np.load(folder / "present.npy", allow_pickle=False),
            usable=np.array([row.name not in lost for row in clips.rows]),
            bodies=bodies,
            dropped=dropped,
        )

    def remove(self) -> None:
        """Delete the files; the clips themselves stay in the set."""
        shutil.rmtree(self.folder.parent, ignore_errors=True)
