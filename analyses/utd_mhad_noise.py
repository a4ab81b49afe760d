"""What noise in the skeletons of UTD-MHAD does to a network, and to one that was trained with noise, side by side.

    python analyses/utd_mhad_noise.py DATA OUT

DATA is the folder of the aA_sS_tT_skeleton.mat files; OUT gets two runs, OUT/plain and OUT/noisy, trained if they are
not there yet. Both are studied under the same noise: RUN/studies/noise.json, .csv and a figure a kind, in OUT/plain.
What was interrupted goes on where it was: six kinds at up to seven levels, three draws of each.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from stgcn_lens.commands import study_noise, train
from stgcn_lens.errors import LensError
from stgcn_lens.studies.noise import NoiseConfig
from stgcn_lens.training import TrainConfig, TrainJob

JOB = TrainJob(split="subject", training=TrainConfig(seed=0))
NOISE_DB = 10.0  # the weakest signal in training; the strongest is at 40 dB
STUDY = NoiseConfig(seeds=(0, 1, 2))


def main() -> None:
    """Train both if need be, study them, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the .mat files")
    parser.add_argument("out", type=Path, help="folder of both runs")
    args = parser.parse_args()
    plain, noisy = args.out / "plain", args.out / "noisy"
    with_noise = replace(JOB, training=replace(JOB.training, noise_db=NOISE_DB))
    try:
        for out, job in ((plain, JOB), (noisy, with_noise)):
            print(train.run(train.Args(data=args.data, out=out, job=job)).text)
        print(study_noise.run(study_noise.Args(run=plain, beside=noisy, config=STUDY)).text)
    except LensError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
