"""A small ST-GCN, written out plainly, with the habits of other people's networks as switches."""

import torch
from torch import nn

from stgcn_lens.skeleton import Layout

STICK = Layout(
    name="stick",
    joints=("base", "middle", "top", "left_hand", "right_hand"),
    bones=((1, 0), (2, 1), (3, 1), (4, 1)),
    centre=1,
    spine=(0, 2),
    shoulders=(3, 4),
    pairs=((3, 4),),
    parts={"trunk": (0, 1, 2), "hands": (3, 4)},
)


class Block(nn.Module):
    """Graph convolution, temporal convolution, batch norm, residual; the ReLU comes after the block."""

    def __init__(self, c_in: int, c_out: int, stride: int, tuples: bool) -> None:
        super().__init__()
        self.tuples = tuples
        self.graph = nn.Conv2d(c_in, c_out, 1)
        self.temporal = nn.Conv2d(c_out, c_out, (3, 1), (stride, 1), (1, 0))
        self.norm = nn.BatchNorm2d(c_out)
        self.residual = nn.Conv2d(c_in, c_out, 1, (stride, 1))

    def forward(self, x: torch.Tensor, a: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        y = torch.einsum("bctv,vw->bctw", self.graph(x), a)
        y = self.norm(self.temporal(y)) + self.residual(x)
        return (y, a) if self.tuples else y


class Mock(nn.Module):
    """Meets the protocol. `inplace`: the ReLU after each block writes into the block's output."""

    def __init__(
        self,
        *,
        channels: tuple[int, ...] = (4, 6, 5),
        strides: tuple[int, ...] = (1, 2, 2),
        classes: int = 4,
        inplace: bool = False,
        tuples: bool = False,
        layout: Layout = STICK,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.layout = layout
        self.input = nn.Identity()
        self.blocks = nn.ModuleList()
        self.strides = {"input": 1}
        total, c_in = 1, 3
        for i, (c_out, stride) in enumerate(zip(channels, strides, strict=True), start=1):
            self.blocks.append(Block(c_in, c_out, stride, tuples))
            total, c_in = total * stride, c_out
            self.strides[f"block_{i}"] = total
        self.relu = nn.ModuleList(nn.ReLU(inplace=inplace) for _ in channels)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(c_in, classes)
        a = torch.eye(layout.V)
        for child, parent in layout.bones:
            a[child, parent] = a[parent, child] = 1
        self.register_buffer("a", a / a.sum(0))
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, value in [*self.named_parameters(), *self.named_buffers()]:
                if name.endswith("running_var"):
                    value.uniform_(0.5, 1.5, generator=generator)
                elif value.is_floating_point() and name != "a":
                    value.normal_(0, 0.5, generator=generator)

    @property
    def layers(self) -> dict[str, nn.Module]:
        return {"input": self.input} | {f"block_{i}": block for i, block in enumerate(self.blocks, start=1)}

    def tail(self, y: torch.Tensor, done: int, bodies: int) -> torch.Tensor:
        """Logits from the output of block number `done` (0: the folded input)."""
        if done:
            y = self.relu[done - 1](y)
        for i in range(done, len(self.blocks)):
            y = self.blocks[i](y, self.a)
            y = self.dropout(self.relu[i](y[0] if isinstance(y, tuple) else y))
        y = y.mean(dim=(2, 3)).view(-1, bodies, y.shape[1]).mean(dim=1)
        return self.head(y)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, c, t, v, m = x.shape
        return self.tail(self.input(x.permute(0, 4, 1, 2, 3).reshape(n * m, c, t, v)), 0, m)


def clips(n: int = 3, t: int = 9, m: int = 2, *, v: int = 5, seed: int = 1) -> torch.Tensor:
    return torch.randn(n, 3, t, v, m, generator=torch.Generator().manual_seed(seed))
