"""The arrays of ST-GCN: a folder of ``train_data.npy``, ``train_label.pkl``, ``val_data.npy``, ``val_label.pkl``.

Clips of no side lie in ``data.npy`` and ``label.pkl``. The clips that test are called val, as the field does, unless
there are clips that validate: then they are called test.
"""

import pickle
from contextlib import closing
from pathlib import Path

import numpy as np

from stgcn_lens.arrays import NpyWriter
from stgcn_lens.data.dataset import ClipSet, Fault
from stgcn_lens.data.readers import ntu
from stgcn_lens.data.readers.st_gcn import FPS, UNITS
from stgcn_lens.data.source import Progress
from stgcn_lens.data.writers.padded import BODIES, length, own_sides, padded
from stgcn_lens.data.writers.target import Writer
from stgcn_lens.files import atomic_folder


def write(clips: ClipSet, out: Path, sides: np.ndarray, progress: Progress | None = None) -> list[Fault]:
    """Write every clip, one at a time; see `Writer.write`."""
    faults = _lost(clips)
    sides = own_sides(clips, sides, faults.append)
    files = {"train": "train_", "val": "val_", "test": "test_" if (sides == "val").any() else "val_", "none": ""}
    done, frames = 0, length(clips)
    shape = (clips.channels, frames, clips.skeleton.V, BODIES)
    with atomic_folder(out) as folder:
        for side, prefix in files.items():
            chosen = np.flatnonzero(sides == side).tolist()
            if not chosen:
                continue
            with closing(NpyWriter(folder / f"{prefix}data.npy", np.float32, shape)) as rows:
                for i in chosen:
                    rows.append(padded(clips[i], frames, faults.append)[None])
                    done += 1
                    if progress is not None:
                        progress(done, len(clips))
            told = [clips.rows[i].name for i in chosen], [clips.rows[i].label for i in chosen]
            with (folder / f"{prefix}label.pkl").open("wb") as stream:
                pickle.dump(told, stream, protocol=2)  # which Python 2 reads too
        lines = [" ".join(name.split()) or f"class {i + 1}" for i, name in enumerate(clips.classes)]
        (folder / "classes.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        (folder / "protocol.txt").write_text(f"{clips.protocol}\n", encoding="utf-8")
    return faults


def _lost(clips: ClipSet) -> list[Fault]:
    """What only some sets get back: units that are usual for the joints, and numbers that the names say."""
    lost = [] if clips.units == UNITS.get(clips.skeleton.joints, "unknown") else [f"units ({clips.units})"]
    for field in ("subject", "view", "setup"):
        if any(getattr(row, field) not in (None, ntu.code(row.name).get(field)) for row in clips.rows):
            lost.append(f"{field}s")
    return [Fault("format st-gcn", f"no place for {', '.join(lost)}", "nothing")] if lost else []


WRITER = Writer(
    name="st-gcn",
    what="a folder of train_data.npy, train_label.pkl, val_data.npy ..., 2 bodies, 300 frames or the longest clip's",
    suffix=None,
    write=write,
    # Units, subjects, views and setups come back or not, as the set is: `_lost` tells.
    keeps=("names", "labels", "classes", "sides", "protocol", "units", "subjects", "views", "setups"),
    taken_for={"fps": FPS},
    files=(
        *(f"{side}{file}" for side in ("train_", "val_", "test_", "") for file in ("data.npy", "label.pkl")),
        *("classes.txt", "protocol.txt"),
    ),
)
