"""Whether a map's weight lies on few cells."""

import numpy as np


def gini(values: np.ndarray) -> float:
    """Gini index of absolute values (n,): 0 all alike, towards 1 all on one cell; NaN for a zero map.

    A uniformly random map has 1/3. Source: Chalasani et al., arXiv 1810.06583; Hurley, Rickard, arXiv 0811.4706.
    """
    sizes = np.sort(np.abs(values.astype(np.float64)).ravel())
    n, total = len(sizes), sizes.sum()
    if total == 0:
        return float("nan")
    return float(((2 * np.arange(1, n + 1) - n - 1) * sizes).sum() / (n * total))
