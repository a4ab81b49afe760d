"""Claim: Grad-CAM of all blocks from one pass, against captum's LayerGradCam called layer by layer, in one process.

    python benchmarks/saliency.py [--width 64] [--frames 64] [--rounds 7]
    python benchmarks/saliency.py --data ../shared/data/utd_mhad/raw [--width 64]

One clip, release configuration. Both are checked to agree within 1e-5 of the largest value before they are timed; the
two take turns, and the ratio is the median over rounds.

With --data: the maps of all ten blocks for the test clips of a cross-subject split (UTD-MHAD: 430), from clips to
files with their tables by class, joint and body part; `peer` is the budget of 180 s on two cores.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from captum.attr import LayerGradCam
from torch import nn

from stgcn_lens.data.readers import read
from stgcn_lens.data.splits import split
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.explain import EXPLAINERS
from stgcn_lens.explain.gradcam import grad_cam
from stgcn_lens.models import STGCN, STGCNConfig
from stgcn_lens.models.given import given
from stgcn_lens.skeleton import Layout, get_layout
from stgcn_lens.studies.maps import Request, write, write_tables

BUDGET = 180.0


def network(width: int, layout: Layout, classes: int) -> STGCN:
    torch.manual_seed(0)
    model = STGCN(STGCNConfig(width=width), layout, 3, classes).eval()
    for name, parameter in model.named_parameters():  # as if trained: blocks that start as their shortcut are easy
        if name.endswith("temporal_norm.weight"):
            nn.init.uniform_(parameter, 0.5, 1.5)
    return model


def against_captum(width: int, frames: int, rounds: int) -> dict:
    model = network(width, get_layout("ntu25"), 60)
    x, target = torch.randn(1, 3, frames, 25, 1), torch.tensor([7])
    blocks = [name for name in model.layers if name != "input"]

    def ours() -> dict[str, np.ndarray]:
        return grad_cam(model, x, target, blocks, signed=True, pooling="body").maps  # type: ignore[arg-type]

    def peer() -> dict[str, torch.Tensor]:
        return {name: LayerGradCam(model, model.layers[name]).attribute(x, target) for name in blocks}

    theirs, gaps = peer(), []
    for name, map in ours().items():
        channels = dict(model.layers[name].named_parameters())["temporal_norm.weight"].shape[0]
        wanted = theirs[name].detach().numpy()[0, 0]  # captum sums over channels, we take the mean
        gaps.append(float(np.abs(map[0, :, :, 0] * channels - wanted).max() / np.abs(wanted).max()))
    assert max(gaps) < 1e-5, gaps
    ratios, seconds = [], []
    for _ in range(rounds):
        began = time.perf_counter()
        ours()
        middle = time.perf_counter()
        peer()
        seconds.append((middle - began, time.perf_counter() - middle))
        ratios.append(seconds[-1][1] / seconds[-1][0])
    mine, others = (statistics.median(column) for column in zip(*seconds, strict=True))
    claim = f"{len(blocks)} blocks of one clip (width {width}, T={frames}), against captum layer by layer"
    print(f"largest difference, relative to the largest value of a block: {max(gaps):.1e}")
    return {"claim": claim, "ours": mine, "peer": others, "ratio": statistics.median(ratios)}


def whole_set(width: int, frames: int, data: Path) -> dict:
    clips = read(data)
    chosen = np.flatnonzero(split(clips, "subject") == "test")
    model = network(width, clips.skeleton, len(clips.classes))
    prep = Preprocessing(frames=frames)
    bodies = min(prep.bodies, clips.max_bodies)
    loaded = given(model, classes=clips.classes, preprocessing=prep, bodies=bodies)
    layers = tuple(name for name in model.layers if name != "input")
    request = Request(EXPLAINERS["gradcam"], layers, {})
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        written = write(Path(folder), loaded, clips, chosen, request, batch=16, device="cpu", progress=None)
        write_tables(Path(folder), loaded, written)
        ours = time.perf_counter() - began
    claim = f"{len(layers)} blocks of {len(chosen)} clips (width {width}, T={frames}, {bodies} body slots), to files"
    return {"claim": claim, "ours": ours, "peer": BUDGET, "ratio": BUDGET / ours}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--data", type=Path, help="a data set: explain its test clips instead")
    args = parser.parse_args()
    if args.data is None:
        found = against_captum(args.width, args.frames, args.rounds)
    else:
        found = whole_set(args.width, args.frames, args.data)
    print(json.dumps({**found, "unit": "s", "device": "cpu", "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
