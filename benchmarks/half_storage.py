"""Claim: embeddings stored as float16 have nearly the same neighbours as float32, in half the bytes.

    python benchmarks/half_storage.py RUN [--k 15]

RUN holds embeddings in float32. Both are searched exactly. "entries": share of all neighbours that are in both lists of
their clip; "places": that have the same rank in both; "label error": of the kNN graph, float32 and the change of it.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from stgcn_lens.distances import Sequences, WindowDTW
from stgcn_lens.embeddings import read_clips
from stgcn_lens.graphs.knn import knn
from stgcn_lens.runs import Run


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("--k", type=int, default=15)
    args = parser.parse_args()
    run = Run.open(args.run)
    rows = read_clips(run)
    labels = np.array([int(rows[int(clip)]["label"]) for clip in run.read_array("embeddings/clips.npy")])
    whole_bytes = half_bytes = 0
    entries, places, changes = [], [], []
    print(f"{'layer':<10} {'entries':>8} {'places':>8} {'label error':>12} {'change':>9}")
    for about in run.read_json("embeddings/layers.json"):
        windows = run.read_array(f"embeddings/{about['layer']}/windows.npy", mmap=True)
        offsets = run.read_array(f"embeddings/{about['layer']}/offsets.npy")
        half = windows.astype(np.float16)
        assert windows.dtype == np.float32
        assert np.isfinite(half).all()
        whole_bytes, half_bytes = whole_bytes + windows.nbytes, half_bytes + half.nbytes
        a = knn(Sequences(windows, offsets), args.k, WindowDTW())
        b = knn(Sequences(half.astype(np.float32), offsets), args.k, WindowDTW())
        entries.append((a.indices[:, :, None] == b.indices[:, None, :]).any(axis=2).mean())
        places.append((a.indices == b.indices).mean())
        errors = [(labels[near.indices] != labels[:, None]).mean() for near in (a, b)]
        changes.append(errors[1] - errors[0])
        print(f"{about['layer']:<10} {entries[-1]:8.4%} {places[-1]:8.4%} {errors[0]:12.5f} {changes[-1]:+9.6f}")
    result = {
        "claim": f"neighbours (k={args.k}) of {len(labels)} clips stored as float16 that are those of float32",
        "ours": half_bytes / 1e6,
        "peer": whole_bytes / 1e6,
        "ratio": whole_bytes / half_bytes,
        "unit": "MB",
        "device": "cpu",
        "entries": float(min(entries)),
        "places": float(min(places)),
        "label_error_change": float(np.abs(changes).max()),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
