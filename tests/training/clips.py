"""Forty short clips of two or three classes that are easily told apart, by four subjects; and a job that does so."""

from dataclasses import replace

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.models import STGCNConfig
from stgcn_lens.training import TrainConfig, TrainJob
from tests.data.people import clip

CLASSES = ("raise left, hand", "step", "duck")
JOINTS = ((6, 7), (14, 15, 18, 19), (2, 3))  # of ntu25, which move in each class


def acted(number: int, classes: int = 2, layout: str = "ntu25") -> Clip:
    """Clip `number`: class `number % classes`, subject 1 to 4, 9 to 18 frames."""
    label, frames = number % classes, 9 + number % 10
    still = clip(frames, layout=layout, name=f"clip {number:02}")
    xyz = still.xyz + np.random.default_rng(number).normal(0, 0.02, still.xyz.shape).astype(np.float32)
    rise = np.sin(np.linspace(0, np.pi, frames), dtype=np.float32)
    for joint in JOINTS[label]:
        xyz[1 if label != 1 else 2, :, joint, 0] += rise * (-0.8 if label == 2 else 0.8)
    return still.replace(xyz=xyz, label=label, subject=1 + number // 2 % 4, view=None)


def clip_set(count: int = 40, classes: int = 2, layout: str = "ntu25", **about: object) -> ClipSet:
    clips = [acted(i, classes, layout) for i in range(count)]
    return ClipSet.from_clips(clips, CLASSES[:classes], **{"source": "made up", **about})


def splits(clips: ClipSet) -> np.ndarray:
    """Subjects 1 to 3 train."""
    return np.array(["test" if row.subject == 4 else "train" for row in clips.rows])


def job(**training: object) -> TrainJob:
    """A few seconds of training at most."""
    given = {"epochs": 3, "batch": 8, "lr": 0.1, "warmup": 1, "schedule": "cosine", "augment": True, "seed": 0}
    return TrainJob(
        model=STGCNConfig(configuration="compact", width=6, kernel=3, dropout=0.1),
        preprocessing=Preprocessing(frames=12, scale=False),
        training=TrainConfig(**{**given, **training}),
    )


def with_clip(clips: ClipSet, number: int, change) -> ClipSet:
    """The set with one clip changed by a function."""
    changed = [change(each) if i == number else each for i, each in enumerate(clips)]
    return ClipSet.from_clips(changed, clips.classes, source=clips.source)


def absent(each: Clip) -> Clip:
    """The clip with no body in any frame: it cannot be prepared."""
    return replace(each, valid=np.zeros_like(each.valid), xyz=np.zeros_like(each.xyz))
