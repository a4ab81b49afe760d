"""The two convolutions that a spatio-temporal block is made of.

Source: Yan et al. 2018 (ST-GCN), section 3.6 and equation 10.
"""

import torch
import torch.nn.functional as F
from torch import nn


class GraphConv(nn.Module):
    """Spatial graph convolution: sum_k (A_k * M_k) X W_k + b_k, (B, C_in, T, V) -> (B, C_out, T, V).

    The adjacency is applied before the channel weights: one product with a (V, K*V) matrix and one 1x1
    convolution over K*C_in channels, which is the same sum with C_in / C_out of the work in the first product.
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
        gathered = (x.reshape(-1, v) @ a.permute(1, 0, 2).reshape(v, k * w)).view(b, c, t, k, w)
        gathered = gathered.permute(0, 3, 1, 2, 4).reshape(b, k * c, t, w)
        weight = self.conv.weight.view(k, self.c_out, c).permute(1, 0, 2).reshape(self.c_out, k * c, 1, 1)
        assert self.conv.bias is not None
        bias = torch.einsum("kc,kw->cw", self.conv.bias.view(k, self.c_out), a.sum(dim=1))
        return F.conv2d(gathered, weight) + bias[:, None, :]


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
        self.dropout = nn.Dropout(dropout)
        self.shortcut: nn.Module | None = None
        if shortcut and c_in == c_out and stride == 1:
            self.shortcut = nn.Identity()
        elif shortcut:
            self.shortcut = nn.Sequential(nn.Conv2d(c_in, c_out, 1, (stride, 1)), nn.BatchNorm2d(c_out))
        if self.shortcut is not None:
            # A block starts as its shortcut (Goyal et al. 2017, arXiv 1706.02677, section 5.1): with few clips the
            # ten blocks learn several times faster (docs/results.md).
            nn.init.zeros_(self.temporal_norm.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One tensor in, one tensor out: layers can be hooked without care for tuples."""
        y = F.relu(self.graph_norm(self.graph(x)))
        y = self.dropout(self.temporal_norm(self.temporal(y)))
        return F.relu(y if self.shortcut is None else y + self.shortcut(x))
