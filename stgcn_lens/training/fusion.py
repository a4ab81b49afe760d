"""Late fusion: the weighted sum of what several networks answer to the same clips.

Two streams are summed 1:1, four (joint, bone and the motion of both) 2:2:1:1 or equally (Hu et al., arXiv 2208.08599);
ST-GCN is fused with networks that see the picture and the optical flow in the same way (Yan et al. 2018, section 4.3).
What is summed differs: 2s-AGCN and its followers sum logits, pyskl and mmaction2 softmax probabilities.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from stgcn_lens.errors import DataError, LensError
from stgcn_lens.training.metrics import scores as scored
from stgcn_lens.training.scorefile import Scores, bare

Summed = Literal["softmax", "logits"]


@dataclass(frozen=True, eq=False)
class Fused:
    """What a fusion says, over the labelled clips that all files hold.

    Attributes
    ----------
    names, labels, total : of these clips; total (N, classes) is the weighted mean of what was summed.
    metrics : of the sum.
    single : for each file, in the order given: file, stream, weight, its own metrics on these clips, `gain` of the
        fusion over it in each metric, and how many of its mistakes the fusion `mends` and right answers it `spoils`.
    missing : file -> names of clips that others hold and it does not; these are left out.
    unlabelled : names of clips that all files hold and none says the true class of; left out too.
    notes : what had to be done to the files' numbers.
    """

    names: tuple[str, ...]
    labels: np.ndarray
    total: np.ndarray
    metrics: dict[str, float | int]
    single: list[dict[str, Any]]
    missing: dict[str, list[str]]
    unlabelled: list[str]
    notes: list[str]


def fuse(files: Sequence[Scores], weights: Sequence[float] | None = None, summed: Summed = "softmax") -> Fused:
    """Sum the answers of several files, clip by clip, matched by name (without the suffix of a file).

    Parameters
    ----------
    weights : one a file, in their order; by default all equal. Only their ratios matter.
    summed : "softmax" adds probabilities; "logits" adds what comes before. A file that holds probabilities already
        is taken as it is for the first and by its logarithms, which are logits up to a constant, for the second.

    Raises
    ------
    LensError : another number of weights than files, impossible ones, or fewer than two files.
    DataError : files of different classes, no clip in common, labels that disagree, or no label at all.
    """
    given = _weights(files, weights)
    _check_classes(files)
    rows = [_rows(one) for one in files]
    everywhere = [name for name in rows[0] if all(name in row for row in rows)]
    union = list(dict.fromkeys(name for row in rows for name in row))
    if not everywhere:
        shown = "; ".join(f"{one.file}: {one.names[0]!r}" for one in files)
        raise DataError("no clip is in all files", got=f"names such as {shown}", expected="the same names")
    known = [_label(name, files, rows) for name in everywhere]
    names = [name for name, label in zip(everywhere, known, strict=True) if label >= 0]
    labels = np.array([label for label in known if label >= 0], dtype=np.int64)
    if not names:
        fix = "fuse with a run that has been evaluated, or a CSV with a column 'label'"
        raise DataError("no file says the true classes of the clips", got=f"{len(everywhere)} clips", fix=fix)
    notes: list[str] = []
    parts = []
    for one, row in zip(files, rows, strict=True):
        parts.append(_summand(one, summed, notes)[[row[name] for name in names]])
    total = np.tensordot(given / given.sum(), np.stack(parts), axes=1)
    metrics, hit = scored(total, labels), total.argmax(axis=1) == labels
    single = []
    for one, weight, part in zip(files, given, parts, strict=True):
        own, right = scored(part, labels), part.argmax(axis=1) == labels
        gain = {key: float(metrics[key] - own[key]) for key in own if key != "n"}
        changed = {"mends": int((hit & ~right).sum()), "spoils": int((right & ~hit).sum())}
        single.append(
            {"file": one.file, "stream": one.stream, "weight": float(weight), "metrics": own, "gain": gain, **changed}
        )
    missing = {one.file: [name for name in union if name not in row] for one, row in zip(files, rows, strict=True)}
    unlabelled = [name for name, label in zip(everywhere, known, strict=True) if label < 0]
    return Fused(
        names=tuple(names),
        labels=labels,
        total=total,
        metrics=metrics,
        single=single,
        missing={file: left for file, left in missing.items() if left},
        unlabelled=unlabelled,
        notes=notes,
    )


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities (N, classes)."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def probabilities(values: np.ndarray) -> bool:
    """Whether every row is a distribution: no number below 0, the sum 1 (to the precision of half floats)."""
    return bool((values >= 0).all() and np.allclose(values.sum(axis=1), 1, atol=2e-3))


def _weights(files: Sequence[Scores], weights: Sequence[float] | None) -> np.ndarray:
    if len(files) < 2:
        raise LensError("nothing to fuse", got=f"{len(files)} file", expected="at least two")
    given = np.array([1.0] * len(files) if weights is None else list(weights), dtype=np.float64)
    if len(given) != len(files):
        raise LensError(
            "weights and files differ in number", got=f"{len(given)} weights", expected=f"{len(files)}, in their order"
        )
    if not (np.isfinite(given).all() and (given >= 0).all() and given.any()):
        raise LensError("impossible weights", got=given.tolist(), expected="numbers >= 0, not all of them 0")
    return given


def _check_classes(files: Sequence[Scores]) -> None:
    first = files[0]
    named = next((one for one in files if one.classes is not None), first)
    for one in files[1:]:
        if one.logits.shape[1] != first.logits.shape[1]:
            got, expected = f"{one.logits.shape[1]} classes", f"{first.logits.shape[1]}, as in {first.file}"
            raise DataError("scores of other classes", file=one.file, got=got, expected=expected)
        if one.classes is not None and named.classes is not None and one.classes != named.classes:
            pairs = zip(one.classes, named.classes, strict=True)
            at, (mine, other) = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
            expected = f"{other!r}, as in {named.file}"
            raise DataError("scores of other classes", file=one.file, got=f"{mine!r} as class {at}", expected=expected)


def _rows(one: Scores) -> dict[str, int]:
    """Bare name -> row."""
    found = {bare(name): i for i, name in enumerate(one.names)}
    if len(found) < len(one.names):
        raise DataError("clips that differ only in a suffix", file=one.file, got=f"{len(one.names) - len(found)} pairs")
    return found


def _label(name: str, files: Sequence[Scores], rows: Sequence[dict[str, int]]) -> int:
    """The class that the files give a clip, -1 where none does."""
    said = {one.file: int(one.labels[row[name]]) for one, row in zip(files, rows, strict=True)}
    told = {file: label for file, label in said.items() if label >= 0}
    if len(set(told.values())) > 1:
        got = "; ".join(f"{file}: class {label}" for file, label in told.items())
        raise DataError("the files disagree on the true class", file=name, got=got, expected="one class")
    return next(iter(told.values()), -1)


def _summand(one: Scores, summed: Summed, notes: list[str]) -> np.ndarray:
    """What of a file is added up, (N, classes)."""
    if not probabilities(one.logits):
        return softmax(one.logits) if summed == "softmax" else one.logits
    if summed == "softmax":
        notes.append(f"{one.file} holds probabilities: they are summed as they are")
        return one.logits
    notes.append(f"{one.file} holds probabilities: their logarithms stand for logits")
    return np.log(np.maximum(one.logits, np.finfo(np.float32).tiny))
