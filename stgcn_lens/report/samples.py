"""The few clips a report looks at closely: which they are, how they move, and who their neighbours are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.transforms import clean, fit
from stgcn_lens.errors import RunError
from stgcn_lens.explain.upsample import normalise, to_clip, to_frames
from stgcn_lens.report import results
from stgcn_lens.runs import Run
from stgcn_lens.viz import player

SCOPE = "scale: per clip and layer"
_YAW = 0.35  # the angle at which the player opens, so that film strip and player look alike


@dataclass(frozen=True)
class Choice:
    """A clip to show: its line of clips.csv, its position in the analysis (None: not analysed), and the reason."""

    row: dict[str, Any]
    position: int | None
    why: str

    @property
    def correct(self) -> bool:
        """Whether the network recognised it."""
        return bool(self.row["predicted"] == self.row["label"])


@dataclass(frozen=True, eq=False)
class Moving:
    """A chosen clip ready for the player and the film strip.

    Attributes
    ----------
    panel : the player's data with the saliency of the last layer.
    layers : layer -> the entries of `panel` that differ for it.
    points, valid : (F, V, 2, M) across and up, and (F, M), of the key frames.
    saliency : (F, V, M) in [0, 1] of the last layer in the key frames, or None.
    seconds : F times of the key frames.
    silent : layers without positive evidence for this clip.
    """

    panel: dict[str, Any]
    layers: dict[str, dict[str, Any]]
    points: np.ndarray
    valid: np.ndarray
    saliency: np.ndarray | None
    seconds: list[float]
    silent: list[str]


def choose(rows: Sequence[dict[str, Any]], analysed: np.ndarray | None, count: int) -> list[Choice]:
    """`count` clips to look at: recognised ones of classes spread over the list, then the surest mistake.

    Of each class it is the clip of median confidence, so that the choice flatters nobody. Without an analysis
    the clips come from the test split, without a test split from all.
    """
    tested = [i for i, row in enumerate(rows) if row["split"] == "test"] or list(range(len(rows)))
    pool: list[tuple[int | None, dict[str, Any]]]
    if analysed is None:
        pool = [(None, rows[i]) for i in tested]
    else:
        pool = [(position, rows[int(i)]) for position, i in enumerate(analysed)]
    pool = [(position, row) for position, row in pool if row["label"] is not None and row["predicted"] is not None]
    wrong = [item for item in pool if item[1]["predicted"] != item[1]["label"]]
    right: dict[int, list[tuple[int | None, dict[str, Any]]]] = {}
    for item in pool:
        if item[1]["predicted"] == item[1]["label"]:
            right.setdefault(item[1]["label"], []).append(item)
    labels = sorted(right)
    wanted = min(len(labels), count - bool(wrong))
    spread = [labels[i] for i in np.linspace(0, len(labels) - 1, wanted).round().astype(int)] if wanted > 0 else []
    chosen = []
    for label in spread:
        ordered = sorted(right[label], key=lambda item: (item[1]["confidence"], item[1]["name"]))
        position, row = ordered[len(ordered) // 2]
        chosen.append(Choice(row, position, "recognised; of median confidence in its class"))
    if wrong and count > 0:
        position, row = max(wrong, key=lambda item: (item[1]["confidence"], item[1]["name"]))
        chosen.append(Choice(row, position, "mistaken, and the surest mistake"))
    return chosen


def describe(run: Run, rows: Sequence[dict[str, Any]], choice: Choice, gathered: results.Results, most: int) -> dict:
    """What the report prints about a chosen clip, with up to `most` neighbours at input, middle and last block."""
    classes, row = gathered["model"]["classes"], choice.row
    about = {
        **{key: row[key] for key in ("name", "frames", "bodies", "confidence")},
        "true": classes[row["label"]],
        "predicted": classes[row["predicted"]],
        "correct": choice.correct,
        "why": choice.why,
        "neighbours": [],
    }
    if choice.position is not None and gathered["layers"]:
        members = [rows[int(i)] for i in run.read_array("embeddings/clips.npy")]
        for layer in shown_layers([entry["layer"] for entry in gathered["layers"]]):
            about["neighbours"].append(_neighbours(run, members, choice.position, layer, most))
    return about


def shown_layers(names: Sequence[str]) -> list[str]:
    """The input, the block in the middle and the last block, as far as they are there."""
    blocks = [name for name in names if name.startswith("block_")]
    chosen = ["input"] if "input" in names else []
    return chosen + list(dict.fromkeys([blocks[(len(blocks) - 1) // 2], blocks[-1]] if blocks else []))


def move(run: Run, clip: Clip, choice: Choice, gathered: results.Results, *, key_frames: int) -> Moving:
    """The clip as the network saw it (cleaned, at its own frame rate) with the saliency of every layer.

    Raises
    ------
    DataError, RunError : the clip cannot be cleaned; its saliency does not fit it.
    """
    prep = results.preprocessing(run.read_json("model.json"))
    cleaned = clean(clip, prep)
    sample = fit(cleaned, prep, gathered["model"]["bodies"])
    maps: dict[str, np.ndarray] = {}
    explained = gathered["saliency"]["layers"] if gathered["saliency"] else []
    for layer in explained:
        if choice.position is None:
            break
        rows = _rows_of(run, layer["layer"], choice.position)
        on_clip = to_clip(to_frames(rows, layer["stride"], sample.frames), sample.source, cleaned.frames)
        slots = np.zeros((*on_clip.shape[:2], cleaned.bodies), np.float32)
        m = min(cleaned.bodies, on_clip.shape[2])
        slots[..., :m] = np.maximum(on_clip[..., :m], 0)  # of signed maps, the part that speaks for the class
        maps[layer["layer"]] = normalise([slots])[0]
    panels = {layer: _panel(cleaned, map, choice, layer) for layer, map in maps.items()}
    last = list(maps)[-1] if maps else None
    panel = panels[last] if last else _panel(cleaned, None, choice, None)
    seen = np.flatnonzero(cleaned.valid.any(axis=1))
    at = seen[np.linspace(0, len(seen) - 1, key_frames).round().astype(int)]
    return Moving(
        panel=panel,
        layers={name: {key: other[key] for key in ("saliency", "note", "key")} for name, other in panels.items()},
        points=_flat(cleaned, panel["yaw"] + _YAW)[at],
        valid=cleaned.valid[at],
        saliency=maps[last][at] if last else None,
        seconds=[float(t) / cleaned.fps for t in at],
        silent=[layer for layer, map in maps.items() if not map.any()],
    )


def _panel(clip: Clip, map: np.ndarray | None, choice: Choice, layer: str | None) -> dict[str, Any]:
    silent = map is not None and not map.any()
    return player.payload(
        clip.xyz,
        clip.valid,
        clip.skeleton,
        saliency=map,
        evidence=clip.evidence,
        fps=clip.fps,
        name=clip.name,
        note=f"no positive evidence in {layer}" if silent else "",
    )


def _rows_of(run: Run, layer: str, position: int) -> np.ndarray:
    offsets = run.read_array(f"saliency/{layer}/offsets.npy")
    maps = run.read_array(f"saliency/{layer}/maps.npy", mmap=True)
    if position + 1 >= len(offsets) or offsets[-1] != len(maps):
        raise RunError(
            "saliency maps and their offsets disagree",
            file=run / f"saliency/{layer}",
            got=f"{len(maps)} rows, {len(offsets) - 1} clips ending at {offsets[-1]}",
            expected=f"a clip at position {position}",
            fix=f"run: stgcn-lens explain {run.path} --force",
        )
    return np.asarray(maps[offsets[position] : offsets[position + 1]])


def _neighbours(run: Run, members: list[dict[str, Any]], position: int, layer: str, most: int) -> dict[str, Any]:
    path = run / f"graphs/{layer}.npz"
    try:
        with np.load(path, allow_pickle=False) as graph:
            columns = [graph[name][position] for name in ("indices", "distances", "nnk_weights")]
    except (OSError, ValueError, KeyError, IndexError) as error:
        fix = f"run: stgcn-lens graph {run.path} --force"
        raise RunError(f"not a graph of this run ({error})", file=path, fix=fix) from error
    label, total = members[position]["label"], float(columns[2].sum())
    found = [
        {
            "name": members[int(i)]["name"],
            "class_name": members[int(i)]["class_name"],
            "same": members[int(i)]["label"] == label,
            "distance": float(distance),
            "weight": float(weight),
            "share": float(weight) / total if weight > 0 else None,
        }
        for i, distance, weight in zip(*columns, strict=True)
        if i >= 0
    ]
    found.sort(key=lambda item: (-item["weight"], item["distance"], item["name"]))
    return {
        "layer": layer,
        "k": len(found),
        "same": sum(item["same"] for item in found),
        "chosen": sum(item["weight"] > 0 for item in found),
        "list": found[:most],
    }


def _flat(clip: Clip, yaw: float) -> np.ndarray:
    """(T, V, 2, M): across and up, seen from where the player's camera stands."""
    layout, d = clip.skeleton, clip.skeleton.dims
    sign, axis = (-1.0 if layout.up[0] == "-" else 1.0), "xyz".index(layout.up[1])
    across = clip.xyz[0]
    if d == 3:
        across = -(clip.xyz[(axis + 2) % 3] * np.cos(yaw) + sign * clip.xyz[(axis + 1) % 3] * np.sin(yaw))
    return np.stack([across, sign * clip.xyz[axis]], axis=2).astype(np.float64)
