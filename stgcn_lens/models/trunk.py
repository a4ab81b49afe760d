"""What the networks share: bodies folded into the batch, blocks in a row, a mean, a linear head."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import Layout


class Trunk(nn.Module):
    """A network of blocks that meets `protocol.Lens`.

    Parameters
    ----------
    config : the architecture's settings, kept for the checkpoint.
    layout : the skeleton.
    channels : C of the clips, 2 or 3.
    classes : number of logits.
    entry : what comes before the blocks, (N*M, C, T, V) -> (N*M, C_0, T, V).
    blocks : (N*M, C_l, T_l, V) -> the same axes, in depth order.
    steps : temporal stride of each block.
    width : channels of the last block.
    """

    def __init__(
        self,
        config: Any,
        layout: Layout,
        channels: int,
        classes: int,
        *,
        entry: nn.Module,
        blocks: Sequence[nn.Module],
        steps: Sequence[int],
        width: int,
    ) -> None:
        super().__init__()
        self.config, self.layout, self.channels, self.classes = config, layout, channels, classes
        self.input, self.entry = nn.Identity(), entry
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Linear(width, classes)
        total = np.cumprod(steps).tolist()
        self.strides = {"input": 1} | {f"block_{i}": stride for i, stride in enumerate(total, start=1)}

    @property
    def layers(self) -> dict[str, nn.Module]:
        """Modules by layer name, in depth order."""
        return {"input": self.input} | {f"block_{i}": block for i, block in enumerate(self.blocks, start=1)}

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Clips (N, C, T, V, M) to the last block's features (N, M, C_L, T_L, V)."""
        if x.ndim != 5 or (x.shape[1], x.shape[3]) != (self.channels, self.layout.V):
            raise DataError(
                f"the clips do not fit a model of layout '{self.layout.name}'",
                got=f"{x.shape[1]} channels, {x.shape[3]} joints" if x.ndim == 5 else f"axes {tuple(x.shape)}",
                expected=f"(N, C, T, V, M) with {self.channels} channels, {self.layout.V} joints",
                fix="use clips of that layout, which `stgcn-lens data convert --to-layout` makes",
            )
        n, c, t, v, m = x.shape
        y = self.between(self.input(x.permute(0, 4, 1, 2, 3).reshape(n * m, c, t, v)))
        return y.view(n, m, *y.shape[1:])

    def between(self, y: torch.Tensor, below: str = "input", upto: str | None = None) -> torch.Tensor:
        """From what layer `below` puts out, (N*M, C, T, V), to what `upto` does, by default the last block."""
        names = list(self.layers)
        first, last = names.index(below), len(names) - 1 if upto is None else names.index(upto)
        if first == 0 < last:
            y = self.entry(y)
        for block in self.blocks[first:last]:
            y = block(y)
        return y

    def scores(self, features: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes) of features (N, M, C, T, V): mean over frames and joints, over bodies, a linear head."""
        return self.head(features.mean(dim=(3, 4)).mean(dim=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes) of clips (N, C, T, V, M)."""
        return self.scores(self.features(x))
