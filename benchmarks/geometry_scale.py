"""Claim: the graphs and label errors of ten layers at release width, in minutes and little memory.

    python benchmarks/geometry_scale.py [--clips 1000 2000 4000] [--device cpu] [--run RUN] [--exhaustive]

Runs the whole stage `graph` (kNN, NNK, all label errors with intervals, comparison of layers, files) on N clips, each N
in a process of its own, whose peak memory is told. The clips are made up: people of 60 classes whose windows follow
smooth paths in 24 dimensions, seen through a random layer of release width; lengths are like those of NTU RGB+D. With
--run they are those of a run, and noisy copies of these until there are enough.

The peer, in the same process: tslearn's cdist_dtw(n_jobs=-1) and scikit-learn's NearestNeighbors(metric="precomputed")
on --peer-clips of the same clips at each width, extrapolated by the number of pairs. It makes no NNK graphs and no
errors.
"""

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from stgcn_lens.arrays import NpyWriter, read_rows
from stgcn_lens.data.clip import Clip
from stgcn_lens.data.native import pack
from stgcn_lens.runs import Run

CHANNELS = (*[64] * 4, *[128] * 3, *[256] * 3)  # of ST-GCN's ten blocks
JOINTS, CLASSES, LATENT = 25, 60, 24
CHUNK = 256  # clips that are made at a time


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, nargs="+", default=[1000, 2000])
    parser.add_argument("--layers", type=int, default=len(CHANNELS))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--exhaustive", action="store_true", help="without pruning")
    parser.add_argument("--run", type=Path, help="a run with embeddings to take and to copy with noise")
    parser.add_argument(
        "--noise", type=float, default=0.5, help="of the copies, in distances between successive windows"
    )
    parser.add_argument("--peer-clips", type=int, default=48)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args)))
        return
    found = []
    for n in args.clips:
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder) / "first", 64, args)
            make(Path(folder) / "run", n, args)
            words = [*sys.argv[1:], "--measure", f"{folder}/run"]
            printed = subprocess.run([sys.executable, __file__, *words], check=True, stdout=subprocess.PIPE, text=True)
        found.append(json.loads(printed.stdout.splitlines()[-1]))
        told = found[-1]
        print(f"{n} clips: {told['ours']:.1f} s, peak {told['peak_mb']:.0f} MB, the peer {told['peer']:.0f} s")
    for a, b in pairwise(found):
        power = np.log(b["ours"] / a["ours"]) / np.log(b["clips"] / a["clips"])
        print(f"from {a['clips']} to {b['clips']} clips the time grows as N to the power {power:.2f}")
    print(json.dumps({**found[-1], "growth": [[each["clips"], each["ours"], each["peak_mb"]] for each in found]}))


def measure(args: argparse.Namespace) -> dict:
    """Graphs and errors of a run, and the peer."""
    from stgcn_lens.studies.layers import GeometryConfig, graph

    run = Run.open(args.measure)
    device = args.device
    config = GeometryConfig(method="exhaustive" if args.exhaustive else "pruned")
    graph(Run.open(args.measure.with_name("first")), config, device=device)  # numba compiles, CUDA starts
    began = time.perf_counter()
    table = graph(run, config, device=device)
    ours = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    clips = table[0]["n"]
    for row in table:
        print(
            f"  {row['layer']}: {row['seconds']:.1f} s, {row['refined_share']:.2%} of the pairs refined",
            file=sys.stderr,
        )
    peer = 0.0
    for about in run.read_json("embeddings/layers.json"):
        peer += by_the_peer(run, about["layer"], clips, min(clips, args.peer_clips))
    return {
        "claim": f"graphs and errors of {len(table)} layers of {clips} clips, against tslearn and scikit-learn's kNN",
        "ours": ours,
        "peer": peer,
        "ratio": peer / ours,
        "unit": "s",
        "device": device,
        "clips": clips,
        "peak_mb": peak,
        "refined_share": [row["refined_share"] for row in table],
        "peer_is": f"extrapolated from {args.peer_clips} clips",
    }


def by_the_peer(run: Run, layer: str, clips: int, few: int) -> float:
    """Seconds that tslearn and scikit-learn would take for the neighbours of all clips at a layer."""
    from sklearn.neighbors import NearestNeighbors
    from tslearn.metrics import cdist_dtw

    windows = run.read_array(f"embeddings/{layer}/windows.npy", mmap=True)
    offsets = run.read_array(f"embeddings/{layer}/offsets.npy")
    chosen = np.linspace(0, clips - 1, few).astype(int)
    some = [np.array(windows[offsets[clip] : offsets[clip + 1]]) for clip in chosen]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joblib's notice about forked workers
        cdist_dtw(some[:2], n_jobs=-1)  # its workers start
        began = time.perf_counter()
        distances = cdist_dtw(some, n_jobs=-1)
        NearestNeighbors(n_neighbors=15, metric="precomputed").fit(distances).kneighbors()
    return (time.perf_counter() - began) * clips * (clips - 1) / (few * (few - 1))


def make(folder: Path, n: int, args: argparse.Namespace) -> None:
    """A run folder that looks as if N clips had been embedded."""
    source = made_up(n, args.layers) if args.run is None else copies(Run.open(args.run), n, args.layers, args.noise)
    about, labels, batches = source
    body = np.random.default_rng(0).normal(size=(3, 1, JOINTS, 1)).astype(np.float32)
    clips = (
        Clip(xyz=body, valid=np.ones((1, 1), bool), name=f"clip {i}", layout="ntu25", label=int(label), subject=0)
        for i, label in enumerate(labels)
    )
    run = Run.create(folder)
    pack(clips, folder / "data", classes=[str(c) for c in range(labels.max() + 1)])
    writers = {layer["layer"]: NpyWriter(_windows(run, layer), np.float32, (layer["features"],)) for layer in about}
    lengths = []
    for batch, counts in batches:
        lengths.append(counts)
        for name, windows in batch.items():
            writers[name].append(windows)
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
    for layer in about:
        writers[layer["layer"]].close()
        run.write_array(f"embeddings/{layer['layer']}/offsets.npy", offsets)
    run.write_array("embeddings/clips.npy", np.arange(n))
    run.write_json("embeddings/layers.json", about)
    embedded = {"key": "made up", "status": "done", "started": "", "inputs": {}, "config": {}}
    run.write_json("manifest.json", {**run.manifest(), "stages": {"embed": embedded}})


def _windows(run: Run, layer: dict) -> Path:
    return run / "embeddings" / layer["layer"] / "windows.npy"


Batches = Iterator[tuple[dict[str, np.ndarray], np.ndarray]]


def made_up(n: int, layers: int) -> tuple[list[dict], np.ndarray, Batches]:
    """Layers, classes of N clips, and their windows with the number of each clip's, some clips at a time."""
    about: list[dict] = [
        {"layer": f"block_{i + 1}", "channels": channels, "stride": 1, "features": channels * JOINTS}
        for i, channels in enumerate(CHANNELS[:layers])
    ]
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, n)
    frames = np.clip(np.exp(rng.normal(np.log(75), 0.4, n)), 20, 300)  # NTU RGB+D: most clips have 50 to 120
    counts = np.ceil(frames / 8).astype(int)
    # A class is a path of four slow waves; a person does it in their own manner, size and speed.
    waves = rng.normal(size=(CLASSES, 4, 2, LATENT)) / (1 + np.arange(4))[:, None, None]
    # As in real ones, most of what a layer tells is in few directions: 32 hold 88 % of the variance (91 to 96 % in a
    # trained network on UTD-MHAD).
    spectrum = (1 / (1 + np.arange(LATENT) / 3))[:, None].astype(np.float32)
    weights = [spectrum * rng.standard_normal((LATENT, layer["features"]), dtype=np.float32) for layer in about]
    thresholds = [rng.normal(size=layer["features"]).astype(np.float32) for layer in about]

    def batches() -> Batches:
        for start in range(0, n, CHUNK):
            paths = []
            for clip in range(start, min(start + CHUNK, n)):
                phase = np.linspace(0, 1, counts[clip]) ** rng.uniform(0.7, 1.4)
                angle = 2 * np.pi * phase[:, None] * np.arange(4)
                shape = np.stack([np.cos(angle), np.sin(angle)], axis=2).reshape(len(phase), 8)
                paths.append(shape @ waves[labels[clip]].reshape(8, LATENT) * rng.uniform(0.7, 1.3))
            manner = np.repeat(rng.normal(size=(len(paths), LATENT)), counts[start : start + CHUNK], axis=0)
            path, out = np.concatenate(paths), {}
            path += 0.1 * rng.normal(size=path.shape)
            for depth, layer in enumerate(about):
                seen = (path + (0.8 - 0.056 * depth) * manner).astype(np.float32) @ weights[depth] + thresholds[depth]
                noise = rng.standard_normal(seen.shape, dtype=np.float32)
                out[layer["layer"]] = np.maximum(seen + 0.1 * noise, 0)
            yield out, counts[start : start + CHUNK]

    return about, labels, batches()


def copies(run: Run, n: int, layers: int, noise: float) -> tuple[list[dict], np.ndarray, Batches]:
    """The blocks of a run's own clips, and of copies of them with noise as long as a step from window to window."""
    about = [layer for layer in run.read_json("embeddings/layers.json") if layer["layer"].startswith("block_")][:layers]
    with (run / "clips.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    known = np.array([int(rows[int(clip)]["label"]) for clip in run.read_array("embeddings/clips.npy")])
    arrays = {layer["layer"]: run.read_array(f"embeddings/{layer['layer']}/windows.npy", mmap=True) for layer in about}
    offsets = run.read_array(f"embeddings/{about[0]['layer']}/offsets.npy")
    rng = np.random.default_rng(0)

    def batches() -> Batches:
        for clip in range(n):
            ends = offsets[clip % len(known)], offsets[clip % len(known) + 1]
            out = {}
            for name, array in arrays.items():
                windows = np.asarray(read_rows(array, *map(int, ends)), dtype=np.float32)
                if clip >= len(known):
                    step = np.sqrt(((windows[1:] - windows[:-1]) ** 2).mean()) if len(windows) > 1 else windows.std()
                    windows = windows + noise * step * rng.standard_normal(windows.shape, dtype=np.float32)
                out[name] = windows
            yield out, np.array([ends[1] - ends[0]])

    return about, known[np.arange(n) % len(known)], batches()


if __name__ == "__main__":
    main()
