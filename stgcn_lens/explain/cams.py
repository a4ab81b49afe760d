"""Other class activation maps, at every layer and, like `gradcam`, from one forward and one backward pass.

With A_k the features of a layer's channel k, g_k the gradient of the score at them and means over k, where the sources
sum (layers of different width become comparable):

    HiResCAM     mean_k g_k A_k
    LayerCAM     mean_k ReLU(g_k) A_k
    Grad-CAM++   mean_k w_k A_k,  w_k = sum over cells of alpha_k ReLU(g_k),
                 alpha_k = g_k^2 / (2 g_k^2 + (sum over cells of A_k) g_k^3), 0 where that is 0 / 0

A map is the positive part. The last two weigh with positive gradients and tell no evidence against a class; HiResCAM
does, where its signed map is asked for. Parameters are those of `gradcam.grad_cam`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from stgcn_lens.explain.cells import Cells
from stgcn_lens.explain.explanation import Explanation
from stgcn_lens.explain.gradcam import Pooling, check_pooling
from stgcn_lens.explain.layer_gradients import weighed

if TYPE_CHECKING:
    from stgcn_lens.models.protocol import Lens


def hires_cam(
    model: "Lens",
    x: torch.Tensor,
    target: torch.Tensor | None = None,
    layers: Sequence[str] | None = None,
    *,
    against: torch.Tensor | None = None,
    cells: Sequence[Cells] | None = None,
    signed: bool = False,
) -> Explanation:
    """HiResCAM: gradient times features, without any pooling of the gradient.

    Source: Draelos, Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations", arXiv 2011.08891.
    """

    def weigh(a: torch.Tensor, gradient: torch.Tensor, clips: int) -> torch.Tensor:
        return (gradient * a).mean(dim=1)

    return weighed(model, x, target, layers, against=against, cells=cells, signed=signed, weigh=weigh)


def layer_cam(
    model: "Lens",
    x: torch.Tensor,
    target: torch.Tensor | None = None,
    layers: Sequence[str] | None = None,
    *,
    against: torch.Tensor | None = None,
    cells: Sequence[Cells] | None = None,
) -> Explanation:
    """LayerCAM: features times the positive part of the gradient, cell by cell.

    Source: Jiang et al., "LayerCAM: Exploring hierarchical class activation maps for localization", IEEE TIP 2021.
    """

    def weigh(a: torch.Tensor, gradient: torch.Tensor, clips: int) -> torch.Tensor:
        return (gradient.clamp(min=0) * a).mean(dim=1)

    return weighed(model, x, target, layers, against=against, cells=cells, signed=False, weigh=weigh)


def grad_cam_plus_plus(
    model: "Lens",
    x: torch.Tensor,
    target: torch.Tensor | None = None,
    layers: Sequence[str] | None = None,
    *,
    against: torch.Tensor | None = None,
    cells: Sequence[Cells] | None = None,
    pooling: Pooling = "clip",
) -> Explanation:
    """Grad-CAM++: positive gradients, weighed so that evidence in several places counts in each of them.

    Up to the factor exp(score), which is the same for all cells of a clip and would overflow. `pooling` says over which
    cells the sums run: those of all bodies of a clip, or of one.

    Source: Chattopadhay et al., "Grad-CAM++", arXiv 1710.11063, for a score exp(y_c).
    """
    check_pooling(pooling)

    def weigh(a: torch.Tensor, gradient: torch.Tensor, clips: int) -> torch.Tensor:
        groups = clips if pooling == "clip" else len(a)

        def total(values: torch.Tensor) -> torch.Tensor:
            """Sum over the cells of a group, (N*M, C_l, 1, 1)."""
            by_group = values.sum(dim=(2, 3)).view(groups, -1, values.shape[1])
            return by_group.sum(dim=1, keepdim=True).expand_as(by_group).reshape(len(a), -1, 1, 1)

        # g^2 cancels; dividing it out also keeps the cube of a small gradient from vanishing.
        below = 2 + total(a) * gradient
        used = (gradient != 0) & (below != 0)
        alpha = torch.where(used, 1 / torch.where(used, below, torch.ones_like(below)), torch.zeros_like(below))
        return (total(alpha * gradient.clamp(min=0)) * a).mean(dim=1)

    return weighed(model, x, target, layers, against=against, cells=cells, signed=False, weigh=weigh)
