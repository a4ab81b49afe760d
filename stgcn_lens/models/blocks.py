"""The two convolutions that a spatio-temporal block is made of.

Source: Yan et al. 2018 (ST-GCN), section 3.6 and equation 10.
"""

import torch
import torch.nn.functional as F
from torch import nn


class GraphConv(nn.Module):
    """Spatial graph convolution: sum_k (A_k * M_k) X W_k + b_k, (B, C_in, T, V) -> (B, C_out, T, V).

    The adjacency is applied before the channel weights, which is the same sum with C_in / C_out of the work in the
    first product: one product of a (K*V, V) matrix with every frame's (V, C_in), then one convolution that sums over
    partitions and channels. The result is a channels-last view.
    The weight is stored as a 1x1 convolution to K*C_out channels, partition-major, as the released code does.

    Parameters
    ----------
    adjacency : (K, V, V), from source joint v to target joint w.
    importance : learn a mask M on it, one at first.
    learned : learn the adjacency itself, from the given one on; it may come to join any two joints.
    """

    adjacency: torch.Tensor

    def __init__(
        self, c_in: int, c_out: int, adjacency: torch.Tensor, importance: bool = True, learned: bool = False
    ) -> None:
        super().__init__()
        self.partitions, self.c_in, self.c_out = adjacency.shape[0], c_in, c_out
        if learned:
            self.adjacency = nn.Parameter(adjacency.clone())
        else:
            self.register_buffer("adjacency", adjacency, persistent=False)
        self.importance = nn.Parameter(torch.ones_like(adjacency)) if importance else None
        self.conv = nn.Conv2d(c_in, self.partitions * c_out, kernel_size=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features of the neighbours, weighed and summed."""
        a = self.adjacency if self.importance is None else self.adjacency * self.importance
        b, c, t, v = x.shape
        k, w = self.partitions, a.shape[2]
        rows = x.permute(0, 2, 3, 1).reshape(b * t, v, c)  # no copy of a channels-last x
        spread = a.transpose(1, 2).reshape(1, k * w, v).expand(b * t, -1, -1)
        gathered = torch.bmm(spread, rows).view(b * t, k, w, c).permute(0, 3, 1, 2)
        # The partitions lie where rows of an image would: a (K, 1) kernel sums over them. As a matrix product, or as a
        # 1x1 convolution over K*C_in channels, PyTorch's CPU build computes the same sum at less than half the speed.
        weight = self.conv.weight.view(k, self.c_out, c).permute(1, 2, 0)[..., None]
        y = F.conv2d(gathered, weight).permute(0, 2, 3, 1).reshape(b, t, w, self.c_out)
        assert self.conv.bias is not None
        bias = torch.einsum("kc,kw->wc", self.conv.bias.view(k, self.c_out), a.sum(dim=1))
        return (y + bias).permute(0, 3, 1, 2)


class Dropout(nn.Dropout):
    """`nn.Dropout` that draws 16 random bits an element on the CPU, where PyTorch's own draw takes as long as a conv.

    (B, C, T, V) in any memory layout; p is met to 1 / 65536.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The input, with elements zeroed and the others scaled by 1 / (1 - p) in training."""
        if not self.training or self.p == 0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.p)
        b, c, t, v = x.shape
        words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        keep = words.view(torch.int16)[: x.numel()] >= round(self.p * 2**16) - 2**15
        scale = keep.to(x.dtype).mul_(1 / (1 - self.p))
        return x * scale.view(b, t, v, c).permute(0, 3, 1, 2)


class Pointwise(nn.Conv2d):
    """A convolution of single cells, of every `stride`-th frame: `nn.Conv2d(c_in, c_out, 1, (stride, 1))`.

    The frames are chosen before the convolution. With a stride of its own, oneDNN's kernel for the gradient of the
    weights writes past its memory on processors without AVX-512 when it runs in one thread and channels are not a
    multiple of 8 (torch 2.13): training ended in a double free.
    """

    def __init__(self, c_in: int, c_out: int, stride: int = 1) -> None:
        super().__init__(c_in, c_out, 1, (stride, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C_in, T, V) -> (B, C_out, ceil(T / stride), V)."""
        return F.conv2d(x[:, :, :: self.stride[0]], self.weight, self.bias)


class SpatioTemporalBlock(nn.Module):
    """Graph convolution, batch norm, ReLU, temporal convolution, batch norm, dropout, shortcut, ReLU.

    (B, C_in, T, V) -> (B, C_out, ceil(T / stride), V). `graph` is the spatial part, which keeps T and V; `shortcut`
    False leaves the shortcut out (first block).
    """

    def __init__(
        self,
        graph: nn.Module,
        c_in: int,
        c_out: int,
        *,
        stride: int = 1,
        kernel: int = 9,
        shortcut: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.graph = graph
        self.graph_norm = nn.BatchNorm2d(c_out)
        self.temporal = nn.Conv2d(c_out, c_out, (kernel, 1), (stride, 1), ((kernel - 1) // 2, 0))
        self.temporal_norm = nn.BatchNorm2d(c_out)
        self.dropout = Dropout(dropout)
        self.shortcut: nn.Module | None = None
        if shortcut and c_in == c_out and stride == 1:
            self.shortcut = nn.Identity()
        elif shortcut:
            self.shortcut = nn.Sequential(Pointwise(c_in, c_out, stride), nn.BatchNorm2d(c_out))
        if self.shortcut is not None:
            # A block starts as its shortcut (Goyal et al. 2017, arXiv 1706.02677, section 5.1): with few clips the
            # ten blocks learn several times faster (docs/results.md).
            nn.init.zeros_(self.temporal_norm.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One tensor in, one tensor out: layers can be hooked without care for tuples."""
        # In place only on what a batch norm has just made, which its gradient does not need.
        y = F.relu(self.graph_norm(self.graph(x)), inplace=True)
        y = self.dropout(self.temporal_norm(self.temporal(y)))
        if self.shortcut is not None:
            y = y + self.shortcut(x)
        return F.relu(y, inplace=True)
