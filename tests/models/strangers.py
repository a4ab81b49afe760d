"""Networks as other people write them, each with an adapter of ten lines.

`Agcn` is in the manner of 2s-AGCN and its followers: numbered blocks that return a tuple and are handed the graph of
the one before, ReLU in place. `Tokens` is a transformer of torch's own layers over (N, M, T, V, C), with a class token.
`Volume` is a plain 3-D CNN over frames, joints and bodies.
"""

import torch
import torch.nn.functional as F
from torch import nn

from stgcn_lens.models.protocol import View, fold
from stgcn_lens.skeleton import Layout, get_layout


class unit_agcn(nn.Module):
    def __init__(self, i, o, V, stride=1):
        super().__init__()
        self.PA = nn.Parameter(torch.eye(V))
        self.a, self.b = nn.Conv2d(i, 4, 1), nn.Conv2d(i, 4, 1)
        self.g = nn.Conv2d(i, o, 1)
        self.t = nn.Conv2d(o, o, (5, 1), (stride, 1), (2, 0))
        self.bn = nn.BatchNorm2d(o)
        self.down = nn.Conv2d(i, o, 1, (stride, 1))

    def forward(self, x, before):
        A = torch.softmax(torch.einsum("nctv,nctw->nvw", self.a(x), self.b(x)) / x.shape[2], 1)
        A = A + self.PA if before is None else A + self.PA + 0.5 * before
        y = self.bn(self.t(F.relu(torch.einsum("nctv,nvw->nctw", self.g(x), A), inplace=True)))
        y += self.down(x)
        return y, A


class Agcn(nn.Module):
    def __init__(self, V=25, num_class=4, num_person=2, C=3):
        super().__init__()
        self.num_person = num_person
        self.data_bn = nn.BatchNorm1d(num_person * C * V)
        self.l1, self.l2, self.l3 = unit_agcn(C, 6, V), unit_agcn(6, 8, V, stride=2), unit_agcn(8, 10, V, stride=2)
        self.relu, self.drop = nn.ReLU(inplace=True), nn.Dropout(0.5)
        self.fc = nn.Linear(10 + V, num_class)

    def forward(self, x):
        N, C, T, V, M = x.size()
        x = self.data_bn(x.permute(0, 4, 3, 1, 2).contiguous().view(N, M * V * C, T))
        x, A = x.view(N, M, V, C, T).permute(0, 1, 3, 4, 2).contiguous().view(N * M, C, T, V), None
        for layer in (self.l1, self.l2, self.l3):
            x, A = layer(x, A)
            x = self.relu(x)
        both = torch.cat([x.mean(3).mean(2), A.mean(1)], 1).view(N, M, -1).mean(1)
        return self.fc(self.drop(both))


class AgcnAdapter(nn.Module):
    def __init__(self, net: nn.Module, layout: Layout) -> None:
        super().__init__()
        self.net, self.layout, self.input = net, layout, nn.Identity()
        self.layers = {"input": self.input, "block_1": net.l1, "block_2": net.l2, "block_3": net.l3}
        self.strides = {"input": 1, "block_1": 1, "block_2": 2, "block_3": 4}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.input(fold(x))
        return self.net(x)


class Tokens(nn.Module):
    def __init__(self, joints=25, classes=4, dim=8, depth=3, length=16):
        super().__init__()
        self.joints, self.patch = joints, nn.Linear(2 * 3, dim)
        self.cls = nn.Parameter(torch.randn(1, 1, dim))
        self.place = nn.Parameter(torch.randn(1, 1 + length * joints, dim))
        layer = [nn.TransformerEncoderLayer(dim, 2, 2 * dim, dropout=0.1, batch_first=True) for _ in range(depth)]
        self.encoder = nn.ModuleList(layer)
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, classes))

    def forward(self, keypoint):
        n, m, t, v, c = keypoint.shape
        x = keypoint.reshape(n * m, t // 2, 2, v, c).transpose(2, 3).reshape(n * m, t // 2 * v, 2 * c)
        x = torch.cat([self.cls.expand(n * m, 1, -1), self.patch(x)], 1)
        x = x + self.place[:, : x.shape[1]]
        for layer in self.encoder:
            x = layer(x)
        return self.head(x[:, 0] + x.mean(1)).reshape(n, m, -1).mean(1)


class TokensAdapter(nn.Module):
    def __init__(self, net: nn.Module, layout: Layout) -> None:
        super().__init__()
        self.net, self.layout, self.input = net, layout, nn.Identity()
        there = lambda y: y[:, 1:].unflatten(1, (-1, layout.V)).permute(0, 3, 1, 2)  # noqa: E731
        back = lambda z, y: torch.cat([y[:, :1], z.permute(0, 2, 3, 1).flatten(1, 2)], 1)  # noqa: E731
        views = {f"block_{i}": View(layer, there, back) for i, layer in enumerate(net.encoder, 1)}
        self.layers, self.strides = {"input": self.input, **views}, {"input": 1, **dict.fromkeys(views, 2)}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.input(fold(x))
        return self.net(x.permute(0, 4, 2, 3, 1))


class Volume(nn.Module):
    def __init__(self, classes=4):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv3d(3, 6, 3, padding=1), nn.BatchNorm3d(6), nn.ReLU(inplace=True))
        self.deep = nn.Sequential(nn.Conv3d(6, 8, 3, (3, 1, 1), 1), nn.BatchNorm3d(8), nn.ReLU(inplace=True))
        self.last = nn.Linear(8, classes)

    def forward(self, x):
        return {"scores": self.last(self.deep(self.stem(x)).mean((2, 3, 4))), "loss": None}


class VolumeAdapter(nn.Module):
    def __init__(self, net: nn.Module, layout: Layout) -> None:
        super().__init__()
        self.net, self.layout, self.input = net, layout, nn.Identity()
        back = lambda z, y: z.unflatten(0, (len(y), -1)).permute(0, 2, 3, 4, 1)  # noqa: E731
        self.layers = {
            "input": self.input,
            "block_1": View(net.stem, fold, back),
            "block_2": View(net.deep, fold, back),
        }
        self.strides = {"input": 1, "block_1": 1, "block_2": 3}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.input(fold(x))
        return self.net(x)["scores"]


STRANGERS = {"agcn": (Agcn, AgcnAdapter), "tokens": (Tokens, TokensAdapter), "volume": (Volume, VolumeAdapter)}


def network(name: str, seed: int = 0) -> tuple[nn.Module, nn.Module]:
    """A stranger, with weights and running statistics at random, and its adapter for NTU's 25 joints."""
    net, adapter = STRANGERS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = net()
        for key, tensor in made.state_dict().items():
            if key.endswith("running_var"):
                tensor.uniform_(0.5, 1.5)
            elif key.endswith("running_mean"):
                tensor.normal_(0, 0.3)
    return made.eval(), adapter(made, get_layout("ntu25"))
