"""Window DTW written as its definition: every cell of the table, one after the other."""

import math

import numpy as np


def window_dtw(x: np.ndarray, y: np.ndarray, normalise: bool = True, band: int | None = None) -> float:
    n, m = len(x), len(y)
    table = {(-1, -1): 0.0}
    for i in range(n):
        for j in range(m):
            if band is not None:
                below = band + (n - m if n > m else 0)
                above = band + (m - n if m > n else 0)
                if j < i - below or j > i + above:
                    continue
            cost = sum((float(a) - float(b)) ** 2 for a, b in zip(x[i], y[j], strict=True))
            before = [table.get(cell, math.inf) for cell in ((i - 1, j - 1), (i - 1, j), (i, j - 1))]
            table[i, j] = cost + min(before)
    total = table[n - 1, m - 1]
    return math.sqrt(total / (n + m) if normalise else total)


def all_paths(n: int, m: int) -> list[list[tuple[int, int]]]:
    """Every warping path from (0, 0) to (n - 1, m - 1)."""
    if n == 1 and m == 1:
        return [[(0, 0)]]
    found = []
    for step in ((1, 1), (1, 0), (0, 1)):
        if n > step[0] and m > step[1]:
            found += [[*path, (n - 1, m - 1)] for path in all_paths(n - step[0], m - step[1])]
    return found
