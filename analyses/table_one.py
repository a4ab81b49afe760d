"""The seven rows of table 1 of ST-GCN (Yan et al. 2018), trained on any clips, three seeds each.

    python analyses/table_one.py DATA OUT

OUT gets one run folder for each row and seed, and table.csv; what is there is not done again. `--rows stgat` trains
other networks. The interval is over test clips, of the share of seeds that get a clip right.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from stgcn_lens import intervals
from stgcn_lens.commands import train
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.embeddings import read_clips
from stgcn_lens.errors import LensError
from stgcn_lens.models import MODELS
from stgcn_lens.runs import Run
from stgcn_lens.training import TrainConfig, TrainJob

PARTITIONS, SHAPE = ("uniform", "distance-tied", "distance", "spatial"), MODELS["stgcn"].small
ROWS = {name: TrainJob(architecture=name) for name in ("tcn", "local", "stgcn++", "stgat")}
ROWS |= {name: TrainJob(model=replace(SHAPE, partition=name, importance=False)) for name in PARTITIONS}
ROWS["spatial-importance"], TABLE_ONE = TrainJob(), ("tcn", "local", *PARTITIONS, "spatial-importance")


def right(data: Path, out: Path, job: TrainJob) -> list[bool]:
    """Which test clips a network gets right, trained first if need be."""
    train.run(train.Args(data=data, out=out, job=replace(job, preprocessing=Preprocessing(long_gaps="cut"))))
    return [clip["predicted"] == clip["label"] for clip in read_clips(Run.open(out)) if clip["split"] == "test"]


def main() -> None:
    """Train what is missing, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder or file of clips in any known format")
    parser.add_argument("out", type=Path, help="folder of the runs")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=TABLE_ONE)
    parser.add_argument("--seeds", nargs="+", type=int, default=(0, 1, 2))
    parser.add_argument("--epochs", type=int, default=TrainConfig.epochs)
    parser.add_argument("--precision", default=TrainConfig.precision)
    args = parser.parse_args()
    table = [",".join(["row,top1,ci_low,ci_high", *(f"seed_{seed}" for seed in args.seeds)])]
    trainings = [TrainConfig(args.epochs, seed=seed, precision=args.precision) for seed in args.seeds]
    try:
        for row in args.rows:
            hits = [right(args.data, args.out / f"{row}_{t.seed}", replace(ROWS[row], training=t)) for t in trainings]
            mean = intervals.of_mean(np.mean(hits, axis=0), seed=0)
            table.append(row + "".join(f",{v:.4f}" for v in (mean.value, mean.ci_low, mean.ci_high, *np.mean(hits, 1))))
            print(table[-1], flush=True)
    except LensError as error:
        raise SystemExit(str(error)) from None
    (args.out / "table.csv").write_text("\n".join(table) + "\n")


if __name__ == "__main__":
    main()
