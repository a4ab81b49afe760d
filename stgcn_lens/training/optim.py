"""Optimiser and learning-rate schedule."""

import math

import torch
from torch import nn

from stgcn_lens.training.config import TrainConfig


def sgd(model: nn.Module, config: TrainConfig) -> torch.optim.SGD:
    """SGD with Nesterov momentum for what is not frozen; vectors and edge importance are not decayed.

    Importance masks multiply an adjacency from one: decay would pull the graph itself towards nothing.
    """
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        (free if parameter.ndim < 2 or name.endswith(("importance", "adjacency", "free")) else decayed).append(
            parameter
        )
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=True)


def learning_rate(config: TrainConfig, progress: float) -> float:
    """Rate after `progress` epochs (a fraction within an epoch): linear warm-up, then cosine to 0 or steps."""
    if progress < config.warmup:
        return config.lr * (progress + 1e-3) / config.warmup
    if config.schedule == "step":
        return config.lr * 0.1 ** sum(progress >= milestone for milestone in config.milestones)
    done = (progress - config.warmup) / max(config.epochs - config.warmup, 1e-9)
    return config.lr * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
