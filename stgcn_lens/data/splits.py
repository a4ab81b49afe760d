"""Which clips teach and which ones test: by subject, by camera view, by setup."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.errors import DataError

By = Literal["subject", "view", "setup"]
Rule = tuple[int, ...] | Literal["odd", "even"]

# fmt: off
_NTU60 = (1, 2, 4, 5, 8, 9, *range(13, 20), 25, 27, 28, 31, 34, 35, 38)
_NTU120 = (*_NTU60, 45, 46, 47, 49, 50, *range(52, 60), 70, 74, 78, *range(80, 87), 89, *range(91, 96),
           97, 98, 100, 103)
# fmt: on

# Protocol -> axis -> the ids that train; all others test.
PROTOCOLS: dict[str, dict[str, Rule]] = {
    "ntu60": {"subject": _NTU60, "view": (2, 3)},
    "ntu120": {"subject": _NTU120, "setup": "even", "view": (2, 3)},
    "utd-mhad": {"subject": (1, 3, 5, 7)},
    "msr-action3d": {"subject": (1, 3, 5, 7, 9)},
    "synthetic": {"subject": tuple(range(1, 21)), "view": (2, 3)},
    "generic": {"subject": "odd", "view": "odd", "setup": "even"},  # ours: no protocol is known
}


def split(clips: ClipSet, by: By = "subject", train_ids: Sequence[int] | None = None) -> np.ndarray:
    """Side of every clip, (N,) text: "train", "test", or "none" where its id is not known.

    The ids that train come from the set's protocol (`PROTOCOLS`), or are given. Clips are never divided at
    random: the same person on both sides would flatter every number.

    Raises
    ------
    DataError
        if no id is known, a given id does not occur, the protocol has no such split, or one side is empty.
    """
    ids = [getattr(row, by) for row in clips.rows]
    known = sorted({i for i in ids if i is not None})
    if not known:
        raise DataError(
            f"cannot split by {by}: no clip says its {by}",
            got=f"{len(ids)} clips, e.g. {clips.rows[0].name!r}" if ids else "0 clips",
            expected=f"a {by} number in the clips' names",
            fix="name the files as the format prescribes, or split by another of subject, view, setup",
        )
    train = _given(train_ids, known, by) if train_ids is not None else _by_protocol(clips.protocol, by, known)
    side = np.array(["none" if i is None else "train" if i in train else "test" for i in ids])
    for name in ("train", "test"):
        if not (side == name).any():
            raise DataError(
                f"splitting by {by} leaves no clip to {name}",
                got=f"{by} {_list(known)}, of which {_list(sorted(train & set(known)))} train",
                expected=f"at least one {by} on either side",
                fix=f"choose the {by}s that train yourself, or split by another of subject, view, setup",
            )
    return side


def describe(protocol: str, by: str) -> str:
    """One line that says which ids train under a protocol."""
    rule = PROTOCOLS.get(protocol, PROTOCOLS["generic"]).get(by)
    if rule is None:
        return f"no split by {by}"
    return f"{by}s that train: {rule if isinstance(rule, str) else _list(rule)}"


def _given(train_ids: Sequence[int], known: list[int], by: str) -> set[int]:
    unknown = sorted(set(train_ids) - set(known))
    if unknown:
        raise DataError(f"no clip has this {by}", got=_list(unknown), expected=f"some of {_list(known)}")
    return set(train_ids)


def _by_protocol(protocol: str, by: str, known: list[int]) -> set[int]:
    if protocol not in PROTOCOLS:
        raise DataError("unknown protocol", got=repr(protocol), expected=f"one of {', '.join(PROTOCOLS)}")
    rules = PROTOCOLS[protocol]
    if by not in rules:
        raise DataError(
            f"protocol '{protocol}' has no split by {by}",
            got=repr(by),
            expected=f"one of {', '.join(rules)}",
            fix=f"or choose the {by}s that train yourself",
        )
    rule = rules[by]
    if isinstance(rule, str):
        return {i for i in known if i % 2 == (rule == "odd")}
    return set(rule)


def _list(ids: Sequence[int]) -> str:
    """Numbers in words, runs of three and more shortened: "1, 2, 8-13"."""
    runs: list[list[int]] = []
    for i in ids:
        if runs and i == runs[-1][-1] + 1:
            runs[-1].append(i)
        else:
            runs.append([i])
    return ", ".join(f"{r[0]}-{r[-1]}" if len(r) > 2 else ", ".join(map(str, r)) for r in runs) or "none"
