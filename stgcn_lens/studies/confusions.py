"""Confusions explained: what speaks for the wrong class in the clips of one class that were taken for another.

The map is Grad-CAM of the difference of two scores, that of the true class minus that of the predicted one: positive
where it speaks for the true class, negative where for the other. Grad-CAM is linear in the score, so this is the signed
map of the one class minus that of the other. Into ``confusions/`` of a run go ``<true>--<predicted>.json`` with what is
told, ``.npz`` with the numbers of every clip, and ``pairs.json``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from stgcn_lens.data.batches import batches
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.embeddings import open_clips, open_model, read_clips
from stgcn_lens.errors import LensError, RunError
from stgcn_lens.explain.comparison import in_parts
from stgcn_lens.explain.gradcam import Pooling, grad_cam
from stgcn_lens.models.checkpoints import Loaded
from stgcn_lens.runs import Run, plain
from stgcn_lens.studies.contrasts import GROUPS, Names, contrast, counted
from stgcn_lens.studies.naming import file_name, found
from stgcn_lens.training.metrics import confusion

FOLDER = "confusions"
Split = Literal["test", "val", "train"]


@dataclass(frozen=True)
class ConfusionsConfig:
    """How the confused clips of a pair are set beside those that were recognised."""

    split: Split = "test"
    """Whose clips: the side of the run."""
    parts: int = 10
    """Equal parts of a clip's length (ours)."""
    scale: Literal["layer", "clip"] = "layer"
    """layer: maps are divided by the mean, over these clips, of a map's summed absolute values; clip: each by its own
    sum, so that how strong a map is does not count."""
    pooling: Pooling = "clip"
    """Channel weights per clip (the authors') or per body (captum's)."""
    resamples: int = 1000
    """Bootstrap resamples of the clips (ours)."""
    permutations: int = 2000
    """Permutations of which clip was confused, for p (ours)."""
    seed: int = 0
    """Of resamples and permutations."""
    batch: int = 16
    """Clips per pass; does not change the result."""

    def __post_init__(self) -> None:
        if min(self.parts, self.batch, self.resamples, self.permutations) < 1:
            got = ", ".join(f"{n} {getattr(self, n)}" for n in ("parts", "batch", "resamples", "permutations"))
            raise LensError("impossible settings", got=got, expected="all >= 1")


@dataclass(frozen=True, eq=False)
class _Answers:
    """The labelled clips of one side: rows of clips.csv (N,), true and predicted classes (N,) int64."""

    numbers: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray

    @classmethod
    def of(cls, run: Run, split: str) -> "_Answers":
        """Those of a run; `RunError` if it has none on that side."""
        run.key("train")
        rows = [row for row in read_clips(run) if row["split"] == split and row["label"] and row["predicted"]]
        if not rows:
            raise RunError(f"no labelled clip in split '{split}'", file=run / "clips.csv", got=0, expected=">= 1")
        return cls(*(np.array([int(row[key]) for row in rows]) for key in ("clip", "label", "predicted")))

    def where(self, true: int, predicted: int) -> np.ndarray:
        """Rows of the clips of one class that were taken for another, or for itself."""
        return self.numbers[(self.labels == true) & (self.predicted == predicted)]


def confused_pairs(run: Run, split: Split = "test") -> dict[str, Any]:
    """Which class is taken for which, the most frequent first; written as ``confusions/pairs.json``, and returned.

    Raises
    ------
    RunError : the run has no finished `train`, or no labelled clip on that side.
    """
    answers, classes = _Answers.of(run, split), open_clips(run).classes
    matrix = confusion(answers.predicted, answers.labels, len(classes))
    size = matrix.sum(axis=1)
    wrong = [(int(matrix[a, b]), a, b) for a, b in np.argwhere(matrix) if a != b]
    about: dict[str, Any] = {
        "split": split,
        "clips": len(answers.labels),
        "mistaken": sum(n for n, _, _ in wrong),
        "classes": len(classes),
        "pairs": [
            {"true": classes[a], "predicted": classes[b], "n": n, "of": int(size[a]), "share": n / size[a]}
            for n, a, b in sorted(wrong, key=lambda pair: (-pair[0], pair[1], pair[2]))
        ],
        "file": f"{FOLDER}/pairs.json",
    }
    run.write_json(about["file"], about)
    result: dict[str, Any] = plain(about)
    return result


def confusions(
    run: Run,
    pair: tuple[str, str],
    config: ConfusionsConfig,
    *,
    layer: str | None = None,
    network: Loaded | None = None,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Why clips of one class were taken for another, at every layer; written to the run, and returned.

    Parameters
    ----------
    pair : the true class and the one predicted instead, by name or number.
    layer : one that the caller will look at; refused, if there is no such layer, before the work begins.
    network : the run's network where no checkpoint holds it.
    progress : called with (clips done, clips in all).

    Raises
    ------
    RunError : the run has no finished `train`, or no labelled clip on that side.
    LensError : no such class or layer, twice the same class, or no clip of the one was taken for the other.
    """
    answers, classes = _Answers.of(run, config.split), open_clips(run).classes
    true, predicted = _chosen(run, pair, classes)
    members = {
        "confused": answers.where(true, predicted),
        "true": answers.where(true, true),
        "predicted": answers.where(predicted, predicted),
    }
    if not len(members["confused"]):
        raise _never(run, config.split, classes[true], classes[predicted])
    loaded, clips = open_model(run, device, network)
    if layer is not None:
        found("layer", layer, [name for name in loaded.model.layers if name != "input"], file=run.path)
    about, arrays = explained(loaded, clips, members, (true, predicted), config, device=device, progress=progress)
    about["made_from"] = {"train": run.key("train"), "weights": loaded.hash}
    file = pair_file(classes[true], classes[predicted])
    about |= {"file": f"{file}.json", "arrays": f"{file}.npz"}
    # The JSON comes last: it vouches for the arrays.
    run.write_arrays(about["arrays"], **arrays)
    run.write_json(about["file"], about)
    result: dict[str, Any] = plain(about)
    return result


def pair_file(true: str, predicted: str) -> str:
    """Where a run keeps what explains a pair of classes, without its ending."""
    return f"{FOLDER}/{file_name(true)}--{file_name(predicted)}"


def explained(
    loaded: Loaded,
    clips: ClipSet,
    members: Mapping[str, np.ndarray],
    pair: tuple[int, int],
    config: ConfusionsConfig,
    *,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """`confusions` of any clips, written nowhere: what is told, and the numbers of every clip.

    Parameters
    ----------
    members : of each of `GROUPS`, rows of its clips in the set.
    pair : the true class and the one predicted instead, as the network numbers them.
    """
    true, predicted = pair
    numbers = np.concatenate([members[group] for group in GROUPS])
    tables, margins = _tables(loaded, clips, numbers, true, predicted, config, device, progress)
    edges = np.cumsum([len(members[group]) for group in GROUPS])[:-1]
    names = Names(loaded.classes[true], loaded.classes[predicted], tuple(loaded.layout.joints))
    arrays: dict[str, np.ndarray] = {}
    layers: list[dict[str, Any]] = []
    for name, (table, sizes) in tables.items():
        by_group = dict(zip(GROUPS, np.split(_scaled(table, sizes, config.scale), edges), strict=True))
        arrays |= {f"{name}/{group}": values.astype(np.float32) for group, values in by_group.items()}
        size_of = dict(zip(GROUPS, np.split(sizes, edges), strict=True))
        layers.append(
            {
                "layer": name,
                "stride": loaded.model.strides[name],
                "without_evidence": {group: int((size_of[group] == 0).sum()) for group in GROUPS},
                **contrast(by_group, names, name, config),
            }
        )
    of_group = dict(zip(GROUPS, np.split(margins, edges), strict=True))
    about: dict[str, Any] = {
        "true": names.true,
        "predicted": names.predicted,
        "map": "Grad-CAM of the score of the true class minus that of the predicted one, signed; > 0: for the true one",
        "config": config,
        "text": counted(names, {group: len(members[group]) for group in GROUPS}, _people(clips, members), config.split),
        "clips": {
            group: [
                {
                    "number": int(number),
                    "name": clips.rows[int(number)].name,
                    "subject": clips.rows[int(number)].subject,
                    "margin": float(margin),
                }
                for number, margin in zip(members[group], of_group[group], strict=True)
            ]
            for group in GROUPS
        },
        "layers": layers,
    }
    return about, arrays


def _tables(
    loaded: Loaded,
    clips: ClipSet,
    numbers: np.ndarray,
    true: int,
    predicted: int,
    config: ConfusionsConfig,
    device: str,
    progress: Callable[[int, int], None] | None,
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], np.ndarray]:
    """Layer -> each clip's map as joints x parts, (N, V, P), and its sum of absolute values, (N,); each clip's margin.

    The margin is the score of the true class minus that of the predicted one, (N,).
    """
    tables: dict[str, list[np.ndarray]] = {}
    sizes: dict[str, list[float]] = {}
    margins: list[float] = []
    for batch in batches(clips, numbers, loaded.preprocessing, loaded.bodies, config.batch):
        ours, other = (torch.full((len(batch.x),), c, device=device) for c in (true, predicted))
        x = torch.from_numpy(batch.x).to(device)
        cam = grad_cam(loaded.model, x, ours, against=other, signed=True, pooling=config.pooling)
        margins += (cam.logits[:, true] - cam.logits[:, predicted]).tolist()
        for layer, maps in cam.maps.items():
            for map, present, frames in zip(maps, batch.present, batch.frames, strict=True):
                table, size = in_parts(map, loaded.model.strides[layer], present[:frames], config.parts)
                tables.setdefault(layer, []).append(table)
                sizes.setdefault(layer, []).append(size)
        if progress is not None:
            progress(len(margins), len(numbers))
    return {layer: (np.stack(tables[layer]), np.array(sizes[layer])) for layer in tables}, np.array(margins)


def _scaled(table: np.ndarray, sizes: np.ndarray, scale: str) -> np.ndarray:
    """Maps (N, V, P) over their own sums of absolute values (N,), or over the mean of these; zero maps stay."""
    divisor = sizes if scale == "clip" else np.full(len(sizes), sizes.mean())
    return table / np.where(divisor > 0, divisor, 1)[:, None, None]


def _people(clips: ClipSet, members: Mapping[str, np.ndarray]) -> dict[str, int]:
    """How many people's clips each group holds, of groups in which that is known of every clip."""
    whose = {group: [clips.rows[int(number)].subject for number in numbers] for group, numbers in members.items()}
    return {group: len(set(subjects)) for group, subjects in whose.items() if subjects and None not in subjects}


def _chosen(run: Run, pair: tuple[str, str], classes: tuple[str, ...]) -> tuple[int, int]:
    """Numbers of the two classes."""
    if len(classes) < 2:
        raise LensError("the run knows one class only", file=run.path, got=repr(classes[0]), expected="at least 2")
    true, predicted = (found("class", name, classes, file=run.path, numbers=True) for name in pair)
    if true == predicted:
        raise LensError("twice the same class", got=repr(classes[true]), expected="the true and the predicted one")
    return true, predicted


def _never(run: Run, split: Split, true: str, predicted: str) -> LensError:
    """The error for a pair that was never confused, with those that were, pairs of these classes first."""
    pairs = confused_pairs(run, split)["pairs"]
    near = sorted(pairs, key=lambda p: -((p["true"] == true) + (p["predicted"] == predicted)))
    shown = [f"'{p['true']}' for '{p['predicted']}' ({p['n']})" for p in near[:5]]
    if len(near) > len(shown):
        shown.append(f"or {len(near) - len(shown)} more")
    return LensError(
        f"no clip of '{true}' was taken for '{predicted}' in split '{split}'",
        file=run.path,
        expected=f"one of {', '.join(shown)}" if shown else "a pair that was confused, but every clip is recognised",
    )
