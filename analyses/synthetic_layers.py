"""At which layer synthetic people's actions, near twins among them, come apart, and whether to trust the saliency.

    python analyses/synthetic_layers.py DATA OUT

DATA is where the synthetic clips are kept (made if they are not there: 24 actions, 40 subjects, one camera), OUT the
run folder: trained if it is not there yet, then embedded, graphed, explained and reported. Subjects 1 to 20 train. The
clips carry the evidence of their class, so that the report also scores every layer's saliency against it.
"""

import argparse
import sys
from pathlib import Path

from stgcn_lens.commands import analyse, train
from stgcn_lens.data.synthetic import SyntheticConfig, synthetic_set
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.embeddings import EmbedConfig
from stgcn_lens.errors import LensError
from stgcn_lens.graphs import GraphConfig
from stgcn_lens.models import STGCNConfig
from stgcn_lens.studies.layers import GeometryConfig
from stgcn_lens.studies.saliency import ExplainConfig
from stgcn_lens.training import TrainConfig, TrainJob

PEOPLE = SyntheticConfig(subjects=tuple(range(1, 41)), views=(2,), seed=0)
JOB = TrainJob(
    split="subject",
    model=STGCNConfig(configuration="release", width=16, dropout=0.1),
    preprocessing=Preprocessing(frames=64, centre="first", rotate=True),
    training=TrainConfig(epochs=40, batch=32, lr=0.1, seed=0),
)
EMBED = EmbedConfig(window=8)
GEOMETRY = GeometryConfig(graph=GraphConfig(k=15), seed=0)  # a class has 20 test clips
EXPLAIN = ExplainConfig()


def main() -> None:
    """Make clips and network if need be, analyse, and say where the report is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the synthetic clips, made if it is not there")
    parser.add_argument("out", type=Path, help="run folder")
    args = parser.parse_args()
    try:
        if not args.data.exists():
            synthetic_set(PEOPLE, into=args.data)
        print(train.run(train.Args(data=args.data, out=args.out, job=JOB)).text)
        print(analyse.run(analyse.Args(run=args.out, embed=EMBED, geometry=GEOMETRY, explain=EXPLAIN)).text)
    except LensError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
