"""HiResCAM, LayerCAM and Grad-CAM++ as they stand in their papers, one number at a time, with means over channels."""

from collections.abc import Callable

import numpy as np

STEP = 1e-6


def slopes(score: Callable[[np.ndarray], float], a: np.ndarray) -> np.ndarray:
    """d score / d a by central differences, like `a`."""
    found = np.zeros(a.shape)
    for place in np.ndindex(*a.shape):
        up, down = a.copy(), a.copy()
        up[place] += STEP
        down[place] -= STEP
        found[place] = (score(up) - score(down)) / (2 * STEP)
    return found


def hires_cam(g: np.ndarray, a: np.ndarray, pooling: str) -> np.ndarray:
    """(T_l, V, M) of features and slopes (M, C_l, T_l, V): every cell's own gradient weighs it."""
    bodies, channels, frames, joints = a.shape
    out = np.zeros((frames, joints, bodies))
    for m, k, t, v in np.ndindex(*a.shape):
        out[t, v, m] += g[m, k, t, v] * a[m, k, t, v] / channels
    return out


def layer_cam(g: np.ndarray, a: np.ndarray, pooling: str) -> np.ndarray:
    """The same, with what is positive of the gradient."""
    bodies, channels, frames, joints = a.shape
    out = np.zeros((frames, joints, bodies))
    for m, k, t, v in np.ndindex(*a.shape):
        out[t, v, m] += max(g[m, k, t, v], 0.0) * a[m, k, t, v] / channels
    return out


def grad_cam_plus_plus(g: np.ndarray, a: np.ndarray, pooling: str) -> np.ndarray:
    """With alpha = g^2 / (2 g^2 + sum_ab A_ab g^3), 0 where that is 0 / 0, and w_k = sum of alpha ReLU(g)."""
    bodies, channels, frames, joints = a.shape
    out = np.zeros((frames, joints, bodies))
    for m in range(bodies):
        group = [m] if pooling == "body" else range(bodies)
        for k in range(channels):
            total = 0.0
            for other in group:
                for t in range(frames):
                    for v in range(joints):
                        total += a[other, k, t, v]
            weight = 0.0
            for other in group:
                for t in range(frames):
                    for v in range(joints):
                        slope = g[other, k, t, v]
                        below = 2 * slope**2 + total * slope**3
                        alpha = slope**2 / below if below != 0 else 0.0
                        weight += alpha * max(slope, 0.0)
            for t in range(frames):
                for v in range(joints):
                    out[t, v, m] += weight * a[m, k, t, v] / channels
    return out
