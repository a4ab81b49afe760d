"""ST-GCN++: ST-GCN with learned adjacency, residual graph convolutions and multi-branch temporal convolutions.

Source: Duan, Wang, Chen, Lin, "PYSKL: Towards Good Practices for Skeleton Action Recognition", ACM MM 2022,
arXiv 2205.09443.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from stgcn_lens.adjacency import partitions
from stgcn_lens.errors import LensError
from stgcn_lens.models.blocks import GraphConv, Pointwise
from stgcn_lens.models.stgcn import DataNorm
from stgcn_lens.models.trunk import Trunk
from stgcn_lens.skeleton import Layout

DILATIONS = (1, 2, 3, 4)  # of the branches with kernel 3; a max pooling and a bare 1x1 branch come after them


@dataclass(frozen=True)
class STGCNPPConfig:
    """Shape of an ST-GCN++."""

    width: int = 64
    """Channels of the first block (paper: 64)."""
    blocks: int = 10
    """Depth (paper: 10)."""
    wider: tuple[int, ...] = (5, 8)
    """Blocks that double the channels (paper: 5, 8)."""
    strided: tuple[int, ...] = (5, 8)
    """Blocks that halve the frames (paper: 5, 8)."""
    partition: str = "spatial"
    """Where the learned adjacency starts."""
    normalisation: str = "each"
    """Normalisation of that start: every partition by its own columns (released code)."""
    dropout: float = 0.0
    """Dropout after the temporal part (released code: none)."""

    def __post_init__(self) -> None:
        if self.width < len(DILATIONS) + 2 or self.blocks < 1:
            raise LensError(
                "impossible ST-GCN++",
                got=f"width {self.width}, {self.blocks} blocks",
                expected=f"width >= {len(DILATIONS) + 2}, at least 1 block",
            )
        if not 0 <= self.dropout < 1:
            raise LensError("impossible dropout", got=self.dropout, expected="0 <= dropout < 1")


class MultiScaleConv(nn.Module):
    """Six temporal branches, then a mix of their channels: (B, C, T, V) -> (B, C, ceil(T / stride), V).

    Four convolutions of kernel 3 with dilations 1 to 4, a max pooling over 3 frames, and the frames themselves; the
    first branch takes the channels that six equal shares leave over.
    """

    def __init__(self, channels: int, stride: int, dropout: float) -> None:
        super().__init__()
        share = channels // (len(DILATIONS) + 2)
        first = channels - share * (len(DILATIONS) + 1)
        dilated = [
            nn.Sequential(
                *_entry(channels, c),
                nn.Conv2d(c, c, (3, 1), (stride, 1), (dilation, 0), (dilation, 1)),
            )
            for dilation, c in zip(DILATIONS, (first, *[share] * (len(DILATIONS) - 1)), strict=True)
        ]
        pooled = nn.Sequential(*_entry(channels, share), nn.MaxPool2d((3, 1), (stride, 1), (1, 0)))
        self.branches = nn.ModuleList([*dilated, pooled, Pointwise(channels, share, stride)])
        self.mix = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels, 1))
        self.norm = nn.BatchNorm2d(channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Frames in, frames out."""
        y = torch.cat([branch(x) for branch in self.branches], dim=1)
        return self.dropout(self.norm(self.mix(y)))


def _entry(c_in: int, c_out: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(c_in, c_out, 1), nn.BatchNorm2d(c_out), nn.ReLU()


class PlusBlock(nn.Module):
    """Graph convolution with a shortcut of its own, multi-branch temporal convolution, shortcut, ReLU."""

    def __init__(
        self, c_in: int, c_out: int, adjacency: torch.Tensor, *, stride: int, shortcut: bool, dropout: float
    ) -> None:
        super().__init__()
        self.graph = GraphConv(c_in, c_out, adjacency, importance=False, learned=True)
        self.graph_norm = nn.BatchNorm2d(c_out)
        self.graph_shortcut = nn.Identity() if c_in == c_out else _resized(c_in, c_out, 1)
        self.temporal = MultiScaleConv(c_out, stride, dropout)
        self.shortcut: nn.Module | None = None
        if shortcut:
            self.shortcut = nn.Identity() if c_in == c_out and stride == 1 else _resized(c_in, c_out, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One tensor in, one tensor out."""
        y = F.relu(self.graph_norm(self.graph(x)) + self.graph_shortcut(x))
        y = self.temporal(y)
        return F.relu(y if self.shortcut is None else y + self.shortcut(x))


def _resized(c_in: int, c_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(Pointwise(c_in, c_out, stride), nn.BatchNorm2d(c_out))


class STGCNPP(Trunk):
    """ST-GCN++ for one layout. Meets `protocol.Lens`."""

    def __init__(self, config: STGCNPPConfig, layout: Layout, channels: int = 3, classes: int = 60) -> None:
        adjacency = torch.from_numpy(partitions(layout, config.partition, config.normalisation))
        steps = [2 if number in config.strided else 1 for number in range(1, config.blocks + 1)]
        blocks, c_in, c_out = [], channels, config.width
        for number, stride in enumerate(steps, start=1):
            if number > 1 and number in config.wider:
                c_out *= 2
            # The first block has no shortcut, as in the released code, which makes it apart from the stages.
            block = PlusBlock(c_in, c_out, adjacency, stride=stride, shortcut=number > 1, dropout=config.dropout)
            blocks.append(block)
            c_in = c_out
        entry = DataNorm(channels, layout.V)
        super().__init__(config, layout, channels, classes, entry=entry, blocks=blocks, steps=steps, width=c_in)
