"""A validation side carved out of the training clips: whole people where they are known, never a clip of each."""

from collections.abc import Sequence

import numpy as np

from stgcn_lens.data.dataset import Row
from stgcn_lens.errors import DataError

GROUPS = ("subject", "setup", "view")  # what is held back as a whole, the first that is known


def carve(rows: Sequence[Row], side: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    """The sides, (N,) text, with about `share` of the clips that train turned to "val".

    Whole subjects are held back where the clips say theirs; else whole setups, else whole views, where more than
    one of them trains; clips that do not say theirs go on training. Only where nothing is known, single clips are
    held back, the same share of every class. Which ones is drawn with `seed`. No class loses its last training clip.

    Parameters
    ----------
    rows : the set's rows.
    side : (N,) "train", "test", "none"; left as it is.
    share : of the training clips, in (0, 1); whole groups come as near to it as they can, with one at least.

    Raises
    ------
    DataError
        where there is a "val" side already, or nothing can be held back without taking a class from the training.
    """
    if not 0 < share < 1:
        raise DataError("impossible share to hold back", got=share, expected="above 0 and below 1")
    if (side == "val").any():
        raise DataError(
            "the clips have a validation side already",
            got=f"{(side == 'val').sum()} clips",
            expected="none, where a share is to be held back",
            fix="leave --validation out",
        )
    train, rng = np.flatnonzero(side == "train"), np.random.default_rng(seed)
    labels = np.array([-1 if row.label is None else row.label for row in rows], dtype=np.int64)
    for by in GROUPS:
        ids = np.array([-1 if (i := getattr(rows[n], by)) is None else i for n in train.tolist()], dtype=np.int64)
        known = np.unique(ids[ids >= 0])
        if len(known) > 1:
            held = _whole(known, ids, labels[train], share, rng)
            break
        if len(known) == 1 and by == "subject":
            raise _impossible(f"a single {by} trains, number {known[0]}", f"more than one {by}")
    else:
        by, held = "clip", _single(labels[train], share, rng)
    if not held.any():
        raise _impossible(
            f"{len(train)} training clips, of which no {by} can go", "every class to keep a clip that trains"
        )
    out = side.copy()
    out[train[held]] = "val"
    return out


def _whole(
    known: np.ndarray, ids: np.ndarray, labels: np.ndarray, share: float, rng: np.random.Generator
) -> np.ndarray:
    """Which training clips are held back, (n,) bool, so that ids go as a whole."""
    held, target = np.zeros(len(ids), bool), share * len(ids)
    for i in rng.permutation(known):
        more = held | (ids == i)
        nearer = abs(more.sum() - target) < abs(held.sum() - target) or not held.any()
        if nearer and not more[ids >= 0].all() and set(labels[more]) - {-1} <= set(labels[~more]):
            held = more
    return held


def _single(labels: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Which training clips are held back, (n,) bool, the same share of every class."""
    held = np.zeros(len(labels), bool)
    classes, counts = np.unique(labels[labels >= 0], return_counts=True)
    quota = share * counts
    # Whole clips: what rounding down leaves over goes to the classes that lost most by it, among equals at random.
    by_rest = sorted(rng.permutation(len(classes)), key=lambda i: np.floor(quota[i]) - quota[i])
    wanted = np.floor(quota).astype(np.int64)
    wanted[by_rest[: round(quota.sum()) - int(wanted.sum())]] += 1
    for label, count in zip(classes, np.minimum(wanted, counts - 1), strict=True):
        held[rng.permutation(np.flatnonzero(labels == label))[:count]] = True
    return held


def _impossible(got: str, expected: str) -> DataError:
    return DataError(
        "no validation side can be held back",
        got=got,
        expected=expected,
        fix="leave --validation out, or say in a CSV which clips validate: --split FILE.csv",
    )
