"""Which joints, in which frames, speak for a class at a layer: L-STG-GradCAM, all layers from one backward pass.

Source: Das, Ortega, STG-GradCAM, ICASSP 2022, and Das, Shekkizhar, Ortega, arXiv 2312.07777: with the pre-softmax
score y_c and the features A_k of the layer's channel k,

    alpha_k = mean over bodies, T_l, V of d y_c / d A_k        map = ReLU(mean over k of alpha_k A_k)

Convention. The mean over k makes layers of different width comparable; captum's `LayerGradCam` (and the Grad-CAM
of images) sums over k instead, so its maps are C_l times ours. With bodies folded into the batch captum also
takes alpha_k per body, over T_l and V only: that is `pooling="body"` here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import nn

from stgcn_lens.activations import evaluating, record, select
from stgcn_lens.data.rows import rows
from stgcn_lens.errors import LensError

if TYPE_CHECKING:
    from stgcn_lens.models.protocol import Lens

POOLINGS = ("clip", "body")


@dataclass(frozen=True, eq=False)
class GradCam:
    """Saliency of every layer for a batch of clips.

    Attributes
    ----------
    maps : layer -> (N, T_l, V, M) float32, in depth order; >= 0 unless signed; not normalised. Rows of padded
        frames and slots of absent bodies are in it: they are for the caller to leave out.
    logits : (N, classes) float32. `target`: (N,) int64, the class that each clip's maps speak for.
    no_evidence : layer -> (N,) bool, no cell of the layer speaks for the class; the unsigned map is then zero.
    """

    maps: dict[str, np.ndarray]
    logits: np.ndarray
    target: np.ndarray
    no_evidence: dict[str, np.ndarray]


def grad_cam(
    model: "Lens",
    x: torch.Tensor,
    target: torch.Tensor | None = None,
    layers: Sequence[str] | None = None,
    *,
    signed: bool = False,
    pooling: Literal["clip", "body"] = "clip",
) -> GradCam:
    """L-STG-GradCAM of all layers, from one forward and one backward pass, in evaluation mode.

    The model is left as it was found: training flags, hooks, `requires_grad` and `.grad`.

    Parameters
    ----------
    model : a torch module that meets `models.Lens`.
    x : clips (N, C, T, V, M), on the model's device.
    target : (N,) integers, the classes to explain; by default the predicted ones.
    layers : names in `model.layers`; by default all but "input".
    signed : keep negative values, evidence against the class.
    pooling : "clip" takes one alpha_k over all bodies of a clip, "body" one for each body.

    Raises
    ------
    LensError
        for axes that do not fit, an unknown layer or pooling, a target outside the classes, logits that are not
        finite, and a layer that is not on the way from the clips to the logits.
    """
    if not isinstance(model, nn.Module):
        raise LensError("not a torch module", got=type(model).__name__, expected="a model that meets the protocol")
    if pooling not in POOLINGS:
        raise LensError("unknown pooling", got=repr(pooling), expected=f"one of {', '.join(POOLINGS)}")
    if x.ndim != 5 or not all(x.shape) or not x.is_floating_point():
        raise LensError("not a batch of clips", got=f"{x.dtype} {tuple(x.shape)}", expected="floats (N, C, T, V, M)")
    modules = select(model, [name for name in model.layers if name != "input"] if layers is None else layers)
    if not modules:
        raise LensError("no layer to explain", expected=f"at least one of {', '.join(model.layers)}")

    with torch.inference_mode(mode=False), torch.enable_grad(), evaluating(model), record(model, modules) as acts:
        # Gradients must flow also when every weight is frozen; a copy, so that the model may write into its input.
        logits = model(x.clone().detach().requires_grad_(True).clone())
        chosen = _chosen(logits, target, len(x))
        features = {name: _features(name, acts.get(name), model.strides[name], x) for name in modules}
        score = logits.gather(1, chosen[:, None]).sum()
        gradients = torch.autograd.grad(score, list(features.values()), allow_unused=True)

    maps, no_evidence = {}, {}
    for (name, a), gradient in zip(features.items(), gradients, strict=True):
        # No gradient means that the score does not depend on the layer: every alpha is 0.
        signed_map = a.new_zeros(a.shape[0], *a.shape[2:]) if gradient is None else _weigh(a, gradient, len(x), pooling)
        by_body = signed_map.detach().float().view(len(x), -1, *a.shape[2:]).permute(0, 2, 3, 1)
        no_evidence[name] = (by_body <= 0).flatten(1).all(dim=1).cpu().numpy()
        maps[name] = (by_body if signed else by_body.clamp(min=0)).contiguous().cpu().numpy()
    return GradCam(maps, logits.detach().float().cpu().numpy(), chosen.cpu().numpy(), no_evidence)


def _weigh(a: torch.Tensor, gradient: torch.Tensor, clips: int, pooling: str) -> torch.Tensor:
    """mean_k alpha_k A_k, (N*M, T_l, V), of features and their gradient (N*M, C_l, T_l, V)."""
    alpha = gradient.mean(dim=(2, 3))
    if pooling == "clip":
        by_clip = alpha.view(clips, -1, alpha.shape[1])
        alpha = by_clip.mean(dim=1, keepdim=True).expand_as(by_clip).reshape_as(alpha)
    return torch.einsum("bc,bctv->btv", alpha, a.detach()) / a.shape[1]


def _chosen(logits: torch.Tensor, target: torch.Tensor | None, clips: int) -> torch.Tensor:
    """The classes to explain, (N,) int64, checked."""
    if logits.ndim != 2 or len(logits) != clips:
        raise LensError("the model does not put out logits", got=tuple(logits.shape), expected=f"({clips}, classes)")
    finite = logits.isfinite().all(dim=1)
    if not finite.all():
        bad = int((~finite).nonzero()[0])
        raise LensError(
            "the logits are not finite numbers", got=f"clip {bad} of the batch", fix="look for NaN in clip and weights"
        )
    if target is None:
        return logits.detach().argmax(dim=1)
    integer = not (target.is_floating_point() or target.is_complex() or target.dtype == torch.bool)
    if target.shape != (clips,) or not integer:
        raise LensError(
            "target has another form", got=f"{target.dtype} {tuple(target.shape)}", expected=f"integers ({clips},)"
        )
    outside = target[(target < 0) | (target >= logits.shape[1])]
    if len(outside):
        raise LensError("target outside the classes", got=int(outside[0]), expected=f"0 to {logits.shape[1] - 1}")
    return target.to(logits.device, torch.int64)


def _features(name: str, a: torch.Tensor | None, stride: int, x: torch.Tensor) -> torch.Tensor:
    """What the layer put out, after a check that it can be explained."""
    n, _, t, v, m = x.shape
    if a is None or not a.requires_grad:
        why = "was not run" if a is None else "is cut off from the gradient"
        raise LensError(f"layer '{name}' {why}", fix="name a module on the way from the clips to the logits")
    expected = (n * m, a.shape[1] if a.ndim > 1 else 1, rows(t, stride), v)
    if a.shape != expected:
        raise LensError(
            f"layer '{name}' has other axes than the protocol asks for",
            got=tuple(a.shape),
            expected=f"(N*M, C_l, T_l, V) = ({n * m}, any, {rows(t, stride)}, {v}) at stride {stride}",
        )
    return a
