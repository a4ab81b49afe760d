"""Skeleton networks that the lens can read, and their checkpoints."""

from stgcn_lens.models.baselines import BaselineConfig, LocalConvNet, TemporalConvNet
from stgcn_lens.models.protocol import Lens, ModelSpec
from stgcn_lens.models.stgat import STGAT, STGATConfig
from stgcn_lens.models.stgcn import STGCN, STGCNConfig
from stgcn_lens.models.stgcnpp import STGCNPP, STGCNPPConfig

__all__ = [
    "MODELS",
    "STGAT",
    "STGCN",
    "STGCNPP",
    "BaselineConfig",
    "Lens",
    "ModelSpec",
    "STGATConfig",
    "STGCNConfig",
    "STGCNPPConfig",
]

_TABLE_1 = "Yan et al., AAAI 2018, arXiv 1801.07455, table 1"

MODELS: dict[str, ModelSpec] = {
    spec.name: spec
    for spec in (
        ModelSpec(
            name="stgcn",
            what="spatio-temporal graph convolution network",
            source="Yan et al., AAAI 2018, arXiv 1801.07455",
            config=STGCNConfig,
            build=STGCN,
            small=STGCNConfig(width=16, dropout=0.1),
        ),
        ModelSpec(
            name="stgcn++",
            what="ST-GCN with learned adjacency and multi-branch temporal convolutions",
            source="Duan et al., ACM MM 2022, arXiv 2205.09443",
            config=STGCNPPConfig,
            build=STGCNPP,
            small=STGCNPPConfig(width=24),  # its six branches share the width
        ),
        ModelSpec(
            name="stgat",
            what="spatial-temporal graph attention network",
            source="Hu et al., arXiv 2208.08599",
            config=STGATConfig,
            build=STGAT,
            small=STGATConfig(width=16),
        ),
        ModelSpec(
            name="local",
            what="ST-GCN with unshared weights for every pair of neighbours (baseline)",
            source=_TABLE_1,
            config=BaselineConfig,
            build=LocalConvNet,
            small=BaselineConfig(width=16, dropout=0.1),
        ),
        ModelSpec(
            name="tcn",
            what="temporal convolutions on all joints as one vector (baseline)",
            source=_TABLE_1,
            config=BaselineConfig,
            build=TemporalConvNet,
            small=BaselineConfig(width=16, dropout=0.1),
        ),
    )
}
