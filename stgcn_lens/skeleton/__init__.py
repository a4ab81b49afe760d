"""Skeleton layouts: which joints there are, which bones join them, and how one layout is read as another."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stgcn_lens.errors import DataError
from stgcn_lens.skeleton.layout import Layout, check, definition, from_definition, named
from stgcn_lens.skeleton.layouts import LAYOUTS

__all__ = ["LAYOUTS", "Layout", "check", "find_layout", "from_record", "get_layout", "own", "to_record"]

# Layouts of one's own that this process has met. Their names carry a hash of their content, so none replaces another.
_OWN: dict[str, Layout] = {}


def get_layout(name: str) -> Layout:
    """The layout of that name; `DataError` lists the names there are."""
    found = LAYOUTS.get(name) or _OWN.get(name)
    if found is None:
        raise DataError(
            "unknown layout",
            got=repr(name),
            expected=f"one of {', '.join([*LAYOUTS, *_OWN])}, or a .toml file that describes one",
        )
    return found


def find_layout(wish: str) -> Layout:
    """What a user means by `--layout`: a name of `LAYOUTS`, or the path of a TOML file (see docs/layouts.md)."""
    if wish.lower().endswith(".toml"):
        from stgcn_lens.skeleton.custom import load

        return own(load(Path(wish)))
    return get_layout(wish)


def own(layout: Layout) -> Layout:
    """Make a layout known to this process under its content's name, and return it so named."""
    layout = named(check(layout))
    return _OWN.setdefault(layout.name, layout)


def to_record(layout: Layout) -> dict[str, Any]:
    """What a file keeps of a layout: its name and, of one that does not come with the package, all it says."""
    if layout.name in LAYOUTS:
        return {"layout": layout.name}
    return {"layout": layout.name, "skeleton": definition(layout)}


def from_record(about: Mapping[str, Any], *, file: object = None) -> Layout:
    """The layout that `to_record` wrote down; from then on `get_layout` knows it.

    Raises
    ------
    DataError
        for an unknown name, or a description that does not fit its name.
    """
    if "skeleton" not in about:
        return get_layout(about["layout"])
    layout = own(from_definition(about["skeleton"], file=file))
    if layout.name != about["layout"]:
        raise DataError(
            "the layout does not fit its name", file=str(file), got=about["layout"], expected=layout.name, fix="restore"
        )
    return layout
