"""The windows of one embedded layer as the distances take them."""

from pathlib import Path

import numpy as np

from stgcn_lens.arrays import NpyWriter, open_npy, read_rows
from stgcn_lens.distances import Sequences
from stgcn_lens.embeddings import read_clips
from stgcn_lens.errors import DataError
from stgcn_lens.files import atomic
from stgcn_lens.runs import Run

_AT_A_TIME = 16 << 20  # bytes


def layer_windows(run: Run, layer: str, room: Path) -> Sequences:
    """The windows of a layer, memory-mapped.

    What is stored as float16 is written out as float32 first, so that memory does not grow.

    Parameters
    ----------
    room : a folder for that, which goes with the unfinished work.

    Raises
    ------
    RunError : the layer's files are missing or damaged.
    DataError : a feature is not finite; names clip and layer.
    """
    windows = run.read_array(f"embeddings/{layer}/windows.npy", mmap=True)
    offsets = run.read_array(f"embeddings/{layer}/offsets.npy")
    if windows.dtype == np.float16:
        windows = _widened(windows, room / "windows.npy")
    try:
        return Sequences(windows, offsets)
    except DataError:
        _check_finite(run, layer, windows, offsets)
        raise


def _widened(windows: np.ndarray, path: Path) -> np.ndarray:
    """The same numbers as float32, in a file; several processes may come to write it at once, and write the same."""
    if not path.is_file():
        step = _step(windows)
        with atomic(path) as temporary:
            writer = NpyWriter(temporary, np.float32, windows.shape[1:])
            for start in range(0, len(windows), step):
                writer.append(read_rows(windows, start, min(start + step, len(windows))))
            writer.close()
    return open_npy(path)


def _check_finite(run: Run, layer: str, windows: np.ndarray, offsets: np.ndarray) -> None:
    """`DataError` that names the first clip with a feature that is not finite."""
    step = _step(windows)
    for start in range(0, len(windows), step):
        wrong = ~np.isfinite(windows[start : start + step]).all(axis=1)
        if not wrong.any():
            continue
        row = start + int(np.argmax(wrong))
        number = run.read_array("embeddings/clips.npy")[np.searchsorted(offsets, row, side="right") - 1]
        raise DataError(
            f"features at layer '{layer}' are not finite",
            file=read_clips(run)[int(number)]["name"],
            got=f"{(~np.isfinite(windows[row])).sum()} of {windows.shape[1]} numbers of a window",
            expected="finite numbers",
            fix=f"run: stgcn-lens embed {run.path} --force",
        )


def _step(windows: np.ndarray) -> int:
    return max(1, _AT_A_TIME // max(1, windows.shape[1] * windows.itemsize))
