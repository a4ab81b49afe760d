"""Formats that skeletons come in: `READERS` lists them, `read` reads any of them into a `ClipSet`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.native import ABOUT, open_set
from stgcn_lens.data.opened import Source, check_joints, gather
from stgcn_lens.data.parsing import archives
from stgcn_lens.data.parsing.places import check_any_readable, check_readable, contents, walk
from stgcn_lens.data.readers import (
    alphapose,
    bvh,
    c3d,
    csv_table,
    ctr_gcn,
    kinetics,
    mediapipe,
    msr_action3d,
    native,
    ntu,
    nw_ucla,
    openpose,
    pyskl,
    st_gcn,
    utd_mhad,
)
from stgcn_lens.data.relayout import joint_mapping
from stgcn_lens.data.source import Found, Progress, Reader
from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import LAYOUTS, find_layout

# A file is held to be of the first format whose `sniff` says so.
READERS: tuple[Reader, ...] = (
    native.READER,
    ntu.READER,
    utd_mhad.READER,
    msr_action3d.READER,
    st_gcn.READER,
    ctr_gcn.READER,
    kinetics.READER,
    openpose.READER,
    alphapose.READER,
    mediapipe.READER,
    nw_ucla.READER,
    pyskl.READER,
    c3d.READER,
    bvh.READER,
    csv_table.READER,
)

SNIFFED = 32  # files of each suffix that are looked into
_NOTES = ("classes.txt", "protocol.txt")  # say something about the clips and hold none


def recognise(
    path: Path | str, format: str = "auto", layout: str | None = None, to_layout: str | None = None
) -> Source:
    """Which format lies at `path`, by content, and what is known before its clips are read.

    Parameters
    ----------
    path : a file or folder.
    format : name of a reader, or "auto".
    layout : what the recorded joints are, where the format leaves that open: a name of `LAYOUTS` or a TOML file.
    to_layout : put the clips onto this layout, joint by joint and by name (`skeleton.mapping`); named likewise.

    Raises
    ------
    DataError
        for a missing path, an unknown format, a layout with other joints, one that the clips cannot be put onto, or
        where no reader fits: then it lists what was looked for.
    """
    path = Path(path)
    known = ", ".join(reader.name for reader in READERS)
    if format != "auto" and format not in {reader.name for reader in READERS}:
        raise DataError("unknown format", got=repr(format), expected=f"auto or one of {known}")
    check_readable(path)
    wish, target = (None if name is None else find_layout(name).name for name in (layout, to_layout))
    if (path / ABOUT).is_file() and format in ("auto", "native"):
        return _opened(native.READER, Found(path, (path / ABOUT,), wish), target)
    if path.is_file() and not any(reader.sniff(path) for reader in READERS) and archives.is_archive(path):
        return _unpacked(path, format, layout, to_layout)
    files, astray = walk(path)
    if format != "auto":
        reader = next(reader for reader in READERS if reader.name == format)
        own = files if path.is_file() else tuple(file for file in files if file.suffix.lower() in reader.suffixes)
        if not own:
            raise DataError(f"no files of format {format}", file=path, got=contents(path), expected=reader.what)
        return replace(_opened(reader, Found(path, own, wish), target), told=astray)
    claims = _claims(files)
    if not claims:
        check_any_readable(path, files)
        if path.is_file():
            archives.check_whole(path)
        raise DataError(
            "no skeletons that a reader knows",
            file=path,
            got=contents(path),
            expected=_looked_for(files),
            fix="point to the folder or archive that holds the files, or name the format to see each file's fault",
        )
    (reader, suffixes, _), *rest = claims
    own = tuple(file for file in files if file.suffix in suffixes)
    others = {other.name: count for other, _, count in rest}
    return replace(_opened(reader, Found(path, own, wish), target, others), told=astray)


def _looked_for(files: Sequence[Path]) -> str:
    """What files of such names would have to be; for other names, the formats there are."""
    suffixes = {file.suffix.lower() for file in files if file.name not in _NOTES}
    near = [f"{reader.name}: {reader.what}" for reader in READERS if suffixes.intersection(reader.suffixes)]
    known = f"one of the formats {', '.join(reader.name for reader in READERS)} (docs/formats.md)"
    return f"one of: {'; '.join(near)}" if near else known


def _unpacked(path: Path, format: str, layout: str | None, to_layout: str | None) -> Source:
    """`recognise` for what an archive holds."""
    unpacked = archives.unpack(path)
    try:
        source = recognise(unpacked.folder, format, layout, to_layout)
    except DataError as error:
        got = str(error.got).replace(str(unpacked.folder), path.name)
        if unpacked.faults:
            first = f"{unpacked.faults[0].file}: {unpacked.faults[0].reason}"
            got += f"; left out of the archive: {len(unpacked.faults)}, first {first}"
        expected = error.expected if path.suffix != ".npz" else _looked_for([path])
        raise DataError(error.what, file=path, got=got, expected=expected, fix=error.fix) from error
    told = (*unpacked.faults, *source.told)
    return replace(source, path=path, told=told, unpacked=unpacked, inside=source.path)


def read(
    path: Path | str,
    format: str = "auto",
    layout: str | None = None,
    into: Path | str | None = None,
    progress: Progress | None = None,
    to_layout: str | None = None,
) -> ClipSet:
    """Read a data set; what could not be used is listed in its `faults`.

    Parameters
    ----------
    path, format, layout, to_layout : see `recognise`.
    into : stream the clips into this native folder instead of holding them in memory.
    progress : called with (clips or files done, in all).

    Raises
    ------
    DataError
        where nothing could be read at all; see `recognise`.
    """
    source = recognise(path, format, layout, to_layout)
    if source.reader.name == "native" and into is None and source.to_layout is None and source.unpacked is None:
        clips = open_set(native.folder_of(source.path))
        return clips if source.layout is None else replace(clips, layout=source.layout)
    if into is not None:
        _check_replaceable(Path(into))
    return gather(source, None if into is None else Path(into), progress)


def _claims(files: Sequence[Path]) -> list[tuple[Reader, set[str], int]]:
    """Readers that know some of the files, with the suffixes of these and their estimated number, most files first."""
    groups: dict[str, list[Path]] = {}
    for file in files:
        if file.name not in _NOTES:
            groups.setdefault(file.suffix, []).append(file)
    suffixes: dict[str, set[str]] = {}
    counts: dict[str, float] = {}
    for suffix, group in groups.items():
        looked = group[:: -(-len(group) // SNIFFED)]
        for file in looked:
            name = next((reader.name for reader in READERS if reader.sniff(file)), None)
            if name is not None:
                suffixes.setdefault(name, set()).add(suffix)
                counts[name] = counts.get(name, 0) + len(group) / len(looked)
    order = sorted((reader for reader in READERS if reader.name in counts), key=lambda reader: -counts[reader.name])
    return [(reader, suffixes[reader.name], round(counts[reader.name])) for reader in order]


def _opened(reader: Reader, found: Found, target: str | None, others: dict[str, int] | None = None) -> Source:
    if reader.name == "native" and found.path.is_dir() and not (found.path / ABOUT).is_file():
        homes = [file.parent for file in found.files if file.name == ABOUT]
        if not homes:
            got = contents(found.path)
            raise DataError("no files of format native", file=found.path, got=got, expected=reader.what)
        found = replace(found, path=homes[0])
    opened = reader.open(found)
    if found.layout is not None or target is not None:
        recorded = open_set(native.folder_of(found.path)).layout if reader.name == "native" else reader.layout
        if found.layout is not None and recorded in LAYOUTS:  # else the files say it, or the wish itself does
            check_joints(found.path, recorded, found.layout)
        if target is not None and (found.layout is not None or reader.name == "native" or recorded in LAYOUTS):
            joint_mapping(found.layout or recorded, target)  # refuses at once what no clip could be put onto
    return Source(found.path, reader, opened, found.layout, others, target)


def _check_replaceable(into: Path) -> None:
    """A native set may be overwritten; a folder of other things may not."""
    if into.exists() and not (into / ABOUT).is_file() and (into.is_file() or any(into.iterdir())):
        raise DataError("would overwrite other things", file=into, fix="choose a new or empty folder to write to")
