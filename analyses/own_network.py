"""What each layer of a torch network of your own tells apart, and what it looks at: any clips, no training.

    python analyses/own_network.py DATA OUT

DATA are clips in any known format, OUT is the run folder. The network in `main` stands for yours, and the class is all
that the lens has to know of it (docs/adapter.md). Without `net.load_state_dict` it has learned nothing: a control.
"""

import argparse
import sys
from pathlib import Path

import torch
from torch import nn

from stgcn_lens.data.readers import read
from stgcn_lens.embeddings import EmbedConfig
from stgcn_lens.errors import LensError
from stgcn_lens.models.given import given
from stgcn_lens.models.protocol import fold
from stgcn_lens.skeleton import Layout
from stgcn_lens.studies.given import analyse
from stgcn_lens.studies.layers import GeometryConfig

EMBED, GEOMETRY = EmbedConfig(window=8), GeometryConfig()


class TwoConvolutions(nn.Module):
    """The adapter: convolutions on (B, C, T, V), as the lens reads them."""

    def __init__(self, net: nn.Sequential, layout: Layout) -> None:
        super().__init__()
        self.net, self.layout, self.input = net, layout, nn.Identity()
        self.layers = {"input": self.input, "block_1": net[0], "block_2": net[1]}
        self.strides = {"input": 1, "block_1": 1, "block_2": 2}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes) of clips (N, C, T, V, M): the mean over bodies, joints and frames."""
        return self.net(self.input(fold(x))).mean((2, 3)).unflatten(0, (len(x), -1)).mean(1)


def main() -> None:
    """Analyse, and say where the report is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder or file of clips in any known format")
    parser.add_argument("out", type=Path, help="run folder")
    args = parser.parse_args()
    try:
        clips = read(args.data)
        torch.manual_seed(0)
        first, second = nn.Conv2d(clips.channels, 32, (9, 1), 1, (4, 0)), nn.Conv2d(32, 64, (9, 1), (2, 1), (4, 0))
        net = nn.Sequential(first, nn.Sequential(nn.ReLU(), second), nn.ReLU(), nn.Conv2d(64, len(clips.classes), 1))
        mine = given(TwoConvolutions(net, clips.skeleton), classes=clips.classes, channels=clips.channels)
        print("report", analyse(args.out, mine, clips, embedding=EMBED, geometry=GEOMETRY) / "report.html")
    except LensError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
