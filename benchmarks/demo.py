"""Claim: the demo, from synthetic people to report, takes at most 120 s on two cores without a GPU.

    python benchmarks/demo.py [--runs 3]

Each run starts from an empty folder, in a process of its own and with an empty cache of compiled kernels, as right
after installation; the app is not started. The median is reported; `peer` is the budget.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BUDGET = 120.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    seconds = []
    for number in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "stgcn_lens", "demo", "--no-serve", "--device", "cpu"]
            began = time.perf_counter()
            environment = {**os.environ, "NUMBA_CACHE_DIR": str(Path(folder) / "kernels")}
            out = ["--out", str(Path(folder) / "run")]
            subprocess.run([*command, *out], check=True, stdout=subprocess.DEVNULL, env=environment)
            seconds.append(time.perf_counter() - began)
            manifest = json.loads((Path(folder) / "run" / "manifest.json").read_text())
            stages = {name: round(stage["seconds"], 1) for name, stage in manifest["stages"].items()}
        print(f"run {number + 1}: {seconds[-1]:.1f} s, stages {stages}")
    ours = statistics.median(seconds)
    claim = "demo after installation, from nothing to report"
    print(
        json.dumps({"claim": claim, "ours": ours, "peer": BUDGET, "ratio": BUDGET / ours, "unit": "s", "device": "cpu"})
    )


if __name__ == "__main__":
    main()
