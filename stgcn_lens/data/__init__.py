"""Clips: reading them, cleaning them, splitting them; everything before a model, without torch."""

from importlib import import_module
from typing import Any

_HOME = {
    "Clip": "clip",
    "ClipSet": "dataset",
    "Fault": "dataset",
    "Preprocessing": "transforms",
    "Sample": "transforms",
    "clean": "transforms",
    "fit": "transforms",
    "prepare": "transforms",
    "split": "splits",
    "inspect": "info",
    "read": "readers",
    "READERS": "readers",
}
_SUBMODULES = (
    *("bodies", "clip", "dataset", "gaps", "info", "missing", "protocols", "readers", "sides", "splits", "streams"),
    *("synthetic", "transforms", "validation"),
)
__all__ = [*_HOME, *_SUBMODULES]


def __getattr__(name: str) -> Any:
    # Parts load on first use (PEP 562), so that opening a native set does not import scipy.
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
