"""What a reader is, and the loop over files that all of them share: one bad file never stops the others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from stgcn_lens.data.clip import Clip, check
from stgcn_lens.data.dataset import Fault
from stgcn_lens.errors import DataError

OnFault = Callable[[Fault], None]
Progress = Callable[[int, int], None]
Parse = Callable[[Path, str, OnFault], Clip | None]

SNIFFED = 32  # files looked into before a folder is held to be of another format


@dataclass(frozen=True)
class Reader:
    """One file format, as plain facts.

    Attributes
    ----------
    name : what `--format` calls it.
    what : what its files look like, in words; printed where no reader fits.
    layout : key of `LAYOUTS`; of a native folder "as stored".
    sniff : whether a file or folder holds this format, by content.
    read : (path, on_fault, progress) -> clips, one by one; what is left out is told to `on_fault`.
    classes : path -> the names of all classes, also of those that no clip has.
    protocol : path -> key of `splits.PROTOCOLS`.
    """

    name: str
    what: str
    layout: str
    sniff: Callable[[Path], bool]
    read: Callable[[Path, OnFault, Progress | None], Iterator[Clip]]
    classes: Callable[[Path], list[str]]
    protocol: Callable[[Path], str]


def listing(path: Path, wanted: Callable[[Path], bool]) -> list[tuple[Path, str]]:
    """The wanted files under a folder (or the one file) in sorted order, each with a name unique among them.

    The name is the file's stem; where two folders hold files of the same stem, the path below `path`.
    """
    if path.is_file():
        return [(path, path.stem)]
    files = sorted(file for file in path.rglob("*") if wanted(file) and not file.name.startswith("."))
    stems: dict[str, int] = {}
    for file in files:
        stems[file.stem] = stems.get(file.stem, 0) + 1
    below = lambda file: file.relative_to(path).with_suffix("").as_posix()  # noqa: E731
    return [(file, file.stem if stems[file.stem] == 1 else below(file)) for file in files]


def each(
    files: list[tuple[Path, str]], parse: Parse, on_fault: OnFault, progress: Progress | None = None
) -> Iterator[Clip]:
    """Parse files one by one; a file that raises becomes a fault, and the next one is read."""
    for done, (file, name) in enumerate(files, start=1):
        shown = f"{name}{file.suffix}"

        def tell(fault: Fault, shown: str = shown) -> None:
            on_fault(replace(fault, file=shown))

        try:
            clip = parse(file, name, tell)
            if clip is not None:
                yield check(clip, file=shown)
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
        file = place / "classes.txt"
        if file.is_file():
            names = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
            return [name for name in names if name]
    return None


def numbered(labels: list[int], most: int, name: str) -> list[str]:
    """Names for the classes of a set without classes.txt: up to the highest label that the format knows."""
    highest = max((label for label in labels if 0 <= label < most), default=-1)
    return [name.format(label + 1) for label in range(highest + 1)]
