"""Claim: a training step and the inference of ST-GCN, against the published formulation written plainly.

    python benchmarks/train_step.py [--clips 8] [--rounds 15] [--threads 2] [--device cpu] [--bf16]
    python benchmarks/train_step.py --device cuda --clips 64 --frames 300 --bodies 2

The peer: 1x1 convolution to K*C channels, einsum with A * M, (9, 1) convolution, contiguous NCHW, 32 bits, eager. It
shares our weights; logits, and training gradients in 64 bits, are checked to agree within 1e-4 first. Both take turns;
the ratio is the median over rounds. On a GPU, and with --bf16, ours runs in bfloat16; on a GPU the target is a ratio
of 4 and 1,500 clips/s in training.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from stgcn_lens.models import STGCN, STGCNConfig
from stgcn_lens.models.blocks import SpatioTemporalBlock
from stgcn_lens.skeleton import get_layout

CLASSES, TARGET = 60, {"cpu": 2.0, "cuda": 4.0}


class PlainBlock(nn.Module):
    """A block of the published code, around the weights of one of ours."""

    def __init__(self, block: SpatioTemporalBlock) -> None:
        super().__init__()
        self.graph, self.shortcut = block.graph, block.shortcut
        self.temporal = nn.Sequential(
            block.graph_norm, nn.ReLU(), block.temporal, block.temporal_norm, nn.Dropout(block.dropout.p)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One tensor in, one tensor out."""
        y = self.graph.conv(x)
        n, kc, t, v = y.shape
        k = self.graph.partitions
        a = self.graph.adjacency * self.graph.importance
        y = torch.einsum("nkctv,kvw->nctw", y.view(n, k, kc // k, t, v), a).contiguous()
        y = self.temporal(y)
        return F.relu(y if self.shortcut is None else y + self.shortcut(x))


class Plain(nn.Module):
    """The published network, around the weights of ours."""

    def __init__(self, model: STGCN) -> None:
        super().__init__()
        self.norm, self.head = model.entry.norm, model.head
        self.blocks = nn.Sequential(*(PlainBlock(block) for block in model.blocks))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One tensor in, one tensor out."""
        n, c, t, v, m = x.shape
        x = self.norm(x.permute(0, 4, 3, 1, 2).contiguous().view(n * m, v * c, t))
        x = x.view(n, m, v, c, t).permute(0, 1, 3, 4, 2).contiguous().view(n * m, c, t, v)
        x = self.blocks(x)
        return self.head(F.avg_pool2d(x, x.shape[2:]).view(n, m, -1).mean(dim=1))


def check(model: STGCN, peer: nn.Module, x: torch.Tensor, target: torch.Tensor) -> None:
    """Same logits in 32 bits; without dropout, same logits and gradients in 64 bits.

    In 32 bits the gradients of either network lie some 1e-3 from their own in 64 bits (an activation near zero changes
    side), so that their difference would say nothing.
    """
    assert gap(*(net.eval()(x).detach() for net in (model, peer))) <= 1e-4
    dropouts = {module: module.p for net in (model, peer) for module in net.modules() if isinstance(module, nn.Dropout)}
    for module in dropouts:
        module.p = 0.0
    few, right, weights = x[:4].double(), target[:4], list(model.double().parameters())  # the peer's are the same
    losses = [F.cross_entropy(net.train()(few), right) for net in (model, peer)]
    gradients = [torch.cat([g.flatten() for g in torch.autograd.grad(loss, weights)]) for loss in losses]
    assert gap(*losses) <= 1e-4
    assert gap(*gradients) <= 1e-4
    model.float()
    for module, p in dropouts.items():
        module.p = p


def gap(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float(((ours - theirs).norm() / theirs.norm()).detach())


def steps(net: nn.Module, x: torch.Tensor, target: torch.Tensor, half: bool) -> dict[str, Callable[[], None]]:
    """Inference and a training step, by name."""
    optimiser = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9, nesterov=True)

    def infer() -> None:
        net.eval()
        with torch.inference_mode(), torch.autocast(x.device.type, torch.bfloat16, enabled=half):
            net(x)

    def train() -> None:
        net.train()
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=half):
            loss = F.cross_entropy(net(x), target)
        loss.backward()
        optimiser.step()

    return {"inference": infer, "training": train}


def seconds(step: Callable[[], None], device: torch.device) -> tuple[float, float]:
    """Wall time and processor time."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    wall, processor = time.perf_counter(), time.process_time()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--bodies", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true", help="ours in mixed precision on a CPU, too")
    args = parser.parse_args()
    device = torch.device(args.device)
    half = args.bf16 or device.type == "cuda"
    if device.type == "cuda" and not torch.cuda.is_available():
        sys.exit("no GPU: not measured")
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    model = STGCN(STGCNConfig(configuration="release", width=64), get_layout("ntu25"), 3, CLASSES)
    for name, weight in model.named_parameters():
        if "norm.weight" in name:
            nn.init.uniform_(weight, 0.5, 1.5)  # a fresh block is its shortcut, which would check nothing
    peer = Plain(model).to(device)
    model = model.to(device)
    x = torch.randn(args.clips, 3, args.frames, 25, args.bodies, device=device)
    target = torch.arange(args.clips, device=device) % CLASSES
    check(model, peer, x[:8], target[:8])
    both = steps(model, x, target, half), steps(peer, x, target, half=False)
    what = torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu, {args.threads} threads"
    for name in both[0]:
        rounds = []
        for i in range(args.rounds + 2):
            timed = [seconds(each[name], device) for each in both]
            if i >= 2:  # the first two warm up
                rounds.append(timed)
        wall, processor = (
            statistics.median(peer[column] / ours[column] for ours, peer in rounds) for column in range(2)
        )
        ours, theirs = (args.clips / statistics.median(timed[who][0] for timed in rounds) for who in range(2))
        claim = (
            f"{name} of ST-GCN{', ours in bfloat16' * half}, clips {tuple(x.shape)}, against the published formulation"
        )
        told = {"claim": claim, "ours": ours, "peer": theirs, "ratio": wall, "unit": "clips/s", "device": what}
        print(json.dumps(told | {"processor_ratio": processor, "target": TARGET[device.type]}), flush=True)


if __name__ == "__main__":
    main()
