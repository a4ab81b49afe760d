"""Why one class is taken for another: what a run holds about it, or the work to find out."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from app import compute
from stgcn_lens.errors import RunError
from stgcn_lens.runs import plain

if TYPE_CHECKING:
    from app.sources import ClipRow, Source

FEW = 120  # clips that are explained on a click (ours): ten seconds or so, two cores and the demo model's size
KEPT = 32  # pairs explained for the demo model, of all sessions together (ours)
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Contrast:
    """`told`: what `studies.confusions` says of a pair; `arrays`: "<layer>/<group>" -> (n, V, P) maps of its clips."""

    told: dict[str, Any]
    arrays: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Group:
    """The clips of one cell of the matrix and those that it is held against, by their class and answer."""

    confused: tuple["ClipRow", ...]
    true: tuple["ClipRow", ...]
    predicted: tuple["ClipRow", ...]

    @classmethod
    def of(cls, rows: list["ClipRow"], true: int, predicted: int) -> "Group":
        """Those of a pair of classes."""
        pairs = ((true, predicted), (true, true), (predicted, predicted))
        return cls(*(tuple(row for row in rows if (row.label, row.predicted) == pair) for pair in pairs))

    @property
    def size(self) -> int:
        """How many clips an explanation looks at."""
        return len(self.confused) + len(self.true) + len(self.predicted)


def told_rows(source: "Source") -> dict[str, list["ClipRow"]]:
    """Side of the run -> its clips of known class that have an answer; "test" first."""
    rows = [row for row in source.rows if row.label is not None and row.predicted is not None]
    sides = sorted({row.split for row in rows}, key=lambda side: (side != "test", side))
    return {side: [row for row in rows if row.split == side] for side in sides}


def stored(source: "Source", true: str, predicted: str, side: str) -> Contrast | None:
    """What the run holds of a pair; None where that is nothing, of another side, or of weights since replaced."""
    from stgcn_lens.studies.confusions import pair_file

    if source.path is None:
        return _kept().get((source.stamp, true, predicted))
    file = source.path / f"{pair_file(true, predicted)}.json"
    if not file.is_file():
        return None
    try:
        told = source.run.read_json(str(file.relative_to(source.path)))
        if told["made_from"]["train"] != source.run.key("train") or told["config"]["split"] != side:
            return None
        with file.with_suffix(".npz").open("rb") as stream, np.load(stream, allow_pickle=False) as held:
            found = Contrast(told, {name: held[name] for name in held.files})
        groups = [found.arrays[f"{row['layer']}/{group}"] for row in told["layers"] for group in ("confused", "true")]
        if any(maps.ndim != 3 for maps in groups):
            raise ValueError("maps of other axes")
        return found
    except (OSError, KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        what = error.what if isinstance(error, RunError) else f"damaged ({type(error).__name__}: {error})"
        raise RunError(what, file=file, fix=f"run: {command(source, true, predicted, side)}") from error


def explain(source: "Source", group: Group, true: int, predicted: int, side: str, progress: Progress) -> Contrast:
    """Work it out: into the run, or for the demo model into the app's memory.

    Raises
    ------
    RunError : another process writes to the run.
    """
    from stgcn_lens.studies import confusions

    loaded, classes = compute.model(str(source.model), source.stamp).loaded, source.classes
    pair = classes[true], classes[predicted]
    if source.path is not None:
        config = confusions.ConfusionsConfig(split=side)  # type: ignore[arg-type]
        with source.run.lock():
            confusions.confusions(source.run, pair, config, network=loaded, progress=progress)
        found = stored(source, *pair, side)
        if found is None:
            raise RunError("the explanation that was just made is not there", file=source.path)
        return found
    if source.clips is None:
        raise RunError("the demo model has no clips", fix="start the app again")
    members = {
        name: np.array([row.number for row in rows], dtype=np.int64)
        for name, rows in (("confused", group.confused), ("true", group.true), ("predicted", group.predicted))
    }
    told, arrays = confusions.explained(
        loaded, source.clips, members, (true, predicted), confusions.ConfusionsConfig(), progress=progress
    )
    kept = _kept()
    while len(kept) >= KEPT:
        kept.pop(next(iter(kept)), None)
    found = kept[source.stamp, *pair] = Contrast(plain(told), arrays)
    return found


def command(source: "Source", true: str, predicted: str, side: str) -> str:
    """The command that explains a pair of a run."""
    import shlex

    split = [] if side == "test" else ["--split", side]
    return shlex.join(["stgcn-lens", "confusions", str(source.path), "--pair", true, predicted, *split])


@st.cache_resource(max_entries=1, show_spinner=False)
def _kept() -> dict[tuple[str, str, str], Contrast]:
    return {}
