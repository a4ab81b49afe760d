"""Batch norm and dropout over a batch that several processes share: what one process would compute with all of it."""

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from stgcn_lens.processes import Group


class Whole:
    """The batch of which a step's clips are a share; set anew by every step."""

    def __init__(self, group: Group) -> None:
        self.group, self.share, self.total = group, slice(0, 1), 1


def shared(model: nn.Module, group: Group, device: str, *, norm: bool = True) -> Whole:
    """Put the layers below in the place of the model's own; returns what tells them of each batch.

    On a GPU torch's own SyncBatchNorm is faster, and every process drops out by itself: there, results differ between
    numbers of processes by other random numbers.
    """
    whole = Whole(group)
    if group.world == 1:
        return whole
    if device.startswith("cuda"):
        if norm:
            nn.SyncBatchNorm.convert_sync_batchnorm(model)
        return whole
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if norm and isinstance(child, _BatchNorm):
                setattr(parent, name, SharedNorm(child, group))
            elif isinstance(child, nn.Dropout):
                setattr(parent, name, SharedDropout(child, whole))
    return whole


class _Sum(torch.autograd.Function):
    """Sum over the processes. Each of them depends on every summand, and so do the gradients."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: torch.Tensor, group: Group) -> torch.Tensor:
        """The sum."""
        ctx.group = group  # type: ignore[attr-defined]
        return group.total(x.clone())

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:
        """The sum of the gradients."""
        return ctx.group.total(grads[0].clone()), None  # type: ignore[attr-defined]


class SharedNorm(_BatchNorm):
    """Batch norm with mean and variance over the clips of all processes; parameters are the original's."""

    def __init__(self, norm: _BatchNorm, group: Group) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        self._parameters.update(norm._parameters)
        self._buffers.update(norm._buffers)
        self.group = group
        self.train(norm.training)

    def _check_input_dim(self, input: torch.Tensor) -> None:
        pass

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(B, C, ...) -> the same."""
        if not self.training:
            return super().forward(input)
        axes, shape = [0, *range(2, input.ndim)], (-1, *[1] * (input.ndim - 2))
        x = input.to(torch.promote_types(input.dtype, torch.float32))
        count = x.new_tensor([x.numel() / x.shape[1]])
        sums = _Sum.apply(torch.cat([x.sum(axes), count]), self.group)
        n = sums[-1].detach()
        if n <= 1:
            raise ValueError(f"Expected more than 1 value per channel when training, got {int(n)}")
        mean = sums[:-1] / n
        x = x - mean.view(shape)
        variance = _Sum.apply(x.square().sum(axes), self.group) / n
        self._remember(mean.detach(), variance.detach() * n / (n - 1))
        y = x * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            y = y * self.weight.view(shape) + self.bias.view(shape)
        return y.to(input.dtype)

    def _remember(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        if self.num_batches_tracked is None or self.running_mean is None or self.running_var is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


class SharedDropout(nn.Dropout):
    """A dropout that draws for the whole batch and uses its share, so that the shares drop what one process would."""

    def __init__(self, dropout: nn.Dropout, whole: Whole) -> None:
        super().__init__(dropout.p)
        self.dropout, self.whole = dropout, whole
        self.train(dropout.training)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(B, ...) -> the same; B is a multiple of the clips at hand."""
        if not self.training or self.p == 0:
            return input
        share, total = self.whole.share, self.whole.total
        rows = input.shape[0] // (share.stop - share.start)  # bodies of a clip
        # In the order of memory, in which one process would draw.
        order = sorted(range(input.ndim), key=input.stride, reverse=True)
        size = (total * rows, *input.shape[1:])
        ones = torch.empty_permuted(size, order, dtype=input.dtype, device=input.device).fill_(1)
        return input * self.dropout(ones)[share.start * rows : share.stop * rows]
