"""Places that the sensor lost: joints without finite coordinates, joints not detected, bodies gone for a while.

What is short is interpolated and said; what is long is refused, never invented.
"""

from collections import defaultdict
from itertools import pairwise

import numpy as np

from stgcn_lens.data.bodies import take
from stgcn_lens.data.clip import Clip
from stgcn_lens.errors import DataError

GAP = 10  # frames that are bridged at most (ours: a third of a second at 30 fps)
_NAMED = 4  # joints that one remark names


def repair(clip: Clip, max_gap: int = GAP) -> tuple[Clip, list[str]]:
    """Places that are not finite numbers made good, and remarks that say which joints were, and how.

    In the frames in which its body is present, a joint may be lost for at most `max_gap` successive ones. Between two
    good places it is put on the straight line in time; before the first or after the last good one it stays at
    that one. A joint of which any channel is not finite counts as lost as a whole; in 2-D its score becomes 0, as of a
    joint that was not detected. A clip of the wrong shape is left for `clip.check` to refuse.

    Raises
    ------
    DataError
        where a joint is lost for longer, or never there; names the first such frame and joint.
    """
    if clip.xyz.ndim != 4 or clip.xyz.shape[2] != clip.skeleton.V or clip.valid.shape != clip.xyz.shape[1::2]:
        return clip, []
    lost = ~np.isfinite(clip.xyz).all(axis=0) & clip.valid[:, None, :]  # (T, V, M)
    if not lost.any():
        return clip, []
    xyz, long = clip.xyz.copy(), []
    remarks: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
    for body, joint in np.argwhere(lost.any(axis=0).T).tolist():
        here = np.flatnonzero(clip.valid[:, body])
        wrong = lost[here, joint, body]
        runs = _runs(wrong)
        over = [(begin, end) for begin, end in runs if end - begin > max_gap or end - begin == len(here)]
        if over:
            long.append((int(here[over[0][0]]), joint, body, over[0][1] - over[0][0]))
            continue
        for channel in range(clip.dims):
            track = xyz[channel, :, joint, body]  # a view
            track[here[wrong]] = np.interp(here[wrong], here[~wrong], track[here[~wrong]])
        if _has_score(clip):
            xyz[2, here[wrong], joint, body] = 0
        ends = sum(end - begin for begin, end in runs if begin == 0 or end == len(here))
        remarks[body, _how(int(wrong.sum()) - ends, ends)].append(clip.skeleton.joints[joint])
    if long:
        raise _lost(clip, *min(long), max_gap)
    whose = lambda body: f"body {body + 1}, " * (clip.bodies > 1)  # noqa: E731
    return clip.replace(xyz=xyz), [f"{whose(body)}{_some(joints)}: {how}" for (body, how), joints in remarks.items()]


def fill_joints(clip: Clip, joint_gap: int) -> Clip:
    """Give 2-D joints that were not detected for at most `joint_gap` frames a place between two detections.

    The place lies on the straight line in time, over the frames in which the body is present; the score stays 0.
    Joints are left alone before their first and after their last detection, and so are clips without scores.
    """
    if joint_gap < 1 or not _has_score(clip):
        return clip
    xyz = clip.xyz.copy()
    blind = (clip.xyz[2] <= 0) & clip.valid[:, None, :]  # (T, V, M)
    for body, joint in np.argwhere(blind.any(axis=0).T).tolist():
        here = np.flatnonzero(clip.valid[:, body])
        for begin, end in _runs(blind[here, joint, body]):
            if begin > 0 and end < len(here) and end - begin <= joint_gap:
                gap, ends = here[begin:end], here[[begin - 1, end]]
                for channel in range(2):
                    track = xyz[channel, :, joint, body]  # a view
                    track[gap] = np.interp(gap, ends, track[ends])
    return clip.replace(xyz=xyz)


def fill_gaps(clip: Clip, max_gap: int = GAP) -> Clip:
    """Interpolate the gaps of each body linearly where they last at most `max_gap` frames.

    Only gaps between two frames with the body are filled, never its beginning or end; a longer gap stays
    absent. Frames between the first and the last filled one that hold no body at all are then removed. Evidence is not
    invented: it stays false in filled frames.
    """
    xyz, valid = clip.xyz.copy(), clip.valid.copy()
    for body in range(clip.bodies):
        track = xyz[..., body]  # a view, (C, T, V)
        for before, after in pairwise(np.flatnonzero(valid[:, body])):
            if 1 < after - before <= max_gap + 1:
                gap = np.arange(before + 1, after)
                weight = ((gap - before) / (after - before)).astype(np.float32)[:, None]
                track[:, gap] = (1 - weight) * track[:, [before]] + weight * track[:, [after]]
                valid[gap, body] = True
    clip = clip.replace(xyz=xyz, valid=valid)
    filled = valid.any(axis=1)
    if not filled.any():
        return clip
    first, last = np.flatnonzero(filled)[[0, -1]]
    frame = np.arange(clip.frames)
    keep = filled | (frame < first) | (frame > last)
    return clip if keep.all() else take(clip, frames=np.flatnonzero(keep))


def refuse_long(clip: Clip, max_gap: int = GAP) -> Clip:
    """The clip itself, or `DataError` where between two frames with a body more than `max_gap` in a row have none.

    A body that leaves while another one stays is no gap.
    """
    filled = np.flatnonzero(clip.valid.any(axis=1))
    lengths = np.diff(filled) - 1
    long = np.flatnonzero(lengths > max_gap)
    if len(long):
        more = f", and {len(long) - 1} more such gap{'s' * (len(long) > 2)}" if len(long) > 1 else ""
        raise DataError(
            "nobody is there for too long",
            file=clip.name,
            frame=int(filled[long[0]]) + 1,
            got=f"{_frames(int(lengths[long[0]]))} without a body{more}",
            expected=f"at most {max_gap}, which are interpolated",
            fix="cut such frames out with --long-gaps cut, or leave the clip out",
        )
    return clip


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """(begin, end) of each run of True, `end` excluded."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


def _lost(clip: Clip, frame: int, joint: int, body: int, length: int, max_gap: int) -> DataError:
    whole = length == int(clip.valid[:, body].sum())
    values = clip.xyz[:, frame, joint, body].tolist()
    return DataError(
        "a coordinate is not a finite number",
        file=clip.name,
        frame=frame,
        got=f"{values} at joint {clip.skeleton.joints[joint]}, for {'all its ' * whole}{_frames(length)}",
        expected=f"finite numbers, or at most {max_gap} lost frames in a row beside good ones, which are interpolated",
        fix="repair or remove the clip",
    )


def _how(between: int, ends: int) -> str:
    """What was done to a joint, in words."""
    parts = [f"{_frames(between)} interpolated"] if between else []
    parts += [f"{_frames(ends)} at the clip's ends held"] if ends else []
    return ", ".join(parts)


def _frames(count: int) -> str:
    return f"{count} frame{'s' * (count != 1)}"


def _some(joints: list[str]) -> str:
    more = f" and {len(joints) - _NAMED} more joints" if len(joints) > _NAMED else ""
    return ", ".join(joints[:_NAMED]) + more


def _has_score(clip: Clip) -> bool:
    return clip.skeleton.dims == 2 and clip.xyz.shape[0] == 3
