"""A network with weights at random, and clips of three other classes that are easily told apart."""

from pathlib import Path

import numpy as np

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.models.checkpoints import Loaded, load
from stgcn_lens.parts import Parts
from stgcn_lens.runs import Run
from stgcn_lens.studies.transfer.config import TransferConfig
from stgcn_lens.studies.transfer.target import Sides, sides
from stgcn_lens.studies.transfer.work import Work
from stgcn_lens.training.prepared import Prepared
from tests import tiny
from tests.training.clips import clip_set

TARGET = clip_set(28, classes=3)
FAST = TransferConfig(
    cuts=("input", "block_3", "block_6"),
    shots=("1", "full"),
    seeds=(0, 1),
    epochs=1,
    least_steps=2,
    batch=8,
    copies=2,
    scratch_epochs=1,
    resamples=20,
)


def run(folder: Path) -> Run:
    return tiny.run(folder, tiny.clips(), tiny.model())


def work(run: Run, config: TransferConfig = FAST, clips: ClipSet = TARGET) -> Work:
    """The work of a study, in a folder beside the run."""
    loaded = load(run.path)
    parts = Parts(run.path.parent / "parts", "key")
    prepared = Prepared.make(parts.folder / "prepared", clips, loaded.preprocessing, loaded.bodies, "key")
    divided = sides(clips, prepared.usable, config)
    return Work(loaded, clips, prepared, divided, config.cuts, config, parts, "cpu", None)


def divided(clips: ClipSet = TARGET, config: TransferConfig = FAST) -> Sides:
    return sides(clips, np.ones(len(clips), bool), config)


def network(run: Run) -> Loaded:
    return load(run.path)
