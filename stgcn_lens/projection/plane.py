"""What a projection answers."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Plane:
    """Points (P, 2) float64, and in words how true they are to the features."""

    points: np.ndarray
    note: str
