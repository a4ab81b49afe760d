"""Skeleton networks that the lens can read, and their checkpoints."""

from stgcn_lens.models.protocol import Lens, ModelSpec
from stgcn_lens.models.stgcn import STGCN, STGCNConfig

__all__ = ["MODELS", "STGCN", "Lens", "ModelSpec", "STGCNConfig"]

MODELS: dict[str, ModelSpec] = {
    spec.name: spec
    for spec in (
        ModelSpec(
            name="stgcn",
            what="spatio-temporal graph convolution network",
            source="Yan et al., AAAI 2018, arXiv 1801.07455",
            config=STGCNConfig,
            build=STGCN,
        ),
    )
}
