"""A layer's saliency over all clips: by class, by joint, by body part. Reads finished tables and needs no torch."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from stgcn_lens.explain.parts import body_parts, part_of_joint
from stgcn_lens.skeleton import Layout


def by_part(values: np.ndarray, layout: Layout) -> np.ndarray:
    """(..., V) -> (..., P), the mean over the joints of each of `parts.body_parts`."""
    of = part_of_joint(layout)
    share = (of[:, None] == np.arange(of.max() + 1)) / np.bincount(of)
    return (values.astype(np.float64) @ share).astype(np.float32)


def over_classes(table: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(classes, V) -> (V,), the mean over clips, of which `counts` (classes,) fall to each class."""
    some = counts > 0
    return (counts[some] @ table[some].astype(np.float64) / counts.sum()).astype(np.float32)


def summary(
    table: np.ndarray,
    targets: Sequence[int] | np.ndarray,
    reasons: Sequence[str],
    classes: Sequence[str],
    layout: Layout,
) -> dict[str, Any]:
    """What a layer's class-by-joint table says in all, as JSON can hold it.

    Values are means of maps with peak 1, in [0, 1], see `tables.class_by_joint`.

    Parameters
    ----------
    table : (classes, V). `targets` (N,): the class that each clip counts under.
    reasons : (N,) why a clip has no evidence here, "" where it has.

    Returns
    -------
    `joints` (name -> mean over all clips) and `parts`; `classes`: of each class that has clips their number, how many
    of them have no evidence, and its `parts`; `no_evidence`: reason -> clips.
    """
    targets = np.asarray(targets)
    counts = np.bincount(targets, minlength=len(classes))
    silent = np.bincount(targets[[bool(reason) for reason in reasons]], minlength=len(classes))
    names = list(body_parts(layout))
    joints = over_classes(table, counts)
    per_class = by_part(table, layout)
    return {
        "joints": dict(zip(layout.joints, map(float, joints), strict=True)),
        "parts": dict(zip(names, map(float, by_part(joints, layout)), strict=True)),
        "classes": {
            classes[c]: {
                "clips": int(counts[c]),
                "without_evidence": int(silent[c]),
                "parts": dict(zip(names, map(float, per_class[c]), strict=True)),
            }
            for c in np.flatnonzero(counts).tolist()
        },
        "no_evidence": dict(Counter(reason for reason in reasons if reason)),
    }
