"""Claim: pairwise window DTW, against tslearn's cdist_dtw(n_jobs=-1), in one process.

    python benchmarks/window_dtw.py [--shapes 32x75x1600 100x30x6400] [--rounds 3] [--peers FOLDER]

A shape is clips x windows x features. Before they are timed, both are checked to agree within 1e-5 relative on a few
clips, and ours with our own exact distances on all; then they take turns, and the ratio is the median over rounds.

Beside them stands the rate of local costs, counted as the two operations per feature that a matrix product would take,
as a part of the rate of numpy's float32 matrix product (of the windows with each other, measured in every round).
aeon and dtaidistance are timed once, where they can be imported: `pip install --no-deps --target FOLDER aeon
dtaidistance deprecated wrapt`.
"""

import argparse
import importlib
import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
from numba import get_num_threads
from tslearn.metrics import cdist_dtw

from stgcn_lens.distances import Sequences, WindowDTW
from stgcn_lens.distances.window_dtw import cdist, pairs

CONFIG = WindowDTW(normalise=False)
REST = 0.3  # seconds: the threads of a matrix product go on turning for a while, and would be timed with what follows
TARGET = {"32x75x1600": 12.0, "100x30x6400": 20.0}


def seconds(work: Callable[[], object]) -> float:
    time.sleep(REST)
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def others(x: np.ndarray) -> dict[str, Callable[[], np.ndarray]]:
    """The peers that are here, by name: functions of nothing to a matrix of distances, None where one is not."""
    found: dict[str, Callable[[], np.ndarray]] = {}
    try:
        aeon = importlib.import_module("aeon.distances")
        by_channel = np.ascontiguousarray(x.swapaxes(1, 2), dtype=np.float64)
        found["aeon"] = lambda: np.sqrt(aeon.dtw_pairwise_distance(by_channel, n_jobs=-1))
    except ImportError:
        print("aeon is not here")
    try:
        dtai = importlib.import_module("dtaidistance.dtw_ndim")
        double = x.astype(np.float64)
        found["dtaidistance"] = lambda: dtai.distance_matrix_fast(double)
    except ImportError:
        print("dtaidistance is not here")
    return found


def check(x: np.ndarray) -> None:
    few = Sequences.of(list(x[:6]))
    np.testing.assert_allclose(cdist(few, None, CONFIG), cdist_dtw(x[:6].astype(np.float64)), rtol=1e-5, atol=1e-6)
    for name, peer in others(x[:6]).items():
        np.testing.assert_allclose(np.triu(peer(), 1), np.triu(cdist(few, None, CONFIG), 1), rtol=1e-5, err_msg=name)
    every = Sequences.of(list(x))
    i, j = np.triu_indices(len(x), 1)
    np.testing.assert_allclose(cdist(every, None, CONFIG)[i, j], pairs(every, i, j, CONFIG), rtol=1e-6)


def measure(shape: str, rounds: int) -> None:
    clips, windows, features = (int(number) for number in shape.split("x"))
    x = np.random.default_rng(0).normal(size=(clips, windows, features)).astype(np.float32)
    check(x)
    every, flat = Sequences.of(list(x)), x.reshape(-1, features)
    taken = [
        (
            seconds(lambda: cdist(every, None, CONFIG)),
            seconds(lambda: cdist_dtw(x, n_jobs=-1)),
            seconds(lambda: flat @ flat.T),
        )
        for _ in range(rounds)
    ]
    ours, peer, product = (statistics.median(column) for column in zip(*taken, strict=True))
    costs = clips * (clips - 1) // 2 * windows**2 * features * 2e-9
    products = len(flat) ** 2 * features * 2e-9
    print(f"{shape}: clips x windows x features")
    print(f"  ours          {ours:8.3f} s   {costs / ours:6.1f} GFlop/s of local costs, recursion included")
    print(f"  sgemm                      {products / product:6.1f} GFlop/s")
    print(f"  tslearn       {peer:8.3f} s   {peer / ours:6.1f} times ours")
    for name, work in others(x).items():
        print(f"  {name:13} {(other := seconds(work)):8.3f} s   {other / ours:6.1f} times ours")
    told = {
        "claim": f"pairwise window DTW of {shape} (clips x windows x features), against tslearn's cdist_dtw",
        "ours": ours,
        "peer": peer,
        "ratio": statistics.median(theirs / mine for mine, theirs, _ in taken),
        "unit": "s",
        "device": f"cpu, {get_num_threads()} threads",
        "of_sgemm": statistics.median((costs / mine) / (products / gemm) for mine, _, gemm in taken),
        "target": TARGET.get(shape),
    }
    print(json.dumps(told), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--shapes", nargs="+", default=list(TARGET))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", help="where aeon and dtaidistance are, if not installed")
    args = parser.parse_args()
    if args.peers:
        sys.path.append(args.peers)
    warnings.simplefilter("ignore")  # joblib's notice about forked workers, aeon's about soft dependencies
    for shape in args.shapes:
        measure(shape, args.rounds)


if __name__ == "__main__":
    main()
