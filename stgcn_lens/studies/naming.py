"""Names that come with the data: found among those there are, and written as file names."""

import difflib
import re
from collections.abc import Sequence

from stgcn_lens.errors import LensError
from stgcn_lens.files import fingerprint

_SHOWN = 12  # names in an error; the nearest come first
_BYTES = 80  # of a file name's part: two of them and an ending stay far below what file systems allow


def file_name(name: str) -> str:
    """A name as part of a file name: letters, digits, dot, minus and underscore, and plus signs for single spaces.

    Two different names never become the same: one that had to be changed more ends in "~" and the start of its hash. No
    result contains "--" or begins or ends with "-", so that "--" may stand between two of them.
    """
    safe = re.sub(r"-{2,}|[^\w. -]+", "_", name).strip(" .-")
    cut = safe.encode()[:_BYTES].decode(errors="ignore").rstrip(" .-")
    kept = cut == name and "  " not in name and cut != ""
    cut = re.sub(" +", "+", cut)
    return cut if kept else f"{cut or '_'}~{fingerprint(name).hexdigest()[:8]}"


def found(what: str, wanted: str, known: Sequence[str], *, file: object = None, numbers: bool = False) -> int:
    """Position of a name among the known ones, or, where numbers are allowed, of what is given by its position.

    Raises
    ------
    LensError : there is none; lists those there are, of many the most alike first.
    """
    if wanted in known:
        return list(known).index(wanted)
    if numbers and wanted.isdecimal() and int(wanted) < len(known):
        return int(wanted)
    where = None if file is None else str(file)
    raise LensError(f"no such {what}", file=where, got=repr(wanted), expected=f"one of {alike(wanted, known)}")


def alike(wanted: str, known: Sequence[str]) -> str:
    """The known names in one line: all of a few; of many those most like the wanted one, and how many more."""
    names = list(dict.fromkeys(known))
    if len(names) <= _SHOWN:
        return ", ".join(map(repr, names)) or "none"
    # What is contained ("catch" in "two hand catch") is little alike by the share of letters in common: it goes first.
    small = wanted.casefold()
    inside = [name for name in names if small and small in name.casefold()]
    near = difflib.get_close_matches(wanted, names, n=_SHOWN, cutoff=0.3)
    shown = list(dict.fromkeys([*inside, *near, *names]))[:_SHOWN]
    return f"{', '.join(map(repr, shown))} and {len(names) - len(shown)} more"
