import numpy as np

from tests.data import people
from tests.data.makers.st_gcn import row

SUFFIX = ".npz"


def x(clips, frames=10):
    """(N, T, 150): two bodies of 25 joints a frame."""
    return np.stack([row(clip, frames).transpose(1, 3, 2, 0).reshape(frames, -1) for clip in clips])


def make(folder):
    """Two archives, of a clip that trains and of one that tests, classes 1 and 3 of 4."""
    folder.mkdir()
    for i, (name, side) in enumerate({"one": "train", "two": "test"}.items()):
        arrays = {f"x_{side}": x([people.clip(4 + i, 1 + i, seed=i)]), f"y_{side}": np.eye(4)[[2 * i]]}
        (np.savez, np.savez_compressed)[i](folder / f"{name}.npz", **arrays)
