"""Which joints, in which frames, speak for a class at a layer: L-STG-GradCAM, all layers from one backward pass.

Source: Das, Ortega, STG-GradCAM, ICASSP 2022, and Das, Shekkizhar, Ortega, arXiv 2312.07777: with the pre-softmax
score y_c and the features A_k of the layer's channel k,

    alpha_k = mean over bodies, T_l, V of d y_c / d A_k        map = ReLU(mean over k of alpha_k A_k)

Convention. The mean over k makes layers of different width comparable; captum's `LayerGradCam` (and the Grad-CAM
of images) sums over k instead, so its maps are C_l times ours. With bodies folded into the batch captum also
takes alpha_k per body, over T_l and V only: that is `pooling="body"` here.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import torch

from stgcn_lens.errors import LensError
from stgcn_lens.explain.cells import Cells
from stgcn_lens.explain.explanation import Explanation
from stgcn_lens.explain.layer_gradients import Weigh, weighed

if TYPE_CHECKING:
    from stgcn_lens.models.protocol import Lens

Pooling = Literal["clip", "body"]
POOLINGS = ("clip", "body")


def grad_cam(
    model: "Lens",
    x: torch.Tensor,
    target: torch.Tensor | None = None,
    layers: Sequence[str] | None = None,
    *,
    against: torch.Tensor | None = None,
    cells: Sequence[Cells] | None = None,
    signed: bool = False,
    pooling: Pooling = "clip",
) -> Explanation:
    """L-STG-GradCAM of all layers, from one forward and one backward pass, in evaluation mode.

    The model is left as it was found: training flags, hooks, `requires_grad` and `.grad`.

    Parameters
    ----------
    model : a torch module that meets `models.Lens`.
    x : clips (N, C, T, V, M), on the model's device.
    target : (N,) integers, the classes to explain; by default the predicted ones.
    layers : names in `model.layers`; by default all but "input".
    against : (N,) integers: explain by how much the score of `target` exceeds that of this class.
    cells : what of each clip is real; maps are zero elsewhere. Without it every frame and every body counts, padding
        too.
    signed : keep negative values, evidence against the class.
    pooling : "clip" takes one alpha_k over all bodies of a clip, "body" one for each body.

    Raises
    ------
    LensError
        for axes that do not fit, an unknown layer or pooling, a target outside the classes, logits that are not
        finite, and a layer that is not on the way from the clips to the logits.
    """
    return weighed(
        model, x, target, layers, against=against, cells=cells, signed=signed, weigh=channel_weighted(pooling)
    )


def channel_weighted(pooling: Pooling = "clip") -> Weigh:
    """The rule that makes a signed map of a layer's features and gradients; see `grad_cam`."""
    check_pooling(pooling)

    def weigh(a: torch.Tensor, gradient: torch.Tensor, clips: int) -> torch.Tensor:
        alpha = gradient.mean(dim=(2, 3))
        if pooling == "clip":
            by_clip = alpha.view(clips, -1, alpha.shape[1])
            alpha = by_clip.mean(dim=1, keepdim=True).expand_as(by_clip).reshape_as(alpha)
        return torch.einsum("bc,bctv->btv", alpha, a) / a.shape[1]

    return weigh


def check_pooling(pooling: str) -> None:
    """`LensError` unless it is one of `POOLINGS`."""
    if pooling not in POOLINGS:
        raise LensError("unknown pooling", got=repr(pooling), expected=f"one of {', '.join(POOLINGS)}")
