"""The seven rows of table 1 of ST-GCN (Yan et al. 2018), trained on any clips, three seeds each.

    python analyses/table_one.py DATA OUT

OUT gets one run folder for each row and seed, and table.csv. A training that is there is not done again, so an
interrupted table goes on. The interval is over test clips, of the share of seeds that get a clip right.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from stgcn_lens import intervals
from stgcn_lens.commands import train
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.embeddings import read_clips
from stgcn_lens.errors import LensError
from stgcn_lens.models import STGCNConfig
from stgcn_lens.runs import Run
from stgcn_lens.training import TrainConfig, TrainJob

SEEDS, TRAINING, PREPROCESSING = (0, 1, 2), TrainConfig(), Preprocessing(long_gaps="cut")
SHAPE = STGCNConfig(width=16, dropout=0.1)
ROWS = {name: TrainJob(architecture=name) for name in ("tcn", "local")}
for name in ("uniform", "distance-tied", "distance", "spatial"):
    ROWS[name] = TrainJob(model=replace(SHAPE, partition=name, importance=False))
ROWS["spatial-importance"] = TrainJob(model=SHAPE)


def right(data: Path, out: Path, row: TrainJob, seed: int) -> list[bool]:
    """Which test clips a row gets right, trained first if need be."""
    job = replace(row, preprocessing=PREPROCESSING, training=replace(TRAINING, seed=seed))
    train.run(train.Args(data=data, out=out, job=job))
    return [clip["predicted"] == clip["label"] for clip in read_clips(Run.open(out)) if clip["split"] == "test"]


def main() -> None:
    """Train what is missing, print the table, write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder or file of clips in any known format")
    parser.add_argument("out", type=Path, help="folder of the runs")
    args = parser.parse_args()
    table = [",".join(["row,top1,ci_low,ci_high", *(f"seed_{seed}" for seed in SEEDS)])]
    try:
        for row, job in ROWS.items():
            hits = [right(args.data, args.out / f"{row}_{seed}", job, seed) for seed in SEEDS]
            mean = intervals.of_mean(np.mean(hits, axis=0), seed=0)
            numbers = [mean.value, mean.ci_low, mean.ci_high, *np.mean(hits, axis=1)]
            table.append(",".join([row, *(f"{value:.4f}" for value in numbers)]))
            print(table[-1], flush=True)
    except LensError as error:
        sys.exit(str(error))
    (args.out / "table.csv").write_text("\n".join(table) + "\n")


if __name__ == "__main__":
    main()
