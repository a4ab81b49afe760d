"""Which joints and frames a layer's decision rests on, and whether such a map deserves trust."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Explainer:
    """A row of `EXPLAINERS`.

    Attributes
    ----------
    name : its key, as written in files and commands. `what`: one line for people.
    function : `function(model, x, target=None, *, against=None, cells=None, ...)` -> `explanation.Explanation` with
        `maps` (name -> (N, T_l, V, M) float32), `logits` (N, classes), `target` (N,), `no_evidence` (name -> (N,)
        bool) and `reasons`. `target` (N,) are the classes explained, by default the predicted ones; `against` (N,)
        asks for the difference to another class; `cells`, one `cells.Cells` a clip, says what of a clip is real, and
        maps are zero elsewhere. The model is left as it was found, and threads on one model take turns.
    per_layer : whether it explains every layer ("block_1" ...; `layers` chooses), or the input only ("input").
    source : the publication it follows.
    signs : whether it tells evidence against a class from none, and so takes `signed`.
    options : keywords of its own that change what is explained, all with defaults.
    """

    name: str
    what: str
    function: Callable[..., Any]
    per_layer: bool
    source: str
    signs: bool = True
    options: tuple[str, ...] = ()


EXPLAINERS: dict[str, Explainer]


def __getattr__(name: str) -> Any:
    # The table names functions that need torch; readers of finished maps (upsample, evaluate) must not pay for it.
    if name != "EXPLAINERS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from stgcn_lens.explain.cams import grad_cam_plus_plus, hires_cam, layer_cam
    from stgcn_lens.explain.gradcam import grad_cam
    from stgcn_lens.explain.gradients import (
        input_x_gradient,
        integrated_gradients,
        layer_integrated_gradients,
        saliency,
    )
    from stgcn_lens.explain.occlusion import occlude_cells, occlude_joints, occlude_parts, occlude_windows
    from stgcn_lens.explain.shapley import shapley_parts

    globals()["EXPLAINERS"] = {
        row.name: row
        for row in (
            Explainer(
                name="gradcam",
                what="class activation of every layer, weighted by gradients (L-STG-GradCAM)",
                function=grad_cam,
                per_layer=True,
                source="Das, Ortega, ICASSP 2022; Das, Shekkizhar, Ortega, arXiv 2312.07777",
                options=("pooling",),
            ),
            Explainer(
                name="hirescam",
                what="features times gradients of every layer, cell by cell",
                function=hires_cam,
                per_layer=True,
                source="Draelos, Carin, arXiv 2011.08891",
            ),
            Explainer(
                name="layercam",
                what="features times positive gradients of every layer, cell by cell",
                function=layer_cam,
                per_layer=True,
                source="Jiang et al., IEEE TIP 2021",
                signs=False,
            ),
            Explainer(
                name="gradcampp",
                what="class activation of every layer, weighted by positive gradients that count each place alike",
                function=grad_cam_plus_plus,
                per_layer=True,
                source="Chattopadhay et al., arXiv 1710.11063",
                signs=False,
                options=("pooling",),
            ),
            Explainer(
                name="layer_integrated_gradients",
                what="gradients at every layer, integrated on the way from a clip that says nothing",
                function=layer_integrated_gradients,
                per_layer=True,
                source="Sundararajan, Taly, Yan, arXiv 1703.01365",
                options=("steps", "fill"),
            ),
            Explainer(
                name="saliency",
                what="largest absolute derivative at every joint",
                function=saliency,
                per_layer=False,
                source="Simonyan, Vedaldi, Zisserman, arXiv 1312.6034",
                signs=False,
            ),
            Explainer(
                name="input_x_gradient",
                what="coordinates times derivatives",
                function=input_x_gradient,
                per_layer=False,
                source="Shrikumar et al., arXiv 1605.01713",
            ),
            Explainer(
                name="integrated_gradients",
                what="derivatives integrated on the way from a clip that says nothing",
                function=integrated_gradients,
                per_layer=False,
                source="Sundararajan, Taly, Yan, arXiv 1703.01365",
                options=("steps", "fill"),
            ),
            Explainer(
                name="occlusion_joints",
                what="fall of the score without one joint",
                function=occlude_joints,
                per_layer=False,
                source="Zeiler, Fergus, arXiv 1311.2901",
                options=("fill",),
            ),
            Explainer(
                name="occlusion_parts",
                what="fall of the score without one body part",
                function=occlude_parts,
                per_layer=False,
                source="Zeiler, Fergus, arXiv 1311.2901",
                options=("fill",),
            ),
            Explainer(
                name="occlusion_windows",
                what="fall of the score without one window of time",
                function=occlude_windows,
                per_layer=False,
                source="Zeiler, Fergus, arXiv 1311.2901",
                options=("fill", "window"),
            ),
            Explainer(
                name="occlusion_cells",
                what="fall of the score without one joint during one window of time",
                function=occlude_cells,
                per_layer=False,
                source="Zeiler, Fergus, arXiv 1311.2901",
                options=("fill", "window"),
            ),
            Explainer(
                name="shapley_parts",
                what="Shapley values of body parts",
                function=shapley_parts,
                per_layer=False,
                source="Shapley, 1953; Castro, Gomez, Tejada, 2009",
                options=("fill", "samples"),
            ),
        )
    }
    return globals()["EXPLAINERS"]
