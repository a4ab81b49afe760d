"""From a layer's activation to windows as DESIGN section 5 words it, one number at a time."""

import numpy as np


def frame_features(activation: np.ndarray, present: np.ndarray, frames: int, stride: int) -> list[list[float]]:
    """Rows of C_l * V numbers, channels first, from (M, C_l, T_l, V): mean over the bodies that a row's frames hold."""
    bodies, channels, _, joints = activation.shape
    rows = []
    tau = 0
    while tau * stride < frames:
        its_frames = [t for t in range(tau * stride, (tau + 1) * stride) if t < frames]
        there = [m for m in range(bodies) if any(present[t, m] for t in its_frames)]
        row = []
        for c in range(channels):
            for v in range(joints):
                values = [float(activation[m, c, tau, v]) for m in there]
                row.append(sum(values) / len(values) if values else 0.0)
        rows.append(row)
        tau += 1
    return rows


def windows(rows: list[list[float]], window: int, step: int | None, how: str, stride: int) -> list[list[float]]:
    """One window after the other, until the last row is in one."""
    span = max(1, round(window / stride))
    advance = max(1, round((window if step is None else step) / stride))
    found = []
    start = 0
    while True:
        part = rows[start : start + span]
        if how == "mean":
            found.append([sum(column) / len(part) for column in zip(*part, strict=True)])
        else:
            while len(part) < span:
                part = [*part, part[-1]]
            found.append([number for row in part for number in row])
        if start + span >= len(rows):
            return found
        start += advance
