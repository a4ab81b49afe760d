"""What every method of `EXPLAINERS` is asked and what it answers: a score, and maps that say what speaks for it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from stgcn_lens.activations import evaluating
from stgcn_lens.data.rows import present_rows, rows
from stgcn_lens.errors import LensError
from stgcn_lens.explain.cells import Cells, Fill

if TYPE_CHECKING:
    from stgcn_lens.models.protocol import Lens

AGAINST = "no positive evidence: what there is speaks against the class"
NOTHING = "no evidence: nothing here changes the score"
NOBODY = "no body is there"
RESOLUTION = 1e-5  # of a difference of scores in float32 (ours)


@dataclass(frozen=True, eq=False)
class Explanation:
    """Saliency for a batch of clips.

    Attributes
    ----------
    maps : layer, or "input" -> (N, T_l, V, M) float32, in depth order; >= 0 unless signed; not normalised.
    logits : (N, classes) float32. `target`: (N,) int64, the class that each clip's maps speak for.
    no_evidence : layer -> (N,) bool, no cell speaks for the class; the unsigned map is then zero.
    reasons : layer -> for each clip why there is no evidence, in words; "" where there is.
    against : (N,) int64, where the maps speak for one class over another; else None.
    """

    maps: dict[str, np.ndarray]
    logits: np.ndarray
    target: np.ndarray
    no_evidence: dict[str, np.ndarray]
    reasons: dict[str, tuple[str, ...]]
    against: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Score:
    """What is explained: the pre-softmax score of a class, or by how much it exceeds that of another; (N,) int64."""

    target: torch.Tensor
    against: torch.Tensor | None

    @property
    def classes(self) -> tuple[torch.Tensor, ...]:
        """What `of` needs beside the logits, clip by clip."""
        return (self.target,) if self.against is None else (self.target, self.against)

    @staticmethod
    def of(logits: torch.Tensor, target: torch.Tensor, against: torch.Tensor | None = None) -> torch.Tensor:
        """(B,), y_target, or y_target - y_against."""
        score = logits.gather(1, target[:, None])[:, 0]
        return score if against is None else score - logits.gather(1, against[:, None])[:, 0]


@contextmanager
def asking(model: "Lens", x: torch.Tensor) -> Iterator[nn.Module]:
    """The model in evaluation mode with gradients on, whatever the caller's mode; its flags are put back afterwards.

    Raises
    ------
    LensError : `model` is no torch module, or x no batch of clips (N, C, T, V, M).
    """
    if not isinstance(model, nn.Module):
        raise LensError("not a torch module", got=type(model).__name__, expected="a model that meets the protocol")
    if x.ndim != 5 or not all(x.shape) or not x.is_floating_point():
        raise LensError("not a batch of clips", got=f"{x.dtype} {tuple(x.shape)}", expected="floats (N, C, T, V, M)")
    with torch.inference_mode(mode=False), torch.enable_grad(), evaluating(model):
        yield model


def score_of(logits: torch.Tensor, target: torch.Tensor | None, against: torch.Tensor | None, clips: int) -> Score:
    """The classes to explain, checked; by default the predicted ones.

    Raises
    ------
    LensError : the logits are none or not finite, or the classes are outside of them, or the same on both sides.
    """
    if logits.ndim != 2 or len(logits) != clips:
        raise LensError("the model does not put out logits", got=tuple(logits.shape), expected=f"({clips}, classes)")
    finite = logits.isfinite().all(dim=1)
    if not finite.all():
        bad = int((~finite).nonzero()[0])
        raise LensError(
            "the logits are not finite numbers", got=f"clip {bad} of the batch", fix="look for NaN in clip and weights"
        )
    chosen = logits.detach().argmax(dim=1) if target is None else _classes("target", target, logits)
    if against is None:
        return Score(chosen, None)
    other = _classes("against", against, logits)
    if (chosen == other).any():
        same = int((chosen == other).nonzero()[0])
        raise LensError(
            "a class against itself",
            got=f"class {int(chosen[same])} for clip {same} of the batch",
            expected="two classes",
        )
    return Score(chosen, other)


def _classes(what: str, given: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """(N,) int64 on the device of the logits, checked."""
    clips, classes = logits.shape
    integer = not (given.is_floating_point() or given.is_complex() or given.dtype == torch.bool)
    if given.shape != (clips,) or not integer:
        raise LensError(
            f"{what} has another form", got=f"{given.dtype} {tuple(given.shape)}", expected=f"integers ({clips},)"
        )
    outside = given[(given < 0) | (given >= classes)]
    if len(outside):
        raise LensError(f"{what} outside the classes", got=int(outside[0]), expected=f"0 to {classes - 1}")
    return given.to(logits.device, torch.int64)


def whole(model: "Lens", x: torch.Tensor, cells: Sequence[Cells] | None) -> list[Cells]:
    """What of each clip is real, with the values of x; by default every frame and every body.

    Raises
    ------
    LensError : see `check_cells`.
    """
    check_cells(cells, x)
    values = x.detach().float().cpu().numpy()
    if cells is None:
        t, m = x.shape[2], x.shape[4]
        return [Cells(clip, np.ones((t, m), bool), t, np.arange(t), model.layout, "joint") for clip in values]
    return [replace(cell, x=clip) for cell, clip in zip(cells, values, strict=True)]


def check_cells(cells: Sequence[Cells] | None, x: torch.Tensor) -> None:
    """`LensError` unless there are none, or one of the right axes for each clip."""
    if cells is not None and (len(cells) != len(x) or any(cell.x.shape != x.shape[1:] for cell in cells)):
        got = f"{len(cells)}, the first of {cells[0].x.shape}" if cells else "none"
        raise LensError("cells of other clips", got=got, expected=f"{len(x)} of {tuple(x.shape[1:])}")


def neutral(x: torch.Tensor, cells: Sequence[Cells], fill: Fill) -> torch.Tensor:
    """What takes the place of what is removed, like x; see `Cells.neutral`."""
    return torch.from_numpy(np.stack([cell.neutral(fill) for cell in cells])).to(x)


def told_apart(differences: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Differences of scores, (N, ...), with 0 for those that are rounding: a clip asked twice differs by as much.

    What lies below `RESOLUTION` of the clip's largest logit counts as rounding.
    """
    least = RESOLUTION * logits.abs().amax(dim=1).view(-1, *[1] * (differences.ndim - 1))
    return torch.where(differences.abs() <= least, torch.zeros_like(differences), differences)


def explanation(
    signed_maps: Mapping[str, torch.Tensor],
    logits: torch.Tensor,
    score: Score,
    *,
    strides: Mapping[str, int],
    cells: Sequence[Cells] | None,
    signed: bool,
) -> Explanation:
    """The answer, from maps (N, T_l, V, M): nothing where no body or no real frame is, nothing below zero unless asked.

    Without `cells` every row and every body counts.
    """
    maps: dict[str, np.ndarray] = {}
    none: dict[str, np.ndarray] = {}
    reasons: dict[str, tuple[str, ...]] = {}
    for name, map in signed_maps.items():
        values = map.detach().float().cpu().numpy()
        there = np.ones((len(values), values.shape[1], values.shape[3]), bool)
        for i, cell in enumerate(cells or ()):
            real = rows(cell.frames, strides[name])
            there[i, :real] = present_rows(cell.there, strides[name], cell.frames)
            there[i, real:] = False
        if cells is not None:
            values = np.where(there[:, :, None], values, np.float32(0))
        none[name] = np.all(values <= 0, axis=(1, 2, 3))
        reasons[name] = tuple(_reason(v, t) for v, t in zip(values, there, strict=True))
        maps[name] = np.ascontiguousarray(values if signed else np.maximum(values, 0))
    return Explanation(
        maps=maps,
        logits=logits.detach().float().cpu().numpy(),
        target=score.target.cpu().numpy(),
        no_evidence=none,
        reasons=reasons,
        against=None if score.against is None else score.against.cpu().numpy(),
    )


def _reason(values: np.ndarray, there: np.ndarray) -> str:
    """Why no cell of a clip's signed map speaks for the class; "" where one does."""
    if (values > 0).any():
        return ""
    if not there.any():
        return NOBODY
    return AGAINST if values.any() else NOTHING
