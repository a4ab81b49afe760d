"""Networks whose every weight and statistic matters: fresh ones start with zero and one in many places."""

import torch
from torch import nn

from stgcn_lens.models import MODELS, STGCN, BaselineConfig, STGATConfig, STGCNConfig, STGCNPPConfig
from stgcn_lens.skeleton import get_layout

SMALL = {
    "stgcn": STGCNConfig(width=4),
    "stgcn++": STGCNPPConfig(width=24, blocks=3, wider=(2,), strided=(3,)),
    "stgat": STGATConfig(width=8, heads=4),
    "local": BaselineConfig(width=4),
    "tcn": BaselineConfig(width=4),
}


def randomised(model: nn.Module, seed: int = 0) -> nn.Module:
    """The model in evaluation mode, every tensor of its state drawn anew (variances positive)."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var"):
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
        elif name.endswith(("norm.weight", "importance", "shortcut.1.weight")):
            tensor.copy_(1 + 0.3 * torch.randn(tensor.shape, generator=generator))
        elif tensor.is_floating_point():
            fan = max(1, tensor[0].numel()) if tensor.ndim > 1 else 4
            tensor.copy_(torch.randn(tensor.shape, generator=generator) / fan**0.5)
    return model.eval()


def stgcn(seed: int = 0, *, layout: str = "ntu25", channels: int = 3, classes: int = 5, **settings: object) -> STGCN:
    """A small ST-GCN with weights that all matter."""
    config = STGCNConfig(**{"width": 4, **settings})
    return randomised(STGCN(config, get_layout(layout), channels, classes), seed)


def built(name: str, layout: str, channels: int = 3, classes: int = 5) -> nn.Module:
    """A row of MODELS, small, with weights that all matter."""
    spec = MODELS[name]
    return randomised(spec.build(SMALL.get(name, spec.config()), get_layout(layout), channels, classes))


def clips(*shape: int, seed: int = 0) -> torch.Tensor:
    """Random clips (N, C, T, V, M)."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
