"""What an explanation is asked for, in words: for which class, and of which clips."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from stgcn_lens.errors import LensError, RunError
from stgcn_lens.studies.naming import alike

Side = Literal["predicted", "true"] | int
ALL = "all"


@dataclass(frozen=True)
class Target:
    """The class explained, and the one that it is held against, if any: predicted, true, or a number."""

    of: Side
    against: Side | None = None


def target(words: str, classes: Sequence[str]) -> Target:
    """`predicted`, `true`, a class by name or number, or a difference of two of these, as in `wave-kick`.

    Raises
    ------
    LensError : no such class, the same one twice, or several ways to read it.
    """
    one = _side(words, classes)
    if one is not None:
        return Target(one)
    cuts = [(words[:i], words[i + 1 :]) for i, sign in enumerate(words) if sign == "-"]
    pairs = [(_side(a, classes), _side(b, classes)) for a, b in cuts]
    found = [(a, b) for a, b in pairs if a is not None and b is not None]
    if len(found) > 1:
        raise LensError("a target that can be read in several ways", got=repr(words), fix="give the classes by number")
    if not found:
        expected = f"predicted, true, a class, or a difference such as {classes[0]}-{classes[-1]}"
        raise LensError("no such target", got=repr(words), expected=f"{expected}; of {alike(words, classes)}")
    if found[0][0] == found[0][1]:
        raise LensError("a class against itself", got=repr(words), expected="two classes")
    return Target(*found[0])


def _side(word: str, classes: Sequence[str]) -> Side | None:
    if word == "predicted":
        return "predicted"
    if word == "true":
        return "true"
    if word in classes:
        return list(classes).index(word)
    return int(word) if word.isdecimal() and int(word) < len(classes) else None


def resolved(
    aim: Target, labels: np.ndarray, predict: Callable[[], np.ndarray]
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray]:
    """The classes of each clip, (N,) int64 or None for "predicted" and for nothing, and which clips can be asked.

    A class says nothing against itself: where both sides are the same, the clip is left out.

    Parameters
    ----------
    labels : (N,), -1 where the true class is not known.
    predict : the (N,) predicted classes; called only where a difference needs them.

    Raises
    ------
    LensError : the true class is asked for and not known, or both sides are the same in every clip.
    """
    if "true" in (aim.of, aim.against) and (labels < 0).any():
        got = f"{int((labels < 0).sum())} clips without a label"
        raise LensError("the true class is not known", got=got, fix="name the class, or leave these clips out")
    if aim.against is None:
        return _classes(aim.of, labels, None), None, np.ones(len(labels), bool)
    predicted = predict() if "predicted" in (aim.of, aim.against) else None
    of, against = (_classes(side, labels, predicted) for side in (aim.of, aim.against))
    assert of is not None
    assert against is not None
    apart = of != against
    if not apart.any():
        raise LensError("a class against itself", got=f"the same one on both sides in each of {len(labels)} clips")
    return of[apart], against[apart], apart


def _classes(side: Side, labels: np.ndarray, predicted: np.ndarray | None) -> np.ndarray | None:
    if side == "true":
        return labels
    return predicted if side == "predicted" else np.full(len(labels), side, dtype=np.int64)


def clips(words: Sequence[str], table: Sequence[dict[str, str]], analysed: np.ndarray, *, file: object) -> np.ndarray:
    """Rows of clips.csv: `all` under analysis, so many of them spread evenly, or any prepared clips by name.

    Parameters
    ----------
    table : rows of clips.csv. `analysed`: the rows under analysis.

    Raises
    ------
    LensError : nothing asked for, more clips than there are, or an unknown or ambiguous name.
    RunError : a clip that could not be prepared.
    """
    if list(words) == [ALL]:
        return analysed
    names = [row["name"] for row in table]
    if len(words) == 1 and words[0].isdecimal() and words[0] not in names:
        count = int(words[0])
        if not 1 <= count <= len(analysed):
            raise LensError("so many clips are not under analysis", got=count, expected=f"1 to {len(analysed)}")
        return analysed[np.round(np.linspace(0, len(analysed) - 1, count)).astype(int)]
    chosen = []
    for word in words:
        rows = [i for i, name in enumerate(names) if name == word]
        if not rows:
            raise LensError("no such clip", file=str(file), got=repr(word), expected=f"one of {alike(word, names)}")
        if len(rows) > 1:
            raise LensError(
                "several clips of one name", file=str(file), got=f"{len(rows)} called {word!r}", expected="one"
            )
        if table[rows[0]]["split"] == "dropped":
            raise RunError(
                "a clip that could not be prepared", file=str(file), got=repr(word), fix="choose another one"
            )
        chosen += rows
    if not chosen:
        raise LensError("no clip to explain", expected=f"{ALL}, a number of clips, or names")
    return np.array(list(dict.fromkeys(chosen)), dtype=np.int64)
