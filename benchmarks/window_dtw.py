"""Claim: exact pairwise window DTW, against tslearn's cdist_dtw(n_jobs=-1), in one process.

    python benchmarks/window_dtw.py [--clips 100] [--windows 30] [--features 6400] [--rounds 3]

Both are checked to agree within 1e-5 relative before they are timed; they take turns, and the ratio is the median over
rounds.
"""

import argparse
import json
import statistics
import time
import warnings

import numpy as np
from tslearn.metrics import cdist_dtw

from stgcn_lens.distances import Sequences, WindowDTW
from stgcn_lens.distances.window_dtw import cdist


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--windows", type=int, default=30)
    parser.add_argument("--features", type=int, default=6400)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    x = np.random.default_rng(0).normal(size=(args.clips, args.windows, args.features)).astype(np.float32)
    sequences = Sequences.of(list(x))
    config = WindowDTW(normalise=False)
    few = Sequences.of(list(x[:6]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joblib's notice about forked workers
        expected = cdist_dtw(x[:6].astype(np.float64), n_jobs=-1)
        assert np.allclose(cdist(few, None, config), expected, rtol=1e-5, atol=1e-6)
        ratios, seconds = [], []
        for _ in range(args.rounds):
            began = time.perf_counter()
            cdist(sequences, None, config)
            middle = time.perf_counter()
            cdist_dtw(x, n_jobs=-1)
            seconds.append((middle - began, time.perf_counter() - middle))
            ratios.append(seconds[-1][1] / seconds[-1][0])
    ours, peer = (statistics.median(column) for column in zip(*seconds, strict=True))
    claim = f"pairwise window DTW, N={args.clips}, T={args.windows}, D={args.features}, against tslearn cdist_dtw"
    ratio = statistics.median(ratios)
    print(json.dumps({"claim": claim, "ours": ours, "peer": peer, "ratio": ratio, "unit": "s", "device": "cpu"}))


if __name__ == "__main__":
    main()
