"""What may surprise in a data set, found by counting: sentences that say what it is and what to do."""

from collections.abc import Mapping, Sequence

import numpy as np

from stgcn_lens.data.overview import alike
from stgcn_lens.data.tally import Tally
from stgcn_lens.skeleton import Layout

# Ours. A spine is 0.1 m (of a hand, wrist to middle finger) to 0.8 m; a factor of ten beyond that is another unit.
SPINE = (0.01, 8.0)
UPRIGHT = 0.7  # mean cosine between spine and axis; people lie and bend, all together they stand
OFTEN = 0.5  # share of frames from which on a joint counts as rarely seen


def origin(tally: Tally, layout: Layout) -> str | None:
    """The joint of the trunk that lies at exactly zero in the first pose of every clip, None if there is none."""
    trunk = dict.fromkeys([layout.centre, *layout.spine, *layout.parts.get("trunk", ())])
    return next((layout.joints[j] for j in trunk if tally.origin[j] == len(tally.rows)), None)


def remarks(
    tally: Tally,
    classes: Sequence[str],
    equal: Sequence[Sequence[int]],
    possible: Mapping[str, np.ndarray | str],
) -> tuple[str, ...]:
    """Everything that there is to say.

    Parameters
    ----------
    tally : the counts.
    classes : names of all classes.
    equal : groups of positions in `tally.rows` whose coordinates are equal.
    possible : axis -> side of every clip, (N,) text, or why there is no such split.
    """
    assert tally.first is not None
    return tuple(
        [
            *_differing(tally),
            *_labels(tally, classes),
            *_lengths(tally),
            *_copies(tally, equal, possible),
            *_joints(tally, tally.first.skeleton),
            *_place(tally, tally.first.skeleton),
        ]
    )


def _differing(tally: Tally) -> list[str]:
    said = []
    first = tally.first
    assert first is not None
    if len(tally.fps) > 1:
        rates = _listed([f"{fps:g} ({_are(n, 'clip', 'clips')})" for fps, n in sorted(tally.fps.items())])
        said.append(
            f"clips differ in frames a second: {rates}; a set keeps one number, {first.fps:g} of its first clip"
        )
    if len(tally.units) > 1:
        units = _listed([f"{unit} ({_are(n, 'clip', 'clips')})" for unit, n in sorted(tally.units.items())])
        said.append(f"clips differ in units: {units}; a set keeps one word, '{first.units}' of its first clip")
    return said


def _labels(tally: Tally, classes: Sequence[str]) -> list[str]:
    labels = [row.label for row in tally.rows if row.label is not None]
    counts = np.bincount(labels, minlength=len(classes)) if labels else np.zeros(0, int)
    alone = [name for name, n in zip(classes, counts, strict=False) if n == 1]
    if not alone or len(tally.rows) == 1:
        return []
    return [
        f"{_are(len(alone), 'class has', 'classes have')} one clip only, which cannot both teach and test: "
        f"{_listed(alone)}"
    ]


def _lengths(tally: Tally) -> list[str]:
    short = [row.name for row in tally.rows if row.frames == 1]
    if not short:
        return []
    return [f"{_are(len(short), 'clip has', 'clips have')} one frame only, which shows no motion: {_listed(short)}"]


def _copies(tally: Tally, equal: Sequence[Sequence[int]], possible: Mapping[str, np.ndarray | str]) -> list[str]:
    said = []
    called = lambda group: alike([tally.rows[i].name for i in group])  # noqa: E731
    torn = [called(group) for group in equal if len({tally.rows[i].label for i in group}) > 1]
    if torn:
        said.append(f"{_are(len(torn), 'group', 'groups')} of equal clips under different labels: {_listed(torn)}")
    for by, sides in possible.items():
        if isinstance(sides, str):
            continue
        both = [called(group) for group in equal if {"train", "test"} <= set(sides[list(group)].tolist())]
        if both:
            said.append(
                f"{_are(len(both), 'group', 'groups')} of equal clips on both sides of the split by {by}, "
                f"which flatters the score: {_listed(both)}"
            )
    return said


def _joints(tally: Tally, layout: Layout) -> list[str]:
    said = []
    centred = origin(tally, layout)
    if centred is not None:
        said.append(f"{centred} is at zero in the first pose of every clip: the recording was centred before")
    share = tally.lost / tally.present
    seen = zip(layout.joints, share, strict=True)
    rare = [f"{joint} ({part:.0%})" for joint, part in seen if part > OFTEN and joint != centred]
    if rare:
        said.append(f"missing in more than half of all poses: {_listed(rare, 8)}")
    crowd = max(tally.at_once)
    if crowd > 2:
        said.append(f"up to {crowd} bodies in one frame; training keeps the 2 of largest spatial energy (--bodies)")
    return said


def _place(tally: Tally, layout: Layout) -> list[str]:
    """Units and axes that do not look like what the layout or the format says."""
    assert tally.first is not None
    said = []
    length = float(np.median(tally.spines))
    if set(tally.units) == {"metres"} and layout.dims == 3 and not SPINE[0] <= length <= SPINE[1] and length > 0:
        said.append(
            f"the spine is {length:.3g} long (median) where metres are expected; with --scale, which is the default, "
            "training divides by it"
        )
    mean = tally.upright / len(tally.rows)
    axis = int(np.abs(mean).argmax())
    up = f"{'+' if mean[axis] > 0 else '-'}{'xyz'[axis]}"
    if abs(mean[axis]) > UPRIGHT and up != layout.up and (layout.dims == 3 or up[1] == layout.up[1]):
        flat = "they are drawn upside down, and a network trained on upright ones sees them so"
        turned = "--rotate, which is the default, sets them upright" if layout.dims == 3 else flat
        said.append(f"bodies stand along {up} where layout '{layout.name}' says {layout.up}: {turned}")
    return said


def _are(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _listed(names: Sequence[str], most: int = 3) -> str:
    rest = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
