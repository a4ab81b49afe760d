"""What the model says of clips that stand in no table, edited or brought along, and which clips lie near them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from app import compute
from stgcn_lens.data.clip import Clip
from stgcn_lens.errors import RunError
from stgcn_lens.runs import Run

if TYPE_CHECKING:
    from app.sources import ClipRow, Source
    from stgcn_lens.embeddings import EmbedConfig
    from stgcn_lens.studies.one_clip import Seen

AT_ONCE = 256 << 20  # bytes of a layer's windows that are searched without being asked to (ours): half a second
DEMO_K = 5  # neighbours among the 24 clips of the demo model (ours)


@dataclass(frozen=True, eq=False)
class Company:
    """The embedded clips of a source at one layer.

    `windows` (R, D), maybe a memory map, and `offsets` (N + 1,), for `one_clip.nearest`; `rows` are the N clips.
    """

    windows: np.ndarray
    offsets: np.ndarray
    rows: tuple["ClipRow", ...]
    k: int
    distance: Any

    @property
    def large(self) -> bool:
        """Whether a search takes longer than one waits without having asked."""
        return self.windows.nbytes > AT_ONCE

    def place(self, row: "ClipRow") -> int | None:
        """Position of a clip, None if it is not among them."""
        return next((i for i, other in enumerate(self.rows) if other.number == row.number), None)


def look(
    source: "Source", key: object, clip: Callable[[], Clip], target: int | None, against: int | None = None
) -> "Seen":
    """`one_clip.look` with the source's model; `key` stands for what `clip()` gives, in all sessions."""
    return _look(str(source.model), source.stamp, repr(key), target, against, _pooling(source), clip)


@st.cache_resource(max_entries=64, show_spinner=False)
def _look(
    folder: str,
    stamp: str,
    key: str,
    target: int | None,
    against: int | None,
    pooling: str,
    _clip: Callable[[], Clip],
) -> "Seen":
    from stgcn_lens.studies import one_clip

    held, clip = compute.model(folder, stamp), _clip()
    with held.lock:
        return one_clip.look(held.loaded, clip, target, against=against, pooling=pooling)  # type: ignore[arg-type]


@st.cache_resource(max_entries=64, show_spinner=False)
def windows(folder: str, stamp: str, key: str, _source: "Source", _seen: "Seen") -> dict[str, np.ndarray]:
    """Layer -> windows (n, D) of a clip that was looked at, as the run's clips are embedded."""
    from stgcn_lens.studies import one_clip

    held = compute.model(folder, stamp)
    with held.lock:
        found = one_clip.windows(held.loaded, [_seen.sample], _how(_source))
    return {layer: only for layer, (only,) in found.items()}


def company(source: "Source", layer: str) -> Company | None:
    """The clips among which neighbours are looked for; None where none are embedded."""
    from stgcn_lens.graphs import GraphConfig
    from stgcn_lens.studies.settings import geometry

    if source.path is None:
        by_clip = _demo_windows(str(source.model), source.stamp, source)[layer]
        offsets = np.cumsum([0, *map(len, by_clip)])
        return Company(np.concatenate(by_clip), offsets, source.rows, DEMO_K, GraphConfig().distance_config())
    if source.needs("embed"):
        return None
    config = geometry(source.run).graph
    offsets = source.run.read_array(f"embeddings/{layer}/offsets.npy")
    if len(offsets) != len(source.rows) + 1:
        raise RunError(
            f"the embeddings of layer '{layer}' are of other clips",
            file=source.path,
            got=f"{len(offsets) - 1} clips",
            expected=len(source.rows),
            fix=f"run: stgcn-lens embed {source.path} --force",
        )
    return Company(
        windows=source.run.read_array(f"embeddings/{layer}/windows.npy", mmap=True),
        offsets=offsets,
        rows=source.rows,
        k=config.k,
        distance=config.distance_config(),
    )


@st.cache_resource(max_entries=256, show_spinner=False)
def nearest(
    folder: str, stamp: str, layer: str, key: str, without: int | None, _own: np.ndarray, _company: Company
) -> tuple[np.ndarray, np.ndarray]:
    """Positions and exact distances of a clip's neighbours at a layer; see `one_clip.nearest`."""
    from stgcn_lens.studies import one_clip

    c = _company
    return one_clip.nearest(_own, c.windows, c.offsets, c.k, c.distance, without=without)


@st.cache_resource(max_entries=2, show_spinner="Looking at the demo model's clips at every layer ...")
def _demo_windows(folder: str, stamp: str, _source: "Source") -> dict[str, list[np.ndarray]]:
    from stgcn_lens.data.transforms import prepare
    from stgcn_lens.embeddings import EmbedConfig
    from stgcn_lens.studies import one_clip

    held = compute.model(folder, stamp)
    loaded = held.loaded
    samples = [prepare(_source.clip(row), loaded.preprocessing, loaded.bodies) for row in _source.rows]
    with held.lock:
        return one_clip.windows(loaded, samples, EmbedConfig())


def _how(source: "Source") -> "EmbedConfig":
    """How the run's clips were cut into windows; what a run does not say is the default."""
    from stgcn_lens.embeddings import EmbedConfig
    from stgcn_lens.studies.settings import embedding

    return EmbedConfig() if source.path is None else embedding(source.run)


def _pooling(source: "Source") -> str:
    """How the run's stored maps were pooled, so that live ones agree with them."""
    stored = None if source.path is None else source.path / "saliency" / "saliency.json"
    if stored is None or not stored.is_file():
        return "clip"
    return str(Run(stored.parents[1]).read_json("saliency/saliency.json").get("pooling", "clip"))
