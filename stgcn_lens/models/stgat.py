"""STGAT: spatial-temporal graph attention network.

Source: Hu, Liu, Feng, "Spatial Temporal Graph Attention Network for Skeleton-Based Action Recognition",
arXiv 2208.08599. Every joint attends to the joints of a window of frames around its own. The paper's three
modules against redundancy in that neighbourhood are switches of the configuration.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from stgcn_lens.adjacency import hops, links
from stgcn_lens.errors import LensError
from stgcn_lens.models.trunk import Trunk
from stgcn_lens.skeleton import Layout

MULTIPLES = (1, 1, 2, 2, 4, 4, 4, 4)  # of the width, block by block
STRIDED = (3, 5)
STEPS = (-1, -2, 1, 2)  # frames that the motion features look at
SLOPE = 0.1  # of LeakyReLU


@dataclass(frozen=True)
class STGATConfig:
    """Shape of an STGAT."""

    width: int = 64
    """Channels of the first block (paper: 64)."""
    heads: int = 8
    """Attention heads; head s may look s + 1 bones far (paper: 8)."""
    window: int = 3
    """Frames that one attention sees (paper: 3)."""
    scope: bool = True
    """Narrowed attention: each head sees the joints at its own number of bones (first module); else all joints."""
    dynamic: bool = True
    """Weigh the frames of a window by how much they differ from the joints' mean (second module)."""
    motion: bool = True
    """Feed signed differences to the neighbouring frames beside the positions (third module)."""
    released: bool = False
    """As the released code computes: softmax over the targets, gates in the order in which it tiles them."""
    kernel: int = 7
    """Frames that one temporal convolution sees (released code)."""
    dropout: float = 0.0
    """On attention (released code: none)."""

    def __post_init__(self) -> None:
        if self.heads < 1 or self.width < 8 or self.width % 8 or self.width % self.heads:
            raise LensError(
                "impossible STGAT",
                got=f"width {self.width}, {self.heads} heads",
                expected="a width that 8 and the heads divide",
            )
        if min(self.window, self.kernel) < 1 or self.window % 2 == 0 or self.kernel % 2 == 0:
            raise LensError(
                "impossible STGAT", got=f"window {self.window}, kernel {self.kernel}", expected="odd numbers of frames"
            )
        if not 0 <= self.dropout < 1:
            raise LensError("impossible dropout", got=self.dropout, expected="0 <= dropout < 1")


def _mapped(c_in: int, c_out: int, kernel: int = 1, stride: int = 1) -> nn.Sequential:
    """Convolution over time and batch norm."""
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, (kernel, 1), (stride, 1), (kernel // 2, 0)),
        nn.BatchNorm2d(c_out),
    )


class Entry(nn.Module):
    """Positions and, with `motion`, their signed differences to the frames t-1, t-2, t+1, t+2.

    (B, C, T, V) -> (B, width, T, V).
    """

    def __init__(self, channels: int, width: int, motion: bool) -> None:
        super().__init__()
        self.position = _mapped(channels, width // 2 if motion else width)
        self.motion = nn.ModuleList([_mapped(channels, width // 8) for _ in STEPS] if motion else [])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features (B, width, T, V)."""
        parts = [self.position(x)] + [part(difference(x, step)) for part, step in zip(self.motion, STEPS, strict=False)]
        return F.leaky_relu(torch.cat(parts, dim=1), SLOPE)


def difference(x: torch.Tensor, step: int) -> torch.Tensor:
    """x_t - x_{t+step} along the frames (B, C, T, V), zero where the other frame lies beyond an end."""
    out, frames = torch.zeros_like(x), x.shape[2]
    if abs(step) >= frames:
        return out
    if step < 0:
        out[:, :, -step:] = x[:, :, -step:] - x[:, :, :step]
    else:
        out[:, :, :-step] = x[:, :, :-step] - x[:, :, step:]
    return out


def windows(x: torch.Tensor, size: int) -> torch.Tensor:
    """Frames t - size//2 ... t + size//2 of every frame beside each other, (B, C, T, V) -> (B, C, T, size * V).

    Offsets are major; frames beyond the ends are zero.
    """
    padded = F.pad(x, (0, 0, size // 2, size // 2))
    return padded.unfold(2, size, 1).transpose(3, 4).flatten(3)


class Attention(nn.Module):
    """Attention of each joint to the joints of a window of frames; one matrix per body and head.

    (B, C_in, T, V) -> (B, heads * C_in, T, V). Scores are summed over the channels of a head and over T and divided by
    their number. Rows of a matrix are (offset, source joint), columns target joints.
    """

    allowed: torch.Tensor
    mean: torch.Tensor

    def __init__(self, config: STGATConfig, c_in: int, c_out: int, layout: Layout) -> None:
        super().__init__()
        self.config, self.heads, self.size = config, config.heads, config.window
        self.key, self.query = nn.Conv2d(c_in, c_out, 1), nn.Conv2d(c_in, c_out, 1)
        self.average = nn.Conv2d(c_in, c_in, 1) if config.dynamic else None
        self.free = nn.Parameter(torch.full((config.heads, config.window * layout.V, layout.V), 1 / layout.V))
        self.dropout = nn.Dropout(config.dropout)
        self.register_buffer("allowed", _scope(layout, config.heads).repeat(1, config.window, 1), persistent=False)
        self.register_buffer("mean", _neighbourhood(layout), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Gathered features of every head."""
        b, c, t, v = x.shape
        seen = windows(x, self.size)  # (B, C, T, W * V)
        attention = self.weights(x, seen) + self.free
        attention = self.dropout(attention)
        gathered = seen.reshape(b, 1, c * t, self.size * v) @ attention
        return gathered.reshape(b, self.heads * c, t, v)

    def weights(self, x: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """The part of the attention that depends on the clip, (B, heads, W * V, V)."""
        b, v = x.shape[0], x.shape[3]
        split = lambda y: y.reshape(b, self.heads, -1, y.shape[3])  # noqa: E731
        # The query's bias acts on padded frames too: the window is taken first, the convolution after.
        key, query = split(self.key(x)), split(self.query(seen))  # (B, heads, d * T, V or W * V)
        scores = query.transpose(2, 3) @ key / key.shape[2]
        if self.config.scope:
            scores = scores.masked_fill(~self.allowed, float("-inf"))
        attention = scores.softmax(dim=3 if self.config.released else 2)
        if self.average is None:
            return attention
        gate = self.gate(x, seen)
        # The rows are (offset, joint); the released code tiles its gates as if they were (joint, offset).
        order = gate.repeat(1, 1, v) if self.config.released else gate.repeat_interleave(v, dim=2)
        return attention * order[..., None]

    def gate(self, x: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """How much each offset counts, in (0, 1), (B, heads, W)."""
        assert self.average is not None
        b, c, t, v = x.shape
        mean = self.average(x @ self.mean).mean(dim=(2, 3))  # (B, C)
        other = seen.reshape(b, c, t, self.size, v).mean(dim=(2, 4))  # (B, C, W)
        return (mean[..., None] - other).reshape(b, self.heads, c // self.heads, self.size).mean(dim=2).sigmoid()


def _scope(layout: Layout, heads: int) -> torch.Tensor:
    """(heads, V, V) bool: the joint itself and the joints exactly s + 1 bones away, for head s."""
    far = hops(layout)
    return torch.from_numpy(np.stack([(far == s + 1) | (far == 0) for s in range(heads)]))


def _neighbourhood(layout: Layout) -> torch.Tensor:
    """Symmetrically normalised adjacency with self links, (V, V)."""
    a = links(layout) + np.eye(layout.V)
    scale = 1 / np.sqrt(a.sum(axis=1))
    return torch.from_numpy((scale[:, None] * a * scale[None, :]).astype(np.float32))


class AttentionBlock(nn.Module):
    """Attention, two channel mixes and a temporal convolution, each with a shortcut.

    (B, C_in, T, V) -> (B, C_out, ceil(T / stride), V).
    """

    def __init__(self, config: STGATConfig, c_in: int, c_out: int, layout: Layout, stride: int) -> None:
        super().__init__()
        same = c_in == c_out and stride == 1
        shortcut = lambda c, step=1: nn.Identity() if same else _mapped(c, c_out, stride=step)  # noqa: E731
        self.attention = Attention(config, c_in, c_out, layout)
        self.joined = _mapped(config.heads * c_in, c_out)
        self.mixed = _mapped(c_out, c_out)
        self.temporal = _mapped(c_out, c_out, config.kernel, stride)
        self.joined_shortcut, self.mixed_shortcut = shortcut(c_in), shortcut(c_in)
        self.temporal_shortcut = shortcut(c_out, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One tensor in, one tensor out."""
        y = F.leaky_relu(self.joined(self.attention(x)) + self.joined_shortcut(x), SLOPE)
        y = F.leaky_relu(self.mixed(y) + self.mixed_shortcut(x), SLOPE)
        return F.leaky_relu(self.temporal(y) + self.temporal_shortcut(y), SLOPE)


class STGAT(Trunk):
    """STGAT for one layout. Meets `protocol.Lens`; 5,607,740 parameters for 60 classes of 25 joints."""

    def __init__(self, config: STGATConfig, layout: Layout, channels: int = 3, classes: int = 60) -> None:
        blocks, c_in = [], config.width
        for number, multiple in enumerate(MULTIPLES, start=1):
            c_out = multiple * config.width
            blocks.append(AttentionBlock(config, c_in, c_out, layout, stride=2 if number in STRIDED else 1))
            c_in = c_out
        super().__init__(
            config,
            layout,
            channels,
            classes,
            entry=Entry(channels, config.width, config.motion),
            blocks=blocks,
            steps=[2 if number in STRIDED else 1 for number in range(1, len(MULTIPLES) + 1)],
            width=c_in,
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")  # as in the released code
