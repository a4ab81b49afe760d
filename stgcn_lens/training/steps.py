"""One step of a training: which clips it sees, what it does, and what can go wrong in it."""

from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F

from stgcn_lens.errors import DataError, LensError, WorkError
from stgcn_lens.processes import Group
from stgcn_lens.training.config import TrainConfig
from stgcn_lens.training.distributed import add_gradients
from stgcn_lens.training.feed import Batch
from stgcn_lens.training.speed import Forward, autocast


def parts(count: int, batch: int, least: int = 1) -> list[slice]:
    """The clips of each step; fewer than two, or than `least`, that are left over at the end join the step before.

    Batch norm learns nothing of use from one clip, and of one frame and one body nothing at all; and no process of
    several may be without a clip.
    """
    starts = list(range(0, count, batch))
    if len(starts) > 1 and batch > 1 and count - starts[-1] < max(2, least):
        del starts[-1]
    return [slice(begin, end) for begin, end in zip(starts, [*starts[1:], count], strict=True)]


def learn(
    forward: Forward,
    optimiser: torch.optim.Optimizer,
    watched: list[torch.Tensor],
    batch: Batch,
    config: TrainConfig,
    group: Group,
    device: str,
) -> tuple[float, int, bool]:
    """Take a step: mean loss and hits of the whole batch, and whether loss and weights are still finite numbers."""
    learned = [parameter for settings in optimiser.param_groups for parameter in settings["params"]]
    with autocast(device, config.precision):
        logits = answer(forward, batch.x)
    logits = logits.float()
    loss = F.cross_entropy(logits, batch.target, label_smoothing=config.label_smoothing)
    if group.world > 1:
        # The parts' losses add up to the mean over the whole batch, and so do their gradients.
        loss = loss * (len(batch.x) / len(batch.rows))
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    add_gradients(learned, group)
    if config.clip_norm > 0:
        torch.nn.utils.clip_grad_norm_(learned, config.clip_norm)
    optimiser.step()
    hits = (logits.argmax(1) == batch.target).sum()
    # One message from the device, which waits for the step: everything else may run ahead.
    told = torch.stack([loss.detach().double(), hits.double(), finite(watched).double()]).cpu()
    value, right, well = group.total(told).tolist()
    return value, int(right), well == group.world and np.isfinite(value)


def finite(tensors: Iterable[torch.Tensor]) -> torch.Tensor:
    """Whether all weights and running statistics are finite numbers, (), in as few calls as possible."""
    return torch.nn.utils.get_total_norm(tensors, float("inf")).isfinite()


def watched(model: torch.nn.Module) -> list[torch.Tensor]:
    """All that a step may change: weights and running statistics."""
    return [tensor for tensor in model.state_dict().values() if tensor.is_floating_point()]


def answer(model: Forward, x: torch.Tensor) -> torch.Tensor:
    """Logits in training mode, or `DataError` where batch norm has a single value to learn from."""
    try:
        return model(x)
    except ValueError as error:
        if isinstance(error, LensError) or len(x) > 1:
            raise
        raise DataError(
            "one clip a step is too little for batch norm",
            got=f"1 clip of {x.shape[2]} frames and {x.shape[4]} bodies",
            expected="more than one number of each feature",
            fix="raise --batch or --frames, or add training clips",
        ) from error


def diverged(where: str, loss: float, x: np.ndarray, names: list[str]) -> WorkError:
    """What to say of a step after which something is no number: where, and its clip of the largest coordinates."""
    largest = np.abs(x).reshape(len(x), -1).max(axis=1)
    worst = int(largest.argmax())
    return WorkError(
        f"the training diverged at {where}",
        got=f"loss {loss:.3g}; the largest of {len(x)} clips is '{names[worst]}' with a value of {largest[worst]:.3g}",
        expected="finite loss, weights and running statistics",
        fix="lower --lr or look at that clip: stgcn-lens data info",
    )
