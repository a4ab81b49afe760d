"""Small runs for the tests of whatever reads one: made-up clips, and a small network with weights at random."""

import csv
from pathlib import Path

import numpy as np
import torch

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.transforms import Preprocessing, prepare
from stgcn_lens.models import STGCN, STGCNConfig
from stgcn_lens.models.checkpoints import save
from stgcn_lens.runs import Run
from stgcn_lens.skeleton import get_layout
from stgcn_lens.training.adopt import adopt
from tests.data import people

CLASSES = ("wave", "kick", "sit", "never seen")
PREP = Preprocessing(frames=24, fit="crop")


def clips(
    n: int = 12, *, evidence: bool = False, layout: str = "ntu25", frames: tuple[int, ...] = (9, 24, 31, 1)
) -> ClipSet:
    """Clips of several lengths and of one or two bodies, the second of which comes late and leaves; three classes."""
    made = []
    for i in range(n):
        clip = people.clip(
            frames[i % len(frames)],
            1 + i % 2,
            layout=layout,
            seed=i,
            name=f"clip {i}",
            label=i * i // 2 % 3,
            subject=i % 4,
        )
        if clip.bodies == 2 and clip.frames > 8:
            clip = people.without(clip, 1, [0, 1, 2, 7])
        if evidence:
            planted = np.zeros(clip.xyz.shape[1:], bool)
            planted[:, 4 * clip.label : 4 * clip.label + 4, 0] = True
            clip = clip.replace(evidence=planted & clip.valid[:, None])
        made.append(clip)
    return ClipSet.from_clips(made, CLASSES, source="made up", protocol="generic")


def model(layout: str = "ntu25", *, classes: int = len(CLASSES), width: int = 3, seed: int = 0) -> STGCN:
    """A network of six blocks, strides up to 4, in which every weight, mask and running statistic is at random."""
    net = STGCN(
        STGCNConfig(configuration="compact", width=width, normalisation="symmetric", dropout=0.0),
        get_layout(layout),
        3,
        classes,
    )
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in net.state_dict().items():
        if tensor.is_floating_point():
            # Scaled so that activations neither vanish nor grow from block to block.
            spread = 0.2 if tensor.ndim < 2 else 0.4 * tensor[0].numel() ** -0.5
            noise = torch.randn(tensor.shape, generator=generator) * spread
            near_one = name.endswith(("running_var", "norm.weight", "importance"))
            tensor.copy_(noise + 1 if near_one else noise)
    with torch.no_grad():
        # No class wins everywhere: over some clips the logits are zero in the mean.
        x = torch.from_numpy(np.stack([prepare(clip, PREP, 2).x for clip in clips(layout=layout)]))
        net.head.bias -= net.eval()(x).mean(dim=0)
    return net.eval()


def run(folder: Path, clipset: ClipSet, net: STGCN, prep: Preprocessing = PREP) -> Run:
    """A run that holds the network as if trained; every clip but the first two is in the test split."""
    bodies = min(prep.bodies, clipset.max_bodies)
    about = {"what": "weights at random"}
    save(folder / "net", net, architecture="stgcn", classes=CLASSES, preprocessing=prep, bodies=bodies, about=about)
    target = Run.create(folder / "run")
    adopt(target, folder / "net", clipset.save(target / "data"))
    rows = table(target)
    for row in rows[:2]:
        row["split"] = "train"
    with (target / "clips.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return target


def table(target: Run) -> list[dict[str, str]]:
    with (target / "clips.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def activations(net: STGCN, clip: Clip, prep: Preprocessing, bodies: int) -> dict[str, np.ndarray]:
    """Layer -> (M, C_l, T_l, V) of one clip, by calling one module after the other; and "logits" (classes,)."""
    x = torch.from_numpy(prepare(clip, prep, bodies).x)  # (C, T, V, M)
    with torch.no_grad():
        h = x.permute(3, 0, 1, 2)
        found = {"input": h.numpy().copy()}
        h = net.entry(h)
        for number, block in enumerate(net.blocks, start=1):
            h = block(h)
            found[f"block_{number}"] = h.numpy().copy()
        found["logits"] = net.head(h.mean(dim=(2, 3)).mean(dim=0)).numpy()
    return found
