"""What the stages wrote into a run folder, read and cached; a damaged file becomes one error in words."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import streamlit as st

from stgcn_lens.errors import LensError, RunError
from stgcn_lens.runs import Run

_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class Graph:
    """One layer's neighbours: `indices` (positions), `distances` and NNK `weights`, all (N, k)."""

    indices: np.ndarray
    distances: np.ndarray
    weights: np.ndarray


@st.cache_data(max_entries=16, show_spinner=False)
def layer_table(path: str, stamp: str) -> list[dict[str, Any]]:
    """layers.json of a run."""
    rows = Run(Path(path)).read_json("layers.json")

    def check() -> list[dict[str, Any]]:
        for row in rows:
            for measure in ("knn_label_error", "nnk_label_error", "laplacian_label_error"):
                float(row[measure]["value"])
        return list(rows)

    return _whole(check, Path(path) / "layers.json", "graph")


@st.cache_data(max_entries=64, show_spinner=False)
def graph(path: str, stamp: str, layer: str) -> Graph:
    """graphs/<layer>.npz of a run."""
    file = Path(path) / "graphs" / f"{layer}.npz"
    if not file.is_file():
        raise RunError(f"no neighbour graph of layer '{layer}'", file=file, fix=f"run: stgcn-lens graph {path}")

    def read() -> Graph:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return Graph(arrays["indices"], arrays["distances"], arrays["nnk_weights"])

    return _whole(read, file, "graph")


@st.cache_data(max_entries=64, show_spinner=False)
def class_by_joint(path: str, stamp: str, layer: str) -> np.ndarray:
    """saliency/<layer>/class_by_joint.npy: (classes, V) in [0, 1], NaN where a class has no clip."""
    return Run(Path(path)).read_array(f"saliency/{layer}/class_by_joint.npy")


def _whole(read: Callable[[], _T], file: Path, stage: str) -> _T:
    """What `read` returns; a file that is not what it should be becomes one error in words."""
    try:
        return read()
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        if isinstance(error, LensError):
            raise
        raise RunError(
            f"damaged ({type(error).__name__}: {error})",
            file=file,
            fix=f"run: stgcn-lens {stage} {file.parents[0 if file.name == 'layers.json' else 1]} --force",
        ) from error
