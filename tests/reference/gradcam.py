"""L-STG-GradCAM as the equation stands, one number at a time, with derivatives by central differences."""

from collections.abc import Callable

import numpy as np

STEP = 1e-6


def grad_cam(score: Callable[[np.ndarray], float], a: np.ndarray, pooling: str = "clip") -> np.ndarray:
    """Signed mean_k alpha_k A_k, (T_l, V, M), of one clip.

    `a` (M, C_l, T_l, V) float64 are the layer's features; `score` maps such features to y_c.
    """
    bodies, channels, frames, joints = a.shape
    slope = np.zeros(a.shape)
    for m in range(bodies):
        for k in range(channels):
            for t in range(frames):
                for v in range(joints):
                    up, down = a.copy(), a.copy()
                    up[m, k, t, v] += STEP
                    down[m, k, t, v] -= STEP
                    slope[m, k, t, v] = (score(up) - score(down)) / (2 * STEP)
    alpha = np.zeros((bodies, channels))
    for m in range(bodies):
        for k in range(channels):
            pooled = [m] if pooling == "body" else range(bodies)
            total = 0.0
            for other in pooled:
                for t in range(frames):
                    for v in range(joints):
                        total += slope[other, k, t, v]
            alpha[m, k] = total / (len(pooled) * frames * joints)
    result = np.zeros((frames, joints, bodies))
    for t in range(frames):
        for v in range(joints):
            for m in range(bodies):
                for k in range(channels):
                    result[t, v, m] += alpha[m, k] * a[m, k, t, v] / channels
    return result
