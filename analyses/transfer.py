"""From which layer a network has to be tuned for other actions, and whether smoothness tells so beforehand.

    python analyses/transfer.py DATA OUT
    python analyses/transfer.py DATA OUT --target OTHER

DATA and OTHER are folders of clips in any known format, OUT is the run folder. The first command trains without every
third class of DATA and tunes the network on these; the second trains on all of DATA and tunes on OTHER, which is put
onto DATA's layout joint by joint. What has not changed is not done again; a study that was broken off goes on.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from stgcn_lens.commands import study_transfer, train
from stgcn_lens.data.readers import recognise
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.errors import LensError
from stgcn_lens.studies.transfer import TransferConfig
from stgcn_lens.training import TrainConfig, TrainJob

# Frames in which nobody is seen are cut out of the eleven clips of MSR-Action3D that have many, the clips kept.
JOB = TrainJob(split="subject", preprocessing=Preprocessing(long_gaps="cut"), training=TrainConfig(seed=0))
STUDY = TransferConfig()


def main() -> None:
    """Train if need be, study, and print accuracies, the predicted cut and the verdict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the clips to train on")
    parser.add_argument("out", type=Path, help="run folder")
    parser.add_argument("--target", type=Path, help="other clips, to tune on")
    parser.add_argument("--seeds", type=int, nargs="+", default=STUDY.seeds, help="of the tunings")
    parser.add_argument("--precision", default=STUDY.precision, help="fp32 or bf16, of training and tuning")
    args = parser.parse_args()
    try:
        left_out = () if args.target else recognise(args.data).classes[2::3]
        job = replace(JOB, training=replace(JOB.training, precision=args.precision))
        print(train.run(train.Args(data=args.data, out=args.out, leave_out_classes=left_out, job=job)).text)
        study = replace(STUDY, seeds=tuple(args.seeds), precision=args.precision)
        print(study_transfer.run(study_transfer.Args(run=args.out, data=args.target, config=study)).text)
    except LensError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
