"""What neighbours vote for, and two groups of clips set side by side, one number at a time."""

import itertools
import statistics

import numpy as np


def vote(weights: list[float], classes: list[int]) -> tuple[dict[int, float], int]:
    """Share of every class and the winner; weights of candidates, nearest first."""
    if not any(weights):
        weights = [1.0] * len(weights)
    total = sum(weights)
    shares: dict[int, float] = {}
    for weight, label in zip(weights, classes, strict=True):
        shares[label] = shares.get(label, 0.0) + weight / total
    best = max(shares.values())
    return shares, next(label for label in classes if shares[label] >= best - 1e-9)


def in_parts(cells: np.ndarray, parts: int, fine: int = 60) -> np.ndarray:
    """(frames, V, M) -> (V, parts): every frame cut into slices, each of which falls into one part of the clip."""
    frames, joints, bodies = cells.shape
    out = np.zeros((joints, parts))
    for t, v, m in itertools.product(range(frames), range(joints), range(bodies)):
        for piece in range(fine):
            middle = (t + (piece + 0.5) / fine) / frames
            out[v, int(middle * parts)] += cells[t, v, m] / fine
    return out


def hedges(a: list[float], b: list[float]) -> float:
    freedom = len(a) + len(b) - 2
    pooled = ((len(a) - 1) * statistics.variance(a) + (len(b) - 1) * statistics.variance(b)) / freedom
    return (statistics.mean(a) - statistics.mean(b)) / pooled**0.5 * (1 - 3 / (4 * (len(a) + len(b)) - 9))


def exact_p(a: np.ndarray, b: np.ndarray) -> list[float]:
    """p of each column, corrected for all of them: over every way to choose which clips are in the first group."""
    both = np.concatenate([a, b])
    observed = [abs(a[:, j].mean() - b[:, j].mean()) for j in range(a.shape[1])]
    largest = []
    for first in itertools.combinations(range(len(both)), len(a)):
        second = [i for i in range(len(both)) if i not in first]
        largest.append(max(abs(both[list(first), j].mean() - both[second, j].mean()) for j in range(a.shape[1])))
    return [sum(value >= each - 1e-12 for value in largest) / len(largest) for each in observed]
