"""Training a network into a run folder."""

from stgcn_lens.training.answers import predict
from stgcn_lens.training.config import TrainConfig
from stgcn_lens.training.device import choose
from stgcn_lens.training.job import TrainJob
from stgcn_lens.training.loop import Step, train

__all__ = ["Step", "TrainConfig", "TrainJob", "choose", "predict", "train"]
