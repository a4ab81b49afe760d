"""Features of every layer and the score's gradient at them, from one forward and one backward pass."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from stgcn_lens.activations import record, select
from stgcn_lens.data.rows import rows
from stgcn_lens.errors import LensError
from stgcn_lens.explain.cells import Cells
from stgcn_lens.explain.explanation import Explanation, Score, asking, check_cells, explanation, score_of

if TYPE_CHECKING:
    from stgcn_lens.models.protocol import Lens

# features and gradient (N*M, C_l, T_l, V), number of clips -> signed map (N*M, T_l, V)
Weigh = Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor]


@dataclass(frozen=True, eq=False)
class LayerGradients:
    """Of one batch of clips.

    Attributes
    ----------
    features : layer -> (N*M, C_l, T_l, V), detached.
    gradients : layer -> the same axes, d score / d features; None where the score does not depend on the layer.
    logits : (N, classes), detached. `score`: what was differentiated.
    """

    features: dict[str, torch.Tensor]
    gradients: dict[str, torch.Tensor | None]
    logits: torch.Tensor
    score: Score


def layer_gradients(
    model: "Lens",
    x: torch.Tensor,
    target: torch.Tensor | None,
    against: torch.Tensor | None,
    layers: Sequence[str] | None,
) -> LayerGradients:
    """One pass forward, one backward, in evaluation mode.

    The model is left as it was found: training flags, hooks, `requires_grad` and `.grad`. Parameters as of
    `gradcam.grad_cam`.

    Raises
    ------
    LensError
        for axes that do not fit, an unknown layer, a target outside the classes, logits that are not finite, and a
        layer that is not on the way from the clips to the logits.
    """
    with asking(model, x) as network:
        modules = modules_of(model, layers)
        with record(network, modules) as acts:
            # Gradients must flow also when every weight is frozen; a copy, so that the model may write into its input.
            logits = network(x.clone().detach().requires_grad_(True).clone())
            score = score_of(logits, target, against, len(x))
            features = {name: features_of(name, acts.get(name), model.strides[name], x) for name in modules}
            if cut := [name for name, a in features.items() if not a.requires_grad]:
                fix = "name a module on the way from the clips to the logits"
                raise LensError(f"layer '{cut[0]}' is cut off from the gradient", fix=fix)
            total = Score.of(logits, *score.classes).sum()
            gradients = torch.autograd.grad(total, list(features.values()), allow_unused=True)
    return LayerGradients(
        {name: a.detach() for name, a in features.items()},
        dict(zip(features, gradients, strict=True)),
        logits.detach(),
        score,
    )


def weighed(
    model: "Lens",
    x: torch.Tensor,
    target: torch.Tensor | None,
    layers: Sequence[str] | None,
    *,
    against: torch.Tensor | None,
    cells: Sequence[Cells] | None,
    signed: bool,
    weigh: Weigh,
) -> Explanation:
    """The maps that a rule makes of every layer's features and gradients."""
    check_cells(cells, x)
    found = layer_gradients(model, x, target, against, layers)
    return maps_of(found, list(found.features), model.strides, cells=cells, signed=signed, weigh=weigh)


def maps_of(
    found: LayerGradients,
    layers: Sequence[str],
    strides: Mapping[str, int],
    *,
    cells: Sequence[Cells] | None,
    signed: bool,
    weigh: Weigh,
) -> Explanation:
    """The maps that a rule makes of features and gradients that are here already, of some of their layers."""
    maps, clips = {}, len(found.logits)
    for name in layers:
        a, gradient = found.features[name], found.gradients[name]
        # No gradient means that the score does not depend on the layer.
        map = a.new_zeros(a.shape[0], *a.shape[2:]) if gradient is None else weigh(a, gradient, clips)
        maps[name] = unfold(map, clips)
    return explanation(maps, found.logits, found.score, strides=strides, cells=cells, signed=signed)


def unfold(map: torch.Tensor, clips: int) -> torch.Tensor:
    """(N*M, T_l, V) -> (N, T_l, V, M)."""
    return map.view(clips, -1, *map.shape[1:]).permute(0, 2, 3, 1)


def modules_of(model: "Lens", layers: Sequence[str] | None) -> dict[str, nn.Module]:
    """Modules of the named layers, at least one, in depth order; by default all but "input"."""
    modules = select(model, [name for name in model.layers if name != "input"] if layers is None else layers)
    if not modules:
        raise LensError("no layer to explain", expected=f"at least one of {', '.join(model.layers)}")
    return modules


def features_of(name: str, a: torch.Tensor | None, stride: int, x: torch.Tensor) -> torch.Tensor:
    """What the layer put out on clips x, after a check of its axes."""
    n, _, t, v, m = x.shape
    if a is None:
        raise LensError(f"layer '{name}' was not run", fix="name a module on the way from the clips to the logits")
    expected = (n * m, a.shape[1] if a.ndim > 1 else 1, rows(t, stride), v)
    if a.shape != expected:
        raise LensError(
            f"layer '{name}' has other axes than the protocol asks for",
            got=tuple(a.shape),
            expected=f"(N*M, C_l, T_l, V) = ({n * m}, any, {rows(t, stride)}, {v}) at stride {stride}",
        )
    return a
