"""At which layer the 20 actions of MSR-Action3D come apart (cross-subject), and which joints each of them rests on.

    python analyses/msr_action3d_layers.py DATA OUT

DATA is the folder of the aXX_sXX_eXX_skeleton3D.txt files, OUT the run folder: trained if it is not there yet, then
embedded, graphed, explained and reported. Subjects 1, 3, 5, 7 and 9 train. What has not changed is not done again.
"""

import argparse
import sys
from pathlib import Path

from stgcn_lens.commands import analyse, train
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.embeddings import EmbedConfig
from stgcn_lens.errors import LensError
from stgcn_lens.graphs import GraphConfig
from stgcn_lens.studies.layers import GeometryConfig
from stgcn_lens.studies.saliency import ExplainConfig
from stgcn_lens.training import TrainConfig, TrainJob

# Eleven clips have 12 to 33 frames in which nobody is seen: these frames are cut out, the clips kept.
JOB = TrainJob(split="subject", preprocessing=Preprocessing(long_gaps="cut"), training=TrainConfig(seed=0))
EMBED = EmbedConfig(window=8)
GEOMETRY = GeometryConfig(graph=GraphConfig(k=15), seed=0)  # a class has about 14 test clips
EXPLAIN = ExplainConfig()


def main() -> None:
    """Train if need be, analyse, and say where the report is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the .txt files")
    parser.add_argument("out", type=Path, help="run folder")
    args = parser.parse_args()
    try:
        print(train.run(train.Args(data=args.data, out=args.out, job=JOB)).text)
        print(analyse.run(analyse.Args(run=args.out, embed=EMBED, geometry=GEOMETRY, explain=EXPLAIN)).text)
    except LensError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
