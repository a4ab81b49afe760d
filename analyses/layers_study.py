"""Finding 1 of the paper on a set of recordings: actions come apart with depth, and only in a trained network.

    python analyses/layers_study.py DATA OUT

DATA is a folder of recordings in any known format, OUT the run folder: trained if it is not there yet, studied beside
an untrained network and one that learned shuffled labels, reported. What has not changed is not done again.
"""

import argparse
import sys
from pathlib import Path

from stgcn_lens.commands import report, study_layers, train
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.errors import LensError
from stgcn_lens.studies.depth import DepthConfig
from stgcn_lens.training import TrainConfig, TrainJob

# Frames in which nobody is seen (MSR-Action3D has some) are cut out, the clips kept.
JOB = TrainJob(split="subject", preprocessing=Preprocessing(long_gaps="cut"), training=TrainConfig(seed=0))
STUDY = DepthConfig()


def main() -> None:
    """Train if need be, study, and say where the report is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the recordings")
    parser.add_argument("out", type=Path, help="run folder")
    args = parser.parse_args()
    try:
        print(train.run(train.Args(data=args.data, out=args.out, job=JOB)).text)
        print(study_layers.run(study_layers.Args(run=args.out, config=STUDY)).text)
        print(report.run(report.Args(runs=(args.out,))).text)
    except LensError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
