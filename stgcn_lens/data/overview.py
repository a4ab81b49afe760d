"""A data set's description for a terminal of 100 columns."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from stgcn_lens.data.dataset import Fault
from stgcn_lens.data.parsing.places import as_text
from stgcn_lens.data.protocols import PROTOCOLS, describe, listed
from stgcn_lens.skeleton import get_layout

if TYPE_CHECKING:
    from stgcn_lens.data.convert import Converted
    from stgcn_lens.data.info import Info

WIDTH, MARGIN = 100, 12
MANY = 12  # ids and joints that are told one by one
ALIKE = 4  # names of a group of equal clips
FEW = 10  # clips from which on a histogram says more than their lengths do
_NO_BREAK = "\u00a0"
_SIDES = ("train", "val", "test", "none")
_DROPPED = {"clip": "left out", "frames": "kept in part", "nothing": "noted"}


def overview(info: "Info", most: int) -> str:
    """Everything in words; of classes, duplicates and faults at most `most` lines each, the rest counted."""
    lines = [
        info.path,
        *_line("format", _format(info)),
        *_line("clips", _clips(info)),
        *_line("lengths", _lengths(info)),
        *(_bars(info.histogram) if info.clips >= FEW else []),
        *_line("bodies", _bodies(info)),
        *_line("joints", _joints(info)),
        *_line("extent", _extent(info)),
        *_ids(info),
        *_splits(info),
        *_line("memory", _memory(info)),
        *_classes(info, most),
        *_line("duplicates", f"groups of equal clips: {len(info.duplicates)}" if info.duplicates else "none"),
        *_some([f"  {alike(names)}" for names in info.duplicates], most),
        *(_faults("before", info.earlier, most) if info.earlier else []),
        *_faults("faults", info.faults, most),
        *_training(info, most),
    ]
    for number, remark in enumerate(info.remarks):
        lines += _line("" if number else "remarks", remark)
    return "\n".join(map(as_text, lines))


def converted(done: "Converted", most: int = 40) -> str:
    """What was written, and everything that was lost; of faults at most `most` lines a kind."""
    counts = [_number(done.clips, "clip"), _number(done.frames, "frame"), _number(done.classes, "class", "classes")]
    lines = [f"{done.path}: {done.format}, {', '.join(counts)}, {done.layout}, {size(done.bytes)}"]
    if set(done.sides) != {"none"}:
        lines += _line("sides", ", ".join(f"{n:,} {side}" for side, n in done.sides.items()))
    if done.faults:
        lines += _faults("reading", done.faults, most)
    told = [f"{fault.file}: {fault.reason}" for fault in done.losses]
    for number, loss in enumerate(told[:most]):
        lines += _line("" if number else "lost", loss)
    if len(told) > most:
        lines += _line("", f"... and {len(told) - most} more")
    return "\n".join(map(as_text, lines))


def _line(name: str, text: str) -> list[str]:
    """A name in the margin and text beside it, wrapped."""
    wrapped = textwrap.wrap(
        text,
        WIDTH,
        initial_indent=f"{name:<{MARGIN}}",
        subsequent_indent=" " * MARGIN,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_NO_BREAK, " ") for line in wrapped]


def _format(info: "Info") -> str:
    names = ("x, y, score" if get_layout(info.layout).dims == 2 else "x, y, z").split(", ")[: info.channels]
    units = {"unknown": "of unknown units", "normalised": "normalised"}.get(info.units, f"in {info.units}")
    return f"{info.format}; layout {info.layout}: {info.joints} joints, {', '.join(names)} {units}"


def _clips(info: "Info") -> str:
    seconds = f", {_duration(info.frames / info.fps)} at {info.fps:g} frames a second" if info.fps > 0 else ""
    only = f" (the first {info.most:,} only: all counts are of these)" if info.most is not None else ""
    return f"{_number(info.clips, 'clip')}{only}, {_number(info.frames, 'frame')}{seconds}"


def _lengths(info: "Info") -> str:
    if info.shortest == info.longest:
        return _number(info.shortest, "frame") + (" each" if info.clips > 1 else "")
    return f"{info.shortest:,} to {info.longest:,} frames, median {info.median:g}"


def _bars(rows: Sequence[tuple[int, int, int]]) -> list[str]:
    if len(rows) < 2:
        return []
    top, wide = max(n for *_, n in rows), len(str(rows[-1][1]))
    return [
        f"{'':{MARGIN}}{f'{low:{wide}d} to {high}' if low < high else low:<{2 * wide + 4}} {n:7,d} "
        f"{'#' * -(-40 * n // top)}".rstrip()
        for low, high, n in rows
    ]


def _bodies(info: "Info") -> str:
    most, slots = max(info.at_once), max(info.bodies)
    if slots == 1:
        text = "1 in every clip" if info.clips > 1 else "1"
    else:
        text = ", ".join(f"{m} in {_number(n, 'clip')}" for m, n in info.bodies.items())
        text += f"; at most {most} in one frame" if most < slots else ""
    return text + (f"; absent in {_percent(info.absent)} of their frames" if info.absent else "")


def _joints(info: "Info") -> str:
    lost = sorted(((share, joint) for joint, share in info.missing.items() if share > 0), key=lambda item: -item[0])
    how = "have score 0" if get_layout(info.layout).dims == 2 and info.channels == 3 else "lie at exactly zero"
    if not lost:
        return "none is ever missing"
    told = [f"{joint}{_NO_BREAK}{_percent(share)}" for share, joint in lost[:MANY]]
    if len(lost) > MANY:
        told.append(f"{len(lost) - MANY} more up to {_percent(lost[MANY][0])}")
    return f"missing (they {how}): {', '.join(told)}"


def _extent(info: "Info") -> str:
    names = "xys" if get_layout(info.layout).dims == 2 else "xyz"
    named = {"x": "x", "y": "y", "z": "z", "s": "score"}
    return ", ".join(f"{named[c]} {low:.4g} to {high:.4g}" for c, (low, high) in zip(names, info.extent, strict=False))


def _ids(info: "Info") -> list[str]:
    known = {"subjects": info.subjects, "views": info.views, "setups": info.setups}
    lines = [line for name, counts in known.items() if counts for line in _line(name, _counts(counts))]
    unknown = [name for name, counts in known.items() if not counts]
    return lines + (_line("not known", ", ".join(unknown)) if unknown else [])


def _counts(counts: Mapping[int, int]) -> str:
    if len(counts) <= MANY:
        return f"{len(counts)}, number (clips): " + ", ".join(
            f"{number}{_NO_BREAK}({n:,})" for number, n in counts.items()
        )
    return f"{len(counts)}: {listed(list(counts))}; {_each(list(counts.values()))}"


def _splits(info: "Info") -> list[str]:
    lines = _line("splits", f"protocol {info.protocol}" + (f"; {info.complete}" if info.complete else ""))
    if info.sides:
        own = ", ".join(f"{side} ({n:,})" for side, n in info.sides.items())
        lines += _line("", f"the source's own sides (clips): {own}")
    for by, sides in info.splits.items():
        if isinstance(sides, str):
            lines += _line("", f"--split {by}: not possible ({sides})")
            continue
        rule = f" ({describe(info.protocol, by)})" if by in PROTOCOLS.get(info.protocol, {}) else ""
        lines += _line(
            "", f"--split {by}: " + ", ".join(f"{sides[side]:,} {side}" for side in _SIDES if side in sides) + rule
        )
    if not any(isinstance(sides, dict) for sides in info.splits.values()):
        lines += _line("", "no split is known: give each clip its side in a table (--split sides.csv)")
    return lines


def _memory(info: "Info") -> str:
    return (
        f"{size(info.bytes)} in memory, {size(info.bytes)} on disk as native, "
        f"{size(info.prepared_bytes)} prepared for training"
    )


def _classes(info: "Info", most: int) -> list[str]:
    used = [(i, name, n) for i, (name, n) in enumerate(info.classes.items(), 1) if n]
    if not info.classes or info.unlabelled == info.clips:
        return _line("classes", f"{len(info.classes) or 'none'}; no clip has a label")
    text = f"{len(info.classes)}"
    if len(used) < len(info.classes):
        text += f", of which {len(used)} have clips"
    if len(used) > 1:
        text += f"; {_each([n for *_, n in used])}"
    if info.unlabelled:
        text += f"; clips without a label: {info.unlabelled:,}"
    entries = [f"{i:4d} {n:6,d}  {name}" for i, name, n in used]
    wide = max(map(len, entries), default=0) + 3
    columns = min(3, WIDTH // wide) if len(entries) > 10 else 1
    rows = -(-len(entries) // max(columns, 1))
    table = ["".join(f"{entry:<{wide}}" for entry in entries[r::rows]).rstrip() for r in range(rows)]
    return [*_line("classes", text), *_some(table, most, columns)]


def _faults(name: str, faults: Sequence[Fault], most: int) -> list[str]:
    if not faults:
        return _line(name, "none")
    frames = sum(fault.frames for fault in faults)
    groups = {kind: [fault for fault in faults if fault.dropped == kind] for kind in _DROPPED}
    told = [f"{len(group):,} {_DROPPED[kind]}" for kind, group in groups.items() if group]
    lines = _line(name, ", ".join(told) + (f"; frames without a body: {frames:,}" if frames else ""))
    for kind, group in groups.items():
        if group:
            lines.append(f"  {_DROPPED[kind]}:")
            lines += _some([f"    {fault.file}: {fault.reason}" for fault in group], most)
    return lines


def _training(info: "Info", most: int) -> list[str]:
    """Clips that are read and yet cannot teach."""
    if not info.unusable:
        return []
    reasons, fix = _shared_fix([fault.reason for fault in info.unusable])
    text = f"leaves out {_number(len(info.unusable), 'clip')}, with default preprocessing{fix}"
    told = [f"    {fault.file}: {reason}" for fault, reason in zip(info.unusable, reasons, strict=True)]
    return [*_line("training", text), *_some(told, most)]


def _shared_fix(reasons: list[str]) -> tuple[list[str], str]:
    """The reasons without what to do where that is the same for all, and that."""
    parts = [reason.rpartition("; ") for reason in reasons]
    fixes = {fix for *_, fix in parts}
    if len(parts) < 2 or len(fixes) > 1 or not parts[0][0]:
        return reasons, ""
    return [what for what, *_ in parts], f"; {fixes.pop()}"


def _some(lines: list[str], most: int, columns: int = 1) -> list[str]:
    return lines if len(lines) <= most else [*lines[:most], f"  ... and {(len(lines) - most) * columns} more"]


def alike(names: Sequence[str]) -> str:
    """Names of equal clips, the first few of them."""
    rest = f" = {len(names) - ALIKE:,} more" if len(names) > ALIKE else ""
    return " = ".join(names[:ALIKE]) + rest


def _each(counts: Sequence[int]) -> str:
    """How many clips each of several groups has."""
    low, high = min(counts), max(counts)
    return f"{_number(low, 'clip')} each" if low == high else f"{low:,} to {high:,} clips each"


def _number(count: int, thing: str, things: str = "") -> str:
    return f"{count:,} {thing if count == 1 else things or f'{thing}s'}"


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else "less than 0.1%"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 90 * 60 else f"{seconds / 3600:.1f} hours"


def size(count: int) -> str:
    """Bytes in words, in powers of ten."""
    for unit, one in (("GB", 1e9), ("MB", 1e6)):
        if count >= one:
            return f"{count / one:.1f} {unit}"
    return f"{count / 1e3:.1f} kB"
