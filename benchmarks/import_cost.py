"""Claim: importing the package loads no torch; peer: importing torch.

    python benchmarks/import_cost.py

Each import in a process of its own, median of nine, less the start of an empty interpreter.
"""

import json
import statistics
import subprocess
import sys
import time


def seconds(code: str) -> float:
    """Median wall time of a fresh interpreter that runs the code."""
    times = []
    for _ in range(9):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> None:
    subprocess.run([sys.executable, "-c", "import sys, stgcn_lens; assert 'torch' not in sys.modules"], check=True)
    empty = seconds("pass")
    ours, peer = seconds("import stgcn_lens") - empty, seconds("import torch") - empty
    claim = "import stgcn_lens, against import torch"
    print(json.dumps({"claim": claim, "ours": ours, "peer": peer, "ratio": peer / ours, "unit": "s", "device": "cpu"}))


if __name__ == "__main__":
    main()
