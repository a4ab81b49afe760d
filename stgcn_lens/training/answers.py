"""What a network says of clips: logits of one view of each, or the mean over several."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from stgcn_lens.arrays import read_rows
from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.transforms import Preprocessing, at, clean, fit

Progress = Callable[[int, int], None]


def predict(
    model: torch.nn.Module, x: np.ndarray, *, device: str, batch: int, progress: Progress | None = None
) -> np.ndarray:
    """Logits (N, classes) float32 of prepared clips (N, C, T, V, M), in eval mode."""
    parts = (read_rows(x, begin, min(begin + batch, len(x))) for begin in range(0, len(x), batch))
    return np.concatenate(list(_answers(model, parts, device, len(x), progress)))


def predict_views(
    model: torch.nn.Module,
    clips: ClipSet,
    rows: Sequence[int] | np.ndarray,
    prep: Preprocessing,
    bodies: int,
    views: int,
    *,
    device: str,
    batch: int,
    progress: Progress | None = None,
) -> np.ndarray:
    """Logits (rows, classes) of the chosen clips of a set, averaged over that many views of each."""
    held = max(1, batch // views)
    parts = (
        np.stack([each for i in rows[begin : begin + held] for each in seen(clips[int(i)], prep, bodies, views)])
        for begin in range(0, len(rows), held)
    )
    every = list(_answers(model, parts, device, len(rows) * views, progress))
    return np.concatenate(every).reshape(len(rows), views, -1).mean(axis=1)


def seen(clip: Clip, prep: Preprocessing, bodies: int, views: int) -> list[np.ndarray]:
    """Views of a clip, each (C, T, V, M), evenly spread in time; a single one is what `prepare` makes.

    `resample` shifts its T frames by parts of the distance between two of them, `crop` moves along the clip, and
    `replay` does so or starts at other frames of a clip that is repeated. A clip that fits into a crop has one view.
    """
    cleaned = clean(clip, prep)
    made = []
    for number in range(views):
        positions, turn = _place(cleaned.frames, prep, number, views)
        xyz, valid = at(cleaned, positions)
        x = fit(cleaned.replace(xyz=xyz, valid=valid, evidence=None), prep, bodies).x
        made.append(np.ascontiguousarray(x[:, (np.arange(prep.frames) + turn) % len(positions)]) if turn else x)
    return made


def _place(frames: int, prep: Preprocessing, number: int, views: int) -> tuple[np.ndarray, int]:
    """The frames that a view shows, as positions in the clip, and which of them comes first."""
    t = prep.frames
    if prep.fit == "resample":
        even = np.linspace(0, frames - 1, t)
        step = (frames - 1) / max(t - 1, 1)
        return np.clip(even + ((number + 0.5) / views - 0.5) * step, 0, frames - 1), 0
    if frames > t:
        begin = (frames - t) // 2 if views == 1 else round(number * (frames - t) / (views - 1))
        return begin + np.arange(t, dtype=np.float64), 0
    return np.arange(frames, dtype=np.float64), number * frames // views if prep.fit == "replay" else 0


def _answers(
    model: torch.nn.Module, parts: Iterator[np.ndarray], device: str, count: int, progress: Progress | None
) -> Iterator[np.ndarray]:
    """Logits of each part, in eval mode; the model is left as it was."""
    was, done = model.training, 0
    model.eval()
    with torch.inference_mode():
        for part in parts:
            yield model(torch.from_numpy(np.array(part)).to(device)).float().cpu().numpy()
            done += len(part)
            if progress is not None:
                progress(done, count)
    model.train(was)
