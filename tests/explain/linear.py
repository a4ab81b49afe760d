"""A network of which everything is known: one weight for every coordinate and class."""

import numpy as np
import torch
from torch import nn

from tests.explain.mock import STICK


class Linear(nn.Module):
    """Logits = sum over (C, T, V, M) of x times a weight of the class. Meets the protocol; "block_1" passes through."""

    def __init__(self, frames: int, bodies: int, classes: int = 3, seed: int = 0, scale: float = 0.2) -> None:
        super().__init__()
        self.layout, self.strides = STICK, {"input": 1, "block_1": 1}
        self.input, self.block = nn.Identity(), nn.Conv2d(3, 3, 1)
        self.head = nn.Linear(3 * frames * STICK.V * bodies, classes)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            self.block.weight.copy_(torch.eye(3)[:, :, None, None])
            self.block.bias.zero_()
            self.head.weight.normal_(0, scale, generator=generator)
        self.shape = (frames, bodies)

    @property
    def layers(self) -> dict[str, nn.Module]:
        return {"input": self.input, "block_1": self.block}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, c, t, v, m = x.shape
        y = self.block(self.input(x.permute(0, 4, 1, 2, 3).reshape(n * m, c, t, v)))
        return self.head(y.view(n, m, c, t, v).permute(0, 2, 3, 4, 1).reshape(n, -1))

    def weights(self, target: int) -> np.ndarray:
        """(C, T, V, M) of a class."""
        t, m = self.shape
        return self.head.weight[target].detach().numpy().reshape(3, t, STICK.V, m)

    def ask(self, x: np.ndarray) -> np.ndarray:
        """Logits of clips."""
        with torch.inference_mode():
            return self(torch.from_numpy(x)).numpy()
