"""Slow, literal transcriptions of what maps are judged by: one cell, one clip and one step at a time."""

import itertools

import numpy as np


def neutral(x: np.ndarray, there: np.ndarray, centre: int) -> np.ndarray:
    """Each joint at its own mean place about the centre joint, in every frame in which its body is there."""
    out = x.copy()
    _, frames, joints, bodies = x.shape
    for m in range(bodies):
        here = [t for t in range(frames) if there[t, m]]
        for v in range(joints):
            mean = sum(x[:, t, v, m].astype(float) - x[:, t, centre, m] for t in here) / max(len(here), 1)
            for t in here:
                out[:, t, v, m] = x[:, t, centre, m] + mean
    return out


def removal_curve(x, there, centre, map, target, ask, steps, *, insert: bool) -> tuple[list[float], list[float]]:
    """Probabilities and logits as the highest cells go, or come, a step at a time."""
    cells = [
        (float(map[t, v, m]), t, v, m)
        for t in range(x.shape[1])
        for v in range(x.shape[2])
        for m in range(x.shape[3])
        if there[t, m]
    ]
    cells.sort(reverse=True)
    blank = neutral(x, there, centre)
    chances, scores = [], []
    for step in range(steps + 1):
        count = round(step * len(cells) / steps)
        now = blank.copy() if insert else x.copy()
        for _, t, v, m in cells[:count]:
            now[:, t, v, m] = (x if insert else blank)[:, t, v, m]
        if insert:  # whoever is not there stays as it is
            for t, m in np.argwhere(~there):
                now[:, t, :, m] = x[:, t, :, m]
        logits = ask(now[None])[0].astype(float)
        chances.append(float(np.exp(logits[target]) / np.exp(logits).sum()))
        scores.append(float(logits[target]))
    return chances, scores


def area(curve: list[float]) -> float:
    """Trapezoids under a curve over [0, 1]."""
    return sum((a + b) / 2 for a, b in itertools.pairwise(curve)) / (len(curve) - 1)


def gini(values: list[float]) -> float:
    """Half the mean absolute difference of all pairs, by the mean."""
    n = len(values)
    pairs = sum(abs(a - b) for a in values for b in values)
    return pairs / (2 * n * sum(values))


def relative_stability(e, others, cause, causes, *, of_logits: bool = False) -> float:
    """max over x' of |(e - e') / e| / |(c - c') / c|, entry by entry as published; logits are not divided."""
    worst = 0.0
    for other, changed in zip(others, causes, strict=True):
        above = sum(((a - b) / a) ** 2 for a, b in zip(e, other, strict=True)) ** 0.5
        below = sum(((a - b) / (1 if of_logits else a)) ** 2 for a, b in zip(cause, changed, strict=True)) ** 0.5
        worst = max(worst, above / below)
    return worst


def table_contrast(profiles, classes) -> tuple[float, float]:
    """Mean Pearson correlation and mean RMS difference of the class means of profiles, over pairs of classes."""
    names = sorted(set(classes))
    rows = [np.mean([p for p, c in zip(profiles, classes, strict=True) if c == name], axis=0) for name in names]
    r, apart = [], []
    for i, a in enumerate(rows):
        for b in rows[i + 1 :]:
            r.append(np.corrcoef(a, b)[0, 1])
            apart.append(np.sqrt(np.mean((a - b) ** 2)))
    return float(np.mean(r)), float(np.mean(apart))
