"""Names of clips to do without: NTU files in which no body was found, and lists of such names.

NTU RGB+D has 302 such files in its first half and 535 in all. Which ones is found here by looking at the files; lists
that others publish can be read, too.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from stgcn_lens.errors import DataError
from stgcn_lens.files import atomic

SUFFIX = ".skeleton"
BLOCK = 1 << 16  # bytes read at a time
_LONGEST = 12  # digits of a count


def without_body(path: Path | str, progress: Callable[[int, int], None] | None = None) -> list[str]:
    """Names (file stems, sorted) of the NTU files at `path` in which no frame shows a body.

    Of a file no more is read than up to its first body. Damaged files are not among the names.

    Parameters
    ----------
    path : a folder, searched with all below it, or a file.
    progress : called with (files done, files in all).

    Raises
    ------
    DataError
        where there is no `.skeleton` file.
    """
    path = Path(path)
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.suffix.lower() == SUFFIX]
    if not files:
        raise DataError("no files to look into", file=path, expected=f"{SUFFIX} files", fix="check the path")
    found = set()
    for done, file in enumerate(files, start=1):
        if _empty(file):
            found.add(file.stem)
        if progress is not None:
            progress(done, len(files))
    return sorted(found)


def _empty(file: Path) -> bool:
    """Whether a file says in each of as many frames as it promises that there are no bodies."""
    frames, met, rest = None, 0, b""
    try:
        with file.open("rb") as stream:
            while block := stream.read(BLOCK):
                counts = (rest + block).split()
                rest = counts.pop() if counts and not block[-1:].isspace() else b""
                if len(rest) > _LONGEST:
                    return False
                for count in counts:
                    if frames is None:
                        if not count.isdigit() or len(count) > _LONGEST:
                            return False
                        frames = int(count)
                    elif count.strip(b"0"):  # a body, or no number
                        return False
                    else:
                        met += 1
    except OSError:
        return False
    if rest and frames is None:
        return rest.isdigit() and int(rest) == 0
    return frames is not None and not rest.strip(b"0") and met + bool(rest) == frames


def read_names(file: Path) -> list[str]:
    """The clip names of a text file, one a line; file names of `.skeleton` files lose that suffix.

    Raises
    ------
    DataError
        if the file is not there or is no text.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise DataError("no such file", file=file, fix="check the path of the list") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read as a list of names ({error})", file=file, expected="UTF-8 text") from error
    return [name for line in lines if (name := _bare(line.strip()))]


def write_names(file: Path, names: Iterable[str]) -> None:
    """Write names, one a line, so that `read_names` reads them back."""
    with atomic(file) as path:
        path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def named(names: Iterable[str], clips: Iterable[str]) -> tuple[set[str], list[str]]:
    """The clips that a list names, and the names that are no clip's.

    A clip that a folder was put in front of, because two folders share its name, is named by its last part, too.
    """
    wanted, met, found = set(names), set(), set()
    for clip in clips:
        for name in (clip, clip.rpartition("/")[2]):
            if name in wanted:
                met.add(name)
                found.add(clip)
    return found, sorted(wanted - met)


def _bare(name: str) -> str:
    return name[: -len(SUFFIX)] if name.lower().endswith(SUFFIX) else name
