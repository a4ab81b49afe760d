"""One training by several processes: each takes its share of every batch.

All hold the same weights and draw the same order of clips; their gradients are added, so that every step is the step of
one process with the whole batch.
"""

from collections.abc import Iterable

import torch

from stgcn_lens.processes import Group


def add_gradients(parameters: Iterable[torch.nn.Parameter], group: Group) -> None:
    """Give every process the sum of all processes' gradients."""
    if group.world == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    whole = group.total(torch.cat([gradient.reshape(-1) for gradient in gradients]))
    for gradient, piece in zip(gradients, whole.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(piece.view_as(gradient))


def mean_statistics(model: torch.nn.Module, group: Group) -> None:
    """Give every process the mean of the processes' running statistics."""
    for buffer in model.buffers() if group.world > 1 else ():
        if buffer.is_floating_point():
            group.total(buffer.div_(group.world))
