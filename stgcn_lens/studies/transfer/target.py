"""The clips that a network is tuned on and tested with: which classes, which sides, and which few of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stgcn_lens.data.dataset import ClipSet, Row
from stgcn_lens.data.splits import split
from stgcn_lens.embeddings import read_clips
from stgcn_lens.errors import DataError
from stgcn_lens.models.checkpoints import Loaded
from stgcn_lens.runs import Run
from stgcn_lens.studies.transfer.config import FULL, MOST_NEIGHBOURS, TransferConfig
from stgcn_lens.training.classes import of_classes
from stgcn_lens.training.metrics import chosen_classes

LEAST = 2  # training clips of a class, and test clips: label errors need another one


@dataclass(frozen=True, eq=False)
class Sides:
    """Clips that train and clips that test.

    Attributes
    ----------
    train, test : rows of the target set, rising.
    labels : (N,) of all its clips.
    classes : their names.
    """

    train: np.ndarray
    test: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]

    def sizes(self, side: str = "train") -> np.ndarray:
        """Clips of each class on a side."""
        return np.bincount(self.labels[getattr(self, side)], minlength=len(self.classes))


def target_clips(run: Run, loaded: Loaded, clips: ClipSet, config: TransferConfig) -> ClipSet:
    """The clips of the target's classes, with labels counted from 0.

    Of the set that the run itself was made from, by default the classes that the network was trained without.

    Raises
    ------
    DataError : another layout or other channels; no such class; fewer than two; or classes that the network was trained
        on, with the very clips.
    """
    loaded.check(clips, file=clips.folder)
    seen = {(row["name"], row["class_name"], row["frames"]) for row in read_clips(run)}
    own = {clips.classes[row.label] for row in clips.rows if row.label is not None and _key(row, clips) in seen}
    used = sorted({row.label for row in clips.rows if row.label is not None})
    if config.target_classes:
        numbers = chosen_classes(config.target_classes, clips.classes)
        again = [clips.classes[number] for number in numbers if clips.classes[number] in own]
        if again:
            raise DataError(
                "target classes that the network was trained on",
                file=run.path,
                got=", ".join(map(repr, again)),
                expected=f"others than its {len(loaded.classes)}",
                fix=_leave_out(run),
            )
        used = [number for number in numbers if number in used]
    elif own:
        used = [number for number in used if clips.classes[number] not in loaded.classes]
    if len(used) < 2:
        got = f"{len(used)}, where the network was trained on {len(own)} of the set's own" if own else len(used)
        fix = _leave_out(run) if own else "name more with --target-classes"
        raise DataError("too few classes in the target", file=run.path, got=got, expected="at least 2", fix=fix)
    return of_classes(clips, used)


def sides(clips: ClipSet, usable: np.ndarray, config: TransferConfig) -> Sides:
    """Who trains and who tests, of the clips that can be prepared, (N,) bool.

    Raises
    ------
    DataError : the clips cannot be divided so, or a class has too few training clips for the study or for its k.
    """
    side = split(clips, config.split, config.train_ids)
    rows = {name: np.flatnonzero((side == name) & usable) for name in ("train", "test")}
    found = Sides(rows["train"], rows["test"], clips.labels, clips.classes)
    if len(found.test) < LEAST:
        got, expected = len(found.test), f"at least {LEAST}"
        raise DataError("too few test clips of the target that can be prepared", got=got, expected=expected)
    sizes = found.sizes()
    smallest = int(sizes.argmin())
    least = LEAST if config.k is None else config.k + 1
    if sizes[smallest] < least:
        fix = "leave the class out with --target-classes, or choose who trains with --train-ids"
        if config.k is not None and sizes[smallest] >= LEAST:
            fix = f"choose a --k of at most {sizes[smallest] - 1}, or {fix}"
        raise DataError(
            "a class with too few training clips" if config.k is None else "fewer training clips than k in a class",
            got=f"{sizes[smallest]} of '{clips.classes[smallest]}'",
            expected=f"at least {least}",
            fix=fix,
        )
    return found


def neighbours(found: Sides, config: TransferConfig) -> int:
    """The k of the label errors: as asked, or as many as every class allows, at most `MOST_NEIGHBOURS`."""
    return config.k or int(min(MOST_NEIGHBOURS, found.sizes().min() - 1))


def draw(labels: np.ndarray, shots: str, seed: int) -> np.ndarray:
    """Positions of so many clips of each class, rising; one seed's fewer shots are among its more.

    Parameters
    ----------
    labels : (n,) of the training clips.
    shots : a number, or full.
    """
    if shots == FULL:
        return np.arange(len(labels))
    chosen = [
        np.random.default_rng([seed, number]).permutation(np.flatnonzero(labels == number))[: int(shots)]
        for number in np.unique(labels).tolist()
    ]
    return np.sort(np.concatenate(chosen))


def short(found: Sides, shots: Sequence[str]) -> dict[str, dict[str, int]]:
    """Shots -> the classes that have fewer training clips, and how many those have."""
    sizes = dict(zip(found.classes, found.sizes().tolist(), strict=True))
    few = {word: {name: n for name, n in sizes.items() if n < int(word)} for word in shots if word != FULL}
    return {word: classes for word, classes in few.items() if classes}


def _key(row: Row, clips: ClipSet) -> tuple[str, str, str]:
    """A clip as clips.csv tells it from others: by name, class and length."""
    assert row.label is not None
    return row.name, clips.classes[row.label], str(row.frames)


def _leave_out(run: Run) -> str:
    return f"train a run without them: stgcn-lens train --leave-out-classes A B ... --out OTHER (not {run.path})"
