"""Claim: Grad-CAM of all blocks from one pass, against captum's LayerGradCam called layer by layer, in one process.

    python benchmarks/saliency.py [--width 64] [--frames 64] [--rounds 7]

One clip, release configuration. Both are checked to agree within 1e-5 of the largest value before they are timed; the
two take turns, and the ratio is the median over rounds.
"""

import argparse
import json
import statistics
import time

import numpy as np
import torch
from captum.attr import LayerGradCam

from stgcn_lens.explain.gradcam import grad_cam
from stgcn_lens.models import STGCN, STGCNConfig
from stgcn_lens.skeleton import get_layout


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    torch.manual_seed(0)
    model = STGCN(STGCNConfig(width=args.width), get_layout("ntu25"), 3, 60).eval()
    for block in model.blocks:  # as if trained: blocks that start as their shortcut would make an easy case
        torch.nn.init.uniform_(block.temporal_norm.weight, 0.5, 1.5)
    x, target = torch.randn(1, 3, args.frames, 25, 1), torch.tensor([7])
    blocks = [name for name in model.layers if name != "input"]

    def ours() -> dict[str, np.ndarray]:
        return grad_cam(model, x, target, blocks, signed=True, pooling="body").maps

    def peer() -> dict[str, np.ndarray]:
        maps = {name: LayerGradCam(model, model.layers[name]).attribute(x, target) for name in blocks}
        return {name: map.detach().numpy() for name, map in maps.items()}

    theirs = peer()
    for name, map in ours().items():
        channels = model.layers[name].temporal.out_channels  # captum sums over channels, we take the mean
        gap = np.abs(map[0, :, :, 0] * channels - theirs[name][0, 0]).max() / np.abs(theirs[name]).max()
        assert gap < 1e-5, (name, gap)
    ratios, seconds = [], []
    for _ in range(args.rounds):
        began = time.perf_counter()
        ours()
        middle = time.perf_counter()
        peer()
        seconds.append((middle - began, time.perf_counter() - middle))
        ratios.append(seconds[-1][1] / seconds[-1][0])
    mine, theirs_s = (statistics.median(column) for column in zip(*seconds, strict=True))
    claim = f"{len(blocks)} blocks of one clip (width {args.width}, T={args.frames}), against captum layer by layer"
    ratio = statistics.median(ratios)
    print(json.dumps({"claim": claim, "ours": mine, "peer": theirs_s, "ratio": ratio, "unit": "s", "device": "cpu"}))


if __name__ == "__main__":
    main()
