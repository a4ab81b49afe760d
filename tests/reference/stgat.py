"""STGAT written down literally, joint by joint: Hu et al., arXiv 2208.08599, and the project's design notes.

Weights come as a state dict of arrays; batch norms are in evaluation mode.
"""

import numpy as np

from stgcn_lens.skeleton import Layout

SLOPE = 0.1


def leaky(x):
    return np.where(x > 0, x, SLOPE * x)


def mapped(x, weights, name, stride=1):
    """Convolution over frames (C_in, T, V) -> (C_out, ceil(T / stride), V), then batch norm."""
    w, b = weights[f"{name}.0.weight"][..., 0], weights[f"{name}.0.bias"]
    c_out, _, kernel = w.shape
    _, frames, joints = x.shape
    out = np.zeros((c_out, -(-frames // stride), joints))
    for t in range(out.shape[1]):
        for offset in range(kernel):
            source = t * stride + offset - kernel // 2
            if 0 <= source < frames:
                out[:, t] += w[:, :, offset] @ x[:, source]
        out[:, t] += b[:, None]
    mean, var = weights[f"{name}.1.running_mean"], weights[f"{name}.1.running_var"]
    scale = weights[f"{name}.1.weight"] / np.sqrt(var + 1e-5)
    return (out - mean[:, None, None]) * scale[:, None, None] + weights[f"{name}.1.bias"][:, None, None]


def conv(x, weights, name):
    """1x1 convolution of one frame's features (C_in, ...) -> (C_out, ...)."""
    return np.tensordot(weights[f"{name}.weight"][..., 0, 0], x, axes=1) + weights[f"{name}.bias"].reshape(
        -1, *[1] * (x.ndim - 1)
    )


def entry(x, weights, motion):
    parts = [mapped(x, weights, "entry.position")]
    for i, step in enumerate((-1, -2, 1, 2) if motion else ()):
        moved = np.zeros_like(x)
        for t in range(x.shape[1]):
            if 0 <= t + step < x.shape[1]:
                moved[:, t] = x[:, t] - x[:, t + step]
        parts.append(mapped(moved, weights, f"entry.motion.{i}"))
    return leaky(np.concatenate(parts))


def bones_between(layout: Layout) -> np.ndarray:
    """Length of the way from each joint to each other, by breadth-first search."""
    near = {v: set() for v in range(layout.V)}
    for a, b in layout.bones:
        near[a].add(b)
        near[b].add(a)
    far = np.full((layout.V, layout.V), -1)
    for start in range(layout.V):
        ring, steps = {start}, 0
        while ring:
            for v in ring:
                far[start, v] = steps
            ring, steps = {u for v in ring for u in near[v] if far[start, u] < 0}, steps + 1
    return far


def attention(x, weights, name, layout, config):
    """(C, T, V) -> (heads * C, T, V)."""
    c, frames, v = x.shape
    heads, size = config.heads, config.window
    far = bones_between(layout)
    seen = np.zeros((size, c, frames, v))  # what lies `offset` frames away
    for o in range(size):
        for t in range(frames):
            if 0 <= t + o - size // 2 < frames:
                seen[o, :, t] = x[:, t + o - size // 2]
    key = conv(x, weights, f"{name}.key")
    query = [conv(seen[o], weights, f"{name}.query") for o in range(size)]
    d = key.shape[0] // heads
    free = weights[f"{name}.free"]
    out = np.zeros((heads, c, frames, v))
    degree = (far <= 1).sum(axis=1)
    mean = np.zeros((c, frames, v))
    for target in range(v):
        for source in np.flatnonzero(far[target] <= 1):
            mean[..., target] += x[..., source] / np.sqrt(degree[source] * degree[target])
    for s in range(heads):
        part = slice(s * d, (s + 1) * d)
        score = np.full((size, v, v), -np.inf)  # offset, source, target
        for o in range(size):
            for source in range(v):
                for target in range(v):
                    if not config.scope or far[source, target] in (0, s + 1):
                        score[o, source, target] = (query[o][part, :, source] * key[part, :, target]).sum() / (
                            d * frames
                        )
        if config.released:  # over the targets
            a = np.exp(score - score.max(axis=2, keepdims=True))
            a /= a.sum(axis=2, keepdims=True)
        else:  # over all sources of all offsets
            a = np.exp(score - score.max(axis=(0, 1), keepdims=True))
            a /= a.sum(axis=(0, 1), keepdims=True)
        if config.dynamic:
            channels = slice(s * (c // heads), (s + 1) * (c // heads))
            averaged = conv(mean, weights, f"{name}.average")[channels]
            gates = [1 / (1 + np.exp(-(averaged - seen[o][channels]).mean())) for o in range(size)]
            for row in range(size * v):
                gate = gates[row % size] if config.released else gates[row // v]
                a[row // v, row % v] *= gate
        a = a + free[s].reshape(size, v, v)
        for o in range(size):
            out[s] += np.einsum("ctu,uv->ctv", seen[o], a[o])
    return out.reshape(heads * c, frames, v)


def block(x, weights, name, layout, config, stride):
    own = {key[len(name) + 1 :]: value for key, value in weights.items() if key.startswith(f"{name}.")}
    beside = lambda y, part, step=1: mapped(y, own, part, step) if f"{part}.0.weight" in own else y  # noqa: E731
    y = mapped(attention(x, own, "attention", layout, config), own, "joined")
    y = leaky(y + beside(x, "joined_shortcut"))
    y = leaky(mapped(y, own, "mixed") + beside(x, "mixed_shortcut"))
    return leaky(mapped(y, own, "temporal", stride) + beside(y, "temporal_shortcut", stride))


def network(clip, weights, layout, config):
    """Logits of one clip (C, T, V, M)."""
    pooled = []
    for m in range(clip.shape[3]):
        y = entry(clip[..., m], weights, config.motion)
        for i in range(8):
            y = block(y, weights, f"blocks.{i}", layout, config, 2 if i in (2, 4) else 1)
        pooled.append(y.mean(axis=(1, 2)))
    return weights["head.weight"] @ np.mean(pooled, axis=0) + weights["head.bias"]
