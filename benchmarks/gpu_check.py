"""Claim: every network, the trainer and the distances compute on a GPU what they compute on the CPU, and how fast.

    python benchmarks/gpu_check.py [--device cuda] [--parts networks geometry scale] [--clips 16487]

networks: for every row of MODELS, logits and gradients of one batch in 32 bits (without TF32), logits in bfloat16, and
the losses of a few steps of the trainer. Differences are relative to the largest value. The tolerances are ours.

geometry and scale: see gpu_geometry.py.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from gpu_geometry import BLOCKS, geometry, scale, tell

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.models import MODELS
from stgcn_lens.runs import Run
from stgcn_lens.skeleton import get_layout
from stgcn_lens.training import TrainConfig, TrainJob, train
from stgcn_lens.training.speed import autocast

LAYOUT, CLASSES = get_layout("ntu25"), 5
TOLERANCE = {"logits": 1e-3, "gradients": 1e-2, "bf16": 0.1, "trainer": 1e-3}


@contextmanager
def exact() -> Iterator[None]:
    """No TF32 in convolutions and products."""
    places = torch.backends.cudnn.conv, torch.backends.cuda.matmul  # type: ignore[attr-defined]
    kept = [place.fp32_precision for place in places]
    for place in places:
        place.fp32_precision = "ieee"
    try:
        yield
    finally:
        for place, precision in zip(places, kept, strict=True):
            place.fp32_precision = precision


def step(name: str, device: str, precision: str = "fp32") -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and all gradients of a batch, on the CPU."""
    torch.manual_seed(0)
    spec = MODELS[name]
    model = spec.build(replace(spec.small, dropout=0.0), LAYOUT, 3, CLASSES).to(device).train()
    x = torch.randn((6, 3, 16, 25, 2), generator=torch.Generator().manual_seed(1)).to(device)
    with autocast(device, precision):
        logits = model(x)
    target = torch.arange(6, device=device) % CLASSES
    torch.nn.functional.cross_entropy(logits.float(), target).backward()
    gradients = torch.cat([weight.grad.reshape(-1) for weight in model.parameters()])  # type: ignore[union-attr]
    return logits.detach().float().cpu(), gradients.cpu()


def losses(name: str, device: str) -> torch.Tensor:
    """Losses of three epochs of the trainer without random changes."""
    draw = np.random.default_rng(0)
    valid, motion = np.ones((16, 1), bool), draw.normal(size=(24, 3, 16, 25, 1)).astype(np.float32)
    clips = ClipSet.from_clips(
        [Clip(motion[i] + i % CLASSES, valid, f"clip {i}", "ntu25", i % CLASSES) for i in range(24)], "abcde"
    )
    job = TrainJob(
        architecture=name,
        model=replace(MODELS[name].small, dropout=0.0),
        preprocessing=Preprocessing(frames=16, rotate=False, scale=False),
        training=TrainConfig(epochs=3, batch=8, lr=0.005, augment=False),
    )
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder) / "run")
        train(run, clips, np.full(24, "train"), job, device=device)
        log = (run / "train_log.jsonl").read_text().splitlines()
    return torch.tensor([json.loads(line)["loss"] for line in log])


def gap(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


def networks(device: str) -> bool:
    worst, right = 0.0, True
    for name in MODELS:
        with exact():
            logits, gradients = step(name, "cpu")
            there = step(name, device)
            half = step(name, device, "bf16")
            found = {"logits": gap(there[0], logits), "gradients": gap(there[1], gradients)}
            found |= {"bf16": gap(half[0], logits), "trainer": gap(losses(name, device), losses(name, "cpu"))}
        print(f"{name:8}" + "".join(f"  {what} {value:.1e}" for what, value in found.items()))
        right &= all(value <= TOLERANCE[what] for what, value in found.items())
        worst = max(worst, found["logits"])
    claim = f"logits of {len(MODELS)} networks on {device} differ from the CPU's by, relative to the largest"
    tell(claim, worst, TOLERANCE["logits"], "1", device)
    return right


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--parts", nargs="+", choices=("networks", "geometry", "scale"), default=None)
    parser.add_argument("--clips", type=int, default=16487)
    parser.add_argument("--channels", type=int, nargs="+", choices=sorted(BLOCKS), default=sorted(BLOCKS))
    args = parser.parse_args()
    if args.device.startswith("cuda") and not torch.cuda.is_available():
        sys.exit("no GPU")
    parts = {
        "networks": lambda: networks(args.device),
        "geometry": lambda: geometry(args.device),
        "scale": lambda: scale(args.device, args.clips, args.channels),
    }
    right = [parts[name]() for name in args.parts or parts]
    sys.exit(0 if all(right) else 1)


if __name__ == "__main__":
    main()
