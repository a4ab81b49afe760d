"""Gradients at the input, and integrated along a way to a clip that says nothing; computed by captum.

Attributions of a joint's coordinates are added up, so that the cells of `integrated_gradients` sum to the difference of
the scores at both ends of the way; a frame that is shown again (a replayed clip) gets what its repeats say.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from captum.attr import InputXGradient, IntegratedGradients, Saliency

from stgcn_lens.activations import record, resuming
from stgcn_lens.errors import LensError
from stgcn_lens.explain.cells import Cells, Fill
from stgcn_lens.explain.explanation import Explanation, Score, asking, explanation, neutral, score_of, whole
from stgcn_lens.explain.layer_gradients import features_of, modules_of, unfold

if TYPE_CHECKING:
    from stgcn_lens.models.protocol import Lens

INPUT = "input"
CHUNK = 32  # clips on the way that go through the network at once (ours); does not change the result

# the network, its clips, what they are explained for, and what of them is real -> (N, C, T, V, M)
_Attribute = Callable[[Callable[..., torch.Tensor], torch.Tensor, Score, list[Cells]], torch.Tensor]


def saliency(
    model: "Lens",
    x: torch.Tensor,
    target: torch.Tensor | None = None,
    *,
    against: torch.Tensor | None = None,
    cells: Sequence[Cells] | None = None,
) -> Explanation:
    """How much the score changes with a joint's place: the largest absolute derivative among its coordinates.

    It knows no sign. Parameters as of `gradcam.grad_cam`, but there are no layers.

    Source: Simonyan, Vedaldi, Zisserman, "Deep inside convolutional networks", arXiv 1312.6034, section 3.
    """

    def attribute(ask: Callable[..., torch.Tensor], x: torch.Tensor, score: Score, _: list[Cells]) -> torch.Tensor:
        return Saliency(ask).attribute(x, abs=False, additional_forward_args=score.classes)

    return _at_input(
        model, x, target, against, cells, signed=True, attribute=attribute, join=lambda a: a.abs().amax(dim=1)
    )


def input_x_gradient(
    model: "Lens",
    x: torch.Tensor,
    target: torch.Tensor | None = None,
    *,
    against: torch.Tensor | None = None,
    cells: Sequence[Cells] | None = None,
    signed: bool = False,
) -> Explanation:
    """Coordinates times derivatives, added up over a joint's coordinates. Parameters as of `gradcam.grad_cam`.

    Source: Shrikumar et al., "Not just a black box", arXiv 1605.01713.
    """

    def attribute(ask: Callable[..., torch.Tensor], x: torch.Tensor, score: Score, _: list[Cells]) -> torch.Tensor:
        return InputXGradient(ask).attribute(x, additional_forward_args=score.classes)

    return _at_input(model, x, target, against, cells, signed=signed, attribute=attribute, join=lambda a: a.sum(dim=1))


def integrated_gradients(
    model: "Lens",
    x: torch.Tensor,
    target: torch.Tensor | None = None,
    *,
    against: torch.Tensor | None = None,
    cells: Sequence[Cells] | None = None,
    signed: bool = False,
    steps: int = 32,
    fill: Fill = "mean",
) -> Explanation:
    """Gradients integrated along the straight way from a clip that says nothing to this one.

    Parameters as of `gradcam.grad_cam`, and: `steps`, points on the way (Gauss-Legendre); `fill`, what the way starts
    from, see `Cells.neutral`.

    Source: Sundararajan, Taly, Yan, "Axiomatic attribution for deep networks", arXiv 1703.01365.
    """
    _check_steps(steps)

    def attribute(ask: Callable[..., torch.Tensor], x: torch.Tensor, score: Score, real: list[Cells]) -> torch.Tensor:
        return _integrated(ask, x, neutral(x, real, fill), score.classes, steps)

    return _at_input(model, x, target, against, cells, signed=signed, attribute=attribute, join=lambda a: a.sum(dim=1))


def layer_integrated_gradients(
    model: "Lens",
    x: torch.Tensor,
    target: torch.Tensor | None = None,
    layers: Sequence[str] | None = None,
    *,
    against: torch.Tensor | None = None,
    cells: Sequence[Cells] | None = None,
    signed: bool = False,
    steps: int = 32,
    fill: Fill = "mean",
) -> Explanation:
    """Integrated gradients of every layer: between the features of a clip that says nothing and of this one.

    Channels are added up: a layer's signed map sums to the same difference of scores at every layer through which all
    of the network goes. Each layer needs `steps` passes of its own. Parameters as of `integrated_gradients` and
    `gradcam.grad_cam`.

    Source: as of `integrated_gradients`, taken at a layer as captum's LayerIntegratedGradients does.
    """
    _check_steps(steps)
    maps = {}
    with asking(model, x) as network:
        modules = modules_of(model, layers)
        x = x.detach()
        start = neutral(x, whole(model, x, cells), fill)
        with torch.no_grad(), record(network, modules) as acts:
            network(start.clone())
            begin = {name: features_of(name, acts.get(name), model.strides[name], x) for name in modules}
            logits = network(x.clone())
            end = {name: features_of(name, acts.get(name), model.strides[name], x) for name in modules}
        score = score_of(logits, target, against, len(x))
        for name, module in modules.items():
            with resuming(network, name, module) as run:

                def ask(a: torch.Tensor, x: torch.Tensor, *classes: torch.Tensor, run: Callable = run) -> torch.Tensor:
                    return _connected(Score.of(run(a, x.clone()), *classes), a)

                found = _integrated(ask, end[name].detach(), begin[name].detach(), (x, *score.classes), steps)
            maps[name] = unfold(found.sum(dim=1), len(x))
    return explanation(maps, logits, score, strides=model.strides, cells=cells, signed=signed)


def _at_input(
    model: "Lens",
    x: torch.Tensor,
    target: torch.Tensor | None,
    against: torch.Tensor | None,
    cells: Sequence[Cells] | None,
    *,
    signed: bool,
    attribute: _Attribute,
    join: Callable[[torch.Tensor], torch.Tensor],
) -> Explanation:
    """An explanation from attributions (N, C, T, V, M), of which `join` makes one number a cell."""
    with asking(model, x) as network:
        x = x.detach().clone()
        real = whole(model, x, cells)
        with torch.no_grad():
            logits = network(x.clone())
        score = score_of(logits, target, against, len(x))

        def ask(x: torch.Tensor, *classes: torch.Tensor) -> torch.Tensor:
            # A copy: the model may write into its input.
            return _connected(Score.of(network(x.clone()), *classes), x)

        found = attribute(ask, x.requires_grad_(True), score, real).detach()
    shown = torch.from_numpy(np.stack([cell.shows for cell in real])).to(x.device)[:, None, :, None, None]
    by_frame = torch.zeros_like(found).scatter_add_(2, shown.expand_as(found), found)
    return explanation({INPUT: join(by_frame)}, logits, score, strides={INPUT: 1}, cells=cells, signed=signed)


def _integrated(
    ask: Callable[..., torch.Tensor], end: torch.Tensor, begin: torch.Tensor, more: tuple[torch.Tensor, ...], steps: int
) -> torch.Tensor:
    """Integrated gradients of `ask` at `end`, like it, a chunk of the way at a time."""
    clips = len(more[0])
    # captum counts the rows of `end`, which at a layer are bodies.
    at_once = max(CHUNK // clips, 1) * len(end)
    method = IntegratedGradients(ask)
    found: torch.Tensor = method.attribute(
        end, baselines=begin, additional_forward_args=more, n_steps=steps, internal_batch_size=at_once
    )
    return found


def _connected(score: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """The score, as a function of `a` even where it does not depend on it; its gradient there is zero."""
    return score + 0 * a.sum()


def _check_steps(steps: int) -> None:
    if steps < 1:
        raise LensError("impossible way", got=f"{steps} steps", expected="at least 1")
