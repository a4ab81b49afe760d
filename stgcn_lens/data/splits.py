"""Which clips teach, which ones test and which ones watch over the teaching; nobody is on two sides.

A division comes from the ids of subjects, views or setups (`protocols`), from the sides that the source itself puts
its clips on, or from a CSV. A validation side is carved out of the training clips (`validation`).
"""

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from stgcn_lens.data.dataset import ClipSet, Fault, Row
from stgcn_lens.data.protocols import EXPECTED, PROTOCOLS, By, complete, describe, listed, training
from stgcn_lens.data.sides import read_sides
from stgcn_lens.data.validation import carve
from stgcn_lens.errors import DataError

__all__ = ["EXPECTED", "PROTOCOLS", "By", "complete", "describe", "families", "given_sides", "is_file", "split"]

AXES = get_args(By)
OnFault = Callable[[Fault], None]

# How sources name their sides: "train", "xsub_val", "test1" ...; what is around the side is the family.
_NAME = re.compile(r"(?:(?P<before>.+)[_-])?(?P<side>train|val|test)(?:ing|id|idation)?[_-]?(?P<after>\d*)")


def split(
    clips: ClipSet,
    by: str = "subject",
    train_ids: Sequence[int] | None = None,
    validation: float = 0.0,
    seed: int = 0,
    *,
    leave_out: Collection[str] = (),
    on_fault: OnFault | None = None,
) -> np.ndarray:
    """Side of every clip, (N,) text: "train", "val", "test", or "none" where its side is not known.

    Clips are never divided at random while anything is known of who acts in them: the same person on both sides would
    flatter every number.

    Parameters
    ----------
    by : "subject", "view" or "setup": the ids that train come from the set's protocol (`PROTOCOLS`), or are given;
        "file": the sides that the source itself gives, or the name of one family of them, as "xsub"; where it has train
        and val but no test, val tests; or the path of a CSV (see `sides.read_sides`).
    train_ids : subjects, views or setups that train.
    validation : share of the training clips that is held back as "val", see `validation.carve`.
    seed : of what is held back.
    leave_out : names of clips that are on no side.
    on_fault : is told what could not be used of what a file says.

    Raises
    ------
    DataError
        if no id is known, a given id does not occur, the protocol has no such split, or one side is empty.
    """
    tell = on_fault or (lambda fault: None)
    if by in AXES:
        ids = [getattr(row, by) for row in clips.rows]
        train = _trains(clips, by, ids, train_ids)
        side = np.array(["none" if i is None else "train" if i in train else "test" for i in ids], dtype="<U5")
    elif train_ids is not None:
        raise DataError("ids that train need an axis", got=f"split by {by!r}", expected=f"one of {', '.join(AXES)}")
    elif is_file(by):
        side = _by_table(clips, Path(by), tell)
    else:
        side = given_sides(clips, by, tell)
    out = set(leave_out)
    side[[row.name in out for row in clips.rows]] = "none"
    for name in ("train", "test"):
        if not (side == name).any():
            raise _empty(clips, by, name, side, train_ids)
    return carve(clips.rows, side, validation, seed) if validation else side


def families(rows: Sequence[Row]) -> dict[str, set[str]]:
    """Family of sides that a source gives -> its sides; the family without a name is ""."""
    found: dict[str, set[str]] = {}
    for name in {name for row in rows for name in row.splits}:
        family, side = _parsed(name)
        if side:
            found.setdefault(family, set()).add(side)
    return dict(sorted(found.items()))


def is_file(by: str) -> bool:
    """Whether a way to split is the path of a CSV."""
    return by.lower().endswith(".csv")


def _trains(clips: ClipSet, by: str, ids: list[int | None], train_ids: Sequence[int] | None) -> set[int]:
    """The ids that train."""
    known = sorted({i for i in ids if i is not None})
    if not known:
        own = " or by file, as the source gives sides" if families(clips.rows) else ""
        raise DataError(
            f"cannot split by {by}: no clip says its {by}",
            got=f"{len(ids)} clips, e.g. {clips.rows[0].name!r}" if ids else "0 clips",
            expected=f"a {by} number in the clips' names",
            fix=f"name the files as the format prescribes, or split by another of {', '.join(AXES)}{own}, or by a CSV",
        )
    if train_ids is None:
        return _by_protocol(clips.protocol, by, known)
    unknown = sorted(set(train_ids) - set(known))
    if unknown:
        raise DataError(f"no clip has this {by}", got=listed(unknown), expected=f"some of {listed(known)}")
    return set(train_ids)


def _by_protocol(protocol: str, by: str, known: list[int]) -> set[int]:
    if protocol not in PROTOCOLS:
        raise DataError("unknown protocol", got=repr(protocol), expected=f"one of {', '.join(PROTOCOLS)}")
    if by not in PROTOCOLS[protocol]:
        raise DataError(
            f"protocol '{protocol}' has no split by {by}",
            got=repr(by),
            expected=f"one of {', '.join(PROTOCOLS[protocol])}",
            fix=f"or choose the {by}s that train yourself",
        )
    return training(protocol, by, known)


def given_sides(clips: ClipSet, by: str, tell: OnFault) -> np.ndarray:
    """The sides that the source gives, (N,) text, of one family (see `split`); no side need have clips."""
    found = families(clips.rows)
    family = _family(clips, found, by.lower())
    renamed = {} if "test" in found[family] else {"val": "test"}
    side, torn = np.full(len(clips), "none", dtype="<U5"), []
    for i, row in enumerate(clips.rows):
        own = {one for its, one in map(_parsed, row.splits) if its == family and one}
        if len(own) > 1:
            torn.append(row.name)
        elif own:
            side[i] = renamed.get(one := own.pop(), one)
    if torn:
        told = "the source puts this clip on two sides; it is on none"
        if len(torn) > 1:
            told = f"the source puts {len(torn)} clips, this one first, on two sides; they are on none"
        tell(Fault(torn[0], told, "nothing"))
    return side


def _family(clips: ClipSet, found: dict[str, set[str]], by: str) -> str:
    """Which family of sides is meant; `DataError` lists those there are."""
    if by in found:
        return by
    if by != "file":
        known = ", ".join([*AXES, "file", *filter(None, found)])
        raise DataError("unknown split", got=repr(by), expected=f"one of {known}, or a .csv file")
    if not found:
        given = sorted({name for row in clips.rows for name in row.splits})
        raise DataError(
            "cannot split by file: the source puts no clip on a side",
            got=f"sides {', '.join(given[:6])}" if given else f"{clips.source} clips without sides",
            expected="sides such as train and val",
            fix="split by subject, view or setup, or by a CSV",
        )
    if "" not in found and len(found) > 1:
        raise DataError(
            "the source divides its clips in several ways",
            got=", ".join(found),
            expected="one",
            fix="name one of them with --split",
        )
    return "" if "" in found else next(iter(found))


def _parsed(name: str) -> tuple[str, str]:
    """Family and side of a name that a source gives; the side is "" where the name is no side."""
    match = _NAME.fullmatch(name.strip().lower())
    if match is None:
        return "", ""
    return "_".join(filter(None, (match["before"], match["after"]))), match["side"]


def _by_table(clips: ClipSet, file: Path, tell: OnFault) -> np.ndarray:
    """The sides that a CSV gives; clips that it leaves out are on none."""
    table = read_sides(file)
    names = {row.name for row in clips.rows}
    unknown = [name for name in table if name not in names]
    if len(unknown) == len(table):
        raise DataError(
            "none of the names is a clip's",
            file=file,
            got=f"{len(table)} names, e.g. {unknown[0]!r}" if unknown else "no names",
            expected=f"names such as {clips.rows[0].name!r}",
            fix="name the clips as `stgcn-lens data info` does",
        )
    unlisted = [row.name for row in clips.rows if row.name not in table]
    if unknown:
        tell(Fault(str(file), f"names that are no clip's: {len(unknown)}, e.g. {unknown[0]!r}", "nothing"))
    if unlisted:
        tell(
            Fault(
                str(file), f"clips that are not listed and on no side: {len(unlisted)}, e.g. {unlisted[0]!r}", "nothing"
            )
        )
    return np.array([table.get(row.name, "none") for row in clips.rows], dtype="<U5")


def _empty(clips: ClipSet, by: str, name: str, side: np.ndarray, train_ids: Sequence[int] | None) -> DataError:
    """The error for a side without clips."""
    if by not in AXES:
        counts = ", ".join(f"{(side == one).sum()} {one}" for one in ("train", "val", "test", "none"))
        return DataError(
            f"splitting by {by} leaves no clip to {name}", got=counts, expected="at least one on either side"
        )
    ids = [getattr(row, by) for row in clips.rows]
    known = sorted({i for i in ids if i is not None})
    train = _trains(clips, by, ids, train_ids)
    return DataError(
        f"splitting by {by} leaves no clip to {name}",
        got=f"{by} {listed(known)}, of which {listed(sorted(train & set(known)))} train",
        expected=f"at least one {by} on either side",
        fix=f"choose the {by}s that train yourself, or split by another of {', '.join(AXES)}",
    )
