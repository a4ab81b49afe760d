"""Maps of many clips by one method, streamed into a folder, with the tables and the scores that are made of them.

The folder holds ``<layer>/maps.npy`` (total rows, V, M) float32 and ``<layer>/offsets.npy`` (N + 1,): clip i owns the
rows ``offsets[i]:offsets[i + 1]``; unsigned maps also ``<layer>/class_by_joint.npy``, ``class_by_part.npy`` and
``aggregates.json``; where clips carry planted evidence ``localisation.json``.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stgcn_lens.arrays import NpyWriter, read_rows
from stgcn_lens.data.batches import Batch, batches
from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.rows import present_rows, rows
from stgcn_lens.data.transforms import Sample, clean, fit
from stgcn_lens.errors import WorkError
from stgcn_lens.explain import Explainer
from stgcn_lens.explain.aggregates import by_part, summary
from stgcn_lens.explain.cells import Cells, cells_of
from stgcn_lens.explain.evaluate import LocalisationConfig, class_by_joint, localise
from stgcn_lens.explain.explanation import Explanation
from stgcn_lens.explain.upsample import to_clip, to_frames
from stgcn_lens.models.checkpoints import Loaded
from stgcn_lens.runs import plain

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Request:
    """What is asked of a method.

    Attributes
    ----------
    row : of `EXPLAINERS`. `layers`: names of its maps. `keywords`: its own, and `signed`.
    of, against : (N,) int64, the classes explained and those that they are held against; None: predicted, none.
    """

    row: Explainer
    layers: tuple[str, ...]
    keywords: Mapping[str, Any]
    of: np.ndarray | None = None
    against: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Written:
    """What the maps were made for, and what they show.

    `targets` (N,): the classes explained; `seen`: each clip's presence (real frames, M); `reasons`: layer -> for each
    clip why it has no evidence there, "" where it has.
    """

    targets: np.ndarray
    seen: list[np.ndarray]
    reasons: dict[str, list[str]]


def write(
    folder: Path,
    loaded: Loaded,
    clips: ClipSet,
    chosen: np.ndarray,
    request: Request,
    *,
    batch: int,
    device: str,
    progress: Progress | None,
) -> Written:
    """Valid rows of all maps, clip after clip, zero where nobody is; one batch is in memory at a time."""
    model, layers = loaded.model, request.layers
    offsets: dict[str, list[int]] = {name: [0] for name in layers}
    reasons: dict[str, list[str]] = {name: [] for name in layers}
    targets: list[int] = []
    seen: list[np.ndarray] = []
    with ExitStack() as writers:
        files = {
            name: writers.enter_context(
                closing(NpyWriter(folder / name / "maps.npy", np.float32, (loaded.layout.V, loaded.bodies)))
            )
            for name in layers
        }
        for some in batches(clips, chosen, loaded.preprocessing, loaded.bodies, batch):
            here = slice(len(targets), len(targets) + len(some.x))
            found = _explained(request, some, loaded, here, device)
            targets += found.target.tolist()
            seen += [there[:frames] for there, frames in zip(some.present, some.frames, strict=True)]
            for name in layers:
                for map, frames in zip(found.maps[name], some.frames, strict=True):
                    files[name].append(map[: rows(int(frames), model.strides[name])])
                    offsets[name].append(files[name].rows)
                reasons[name] += found.reasons[name]
            if progress is not None:
                progress(len(targets), len(chosen))
    for name in layers:
        np.save(folder / name / "offsets.npy", np.array(offsets[name], dtype=np.int64))
    return Written(np.array(targets, dtype=np.int64), seen, reasons)


def write_tables(folder: Path, loaded: Loaded, written: Written) -> None:
    """class_by_joint.npy and class_by_part.npy of each layer, and aggregates.json; a map counts under its class."""
    layout, found = loaded.layout, []
    for name, reasons in written.reasons.items():
        there = (present_rows(present, loaded.model.strides[name]) for present in written.seen)
        table = class_by_joint(read_maps(folder, name), written.targets, len(loaded.classes), there)
        np.save(folder / name / "class_by_joint.npy", table)
        np.save(folder / name / "class_by_part.npy", by_part(table, layout))
        found.append({"layer": name, **summary(table, written.targets, reasons, loaded.classes, layout)})
    (folder / "aggregates.json").write_text(json.dumps(plain(found), indent=1))


def write_localisation(
    folder: Path,
    loaded: Loaded,
    clips: ClipSet,
    chosen: np.ndarray,
    layers: Sequence[str],
    config: LocalisationConfig,
) -> None:
    """Scores of every layer's maps against the planted evidence, on the frames of the cleaned clips."""
    prep = loaded.preprocessing

    def cleaned() -> Iterator[Clip]:
        return (clean(clips[int(i)], prep) for i in chosen)

    def on_clips() -> Iterator[dict[str, np.ndarray]]:
        streams = {name: read_maps(folder, name) for name in layers}
        for clip in cleaned():
            sample = fit(clip, prep, loaded.bodies)
            yield {
                name: to_clip(
                    to_frames(next(streams[name]), loaded.model.strides[name], sample.frames),
                    sample.source,
                    clip.frames,
                )
                for name in layers
            }

    scores = [plain(score) for score in localise(cleaned(), on_clips(), config)]
    (folder / "localisation.json").write_text(json.dumps(scores, indent=1))


def read_maps(folder: Path, layer: str) -> Iterator[np.ndarray]:
    """Maps of a layer, clip by clip, (valid rows, V, M), read one at a time."""
    maps = np.load(folder / layer / "maps.npy", mmap_mode="r", allow_pickle=False)
    offsets = np.load(folder / layer / "offsets.npy", allow_pickle=False)
    return (read_rows(maps, int(a), int(b)) for a, b in pairwise(offsets))


def _explained(request: Request, batch: Batch, loaded: Loaded, here: slice, device: str) -> Explanation:
    """The answer for one batch, which is `here` among all clips.

    Raises
    ------
    WorkError : the batch does not fit into the GPU's memory.
    """
    of, against = (None if side is None else torch.from_numpy(side[here]) for side in (request.of, request.against))
    layers = {"layers": list(request.layers)} if request.row.per_layer else {}
    try:
        found: Explanation = request.row.function(
            loaded.model,
            torch.from_numpy(batch.x).to(device),
            of,
            against=against,
            cells=cells_in(batch, loaded),
            **layers,
            **request.keywords,
        )
    except torch.OutOfMemoryError as error:
        fix = f"explain with --batch {max(1, len(batch.x) // 2)}"
        raise WorkError("the GPU's memory does not hold a batch", got=f"{len(batch.x)} clips", fix=fix) from error
    return found


def cells_in(batch: Batch, loaded: Loaded) -> list[Cells]:
    """What of each clip is real."""
    prep = loaded.preprocessing
    samples = (
        Sample(x, present, int(frames), np.arange(int(frames), dtype=np.float64))
        for x, present, frames in zip(batch.x, batch.present, batch.frames, strict=True)
    )
    return [cells_of(sample, loaded.layout, prep.stream, replayed=prep.fit == "replay") for sample in samples]
