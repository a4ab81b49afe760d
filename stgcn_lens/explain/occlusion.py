"""How far the score falls when something is taken out: joints, body parts, windows of time; computed by captum.

Every cell of what is taken out together shows the whole fall of the score. Maps are of the input, (N, T, V, M), and
signed ones are negative where the score rises. Parameters are those of `gradcam.grad_cam` (there are no layers), and

    fill : what takes a cell's place, see `Cells.neutral`; a centre joint that is filled with "mean" keeps its path
    window : model frames of a window, from the first on

Source: Zeiler, Fergus, "Visualizing and understanding convolutional networks", arXiv 1311.2901; by groups as captum's
FeatureAblation.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from captum.attr import FeatureAblation

from stgcn_lens.explain.cells import Cells, Fill
from stgcn_lens.explain.explanation import Explanation, Score, asking, explanation, neutral, score_of, told_apart, whole
from stgcn_lens.explain.pieces import Space, mask, pieces

if TYPE_CHECKING:
    from stgcn_lens.models.protocol import Lens

CHUNK = 32  # disturbed clips that go through the network at once (ours); does not change the result


def occlude_joints(
    model: "Lens",
    x: torch.Tensor,
    target: torch.Tensor | None = None,
    *,
    against: torch.Tensor | None = None,
    cells: Sequence[Cells] | None = None,
    signed: bool = False,
    fill: Fill = "mean",
) -> Explanation:
    """Without one joint of one body, over the whole clip."""
    return _occlude(model, x, target, against, cells, signed, fill, "joint", None)


def occlude_parts(
    model: "Lens",
    x: torch.Tensor,
    target: torch.Tensor | None = None,
    *,
    against: torch.Tensor | None = None,
    cells: Sequence[Cells] | None = None,
    signed: bool = False,
    fill: Fill = "mean",
) -> Explanation:
    """Without one part of one body, over the whole clip."""
    return _occlude(model, x, target, against, cells, signed, fill, "part", None)


def occlude_windows(
    model: "Lens",
    x: torch.Tensor,
    target: torch.Tensor | None = None,
    *,
    against: torch.Tensor | None = None,
    cells: Sequence[Cells] | None = None,
    signed: bool = False,
    fill: Fill = "mean",
    window: int = 8,
) -> Explanation:
    """Without one body's movement during a window of time."""
    return _occlude(model, x, target, against, cells, signed, fill, "body", window)


def occlude_cells(
    model: "Lens",
    x: torch.Tensor,
    target: torch.Tensor | None = None,
    *,
    against: torch.Tensor | None = None,
    cells: Sequence[Cells] | None = None,
    signed: bool = False,
    fill: Fill = "mean",
    window: int = 8,
) -> Explanation:
    """Without one joint of one body during a window of time."""
    return _occlude(model, x, target, against, cells, signed, fill, "joint", window)


def _occlude(
    model: "Lens",
    x: torch.Tensor,
    target: torch.Tensor | None,
    against: torch.Tensor | None,
    cells: Sequence[Cells] | None,
    signed: bool,
    fill: Fill,
    space: Space,
    window: int | None,
) -> Explanation:
    with asking(model, x) as network, torch.no_grad():
        x = x.detach().clone()
        real = whole(model, x, cells)
        logits = network(x.clone())
        score = score_of(logits, target, against, len(x))
        found = FeatureAblation(lambda x, *classes: Score.of(network(x.clone()), *classes)).attribute(
            x,
            baselines=neutral(x, real, fill),
            additional_forward_args=score.classes,
            feature_mask=torch.from_numpy(mask([pieces(cell, space, window) for cell in real])).to(x.device),
            perturbations_per_eval=max(CHUNK // len(x), 1),
        )
    falls = told_apart(found[:, 0], logits)  # captum puts them at every coordinate of a cell
    return explanation({"input": falls}, logits, score, strides={"input": 1}, cells=real, signed=signed)
