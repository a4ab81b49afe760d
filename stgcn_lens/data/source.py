"""What a reader is, and the loop over files that most of them share: one bad file never stops the others."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import Fault
from stgcn_lens.errors import DataError

OnFault = Callable[[Fault], None]
Progress = Callable[[int, int], None]
Parse = Callable[[Path, str, OnFault], Clip | None]

MAX_CLASSES = 10_000  # of any set (ours)
_NOTE = 1 << 20  # bytes of a text that says something about a set


@dataclass(frozen=True)
class Found:
    """What a reader is asked to open.

    Attributes
    ----------
    path : the file or folder that the user named.
    files : that file, or all files below the folder that may be of the format, sorted; damaged ones among them.
    layout : the layout that the user says the recording has (a name that `get_layout` knows), or None. Readers whose
        files do not say their joints use it; the others leave it to `Source`, which checks it.
    """

    path: Path
    files: tuple[Path, ...]
    layout: str | None = None


@dataclass(frozen=True)
class Contents:
    """An opened source: what is known before its clips are read, and the clips.

    Attributes
    ----------
    clips : (on_fault, progress) -> clips one by one; what is left out, and why, goes to `on_fault`; `progress` gets
        (done, in all). A clip may still hold coordinates that are not finite, or no body: `Source` sees to that.
    classes : the names of all classes, also of those that no clip has; empty where the format knows no labels.
    protocol : key of `splits.PROTOCOLS`.
    """

    clips: Callable[[OnFault, Progress | None], Iterator[Clip]]
    classes: tuple[str, ...] = ()
    protocol: str = "generic"


@dataclass(frozen=True)
class Reader:
    """One file format, as plain facts.

    Attributes
    ----------
    name : what `--format` calls it.
    what : what its files look like, in words; printed where no reader fits.
    layout : the layout of its clips, in words where that depends on the file.
    suffixes : of its files, lower case; only to find files when the format is named, never to tell it.
    sniff : whether one file holds this format, by its content; reads little of it and never raises.
    open : makes `Contents` of files; `DataError` where not even that much can be read.
    """

    name: str
    what: str
    layout: str
    suffixes: tuple[str, ...]
    sniff: Callable[[Path], bool]
    open: Callable[[Found], Contents]


def names(path: Path, files: Sequence[Path]) -> list[tuple[Path, str]]:
    """Each file with a clip name of its own: its stem or, where two folders share stems, its path below `path`."""
    stems: dict[str, int] = {}
    for file in files:
        stems[file.stem] = stems.get(file.stem, 0) + 1
    below = lambda file: file.relative_to(path).with_suffix("").as_posix()  # noqa: E731
    return [(file, file.stem if stems[file.stem] == 1 else below(file)) for file in files]


def each(
    files: Sequence[tuple[Path, str]], parse: Parse, on_fault: OnFault, progress: Progress | None = None
) -> Iterator[Clip]:
    """Parse files one by one; a file that raises becomes a fault, and the next one is read."""
    for done, (file, name) in enumerate(files, start=1):
        shown = f"{name}{file.suffix}"

        def tell(fault: Fault, shown: str = shown) -> None:
            on_fault(replace(fault, file=shown))

        try:
            clip = parse(file, name, tell)
            if clip is not None:
                yield clip.replace(file=shown)
        except DataError as error:
            tell(Fault(shown, reason(error)))
        except (OSError, MemoryError) as error:
            tell(Fault(shown, f"cannot be read ({error})"))
        if progress is not None:
            progress(done, len(files))


def reason(error: DataError) -> str:
    """The error's line without the file, which a fault names beside it."""
    return str(DataError(error.what, frame=error.frame, got=error.got, expected=error.expected, fix=error.fix))


def class_names(path: Path) -> list[str] | None:
    """The lines of a classes.txt beside the files or up to two folders above them; None if there is none."""
    folder = (path if path.is_dir() else path.parent).resolve()
    for place in (folder, *folder.parents[:2]):
        lines = note(place / "classes.txt")
        if lines is not None:
            return lines
    return None


def note(file: Path) -> list[str] | None:
    """The lines that are not blank of a short text beside a set; None if there is no such file.

    Raises
    ------
    DataError
        where it may not be read, or is far too long.
    """
    if not file.is_file():
        return None
    try:
        with file.open("rb") as stream:
            raw = stream.read(_NOTE + 1)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", file=file, fix="mend or remove it") from error
    if len(raw) > _NOTE:
        got, expected = f"over {_NOTE} bytes", "a few lines of text"
        raise DataError(f"too long for a {file.name}", file=file, got=got, expected=expected, fix="mend or remove it")
    lines = (line.strip() for line in raw.decode("utf-8-sig", errors="replace").splitlines())
    return [line for line in lines if line]


def numbered(labels: Sequence[int], most: int, name: str) -> list[str]:
    """Names for the classes of a set without classes.txt: up to its highest label below `most`."""
    highest = max((label for label in labels if 0 <= label < most), default=-1)
    return [name.format(label + 1) for label in range(highest + 1)]
