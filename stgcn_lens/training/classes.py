"""The classes of clips and those of a network, brought together by their names; and clips of some classes only."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.errors import CheckpointError, DataError
from stgcn_lens.models.checkpoints import Loaded
from stgcn_lens.training.metrics import chosen_classes


def nameless(loaded: Loaded) -> bool:
    """Whether nobody has ever named the network's classes: an import that was given no names has made them up."""
    return bool(loaded.about["about"].get("assumed_classes"))


def fit_classes(clips: ClipSet, loaded: Loaded, file: Path | str) -> ClipSet:
    """The clips with labels that mean the network's classes; the very same set where they do already.

    Classes are matched by name, in whatever order and number a data set has them. Names that were made up at import
    are no names: the data set's own stand for them if there are as many. Clips without any label fit every network.

    Raises
    ------
    CheckpointError
        where a clip is of a class that the network does not know; `file` is the checkpoint.
    """
    if clips.classes == loaded.classes or (nameless(loaded) and len(clips.classes) == len(loaded.classes)):
        return clips
    number = {name: i for i, name in enumerate(loaded.classes)}
    used = [clips.classes[label] for label in np.unique(clips.labels) if label >= 0]
    unknown = [name for name in used if name not in number]
    if unknown:
        raise CheckpointError(
            "the clips do not fit the checkpoint: other classes",
            file=file,
            got=f"{len(clips.classes)} classes, of which it has no {_some(unknown)}",
            expected=f"some of its {len(loaded.classes)} classes: {_some(loaded.classes)}",
            fix=f"name its classes at import: --classes FILE, {len(loaded.classes)} lines"
            if nameless(loaded)
            else "name the classes of the clips as the network does, or leave the others out",
        )
    rows = [row if row.label is None else replace(row, label=number[clips.classes[row.label]]) for row in clips.rows]
    return replace(clips, rows=tuple(rows), classes=loaded.classes, folder=None)


def of_classes(clips: ClipSet, numbers: Collection[int]) -> ClipSet:
    """The clips of these classes, in memory; classes keep their order and get new numbers, other clips are left out."""
    kept = sorted(numbers)
    place = {number: new for new, number in enumerate(kept)}
    chosen = clips.subset([i for i, row in enumerate(clips.rows) if row.label in place])
    rows = tuple(replace(row, label=place[row.label]) for row in chosen.rows if row.label is not None)
    return replace(chosen, rows=rows, classes=tuple(clips.classes[number] for number in kept))


def without_classes(clips: ClipSet, names: Sequence[str]) -> ClipSet:
    """The set without the clips of some classes, given by name or number; the very same set where none is given.

    Raises
    ------
    DataError : no such class, or fewer than two are left.
    """
    if not names:
        return clips
    return of_classes(clips, classes_without(clips.classes, names))


def classes_without(classes: Sequence[str], names: Sequence[str]) -> list[int]:
    """Numbers of the classes that are left; for errors see `without_classes`."""
    left = sorted(set(range(len(classes))) - set(chosen_classes(names, classes)))
    if len(left) < 2:
        got = f"{len(left)} of {len(classes)} classes left"
        raise DataError("too few classes to tell apart", got=got, expected="at least 2", fix="leave fewer out")
    return left


def _some(names: tuple[str, ...] | list[str], most: int = 4) -> str:
    shown = ", ".join(map(repr, names[:most]))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
