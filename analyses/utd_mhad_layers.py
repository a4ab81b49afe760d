"""At which layer the 27 actions of UTD-MHAD come apart (cross-subject), and which joints each of them rests on.

    python analyses/utd_mhad_layers.py DATA OUT

DATA is the folder of the aA_sS_tT_skeleton.mat files, OUT the run folder: trained if it is not there yet, then
embedded, graphed, explained and reported. Subjects 1, 3, 5 and 7 train. What has not changed is not done again.
"""

import argparse
import sys
from pathlib import Path

from stgcn_lens.commands import analyse, train
from stgcn_lens.embeddings import EmbedConfig
from stgcn_lens.errors import LensError
from stgcn_lens.graphs import GraphConfig
from stgcn_lens.studies.layers import GeometryConfig
from stgcn_lens.studies.saliency import ExplainConfig
from stgcn_lens.training import TrainConfig, TrainJob

JOB = TrainJob(split="subject", training=TrainConfig(seed=0))
EMBED = EmbedConfig(window=8)
GEOMETRY = GeometryConfig(graph=GraphConfig(k=15), seed=0)  # a class has 16 test clips
EXPLAIN = ExplainConfig()


def main() -> None:
    """Train if need be, analyse, and say where the report is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the .mat files")
    parser.add_argument("out", type=Path, help="run folder")
    args = parser.parse_args()
    try:
        print(train.run(train.Args(data=args.data, out=args.out, job=JOB)).text)
        print(analyse.run(analyse.Args(run=args.out, embed=EMBED, geometry=GEOMETRY, explain=EXPLAIN)).text)
    except LensError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
