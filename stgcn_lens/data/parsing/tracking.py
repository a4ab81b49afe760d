"""Who is who from frame to frame, for detectors that list the people of a frame in no order."""

from collections.abc import Hashable, Sequence

import numpy as np

MAX_SLOTS = 64  # bodies of one clip
REACH = 0.5  # ours: body sizes that someone moves at most from one frame to the next


def follow(frames: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Slots that keep people apart by where they are: greedy nearest neighbours from frame to frame.

    In every frame, bodies and slots are joined closest pair first. The distance is the mean over the joints that are
    detected on both sides; a slot can be joined within `REACH` times the size of its last body (the diagonal of the
    box around it) for every frame since then, so that someone who leaves and returns finds the slot again. A body
    that no free slot can reach begins a new one or, where `MAX_SLOTS` are taken, goes to the free one that was left
    first. Where people hide each other they may be exchanged: nothing but their place is looked at.

    Parameters
    ----------
    frames : (P,) int, the frame of each body.
    joints : (P, V, 3), x, y and a score, which is 0 where a joint was not detected.

    Returns
    -------
    (P,) int
        Slots counted from 0, in the order in which they began; no two bodies of one frame share one. -1 for those
        after the first `MAX_SLOTS` of a frame.
    """
    slots = np.full(len(frames), -1, np.int64)
    last, seen = np.zeros((0, *joints.shape[1:])), np.zeros(0, np.int64)  # of each slot: its last body, and when
    for bodies in _by_frame(frames):
        bodies = bodies[:MAX_SLOTS]
        now, frame = joints[bodies].astype(np.float64), int(frames[bodies[0]])
        mine = _join(_distances(now, last), REACH * _sizes(last) * (frame - seen))
        new = np.flatnonzero(mine < 0)
        begun = min(len(new), MAX_SLOTS - len(last))
        if len(new):
            free = [slot for slot in np.argsort(seen, kind="stable").tolist() if slot not in mine]
            mine[new] = [*range(len(last), len(last) + begun), *free[: len(new) - begun]]
            last, seen = np.concatenate([last, now[:begun]]), np.append(seen, [frame] * begun)  # set below
        last[mine], seen[mine] = now, frame
        slots[bodies] = mine
    return slots


def by_number(frames: np.ndarray, ids: Sequence[Hashable]) -> np.ndarray | None:
    """Slots of bodies that carry a number of their own: one slot a number, in the order in which they first come.

    Of more than `MAX_SLOTS` numbers those that are there in most frames are kept.

    Parameters
    ----------
    frames : (P,) int, the frame of each body.
    ids : of each body; None where it has none.

    Returns
    -------
    (P,) int or None
        Slots counted from 0; -1 for a body that is left out. None where the numbers do not tell people apart: some
        have none, or two of one frame share theirs, as where a detector writes 0 for everyone.
    """
    known: dict[Hashable, int] = {}
    codes = np.array([known.setdefault(who, len(known)) for who in ids], np.int64)
    if None in known or len(np.unique(np.stack([frames, codes]), axis=1).T) < len(ids):
        return None
    most = np.argsort(-np.bincount(codes), kind="stable")[:MAX_SLOTS]  # ties: who comes first
    slot = np.full(len(known), -1, np.int64)
    slot[np.sort(most)] = np.arange(len(most))
    return slot[codes]


def _by_frame(frames: np.ndarray) -> list[np.ndarray]:
    """The places of the bodies of each frame, frames ascending."""
    order = np.argsort(frames, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(frames[order])) + 1) if len(frames) else []


def _join(distance: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """The slot of each body, (B,), closest pairs first; -1 where none is within reach. `distance` is (B, M)."""
    mine = np.full(len(distance), -1)
    distance = np.where(distance <= reach, distance, np.inf)
    while np.isfinite(distance).any():
        body, slot = np.unravel_index(np.argmin(distance), distance.shape)
        mine[body] = slot
        distance[body], distance[:, slot] = np.inf, np.inf
    return mine


def _distances(now: np.ndarray, last: np.ndarray) -> np.ndarray:
    """(B, M): mean distance of the joints of two bodies that both have; of their centres, where they share none."""
    both = (now[:, None, :, 2] != 0) & (last[None, :, :, 2] != 0)
    apart = np.linalg.norm(now[:, None, :, :2] - last[None, :, :, :2], axis=-1)
    shared = both.sum(axis=-1)
    mean = (apart * both).sum(axis=-1) / np.maximum(shared, 1)
    if (shared == 0).any():
        centres = np.linalg.norm(_centres(now)[:, None] - _centres(last)[None], axis=-1)
        mean = np.where(shared > 0, mean, centres)
    return mean


def _centres(bodies: np.ndarray) -> np.ndarray:
    """(B, 2): mean place of the joints that were detected."""
    there = bodies[..., 2:] != 0
    return (bodies[..., :2] * there).sum(axis=1) / np.maximum(there.sum(axis=1), 1)


def _sizes(bodies: np.ndarray) -> np.ndarray:
    """(B,): diagonal of the box around the joints that were detected."""
    there = bodies[..., 2:] != 0
    high = np.where(there, bodies[..., :2], -np.inf).max(axis=1, initial=-np.inf)
    low = np.where(there, bodies[..., :2], np.inf).min(axis=1, initial=np.inf)
    wide, tall = np.maximum(high - low, 0).T
    return np.hypot(wide, tall)
