"""ST-GCN at three seeds, of other depth, width and partition, and STGAT: their layers on one page.

    python analyses/compare_networks.py DATA OUT

DATA is a folder of recordings in any known format; OUT gets a run folder for each network, trained if it is not there
yet, and compare.html. What has not changed is not done again.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from stgcn_lens.commands import compare, embed, graph, train
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.errors import LensError
from stgcn_lens.models import MODELS, STGCNConfig
from stgcn_lens.training import TrainConfig, TrainJob

PREPROCESSING = Preprocessing(long_gaps="cut")
TRAINING = TrainConfig()
NETWORKS = {
    "stgcn_0": ("stgcn", MODELS["stgcn"].small, 0),
    "stgcn_1": ("stgcn", MODELS["stgcn"].small, 1),
    "stgcn_2": ("stgcn", MODELS["stgcn"].small, 2),
    "stgcn_paper": ("stgcn", STGCNConfig(configuration="paper", width=16, dropout=0.1), 0),
    "stgcn_distance": ("stgcn", STGCNConfig(width=16, dropout=0.1, partition="distance"), 0),
    "stgcn_wide": ("stgcn", STGCNConfig(width=32, dropout=0.1), 0),
    "stgat": ("stgat", MODELS["stgat"].small, 0),
}


def main() -> None:
    """Train what is not there, make its graphs, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the recordings")
    parser.add_argument("out", type=Path, help="folder of the runs and of compare.html")
    args = parser.parse_args()
    try:
        for name, (architecture, model, seed) in NETWORKS.items():
            training = replace(TRAINING, seed=seed)
            job = TrainJob(architecture=architecture, model=model, preprocessing=PREPROCESSING, training=training)
            print(train.run(train.Args(data=args.data, out=args.out / name, job=job)).text)
            print(embed.run(embed.Args(run=args.out / name)).text)
            print(graph.run(graph.Args(run=args.out / name)).text)
        runs = tuple(args.out / name for name in NETWORKS)
        print(compare.run(compare.Args(runs=runs, out=args.out / "compare.html")).text)
    except LensError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
