"""Arrays of equal size, filled up with zeros: which bodies are there, and where the filling begins."""

import numpy as np


def unpadded(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A clip out of its zeros.

    Such arrays have no other mark for absence: a body is absent from a frame where all its numbers are exactly zero
    (NaN is not). Frames after the last body and slots that no body ever takes are cut off; where there is no body at
    all, everything stays, for the error to say how many frames there are.

    Parameters
    ----------
    array : (C, T, V, M) numbers.

    Returns
    -------
    tuple of numpy.ndarray
        xyz (C, F, V, B) float32 and valid (F, B) bool, with F <= T frames and B <= M slots.
    """
    # What float32 cannot hold becomes infinite, and is listed then; some NaNs would be warned of.
    with np.errstate(over="ignore", invalid="ignore"):
        valid = np.stack([array[..., body].any(axis=(0, 2)) for body in range(array.shape[3])], axis=1)
        slots, frames = np.flatnonzero(valid.any(axis=0)), np.flatnonzero(valid.any(axis=1))
        end = int(frames[-1]) + 1 if len(frames) else array.shape[1]
        slots = slots if len(slots) else np.arange(array.shape[3])
        xyz = np.empty((array.shape[0], end, array.shape[2], len(slots)), np.float32)
        for body, slot in enumerate(slots):
            xyz[..., body] = array[:, :end, :, slot]
    return xyz, valid[:end][:, slots]
