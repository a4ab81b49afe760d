import pickle

import numpy as np

from tests.data import people

SUFFIX = ".npy"
NAMES = {"train": "S001C002P001R001A001", "val": "S001C002P003R001A003"}


def row(clip, frames=10, bodies=2):
    """(C, T, V, M): a clip filled up with zeros."""
    filled = np.zeros((clip.xyz.shape[0], frames, clip.skeleton.V, bodies), np.float32)
    filled[:, : clip.frames, :, : clip.bodies] = clip.xyz
    return filled


def write(folder, side, rows, names, labels):
    """One array and its labels."""
    np.save(folder / f"{side}_data.npy", np.stack(rows))
    with (folder / f"{side}_label.pkl").open("wb") as stream:
        pickle.dump((names, labels), stream)


def make(folder):
    """One clip of classes 1 and 3 on either side."""
    folder.mkdir()
    for i, (side, name) in enumerate(NAMES.items()):
        write(folder, side, [row(people.clip(4 + i, 1 + i, seed=i))], [name], [2 * i])
