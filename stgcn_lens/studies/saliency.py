"""Saliency of every clip under analysis at every layer: Grad-CAM of the predicted class, into ``saliency/`` of a run.

Other methods, classes and clips: `explanations`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from stgcn_lens import explain as methods  # the table is read, and captum with it, only where a method is used
from stgcn_lens.embeddings import open_model
from stgcn_lens.errors import LensError
from stgcn_lens.explain.evaluate import LocalisationConfig
from stgcn_lens.files import atomic_folder
from stgcn_lens.models.checkpoints import Loaded
from stgcn_lens.runs import Run, plain, stage_key
from stgcn_lens.studies.maps import Request, write, write_localisation, write_tables

METHOD = "gradcam"


@dataclass(frozen=True)
class ExplainConfig:
    """Which saliency is computed."""

    signed: bool = False
    """Keep evidence against the class as negative values."""
    pooling: Literal["clip", "body"] = "clip"
    """Channel weights per clip (the authors') or per body (captum's)."""
    batch: int = 16
    """Clips per pass; does not change the result."""
    localisation: LocalisationConfig = field(default_factory=LocalisationConfig)

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise LensError("impossible batch", got=self.batch, expected=">= 1")


def explain(
    run: Run,
    config: ExplainConfig,
    *,
    network: Loaded | None = None,
    device: str = "cpu",
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Grad-CAM of the predicted class at every block, for the clips that were embedded; returns the layers.

    Writes maps per layer, tables by class, joint and body part and, where clips carry planted evidence, localisation.

    Parameters
    ----------
    network : the run's network where it is already here, or one that no checkpoint holds; by default the run's own.
    progress : called with (clips done, clips in all).
    """
    inputs = stage_inputs(run, network)
    if run.fresh("explain", stage_key(config, inputs), "saliency/saliency.json") and not force:
        return [row["layer"] for row in run.read_json("saliency/saliency.json")["layers"]]
    loaded, clips = open_model(run, device, network)
    chosen = run.read_array("embeddings/clips.npy")
    layers = tuple(name for name in loaded.model.layers if name != "input")
    request = Request(methods.EXPLAINERS[METHOD], layers, {"signed": config.signed, "pooling": config.pooling})
    with run.stage("explain", config=config, inputs=inputs, device=device) as record:
        with atomic_folder(run / "saliency") as folder:
            written = write(
                folder, loaded, clips, chosen, request, batch=config.batch, device=device, progress=progress
            )
            about = {
                "method": METHOD,
                "target": "predicted",
                "signed": config.signed,
                "pooling": config.pooling,
                "normalisation": "none",
                "layers": [
                    {
                        "layer": name,
                        "stride": loaded.model.strides[name],
                        "no_evidence": float(np.mean([bool(reason) for reason in written.reasons[name]])),
                    }
                    for name in layers
                ],
            }
            (folder / "saliency.json").write_text(json.dumps(plain(about), indent=1))
            if not config.signed:
                write_tables(folder, loaded, written)
                if clips.evidence is not None:
                    write_localisation(folder, loaded, clips, chosen, layers, config.localisation)
        record["clips"] = len(chosen)
    return list(layers)


def stage_inputs(run: Run, network: Loaded | None) -> dict[str, str]:
    """What maps are made of: the embeddings, and a network that is another one than the embedded."""
    inputs = {"embed": run.key("embed")}
    if network is not None and network.hash != run.manifest()["stages"]["embed"]["inputs"].get("weights"):
        inputs["network"] = network.hash
    return inputs
