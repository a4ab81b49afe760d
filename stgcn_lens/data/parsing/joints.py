"""Which layout a file means that says no more than how many joints a body has and how many coordinates a joint."""

from pathlib import Path

from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import LAYOUTS, get_layout


def guess(joints: int, dims: int | None, wish: str | None, file: Path | str | None) -> str:
    """The layout that was asked for, if it fits, else the first of `LAYOUTS` with so many joints and dimensions.

    Parameters
    ----------
    joints : of one body in the file, V.
    dims : 2 for x and y (with or without a score), 3 for x, y, z; None where the file leaves that open too.
    wish : what the user says the recording has (a name that `get_layout` knows), or None.
    file : what an error names.

    Returns
    -------
    str
        A name that `get_layout` knows.

    Raises
    ------
    DataError
        where the wish has other joints or dimensions than the file, or no layout fits; it lists those there are.
    """
    got = _words(joints, dims)
    if wish is not None:
        layout = get_layout(wish)
        if joints != layout.V or dims not in (None, layout.dims):
            raise DataError(
                f"layout '{wish}' does not fit",
                file=file,
                got=got,
                expected=_words(layout.V, layout.dims),
                fix="leave the layout out, or choose the one that the data were recorded with",
            )
        return wish
    fitting = [layout.name for layout in LAYOUTS.values() if joints == layout.V and dims in (None, layout.dims)]
    if not fitting:
        known = ", ".join(f"{_words(layout.V, layout.dims)} ({name})" for name, layout in LAYOUTS.items())
        flat = [layout.name for layout in LAYOUTS.values() if joints == layout.V and layout.dims == 2 and dims == 3]
        score = f"if the third number of a joint is a score, name it with --layout {flat[0]}; else " if flat else ""
        raise DataError(
            "the joints fit no known layout",
            file=file,
            got=got,
            expected=known,
            fix=f"{score}describe the joints in a TOML file and name it with --layout FILE.toml",
        )
    return fitting[0]


def _words(joints: int, dims: int | None) -> str:
    return f"{joints} joints" if dims is None else f"{joints} joints in {dims}-D"
