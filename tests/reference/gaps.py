"""Lost joints made good, joint by joint and frame by frame, as `stgcn_lens.data.gaps.repair` says it in words."""

import numpy as np


def repaired(xyz, valid, max_gap):
    """(C, T, V, M) of a 3-D clip with every loss made good, or None where one of them lasts too long."""
    out = xyz.astype(float)
    for body in range(xyz.shape[3]):
        here = [t for t in range(xyz.shape[1]) if valid[t, body]]
        for joint in range(xyz.shape[2]):
            lost = [not np.isfinite(xyz[:, t, joint, body]).all() for t in here]
            row = longest = 0
            for each in lost:
                row = row + 1 if each else 0
                longest = max(longest, row)
            if longest > max_gap or (lost and all(lost)):
                return None
            for i, t in enumerate(here):
                if lost[i]:
                    before = [here[j] for j in range(i) if not lost[j]]
                    after = [here[j] for j in range(i + 1, len(here)) if not lost[j]]
                    a, b = (before or after)[-1 if before else 0], (after or before)[0 if after else -1]
                    weight = 0.0 if a == b else (t - a) / (b - a)
                    place = (1 - weight) * xyz[:, a, joint, body].astype(float) + weight * xyz[:, b, joint, body]
                    out[:, t, joint, body] = place
    return out
