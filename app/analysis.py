"""What the stages wrote into a run folder, read and cached; a damaged file becomes one error in words."""

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import streamlit as st

from stgcn_lens.arrays import open_npy, read_rows
from stgcn_lens.errors import RunError
from stgcn_lens.explain.groups import mean_map
from stgcn_lens.projection import PROJECTIONS
from stgcn_lens.projection.means import mean_windows, sample
from stgcn_lens.projection.plane import Plane
from stgcn_lens.runs import MANIFEST, Run

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


@st.cache_resource(max_entries=2, show_spinner="Reading the clips of this layer ...")
def _features(path: str, stamp: str, layer: str) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the clips that are laid out, and their features (P, D)."""
    folder = Path(path) / "embeddings" / layer

    def read() -> tuple[np.ndarray, np.ndarray]:
        windows, offsets = open_npy(folder / "windows.npy"), open_npy(folder / "offsets.npy")
        chosen = sample(len(offsets) - 1)
        return chosen, mean_windows(windows, np.asarray(offsets), chosen)

    return _whole(read, folder / "windows.npy", "embed")


@st.cache_data(max_entries=64, show_spinner=False)
def plane(path: str, stamp: str, layer: str, projection: str) -> tuple[np.ndarray, Plane]:
    """Positions of the clips of a layer that are laid out, and their points, by a row of `PROJECTIONS`."""
    chosen, features = _features(path, stamp, layer)
    return chosen, PROJECTIONS[projection].function(features, 0)


@st.cache_data(max_entries=32, show_spinner=False)
def group_map(path: str, stamp: str, layer: str, positions: tuple[int, ...]) -> np.ndarray:
    """Mean map of some clips from what `explain` stored at a layer, (bins, V), see `explain.groups.mean_map`."""
    folder = Path(path) / "saliency" / layer

    def read() -> np.ndarray:
        maps, offsets = open_npy(folder / "maps.npy"), open_npy(folder / "offsets.npy")
        return mean_map(read_rows(maps, int(offsets[i]), int(offsets[i + 1])) for i in positions)

    return _whole(read, folder / "maps.npy", "explain")


def study(path: Path | None, name: str) -> dict[str, Any] | None:
    """RUN/studies/<name>.json; None where the study has not been made."""
    file = None if path is None else path / "studies" / f"{name}.json"
    if file is None or not file.is_file():
        return None
    about = file.stat()
    return _study(str(file), f"{about.st_mtime_ns}-{about.st_size}")


@st.cache_data(max_entries=16, show_spinner=False)
def _study(file: str, stamp: str) -> dict[str, Any]:
    path = Path(file)

    def read() -> dict[str, Any]:
        about = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(about, dict):
            raise TypeError("not a table of results")
        return about

    return _whole(read, path, f"study {path.stem}")


def _whole(read: Callable[[], _T], file: Path, stage: str) -> _T:
    """What `read` returns; a file that is not what it should be becomes one error in words."""
    try:
        return read()
    except (OSError, IndexError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        if isinstance(error, RunError):
            raise
        deep = next((i for i, folder in enumerate(file.parents) if (folder / MANIFEST).is_file()), 0)
        raise RunError(
            f"damaged ({type(error).__name__}: {error})",
            file=file,
            fix=f"run: stgcn-lens {stage} {file.parents[deep]} --force",
        ) from error
