"""All that the pages show, read from a run or computed by its model, and cached.

The only module of the app that calls the package for data. Caches are keyed by (path, stamp of the manifest, ...):
a stage that is run again while the app is open is seen at the next click.
"""

import csv
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import streamlit as st

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.transforms import clean, fit
from stgcn_lens.errors import LensError, RunError
from stgcn_lens.explain import upsample
from stgcn_lens.runs import MANIFEST, Run

CHECKPOINT = Path(__file__).resolve().parents[1] / "checkpoints" / "demo"

_T = TypeVar("_T")


@dataclass(frozen=True)
class ClipRow:
    """One clip of a source. `number` is its row in the clip set, `position` its place among the analysed ones."""

    number: int
    position: int | None
    name: str
    label: int | None
    class_name: str
    split: str
    predicted: int | None
    confidence: float | None

    @property
    def right(self) -> bool:
        """Whether the model is right about it."""
        return self.label is not None and self.label == self.predicted


@dataclass(frozen=True, eq=False)
class Source:
    """A run, or the demo model with clips made on the spot (`path` None).

    `rows` are the clips to choose from, `listed` says which these are; `model` is the checkpoint's folder;
    `trouble` says why the clips cannot be read.
    """

    path: Path | None
    stamp: str
    classes: tuple[str, ...]
    rows: tuple[ClipRow, ...]
    listed: str
    clips: ClipSet | None
    trouble: str
    model: Path
    synthetic: bool

    @property
    def run(self) -> Run:
        """The run folder; `RunError` for the demo model, which has none."""
        if self.path is None:
            raise RunError("the demo model alone has no analysed clips", fix="make a whole run: stgcn-lens demo")
        return Run(self.path)

    def needs(self, stage: str) -> str | None:
        """The command that makes a stage, or None if it is finished."""
        if self.path is None:
            return "stgcn-lens demo"
        record = self.run.manifest().get("stages", {}).get(stage, {})
        return None if record.get("status") == "done" else f"stgcn-lens {stage} {self.path}"


@dataclass(frozen=True, eq=False)
class Explained:
    """A cleaned clip, what the model says of it, and every layer's evidence for one class.

    `maps`: layer -> (F, V, M) float32 on the clip's own frames, >= 0, not normalised.
    """

    clip: Clip
    probabilities: np.ndarray
    target: int
    maps: dict[str, np.ndarray]
    no_evidence: dict[str, bool]


@dataclass(frozen=True, eq=False)
class Graph:
    """One layer's neighbours: `indices` (positions), `distances` and NNK `weights`, all (N, k)."""

    indices: np.ndarray
    distances: np.ndarray
    weights: np.ndarray


def find_runs(root: Path) -> list[Path]:
    """Run folders in a folder, newest first."""
    if not root.is_dir():
        return []
    found = [path.parent for path in root.glob(f"*/{MANIFEST}")]
    return sorted(found, key=lambda run: (run / MANIFEST).stat().st_mtime, reverse=True)


def stamp(path: Path | None) -> str:
    """Changes whenever the manifest, or for the demo model the checkpoint, changes."""
    file = CHECKPOINT / "model.json" if path is None else path / MANIFEST
    try:
        about = file.stat()
    except OSError:
        return "none"
    return f"{about.st_mtime_ns}-{about.st_size}"


@st.cache_resource(max_entries=6, show_spinner="Opening the run ...")
def open_source(path: str, stamp: str) -> Source:
    """A run by its path, or the demo model for ""; `LensError` says what is wrong with it."""
    if not path:
        return _demo(stamp)
    run = Run.open(path)
    clips, trouble = None, ""
    try:
        elsewhere = run.manifest().get("data")
        clips = ClipSet.open(Path(elsewhere) if elsewhere else run / "data")
    except LensError as error:
        trouble = str(error)
    rows = _table(run) if (run / "clips.csv").is_file() else _untold(clips)
    if not rows:
        raise RunError(
            "no clips in this run", file=run.path, got=trouble or None, fix=f"run: stgcn-lens train --out {path}"
        )
    classes = clips.classes if clips else _classes(run)
    chosen, listed = _analysed(run, rows)
    return Source(
        path=run.path,
        stamp=stamp,
        classes=tuple(classes),
        rows=tuple(chosen),
        listed=listed,
        clips=clips,
        trouble=trouble,
        model=run.path,
        synthetic=clips is not None and clips.source == "synthetic",
    )


def _table(run: Run) -> list[ClipRow]:
    number = lambda text: int(text) if text else None  # noqa: E731
    try:
        with (run / "clips.csv").open(newline="", encoding="utf-8") as stream:
            return [
                ClipRow(
                    number=int(line["clip"]),
                    position=None,
                    name=line["name"],
                    label=number(line["label"]),
                    class_name=line["class_name"],
                    split=line["split"],
                    predicted=number(line["predicted"]),
                    confidence=float(line["confidence"]) if line["confidence"] else None,
                )
                for line in csv.DictReader(stream)
            ]
    except (KeyError, TypeError, ValueError, UnicodeDecodeError) as error:
        raise RunError(
            f"a table that cannot be read ({error})", file=run / "clips.csv", fix="run: stgcn-lens train --force"
        ) from error


def _untold(clips: ClipSet | None) -> list[ClipRow]:
    """Rows of clips of which no model has said anything yet."""
    if clips is None:
        return []
    name = lambda label: "" if label is None else clips.classes[label]  # noqa: E731
    return [ClipRow(i, None, row.name, row.label, name(row.label), "", None, None) for i, row in enumerate(clips.rows)]


def _classes(run: Run) -> tuple[str, ...]:
    return tuple(run.read_json("model.json")["classes"])


def _analysed(run: Run, rows: list[ClipRow]) -> tuple[list[ClipRow], str]:
    if (run / "embeddings/clips.npy").is_file():
        numbers = {row.number: row for row in rows}
        order = run.read_array("embeddings/clips.npy")
        chosen = [replace(numbers[int(n)], position=i) for i, n in enumerate(order) if int(n) in numbers]
        if chosen:
            return chosen, "The clips under analysis."
    test = [row for row in rows if row.split == "test"]
    return (test, "The test split.") if test else (rows, "All clips of the set.")


def _demo(stamp: str) -> Source:
    clips = _demo_set()
    rows = _untold(clips)
    if (CHECKPOINT / "model.json").is_file():
        bare = Source(None, stamp, clips.classes, tuple(rows), "", clips, "", CHECKPOINT, True)
        told = []
        for row in rows:
            probability = _predict(bare, row)
            told.append(replace(row, predicted=int(probability.argmax()), confidence=float(probability.max())))
        rows = told
    return Source(None, stamp, clips.classes, tuple(rows), "Made on the spot.", clips, "", CHECKPOINT, True)


def _demo_set() -> ClipSet:
    from stgcn_lens.data.synthetic import SyntheticConfig, synthetic_set

    return synthetic_set(SyntheticConfig(subjects=(40,), views=(1,), repetitions=1, seed=0))


@dataclass(frozen=True, eq=False)
class _Model:
    loaded: Any
    lock: threading.Lock


@st.cache_resource(max_entries=3, show_spinner="Loading the model ...")
def _model(folder: str, stamp: str) -> _Model:
    from stgcn_lens.models.checkpoints import load

    return _Model(load(Path(folder)), threading.Lock())


def layers(source: Source) -> list[str]:
    """Names in depth order, from "input" to "logits"; empty if there is neither a model nor an analysis."""
    if (source.model / "model.json").is_file() and (source.model / "model.safetensors").is_file():
        return [*_model(str(source.model), source.stamp).loaded.model.layers, "logits"]
    if source.path is not None and (source.path / "layers.json").is_file():
        return [row["layer"] for row in layer_table(str(source.path), source.stamp)]
    return ["input"] if source.path is None else []


def clip_of(source: Source, number: int) -> Clip:
    """A clip as recorded; `LensError` if the clips are not there."""
    if source.clips is None:
        raise RunError("the clips of this run cannot be read", got=source.trouble, fix="put them back where they were")
    return source.clips[number]


def explain(source: Source, row: ClipRow, target: int | None) -> Explained:
    """Every layer's evidence in a clip for a class (None: the predicted one), from one forward and backward pass."""
    return _explain(str(source.path or ""), source.stamp, row.number, target, source)


@st.cache_resource(max_entries=128, show_spinner=False)
def _explain(path: str, stamp: str, number: int, target: int | None, _source: Source) -> Explained:
    import torch

    from stgcn_lens.explain.gradcam import grad_cam

    model = _model(str(_source.model), stamp)
    loaded = model.loaded
    clip = clean(clip_of(_source, number), loaded.preprocessing)
    sample = fit(clip, loaded.preprocessing, loaded.bodies)
    classes = None if target is None else torch.tensor([target])
    with model.lock:
        result = grad_cam(loaded.model, torch.from_numpy(sample.x)[None], classes)
    maps = {}
    for layer, by_clip in result.maps.items():
        on_frames = upsample.to_frames(by_clip[0], loaded.model.strides[layer], sample.frames)
        on_clip = upsample.to_clip(on_frames, sample.source, clip.frames)
        there = np.zeros(clip.xyz.shape[1:], np.float32)
        bodies = min(clip.bodies, on_clip.shape[2])
        there[..., :bodies] = on_clip[..., :bodies]
        maps[layer] = there * clip.valid[:, None]
    logits = result.logits[0].astype(np.float64)
    odds = np.exp(logits - logits.max())
    return Explained(
        clip=clip,
        probabilities=odds / odds.sum(),
        target=int(result.target[0]),
        maps=maps,
        no_evidence={layer: bool(none[0]) or not maps[layer].any() for layer, none in result.no_evidence.items()},
    )


def _predict(source: Source, row: ClipRow) -> np.ndarray:
    import torch

    model = _model(str(source.model), source.stamp)
    clip = clean(clip_of(source, row.number), model.loaded.preprocessing)
    sample = fit(clip, model.loaded.preprocessing, model.loaded.bodies)
    with model.lock, torch.inference_mode():
        return torch.softmax(model.loaded.model(torch.from_numpy(sample.x)[None]), dim=1)[0].numpy()


def has_model(source: Source) -> bool:
    """Whether saliency can be computed."""
    return (source.model / "model.safetensors").is_file()


def shown_layer(explained: Explained, layer: str) -> str:
    """The layer whose map is shown: the chosen one, or the nearest that has a map (input and logits have none)."""
    if layer in explained.maps:
        return layer
    return next(iter(explained.maps)) if layer == "input" else list(explained.maps)[-1]


def normalised(explained: Explained, layer: str) -> tuple[np.ndarray, float]:
    """A layer's map relative to the clip's maximum in this layer, in [0, 1], and that maximum."""
    raw = explained.maps[layer]
    return upsample.normalise([raw], "clip")[0], float(raw.max(initial=0))


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
        with np.load(file, allow_pickle=False) as arrays:
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


def layout_name(source: Source) -> str:
    """The layout of a source's skeletons."""
    return source.clips.layout if source.clips is not None else str(source.run.read_json("model.json")["layout"])
