"""One network on each of four streams (joint, bone, and the motion of either), and what their sum gains.

    python analyses/four_streams.py DATA OUT

OUT gets a run folder for each stream and seed, and fused_0.json ... with the sums of softmax, weights 2 2 1 1. A
training that is there is not done again.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

from stgcn_lens.commands import evaluate, fuse, train
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.errors import LensError
from stgcn_lens.training import TrainConfig, TrainJob

Stream = Literal["joint", "bone", "joint-motion", "bone-motion"]
PREPROCESSING = Preprocessing(long_gaps="cut")
STREAMS: dict[Stream, int] = {"joint": 2, "bone": 2, "joint-motion": 1, "bone-motion": 1}


def main() -> None:
    """Train what is missing, fuse, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder or file of clips in any known format")
    parser.add_argument("out", type=Path, help="folder of the runs")
    parser.add_argument("--seeds", nargs="+", type=int, default=(0, 1, 2))
    parser.add_argument("--epochs", type=int, default=TrainConfig.epochs)
    parser.add_argument("--precision", default=TrainConfig.precision)
    args = parser.parse_args()
    try:
        for seed in args.seeds:
            runs = []
            for stream in STREAMS:
                prep = replace(PREPROCESSING, stream=stream)
                training = TrainConfig(epochs=args.epochs, seed=seed, precision=args.precision)
                job = TrainJob(preprocessing=prep, training=training)
                runs.append(args.out / f"{stream}_{seed}")
                print(train.run(train.Args(data=args.data, out=runs[-1], job=job)).text, flush=True)
                evaluate.run(evaluate.Args(run=runs[-1]))
            out, weights = args.out / f"fused_{seed}.json", tuple(map(float, STREAMS.values()))
            print(fuse.run(fuse.Args(scores=tuple(runs), weights=weights, out=out, force=True)).text, flush=True)
    except LensError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
