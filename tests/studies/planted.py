"""A run whose network looks at one joint alone, and clips that it confuses for a known reason.

Everybody stands still but for the left hand. In the second half of the clip it is low in "wave" and high in "kick".
Some clips of "wave" have it high there, and the network, which sees nothing but the hand, takes them for "kick".
"""

from pathlib import Path

import numpy as np
import torch

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.transforms import Preprocessing, prepare
from stgcn_lens.models import STGCN, STGCNConfig
from stgcn_lens.runs import Run
from stgcn_lens.skeleton import get_layout
from tests import tiny

LAYOUT = get_layout("ntu25")
HAND = LAYOUT.index("left_hand")
FRAMES = 40
PREP = Preprocessing(frames=FRAMES, fit="crop", centre="none", rotate=False, scale=False, max_flatness=0)
WAVE, KICK = 0, 1


def clip(number: int, label: int, high: bool, rng: np.random.Generator) -> Clip:
    xyz = np.repeat(rng.normal(0, 0.3, (3, 1, 25)), FRAMES, axis=1)
    xyz[:, :, HAND] = 0.5 + rng.normal(0, 0.03, (3, FRAMES))
    xyz[1, FRAMES // 2 :, HAND] += 1.0 if high else -1.0
    valid = np.ones((FRAMES, 1), bool)
    return Clip(xyz[..., None].astype(np.float32), valid, f"clip {number}", "ntu25", label=label, subject=number % 5)


def clips(*, confused: int = 6, recognised: int = 10, classes: tuple[str, ...] = tiny.CLASSES) -> ClipSet:
    rng = np.random.default_rng(0)
    kinds = [(WAVE, False), (KICK, True)] + [(WAVE, True)] * confused + [(WAVE, False), (KICK, True)] * recognised
    return ClipSet.from_clips([clip(i, label, high, rng) for i, (label, high) in enumerate(kinds)], classes)


def model(clipset: ClipSet) -> STGCN:
    """No convolution over frames, no way from joint to joint, nothing from any joint but the hand, no constant term."""
    generator = torch.Generator().manual_seed(1)
    config = STGCNConfig(configuration="compact", width=6, normalisation="symmetric", dropout=0.0, kernel=1)
    net = STGCN(config, LAYOUT, 3, len(clipset.classes)).eval()
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if tensor.ndim > 1:
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * tensor[0].numel() ** -0.5)
            elif name.endswith("bias"):
                tensor.zero_()
            elif name.endswith("norm.weight") or "shortcut.1.weight" in name:
                tensor.fill_(1)
        for block in net.blocks:
            block.graph.importance.fill_(0)
            block.graph.importance[0] = 1  # of the three partitions the one that joins a joint with itself
        net.entry.norm.weight.view(25, 3).copy_(torch.eye(25)[HAND][:, None].expand(25, 3))
        x = torch.from_numpy(np.stack([prepare(one, PREP, 1).x for one in clipset]))
        features = net.features(x).mean(dim=(1, 3, 4))
        high = torch.tensor([bool(one.xyz[1, -1, HAND, 0] > 0.5) for one in clipset])
        means = features[high].mean(0), features[~high].mean(0)
        net.head.weight.zero_()
        net.head.bias.fill_(-100)
        net.head.weight[KICK], net.head.weight[WAVE] = means[0] - means[1], means[1] - means[0]
        middle = (means[0] + means[1]) / 2
        net.head.bias[KICK] = -net.head.weight[KICK] @ middle
        net.head.bias[WAVE] = -net.head.weight[WAVE] @ middle
    return net


def run(folder: Path, clipset: ClipSet | None = None) -> Run:
    """All but the first two clips are of the test split."""
    clipset = clipset or clips()
    return tiny.run(folder, clipset, model(clipset), PREP)
