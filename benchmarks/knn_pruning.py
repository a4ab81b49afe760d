"""Claim: exact nearest neighbours by pruning, against our own search through all distances, in one process.

    python benchmarks/knn_pruning.py RUN [--also CLIPSET ...] [--clips 2000] [--k 15] [--layers block_1 block_10]

RUN is a run folder of release width (`stgcn-lens train --width 64`); its network sees its own clips, those of other
clip sets with the same layout, and copies of both with Gaussian noise at 20 dB of the clip's own signal power, up to
`--clips`. Both searches give the same lists and distances, which is checked for every layer. Stated per layer: the
share of all pairs whose distance the pruned one worked out. They take turns; the ratio is the median over rounds, and
that of the last line the ratio of the sums over layers.
"""

import argparse
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numba import get_num_threads

from stgcn_lens.activations import evaluating, record
from stgcn_lens.data.batches import batches
from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.distances import Sequences, WindowDTW
from stgcn_lens.embeddings import open_clips
from stgcn_lens.errors import DataError
from stgcn_lens.graphs.knn import knn, merge, plan, refined_share
from stgcn_lens.models.checkpoints import Loaded, load
from stgcn_lens.runs import Run
from stgcn_lens.windows import cut, extent, frame_features

WINDOW, BATCH, TARGET = 8, 32, 8.0


def with_copies(sets: list[ClipSet], count: int, loaded: Loaded) -> ClipSet:
    """The clips that the network takes, and noisy copies of them, `count` in all."""
    clips: list[Clip] = []
    for clip in (clip for each in sets for clip in each):
        try:
            next(
                batches(ClipSet.from_clips([replace(clip, label=0)], "a"), [0], loaded.preprocessing, loaded.bodies, 1)
            )
        except DataError as error:
            print(f"left out: {error}")
            continue
        clips.append(replace(clip, label=0))
    rng, real = np.random.default_rng(0), len(clips)
    for number in range(max(0, count - real)):
        clip = clips[rng.integers(real)]
        noise = 0.1 * clip.xyz.std() * rng.normal(size=clip.xyz.shape)
        name = f"{clip.name}, copy {number}"
        clips.append(replace(clip, xyz=(clip.xyz + noise).astype(np.float32), name=name))
    print(f"{real} clips and {max(0, count - real)} noisy copies")
    return ClipSet.from_clips(clips[:count], "a")


def embedded(loaded: Loaded, clips: ClipSet) -> dict[str, Sequences]:
    """Windows of all clips at every layer."""
    model = loaded.model
    rows: dict[str, list[np.ndarray]] = {name: [] for name in model.layers}
    counts: dict[str, list[np.ndarray]] = {name: [] for name in model.layers}
    for batch in batches(clips, np.arange(len(clips)), loaded.preprocessing, loaded.bodies, BATCH):
        with torch.inference_mode(), evaluating(model), record(model, model.layers) as kept:  # type: ignore[arg-type]
            model(torch.from_numpy(batch.x))
            for name, stride in model.strides.items():
                by_clip = kept[name].unflatten(0, (len(batch.x), -1))
                features = frame_features(by_clip, batch.present, batch.frames, stride)
                found, count = cut(features, -(-batch.frames // stride), *extent(WINDOW, None, stride), "mean")
                rows[name].append(found.numpy())
                counts[name].append(count)
    ends = {name: np.cumsum(np.concatenate([[0], *counts[name]])) for name in rows}
    return {name: Sequences(np.concatenate(rows[name]), ends[name]) for name in rows}


def measure(name: str, seqs: Sequences, k: int, rounds: int) -> dict[str, float]:
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        work = plan(seqs, k, WindowDTW())
        found = [work.run(unit) for unit in work.units]
        pruned = merge(len(seqs), k, found)
        middle = time.perf_counter()
        whole = knn(seqs, k, WindowDTW(), method="exhaustive")
        taken.append((middle - began, time.perf_counter() - middle))
        np.testing.assert_array_equal(pruned.indices, whole.indices)
        np.testing.assert_array_equal(pruned.distances, whole.distances)
    share = refined_share(found)
    ours, peer = (statistics.median(column) for column in zip(*taken, strict=True))
    ratio = statistics.median(theirs / mine for mine, theirs in taken)
    print(
        f"{name:9} D={seqs.features:5}  windows {len(seqs.windows):6}  refined {100 * share:5.2f} % of the pairs "
        f"({share * (len(seqs) - 1) / k:4.2f} k)  pruned {ours:7.3f} s  exhaustive {peer:7.3f} s  ratio {ratio:5.2f}",
        flush=True,
    )
    return {"features": seqs.features, "refined_share": share, "ours": ours, "peer": peer, "ratio": ratio}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("--also", type=Path, nargs="*", default=[])
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--k", type=int, default=15)
    parser.add_argument("--layers", nargs="*", help="all blocks by default")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    run = Run.open(args.run)
    loaded = load(run.path, device="cpu")
    clips = with_copies([open_clips(run), *(ClipSet.open(path) for path in args.also)], args.clips, loaded)
    layers = embedded(loaded, clips)
    chosen = args.layers or [name for name in layers if name.startswith("block_")]
    rng = np.random.default_rng(0)
    few = Sequences.of([rng.normal(size=(3, 200)).astype(np.float32) for _ in range(30)])
    measure("compiling", few, 5, 1)
    found = {name: measure(name, layers[name], args.k, args.rounds) for name in chosen}
    ours, peer = (sum(layer[who] for layer in found.values()) for who in ("ours", "peer"))
    told = {
        "claim": f"exact {args.k} nearest of {len(clips)} clips at {len(found)} layers, pruned against exhaustive",
        "ours": ours,
        "peer": peer,
        "ratio": peer / ours,
        "unit": "s",
        "device": f"cpu, {get_num_threads()} threads",
        "layers": found,
        "target": TARGET,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
