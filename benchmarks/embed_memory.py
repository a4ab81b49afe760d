"""Claim: peak memory of `embed` does not grow with the set.

    python benchmarks/embed_memory.py [--clips 400] [--times 10] [--width 16]

Embeds a small set and one `--times` larger, each in a process of its own, and compares the largest resident set
sizes. Clips and weights are made up (their values do not matter); making them is another process's work.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.native import pack

FRAMES, CLASSES = 60, ("a", "b")
# What the measured process does, and nothing else: open the run, embed it, tell its peak in kilobytes.
EMBED = """
import resource, sys
from stgcn_lens.embeddings import EmbedConfig, embed
from stgcn_lens.runs import Run
embed(Run.open(sys.argv[1]), EmbedConfig())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
ADOPT = """
import sys
from pathlib import Path
import torch
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.models import STGCN, STGCNConfig
from stgcn_lens.models.checkpoints import save
from stgcn_lens.runs import Run
from stgcn_lens.training.adopt import adopt
folder, width = Path(sys.argv[1]), int(sys.argv[2])
clips = ClipSet.open(folder / "data")
net = STGCN(STGCNConfig(width=width), clips.skeleton, 3, len(clips.classes)).eval()
torch.nn.init.ones_(net.blocks[-1].temporal_norm.weight)
prep = Preprocessing(frames=64)
save(folder / "net", net, architecture="stgcn", classes=clips.classes, preprocessing=prep, bodies=1, about={})
run = Run.create(folder / "run")
run.write_json("manifest.json", {**run.manifest(), "data": str((folder / "data").resolve())})
adopt(run, folder / "net", clips)
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=400)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--width", type=int, default=16)
    args = parser.parse_args()
    small, large = (peak(n, args.width) for n in (args.clips, args.clips * args.times))
    claim = f"peak memory of embed, {args.clips} clips (ours) against {args.clips * args.times} (peer)"
    print(f"growth {large / small - 1:+.1%}")
    result = {"claim": claim, "ours": small, "peer": large, "ratio": small / large, "unit": "MB", "device": "cpu"}
    print(json.dumps(result))


def peak(n: int, width: int) -> float:
    """Peak resident memory in MB of a process that embeds n clips."""
    with tempfile.TemporaryDirectory() as folder:
        pack(people(n), Path(folder) / "data", classes=CLASSES)
        call(ADOPT, folder, str(width))
        return int(call(EMBED, f"{folder}/run")) / 1e3


def call(code: str, *words: str) -> str:
    """What a Python process of its own prints."""
    return subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True, text=True).stdout


def people(n: int) -> Iterator[Clip]:
    """Bodies that shake."""
    rng = np.random.default_rng(0)
    pose = rng.normal(0, 0.5, (3, 1, 25, 1))
    for i in range(n):
        xyz = (pose + rng.normal(0, 0.02, (3, FRAMES, 25, 1))).astype(np.float32)
        valid = np.ones((FRAMES, 1), bool)
        yield Clip(xyz=xyz, valid=valid, name=f"clip {i}", layout="ntu25", label=i % 2, subject=i % 4)


if __name__ == "__main__":
    main()
