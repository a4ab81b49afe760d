"""ST-GCN: spatio-temporal graph convolution network.

Source: Yan, Xiong, Lin, "Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action Recognition",
AAAI 2018, arXiv 1801.07455. The released network differs from the paper's in depth and strides; both are
configurations of the one below.
"""

from dataclasses import dataclass

import torch
from torch import nn

from stgcn_lens.adjacency import partitions
from stgcn_lens.errors import LensError
from stgcn_lens.models.blocks import SpatioTemporalBlock
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
    """Partition strategy: uniform, distance, distance-tied, spatial, spatial-release."""
    normalisation: str = "column"
    """column (released code) or symmetric (paper, alpha = 0.001; docs/results.md says what it does to leaf joints)."""
    kernel: int = 9
    """Frames that one temporal convolution sees (paper)."""
    importance: bool = True
    """Learnable edge importance mask on every adjacency (paper)."""
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


class STGCN(nn.Module):
    """ST-GCN for one layout. Meets `protocol.Lens`.

    Parameters
    ----------
    config : depth, width, partitions.
    layout : the skeleton.
    channels : C of the clips, 2 or 3.
    classes : number of logits.
    """

    def __init__(self, config: STGCNConfig, layout: Layout, channels: int = 3, classes: int = 60) -> None:
        super().__init__()
        self.config, self.layout, self.channels, self.classes = config, layout, channels, classes
        multiples, strided, first_shortcut = CONFIGURATIONS[config.configuration]
        adjacency = torch.from_numpy(partitions(layout, config.partition, config.normalisation))
        self.input = nn.Identity()
        self.data_norm = nn.BatchNorm1d(layout.V * channels)
        blocks, c_in = [], channels
        self.strides = {"input": 1}
        for number, multiple in enumerate(multiples, start=1):
            stride = 2 if number in strided else 1
            blocks.append(
                SpatioTemporalBlock(
                    c_in,
                    multiple * config.width,
                    adjacency,
                    stride=stride,
                    kernel=config.kernel,
                    shortcut=number > 1 or first_shortcut,
                    importance=config.importance,
                    dropout=config.dropout if number > 1 else 0.0,
                )
            )
            c_in = multiple * config.width
            self.strides[f"block_{number}"] = stride * list(self.strides.values())[-1]
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Linear(c_in, classes)

    @property
    def layers(self) -> dict[str, nn.Module]:
        """Modules by layer name, in depth order."""
        return {"input": self.input} | {f"block_{i}": block for i, block in enumerate(self.blocks, start=1)}

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Clips (N, C, T, V, M) to the last block's features (N, M, C_L, T_L, V)."""
        if x.ndim != 5 or (x.shape[1], x.shape[3]) != (self.channels, self.layout.V):
            raise LensError(
                f"the clips do not fit a model of layout '{self.layout.name}'",
                got=f"{x.shape[1]} channels, {x.shape[3]} joints" if x.ndim == 5 else f"axes {tuple(x.shape)}",
                expected=f"(N, C, T, V, M) with {self.channels} channels, {self.layout.V} joints",
                fix="use clips of the layout and stream that the model was trained on",
            )
        n, c, t, v, m = x.shape
        x = self.input(x.permute(0, 4, 1, 2, 3).reshape(n * m, c, t, v))
        # Batch norm over V*C, joints major, with the bodies of a clip sharing the statistics.
        x = self.data_norm(x.permute(0, 3, 1, 2).reshape(n * m, v * c, t))
        x = x.view(n * m, v, c, t).permute(0, 2, 3, 1).contiguous()
        for block in self.blocks:
            x = block(x)
        return x.view(n, m, *x.shape[1:])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes): mean over frames and joints, then over bodies, then a linear head."""
        return self.head(self.features(x).mean(dim=(3, 4)).mean(dim=1))
