"""Published protocols: which subjects, cameras or setups train, and how many clips there are on either side.

Sources: Shahroudy et al., "NTU RGB+D", CVPR 2016; Liu et al., "NTU RGB+D 120", TPAMI 2019; Chen et al., "UTD-MHAD",
ICIP 2015; Li et al., "Action recognition based on a bag of 3D points" (MSR-Action3D), CVPRW 2010; Wang et al.,
"Cross-view action modeling" (Northwestern-UCLA), CVPR 2014; Kay et al., "Kinetics", 2017.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from stgcn_lens.data.dataset import Row

By = Literal["subject", "view", "setup"]
# Ids that train; "odd" or "even" ids; "own": the sides that the source itself puts its clips on.
Rule = tuple[int, ...] | Literal["odd", "even", "own"]

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
    "nw-ucla": {"view": (1, 2)},
    "kinetics": {"file": "own"},
    "synthetic": {"subject": tuple(range(1, 21)), "view": (2, 3)},
    "generic": {"subject": "odd", "view": "odd", "setup": "even"},  # ours: no protocol is known
}


@dataclass(frozen=True)
class Expected:
    """How large a whole set is.

    Attributes
    ----------
    files : as it is handed out.
    without_body : files in which no frame shows a body; they are not used.
    sides : axis -> (clips that train, clips that test), of those that are used.
    """

    files: int
    without_body: int = 0
    sides: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def clips(self) -> int:
        """Clips that are used."""
        return self.files - self.without_body


EXPECTED: dict[str, Expected] = {
    "ntu60": Expected(56_880, 302, {"subject": (40_091, 16_487), "view": (37_646, 18_932)}),
    "ntu120": Expected(114_480, 535, {"subject": (63_026, 50_919), "setup": (54_468, 59_477)}),
    "utd-mhad": Expected(861, 0, {"subject": (431, 430)}),
    "msr-action3d": Expected(567, 1, {"subject": (291, 275)}),
}


def complete(clips_rows: Sequence[Row], protocol: str) -> str | None:
    """One sentence that compares a set with what its protocol expects; None where no numbers are published.

    It begins with "complete", "not the whole set", or "not known to be the whole set" where the clips are as many and
    do not say whose they are.
    """
    expected = EXPECTED.get(protocol)
    if expected is None:
        return None
    have, parts = len(clips_rows), []
    same = have == expected.clips
    for axis, published in expected.sides.items():
        ids = [getattr(row, axis) for row in clips_rows]
        train = training(protocol, axis, [i for i in ids if i is not None])
        counts = sum(i in train for i in ids), sum(i is not None and i not in train for i in ids)
        same = same and counts == published
        wanted = "" if counts == published else f" of {published[0]:,}/{published[1]:,}"
        parts.append(f"{counts[0]:,}/{counts[1]:,}{wanted} by {axis}")
    sides = f"; train/test {', '.join(parts)}"
    left = f"without the {expected.without_body:,} of {expected.files:,} files that show no body"
    if same:
        return f"complete: {have:,} clips of {protocol}{f', {left}' * bool(expected.without_body)}{sides}"
    told = f" ({left})" * bool(expected.without_body)
    lost = [axis for axis in expected.sides if clips_rows and all(getattr(row, axis) is None for row in clips_rows)]
    if lost:
        sides = f"; no clip says its {' or '.join(lost)}"
    if have == expected.clips and lost:
        return f"not known to be the whole set: {have:,} clips, as many as {protocol} has{told}{sides}"
    return f"not the whole set: {have:,} clips, {protocol} has {expected.clips:,}{told}{sides}"


def training(protocol: str, axis: str, known: Sequence[int]) -> set[int]:
    """Of the known ids of an axis, or beyond them, those that train under a protocol that has a split by it."""
    rule = PROTOCOLS[protocol][axis]
    if isinstance(rule, tuple):
        return set(rule)
    return {i for i in known if i % 2 == (rule == "odd")}


def describe(protocol: str, by: str) -> str:
    """One line that says which ids train under a protocol."""
    rule = PROTOCOLS.get(protocol, PROTOCOLS["generic"]).get(by)
    if rule is None:
        return f"no split by {by}"
    if rule == "own":
        return "the sides that the source itself gives"
    return f"{by}s that train: {rule if isinstance(rule, str) else listed(rule)}"


def listed(ids: Sequence[int]) -> str:
    """Numbers in words, runs of three and more shortened: "1, 2, 8-13"."""
    runs: list[list[int]] = []
    for i in ids:
        if runs and i == runs[-1][-1] + 1:
            runs[-1].append(i)
        else:
            runs.append([i])
    return ", ".join(f"{r[0]}-{r[-1]}" if len(r) > 2 else ", ".join(map(str, r)) for r in runs) or "none"
