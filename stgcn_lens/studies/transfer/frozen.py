"""What the frozen part of a network makes of the target's clips: worked out once a cut, kept in one mapped file.

Frozen layers are in eval mode and their weights never move, so what they put out for a clip is the same in every pass.
Augmentation is the exception, since it changes clips below them: each training clip is therefore changed beforehand, a
fixed number of times, and all versions go through the frozen part once.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from stgcn_lens.activations import evaluating
from stgcn_lens.arrays import NpyWriter, open_npy, read_rows
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.files import atomic
from stgcn_lens.models.protocol import fold
from stgcn_lens.models.trunk import Trunk
from stgcn_lens.studies.transfer.target import Sides
from stgcn_lens.training.augment import augment
from stgcn_lens.training.config import TrainConfig
from stgcn_lens.training.prepared import Prepared

_BATCH = 32  # clips at a time; does not change the result


@dataclass(frozen=True, eq=False)
class Material:
    """What is put out at a cut, of every test clip and of every version of every training clip.

    Attributes
    ----------
    below : the last frozen layer; "input": nothing is frozen.
    features : (n_test + n_train * versions, M, T_l, V, C_l) float32, mapped: test clips first, then the versions of the
        first training clip, of the second ...
    n_test, versions : how these are counted.
    """

    below: str
    features: np.ndarray
    n_test: int
    versions: int

    def places(self, clips: np.ndarray, version: np.ndarray) -> np.ndarray:
        """Rows of the given versions of training clips, both (n,)."""
        return self.n_test + clips * self.versions + version


def write_clips(file: Path, clips: ClipSet, prepared: Prepared, sides: Sides, copies: int) -> None:
    """The prepared clips in the order of `Material`, (R, C, T, V, M); there are `copies` versions, or the clip itself.

    Versions are drawn from one seed: all cuts and all seeds of the study get the same.
    """
    generator = torch.Generator().manual_seed(0)
    with atomic(file) as path, closing(NpyWriter(path, np.float32, prepared.x.shape[1:])) as writer:
        for part in _parts(sides.test):
            writer.append(prepared.x[part])
        for part in _parts(sides.train):
            if copies == 0:
                writer.append(prepared.x[part])
                continue
            several = np.repeat(part, copies)
            x, present = torch.from_numpy(prepared.x[several]), torch.from_numpy(prepared.present[several])
            writer.append(augment(x, present, clips.skeleton, TrainConfig(), generator).numpy())


def freeze(file: Path, model: Trunk, below: str, clips: Path, sides: Sides, copies: int, device: str) -> Material:
    """Run everything up to the layer `below` on the clips of `write_clips`, in eval mode, and keep what it puts out."""
    x = open_npy(clips)
    with atomic(file) as path:
        writer = None
        with evaluating(model), torch.inference_mode():
            for part in _parts(np.arange(len(x))):
                rows = torch.from_numpy(read_rows(x, int(part[0]), int(part[-1]) + 1)).to(device)
                y = model.between(fold(rows), upto=below).unflatten(0, (len(rows), -1)).permute(0, 1, 3, 4, 2)
                found = y.float().cpu().numpy()
                writer = writer or NpyWriter(path, np.float32, found.shape[1:])
                writer.append(found)
        assert writer is not None
        writer.close()
    return Material(below, open_npy(file), len(sides.test), max(1, copies))


def _parts(rows: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), _BATCH):
        yield rows[start : start + _BATCH]
