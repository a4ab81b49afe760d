"""Does a map depend on what the network learned? Weights are drawn anew, from the head downward, and maps compared.

Source: Adebayo et al., "Sanity checks for saliency maps", arXiv 1810.03292. A map that stays as it was while the
weights go does not show what the network learned.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.stats import rankdata
from torch import nn

from stgcn_lens.activations import evaluating, exclusive
from stgcn_lens.errors import LensError

if TYPE_CHECKING:
    from stgcn_lens.models.protocol import Lens

HEAD, REST = "logits", "input"


def groups(model: "Lens", x: torch.Tensor) -> dict[str, list[str]]:
    """Names of the submodules with tensors of their own, by the layer they belong to, from the head downward.

    Whatever first runs after the last layer has begun and lies in no layer is the head, "logits"; all else in no
    layer (what prepares the clips, loose parameters) is "input" and comes last. Groups without tensors are left out.

    Parameters
    ----------
    x : clips (N, C, T, V, M), one is enough; they are sent through the model once to see the order.
    """
    if not isinstance(model, nn.Module):
        raise LensError("not a torch module", got=type(model).__name__, expected="a model that meets the protocol")
    owners = {name: module for name, module in model.named_modules() if _own(module) or _initialisation(module)}
    inside: dict[nn.Module, str] = {}
    for layer, module in model.layers.items():
        inside |= {part: layer for part in module.modules()}
    last = next(reversed(model.layers.values()))
    begun: list[bool] = []
    after: set[nn.Module] = set()
    with evaluating(model):
        handles = [last.register_forward_pre_hook(lambda *_: begun.append(True))]
        try:
            for module in owners.values():
                handles.append(module.register_forward_pre_hook(lambda m, _: after.add(m) if begun else None))
            with torch.inference_mode():
                model(x)
        finally:
            for handle in handles:
                handle.remove()
    found: dict[str, list[str]] = {name: [] for name in (HEAD, *reversed(model.layers), REST)}
    for name, module in owners.items():
        found[inside.get(module) or (HEAD if module in after else REST)].append(name)
    return {name: members for name, members in found.items() if members}


def cascade(model: "Lens", parts: Mapping[str, list[str]], seed: int) -> Iterator[tuple[str, "Lens"]]:
    """The model after each of the groups, from the first on, has been drawn anew: (name of the group, model).

    It is one copy that changes from step to step; the model itself is left alone.
    """
    yield from _redrawn(model, parts, seed, keep=True)


def independent(model: "Lens", parts: Mapping[str, list[str]], seed: int) -> Iterator[tuple[str, "Lens"]]:
    """The model with each of the groups alone drawn anew, with the weights that `cascade` gives it."""
    yield from _redrawn(model, parts, seed, keep=False)


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman correlation of two maps' cells, in [-1, 1]; 0 where one of them is constant, NaN where both are."""
    flat = [np.ptp(values) == 0 for values in (a, b)]
    if any(flat):
        return float("nan") if all(flat) else 0.0
    first, second = (rankdata(values.ravel()) for values in (a, b))
    return float(np.corrcoef(first, second)[0, 1])


def _redrawn(model: "Lens", parts: Mapping[str, list[str]], seed: int, *, keep: bool) -> Iterator[tuple[str, "Lens"]]:
    assert isinstance(model, nn.Module)
    with exclusive(model):
        other = copy.deepcopy(model)
    for number, (name, members) in enumerate(parts.items()):
        changed = [other.get_submodule(member) for member in members]
        before = [{key: tensor.clone() for key, tensor in _tensors(module).items()} for module in changed]
        generator = torch.Generator().manual_seed(1_000_003 * seed + number)
        for module in changed:
            _redraw(module, generator)
        yield name, other
        if not keep:
            with torch.no_grad():
                for module, tensors in zip(changed, before, strict=True):
                    for key, tensor in _tensors(module).items():
                        tensor.copy_(tensors[key])


def _redraw(module: nn.Module, generator: torch.Generator) -> None:
    """New values for a module's own tensors: as torch initialises it, else normal with the mean and spread it had.

    Masks and learned adjacencies know no initialisation that says nothing of the skeleton: ones, or its bones.
    """
    with torch.no_grad():
        if (reset := _initialisation(module)) is not None:
            devices = {tensor.device.index for tensor in _tensors(module).values() if tensor.is_cuda}
            # It draws from the global generators, which are put back.
            with torch.random.fork_rng(devices=sorted(devices)):
                torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
                reset()
            return
        for tensor in _own(module).values():
            if tensor.is_floating_point():
                spread = tensor.std() if tensor.numel() > 1 else tensor.abs().sum()
                drawn = torch.randn(tensor.shape, generator=generator).to(tensor)
                tensor.copy_(drawn * spread + tensor.mean())


def _initialisation(module: nn.Module) -> Callable[[], object] | None:
    """How torch initialises the module's tensors, running statistics included, if it knows how."""
    reset = getattr(module, "reset_parameters", None)
    return reset if callable(reset) and _tensors(module) else None


def _own(module: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters of the module itself."""
    return dict(module.named_parameters(recurse=False))


def _tensors(module: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers of the module itself."""
    return _own(module) | dict(module.named_buffers(recurse=False))
