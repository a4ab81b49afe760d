"""A training written down plainly: one process, whole batches, 32-bit numbers, nothing optional.

What `stgcn_lens.training` did before it could do more. With its options at their defaults it must still do exactly
this, number for number: the accuracies in docs/results.md rest on it.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

from stgcn_lens.training.augment import augment


def rate(config, progress: float) -> float:
    if progress < config.warmup:
        return config.lr * (progress + 1e-3) / config.warmup
    if config.schedule == "step":
        return config.lr * 0.1 ** sum(progress >= milestone for milestone in config.milestones)
    done = (progress - config.warmup) / max(config.epochs - config.warmup, 1)
    return config.lr * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def trained(build, x: np.ndarray, present: np.ndarray, labels: np.ndarray, pool: np.ndarray, layout, config):
    """The network that `build` makes, trained on the clips `pool` of x (N, C, T, V, M), and the loss of each epoch."""
    torch.manual_seed(config.seed)
    model, losses = build(), []
    decayed, free = [], []
    for name, parameter in model.named_parameters():
        (free if parameter.ndim < 2 or name.endswith("importance") else decayed).append(parameter)
    optimiser = torch.optim.SGD(
        [{"params": decayed, "weight_decay": config.weight_decay}, {"params": free, "weight_decay": 0.0}],
        lr=config.lr,
        momentum=config.momentum,
        nesterov=True,
    )
    starts = list(range(0, len(pool), config.batch))
    if len(starts) > 1 and config.batch > 1 and len(pool) - starts[-1] == 1:
        del starts[-1]
    for epoch in range(config.epochs):
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + epoch)
        order = pool[torch.randperm(len(pool), generator=generator).numpy()]
        torch.manual_seed(config.seed * 1_000_003 + epoch)
        total = 0.0
        model.train()
        for step, (begin, end) in enumerate(zip(starts, [*starts[1:], len(pool)], strict=True)):
            rows = order[begin:end]
            for group in optimiser.param_groups:
                group["lr"] = rate(config, epoch + step / len(starts))
            clips = augment(torch.from_numpy(x[rows]), torch.from_numpy(present[rows]), layout, config, generator)
            target = torch.from_numpy(labels[rows])
            loss = F.cross_entropy(model(clips), target, label_smoothing=config.label_smoothing)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(rows)
        losses.append(total / len(pool))
    return model.eval(), losses
