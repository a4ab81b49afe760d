"""Files that hold what a network answers to every clip, by the clips' names: ours, and those that other codes write.

Ours is an ``.npz`` of ``names`` (N,) text, ``labels`` (N,) int64 (-1: not known), ``logits`` (N, classes) float32 and
``classes`` (classes,) text. ST-GCN, 2s-AGCN and their followers pickle a dict name -> scores
(``epoch65_test_score.pkl``). Anything else comes as CSV (name, scores ...), or as a plain ``.npy`` of scores beside a
``.txt`` of the same name with the clips' names, one a line. Nothing in a file can run.
"""

import csv
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stgcn_lens.arrays import open_npy
from stgcn_lens.data.parsing import pickles
from stgcn_lens.errors import DataError, RunError
from stgcn_lens.runs import Run

FOLDER = "evaluation"  # of a run
KINDS = (".npz", ".pkl", ".pickle", ".csv", ".npy")
_FILE = re.compile(r"\.(skeleton|mat|npy|json|csv|txt|avi|mp4)$", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Scores:
    """Answers to clips.

    Attributes
    ----------
    file : where they are from; `stream`: what the network was shown, where that is known.
    names : of the clips, each once.
    labels : (N,) int64, -1 where the true class is not known.
    logits : (N, classes) float64; what a file holds, logits or probabilities.
    classes : the names of the classes, where they are known.
    """

    file: str
    names: tuple[str, ...]
    labels: np.ndarray
    logits: np.ndarray
    classes: tuple[str, ...] | None = None
    stream: str | None = None

    def __post_init__(self) -> None:
        n = len(self.names)
        if self.logits.ndim != 2 or not self.logits.size or len(self.logits) != n or self.labels.shape != (n,):
            got = f"{n} names, labels {self.labels.shape}, scores {self.logits.shape}"
            raise DataError("names and scores do not fit", file=self.file, got=got, expected="scores (names, classes)")
        if not np.isfinite(self.logits).all():
            first = self.names[int(np.flatnonzero(~np.isfinite(self.logits).all(axis=1))[0])]
            raise DataError("scores that are not finite numbers", file=self.file, got=f"those of '{first}', first")
        if len(set(self.names)) < n:
            twice = next(name for i, name in enumerate(self.names) if name in self.names[:i])
            raise DataError("a clip's name occurs twice", file=self.file, got=repr(twice), expected="one score a name")
        if self.labels.max() >= self.logits.shape[1] or self.labels.min() < -1:
            got, expected = f"class {self.labels.max()}", f"classes 0 to {self.logits.shape[1] - 1}"
            raise DataError("label out of range", file=self.file, got=got, expected=expected)


def write(run: Run, name: str, scores: Scores) -> Path:
    """Our file, into the folder of evaluations of a run."""
    place = f"{FOLDER}/{name}.npz"
    run.write_arrays(
        place,
        names=np.array(scores.names),
        labels=scores.labels.astype(np.int64),
        logits=scores.logits.astype(np.float32),
        classes=np.array(scores.classes or ()),
    )
    return run / place


def read(path: Path, name: str = "test") -> Scores:
    """The scores in a file, or those that `evaluate` has left in a run under a name.

    Raises
    ------
    DataError : no such file, an unknown kind, or content that does not fit together.
    RunError : the run has not been evaluated, or was trained again since.
    """
    if path.is_dir():
        return _of_run(Run.open(path), name)
    if not path.is_file():
        raise DataError("no such file", file=path, expected="a run, or a file of scores", fix="check the path")
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise DataError("no kind of scores that is known", file=path, expected=f"a run, or {', '.join(KINDS)}")
    if kind == ".npz":
        return _npz(path)
    if kind == ".csv":
        return _csv(path)
    return _npy(path) if kind == ".npy" else _pickle(path)


def bare(name: str) -> str:
    """A clip's name without the suffix of the file that it was in: some codes keep it, some do not."""
    return _FILE.sub("", name)


def _of_run(run: Run, name: str) -> Scores:
    file = run / FOLDER / f"{name}.npz"
    again = f"run: stgcn-lens evaluate {run.path}" + (f" --name {name}" if name != "test" else "")
    if not file.is_file():
        raise RunError("missing from the run", file=file, fix=again)
    about = run.read_json(f"{FOLDER}/{name}.json")
    if about.get("train") != run.key("train"):
        raise RunError("scores of a network that has since been trained again", file=file, fix=again)
    found = _npz(file)
    return Scores(str(run.path), found.names, found.labels, found.logits, found.classes, about.get("stream"))


def _npz(path: Path) -> Scores:
    try:
        with np.load(path, allow_pickle=False) as held:
            names, labels, logits = (held[key] for key in ("names", "labels", "logits"))
            classes = held["classes"] if "classes" in held else np.array(())
    except (KeyError, TypeError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        what = f"not a file of scores ({' '.join(str(error).split())[:120]})"
        raise DataError(what, file=path, expected="names, labels and logits", fix="evaluate again") from error
    if labels.dtype.kind not in "iu" or names.dtype.kind != "U" or logits.dtype.kind != "f":
        got = f"names {names.dtype}, labels {labels.dtype}, logits {logits.dtype}"
        raise DataError("not a file of scores", file=path, got=got, expected="text, whole numbers, floats")
    known = tuple(classes.tolist()) or None
    if known is not None and logits.shape[1:] != (len(known),):
        raise DataError("classes and scores do not fit", file=path, got=f"{len(known)} names for {logits.shape}")
    return Scores(str(path), tuple(names.tolist()), labels.astype(np.int64), logits.astype(np.float64), known)


def _pickle(path: Path) -> Scores:
    held = pickles.load(path)
    if not isinstance(held, dict) or not held or not all(isinstance(name, str) for name in held):
        got = f"{type(held).__name__}" + (" of other keys than text" if isinstance(held, dict) and held else "")
        raise DataError("no scores by name", file=path, got=got, expected="a dict: clip's name -> scores")
    return _unlabelled(path, list(held), list(held.values()))


def _csv(path: Path) -> Scores:
    """Lines of a name and its scores; a header is not all numbers, or has no clip's name; "label" may be a column."""
    with path.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.reader(stream)
        lines = [(reader.line_num, line) for line in reader if line]
    first = lines[0][1] if lines else [""]
    header = lines.pop(0)[1] if lines and (first[0].lower() in ("", "name") or not _numbers(first[1:])) else []
    column = header.index("label") if "label" in header[1:] else None
    width, labels = len(lines[0][1]) if lines else 0, []
    for number, line in lines:
        if not _numbers(line[1:]) or len(line) != width or len(line) < 2:
            got, expected = ",".join(line)[:80], f"a name and {width - 1} numbers"
            raise DataError(f"line {number} is no line of scores", file=path, got=got, expected=expected)
        labels.append(int(float(line.pop(column))) if column is not None else -1)
    return _unlabelled(path, [line[0] for _, line in lines], [line[1:] for _, line in lines], labels)


def _npy(path: Path) -> Scores:
    beside = path.with_suffix(".txt")
    if not beside.is_file():
        fix = f"write the names, one a line, to {beside.name} beside it"
        raise DataError("scores without the names of their clips", file=path, fix=fix)
    names = [line.strip() for line in beside.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    return _unlabelled(path, names, open_npy(path))


def _unlabelled(path: Path, names: list[str], values: Sequence | np.ndarray, labels: Sequence[int] = ()) -> Scores:
    try:
        logits = np.array([np.asarray(value, dtype=np.float64).reshape(-1) for value in values])
    except (TypeError, ValueError) as error:
        raise DataError("scores that are not rows of equal length", file=path, expected="numbers") from error
    known = np.array(labels if len(labels) else [-1] * len(names), dtype=np.int64)
    return Scores(str(path), tuple(names), known, logits)


def _numbers(words: Sequence[str]) -> bool:
    try:
        return len([float(word) for word in words]) == len(words)
    except ValueError:
        return False
