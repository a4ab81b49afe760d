"""Training a network into a run folder."""

from stgcn_lens.training.config import TrainConfig
from stgcn_lens.training.device import choose
from stgcn_lens.training.loop import Step, TrainJob, predict, train

__all__ = ["Step", "TrainConfig", "TrainJob", "choose", "predict", "train"]
