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
    function : `function(model, x, target=None)` -> result with `maps` (name -> (N, T_l, V, M) float32), `logits`
        (N, classes), `target` (N,), `no_evidence` (name -> (N,) bool); further keywords are its own.
    per_layer : whether it explains every layer ("block_1" ...), or the input only.
    source : the publication it follows.
    """

    name: str
    what: str
    function: Callable[..., Any]
    per_layer: bool
    source: str


EXPLAINERS: dict[str, Explainer]


def __getattr__(name: str) -> Any:
    # The table names functions that need torch; readers of finished maps (upsample, evaluate) must not pay for it.
    if name != "EXPLAINERS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from stgcn_lens.explain.gradcam import grad_cam

    globals()["EXPLAINERS"] = {
        row.name: row
        for row in (
            Explainer(
                name="gradcam",
                what="class activation of every layer, weighted by gradients (L-STG-GradCAM)",
                function=grad_cam,
                per_layer=True,
                source="Das, Ortega, ICASSP 2022; Das, Shekkizhar, Ortega, arXiv 2312.07777",
            ),
        )
    }
    return globals()["EXPLAINERS"]
