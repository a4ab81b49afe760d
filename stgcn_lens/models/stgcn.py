"""ST-GCN: spatio-temporal graph convolution network.

Source: Yan, Xiong, Lin, "Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action Recognition",
AAAI 2018, arXiv 1801.07455. The released network differs from the paper's in depth and strides; both are
configurations of the one below.
"""

from dataclasses import dataclass

import torch
from torch import nn

from stgcn_lens.adjacency import MEASURED, partitions
from stgcn_lens.errors import LensError
from stgcn_lens.models.blocks import GraphConv, SpatioTemporalBlock
from stgcn_lens.models.trunk import Trunk
from stgcn_lens.skeleton import Layout

# configuration -> (channels as multiples of the width, block by block; blocks with stride 2; first has a shortcut)
CONFIGURATIONS: dict[str, tuple[tuple[int, ...], tuple[int, ...], bool]] = {
    "release": ((1, 1, 1, 1, 2, 2, 2, 4, 4, 4), (5, 8), False),
    "paper": ((1, 1, 1, 2, 2, 2, 4, 4, 4), (4, 7), True),
    "compact": ((1, 1, 2, 2, 4, 4), (3, 5), False),
}


@dataclass(frozen=True)
class STGCNConfig:
    """Shape of an ST-GCN."""

    configuration: str = "release"
    """Depth and strides: "release" has 10 blocks, "paper" 9, "compact" 6 (ours)."""
    width: int = 64
    """Channels of the first block; 64 in the paper and in the released code."""
    partition: str = "spatial"
    """Partition strategy: uniform, distance, distance-tied, spatial, spatial-release, or spatial-measured."""
    radius: tuple[float, ...] | None = None
    """Of spatial-measured: mean distance of every joint to the centre of gravity; training measures it if not given."""
    normalisation: str = "column"
    """column (released code) or symmetric (paper, alpha = 0.001; docs/results.md says what it does to leaf joints)."""
    kernel: int = 9
    """Frames that one temporal convolution sees (paper)."""
    importance: bool = True
    """Learnable edge importance mask on every adjacency (paper)."""
    learned: bool = False
    """Learn the adjacency itself, from the partition on, dense (pyskl's "init")."""
    dropout: float = 0.5
    """Dropout in every block but the first (paper: 0.5)."""

    def __post_init__(self) -> None:
        if self.configuration not in CONFIGURATIONS:
            raise LensError(
                "unknown ST-GCN configuration",
                got=repr(self.configuration),
                expected=f"one of {', '.join(CONFIGURATIONS)}",
            )
        if self.width < 1 or self.kernel < 1 or self.kernel % 2 == 0:
            raise LensError(
                "impossible ST-GCN", got=f"width {self.width}, kernel {self.kernel}", expected="width >= 1, odd kernel"
            )
        if not 0 <= self.dropout < 1:
            raise LensError("impossible dropout", got=self.dropout, expected="0 <= dropout < 1")
        if self.radius is not None and self.partition != MEASURED:
            raise LensError("a radius that nothing uses", got=f"partition {self.partition}", expected=MEASURED)


class DataNorm(nn.Module):
    """Batch norm over V*C, joints major, with the bodies of a clip sharing the statistics: (B, C, T, V) -> the same.

    The result is channels-last, and every layer after it stays so: convolutions and norms are faster there.
    """

    def __init__(self, channels: int, joints: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(joints * channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalised clips."""
        b, c, t, v = x.shape
        x = self.norm(x.permute(0, 3, 1, 2).reshape(b, v * c, t))
        return x.view(b, v, c, t).permute(0, 2, 3, 1).contiguous(memory_format=torch.channels_last)


class STGCN(Trunk):
    """ST-GCN for one layout. Meets `protocol.Lens`; 3,098,832 parameters for 60 classes of 25 joints as released."""

    def __init__(self, config: STGCNConfig, layout: Layout, channels: int = 3, classes: int = 60) -> None:
        multiples, strided, first_shortcut = CONFIGURATIONS[config.configuration]
        adjacency = torch.from_numpy(partitions(layout, config.partition, config.normalisation, config.radius))
        blocks, c_in = [], channels
        for number, multiple in enumerate(multiples, start=1):
            blocks.append(
                SpatioTemporalBlock(
                    GraphConv(c_in, multiple * config.width, adjacency, config.importance, config.learned),
                    c_in,
                    multiple * config.width,
                    stride=2 if number in strided else 1,
                    kernel=config.kernel,
                    shortcut=number > 1 or first_shortcut,
                    dropout=config.dropout if number > 1 else 0.0,
                )
            )
            c_in = multiple * config.width
        super().__init__(
            config,
            layout,
            channels,
            classes,
            entry=DataNorm(channels, layout.V),
            blocks=blocks,
            steps=[2 if number in strided else 1 for number in range(1, len(multiples) + 1)],
            width=c_in,
        )
