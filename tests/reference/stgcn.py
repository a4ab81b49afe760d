"""ST-GCN joint by joint, frame by frame, as Yan et al. 2018 write it in equations 5 to 10; no matrix algebra.

`weights` are the named arrays of a network (its state_dict as NumPy), in evaluation mode.
"""

import numpy as np

from stgcn_lens.skeleton import Layout
from tests.reference import adjacency

Weights = dict[str, np.ndarray]
EPSILON = 1e-5  # of the batch norms


def messages(layout: Layout, strategy: str, normalisation: str) -> list[tuple[int, int, int, float]]:
    """(partition, source j, target i, 1 / Z_ti(v_tj) of eq. 5 in its normalised form of eq. 10) of every message.

    Rounded to float32, as the networks hold them, so that all else can be compared to many digits.
    """
    name = "distance" if strategy == "distance-tied" else strategy
    split = adjacency.subsets(layout, name)
    out = []
    for i in range(layout.V):
        for j in adjacency.neighbours(layout, i):
            k = adjacency.LABELS[name](layout, i, j)
            if normalisation == "symmetric":
                value = adjacency.symmetric(split[k])[j, i]
            else:
                value = adjacency.column(split[k], split.sum(axis=0) if normalisation == "column" else split[k])[j, i]
            if strategy == "distance-tied":  # "distance*" of table 1: w_0 = -w_1, so one weight serves both
                value, k = (-value if k == 0 else value), 0
            out.append((k, j, i, float(np.float32(value))))
    return out


def graph_conv(x: np.ndarray, weights: Weights, edges: list[tuple[int, int, int, float]]) -> np.ndarray:
    """f_out(v_ti) = sum over neighbours v_tj of f_in(v_tj) . w(l_ti(v_tj)) / Z, (C_in, T, V) -> (C_out, T, V)."""
    c_in, frames, joints = x.shape
    partitions = 1 + max(k for k, _, _, _ in edges)
    w = weights["graph.conv.weight"].reshape(partitions, -1, c_in)
    b = weights["graph.conv.bias"].reshape(partitions, -1)
    out = np.zeros((w.shape[1], frames, joints))
    for k, j, i, value in edges:
        if "graph.importance" in weights:
            value = value * weights["graph.importance"][k, j, i]
        for t in range(frames):
            for o in range(w.shape[1]):
                total = b[k, o]
                for c in range(c_in):
                    total += w[k, o, c] * x[c, t, j]
                out[o, t, i] += value * total
    return out


def temporal_conv(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int) -> np.ndarray:
    """Each joint's own neighbours in time, |q - t| <= floor(kernel / 2) (eq. 6); zero beyond the ends."""
    c_out, c_in, kernel = weight.shape[:3]
    _, frames, joints = x.shape
    out = np.zeros((c_out, -(-frames // stride), joints))
    for o in range(c_out):
        for row in range(out.shape[1]):
            for v in range(joints):
                total = bias[o]
                for step in range(kernel):
                    q = row * stride + step - kernel // 2
                    if 0 <= q < frames:
                        for c in range(c_in):
                            total += weight[o, c, step, 0] * x[c, q, v]
                out[o, row, v] = total
    return out


def norm(x: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    """Batch norm with the statistics of the training, per channel (first axis)."""
    out = np.zeros(x.shape)
    for c in range(len(x)):
        scale = weights[f"{name}.weight"][c] / np.sqrt(weights[f"{name}.running_var"][c] + EPSILON)
        out[c] = (x[c] - weights[f"{name}.running_mean"][c]) * scale + weights[f"{name}.bias"][c]
    return out


def block(x: np.ndarray, weights: Weights, edges: list, stride: int, shortcut: str) -> np.ndarray:
    """Section 3.6: graph convolution, norm, ReLU, temporal convolution, norm, shortcut, ReLU."""
    y = np.maximum(norm(graph_conv(x, weights, edges), weights, "graph_norm"), 0)
    y = temporal_conv(y, weights["temporal.weight"], weights["temporal.bias"], stride)
    y = norm(y, weights, "temporal_norm")
    if shortcut == "identity":
        y = y + x
    elif shortcut == "convolution":
        y = y + norm(
            temporal_conv(x, weights["shortcut.0.weight"], weights["shortcut.0.bias"], stride), weights, "shortcut.1"
        )
    return np.maximum(y, 0)


def network(
    clip: np.ndarray,
    weights: Weights,
    layout: Layout,
    strategy: str,
    normalisation: str,
    blocks: list[tuple[int, str]],
) -> np.ndarray:
    """Logits of one clip (C, T, V, M); `blocks` are (stride, shortcut) of each."""
    edges = messages(layout, strategy, normalisation)
    channels, frames, joints, bodies = clip.shape
    pooled = []
    for m in range(bodies):
        flat = np.zeros((joints * channels, frames))
        for v in range(joints):
            for c in range(channels):
                flat[v * channels + c] = clip[c, :, v, m]
        flat = norm(flat, weights, "entry.norm")
        x = np.zeros((channels, frames, joints))
        for v in range(joints):
            for c in range(channels):
                x[c, :, v] = flat[v * channels + c]
        for number, (stride, shortcut) in enumerate(blocks):
            own = {key.split(".", 2)[2]: value for key, value in weights.items() if key.startswith(f"blocks.{number}.")}
            x = block(x, own, edges, stride, shortcut)
        pooled.append([x[c].mean() for c in range(len(x))])
    features = [sum(of_body[c] for of_body in pooled) / bodies for c in range(len(pooled[0]))]
    return np.array(
        [
            weights["head.bias"][label] + sum(w * f for w, f in zip(row, features, strict=True))
            for label, row in enumerate(weights["head.weight"])
        ]
    )
