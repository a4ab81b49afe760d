"""The networks that table 1 of ST-GCN sets beside it: a temporal convolution network and local, unshared convolution.

Source: Yan et al. 2018, section 4.2. The third baseline, one shared weight for all neighbours (Kipf and Welling
2017), is ST-GCN with the partition "uniform". Depth and strides of both are those of ST-GCN.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from stgcn_lens.adjacency import links
from stgcn_lens.errors import LensError
from stgcn_lens.models.blocks import Pointwise, SpatioTemporalBlock
from stgcn_lens.models.stgcn import CONFIGURATIONS, DataNorm
from stgcn_lens.models.trunk import Trunk
from stgcn_lens.skeleton import Layout


@dataclass(frozen=True)
class BaselineConfig:
    """Shape of a baseline."""

    configuration: str = "release"
    """Depth and strides: "release" has 10 blocks, "paper" 9, "compact" 6 (ours)."""
    width: int = 64
    """Channels of the first block."""
    kernel: int = 9
    """Frames that one temporal convolution sees."""
    dropout: float = 0.5
    """Dropout in every block but the first."""

    def __post_init__(self) -> None:
        if self.configuration not in CONFIGURATIONS:
            raise LensError(
                "unknown configuration", got=repr(self.configuration), expected=f"one of {', '.join(CONFIGURATIONS)}"
            )
        if self.width < 1 or self.kernel < 1 or self.kernel % 2 == 0:
            raise LensError(
                "impossible network", got=f"width {self.width}, kernel {self.kernel}", expected="width >= 1, odd kernel"
            )
        if not 0 <= self.dropout < 1:
            raise LensError("impossible dropout", got=self.dropout, expected="0 <= dropout < 1")


class LocalConv(nn.Module):
    """Every joint has weights of its own for itself and each neighbour: (B, C_in, T, V) -> (B, C_out, T, V).

    Nothing is shared between joints, as a convolution without weight sharing has it; 3V - 2 matrices in all.
    """

    source: torch.Tensor
    target: torch.Tensor

    def __init__(self, c_in: int, c_out: int, layout: Layout) -> None:
        super().__init__()
        source, target = (links(layout) + torch.eye(layout.V).numpy()).nonzero()
        self.register_buffer("source", torch.from_numpy(source), persistent=False)
        self.register_buffer("target", torch.from_numpy(target), persistent=False)
        degree = torch.bincount(self.target).float()[self.target]
        # Each joint's neighbours together have the fan-in of one matrix.
        self.weight = nn.Parameter(torch.randn(len(source), c_in, c_out) * (2 / (c_in * degree)).sqrt()[:, None, None])
        self.bias = nn.Parameter(torch.zeros(layout.V, c_out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Sum over a joint's neighbours of their features times that neighbour's weights."""
        b, c, t, v = x.shape
        joints = x.permute(3, 0, 2, 1).reshape(v, b * t, c)
        messages = torch.bmm(joints[self.source], self.weight)  # (edges, B * T, C_out)
        y = self.bias[:, None].expand(-1, b * t, -1).index_add(0, self.target, messages.to(self.bias.dtype))
        return y.view(v, b, t, -1).permute(1, 3, 2, 0).contiguous()


class TemporalBlock(nn.Module):
    """Convolution over frames of all joints' channels together, with a shortcut.

    The features of a frame belong to no joint: they are put out as the same for every joint, (B, C_out, T', V), and so
    are their maps.
    """

    def __init__(
        self, c_in: int, c_out: int, *, joints: int, first: bool, stride: int, kernel: int, dropout: float
    ) -> None:
        super().__init__()
        self.joints, self.first = joints, first
        self.temporal = nn.Conv2d(c_in, c_out, (kernel, 1), (stride, 1), (kernel // 2, 0))
        self.temporal_norm = nn.BatchNorm2d(c_out)
        self.dropout = nn.Dropout(dropout)
        self.shortcut: nn.Module | None = None
        if not first and c_in == c_out and stride == 1:
            self.shortcut = nn.Identity()
        elif not first:
            self.shortcut = nn.Sequential(Pointwise(c_in, c_out, stride), nn.BatchNorm2d(c_out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Frames in, frames out."""
        # (B, C * V, T, 1) at first; then the joints are all the same.
        x = x.transpose(2, 3).flatten(1, 2)[..., None] if self.first else x.mean(dim=3, keepdim=True)
        y = self.dropout(self.temporal_norm(self.temporal(x)))
        y = F.relu(y if self.shortcut is None else y + self.shortcut(x))
        return y.expand(-1, -1, -1, self.joints)


class TemporalConvNet(Trunk):
    """Temporal convolutions on the joints of a frame as one vector. Meets `protocol.Lens`."""

    def __init__(self, config: BaselineConfig, layout: Layout, channels: int = 3, classes: int = 60) -> None:
        multiples, strided, _ = CONFIGURATIONS[config.configuration]
        steps = [2 if number in strided else 1 for number in range(1, len(multiples) + 1)]
        blocks, c_in = [], channels * layout.V
        for number, (multiple, step) in enumerate(zip(multiples, steps, strict=True), start=1):
            block = TemporalBlock(
                c_in,
                multiple * config.width,
                joints=layout.V,
                first=number == 1,
                stride=step,
                kernel=config.kernel,
                dropout=config.dropout if number > 1 else 0.0,
            )
            blocks.append(block)
            c_in = multiple * config.width
        entry = DataNorm(channels, layout.V)
        super().__init__(config, layout, channels, classes, entry=entry, blocks=blocks, steps=steps, width=c_in)


class LocalConvNet(Trunk):
    """ST-GCN with `LocalConv` in the place of the graph convolution. Meets `protocol.Lens`."""

    def __init__(self, config: BaselineConfig, layout: Layout, channels: int = 3, classes: int = 60) -> None:
        multiples, strided, first_shortcut = CONFIGURATIONS[config.configuration]
        steps = [2 if number in strided else 1 for number in range(1, len(multiples) + 1)]
        blocks, c_in = [], channels
        for number, (multiple, step) in enumerate(zip(multiples, steps, strict=True), start=1):
            block = SpatioTemporalBlock(
                LocalConv(c_in, multiple * config.width, layout),
                c_in,
                multiple * config.width,
                stride=step,
                kernel=config.kernel,
                shortcut=number > 1 or first_shortcut,
                dropout=config.dropout if number > 1 else 0.0,
            )
            blocks.append(block)
            c_in = multiple * config.width
        entry = DataNorm(channels, layout.V)
        super().__init__(config, layout, channels, classes, entry=entry, blocks=blocks, steps=steps, width=c_in)
