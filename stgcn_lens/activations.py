"""The one hook manager: what the layers of a model put out, kept as it was, and nothing of it left on the model.

Everything here holds the model's own lock while it lasts, so two threads on one model take turns.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from stgcn_lens.errors import LensError

if TYPE_CHECKING:
    from stgcn_lens.models.protocol import Lens

_LOCKS: WeakKeyDictionary[nn.Module, "threading.RLock"] = WeakKeyDictionary()
_LOCKS_LOCK = threading.Lock()


@contextmanager
def exclusive(model: nn.Module) -> Iterator[None]:
    """One thread at a time on this model; the same thread may enter again."""
    with _LOCKS_LOCK:
        lock = _LOCKS.setdefault(model, threading.RLock())
    with lock:
        yield


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; afterwards every submodule has its own training flag back."""
    with exclusive(model):
        flags = [(module, module.training) for module in model.modules()]
        model.eval()
        try:
            yield
        finally:
            for module, training in flags:
                module.training = training


@contextmanager
def record(model: nn.Module, modules: Mapping[str, nn.Module]) -> Iterator[Mapping[str, torch.Tensor]]:
    """Outputs of `modules` during the forward passes inside the block.

    Yields a mapping name -> tensor with the values and the place in the autograd graph that the module's output
    had; each forward pass of `model` replaces the values of the one before. Of a tuple the first tensor is kept.
    Forward passes of other threads leave no trace in it.

    Parameters
    ----------
    model : the module that is called; its lock is held.
    modules : name -> submodule of `model`, see `select`.

    Raises
    ------
    LensError
        (in the forward pass) if a module puts out no tensor, or runs twice in one pass.
    """
    kept: dict[str, torch.Tensor] = {}
    thread = threading.get_ident()

    def forget(*_: object) -> None:
        if threading.get_ident() == thread:
            kept.clear()

    def keep(name: str, output: Any) -> Any:
        if threading.get_ident() != thread:
            return None
        if name in kept:
            raise LensError(f"layer '{name}' runs twice in one forward pass", fix="give each use its own module")
        if isinstance(output, torch.Tensor):
            kept[name] = output
            # The next operation may be an in-place ReLU: let it spoil a copy, not what is kept.
            return output.clone()
        items = list(output) if isinstance(output, (tuple, list)) else []
        first = next((i for i, item in enumerate(items) if isinstance(item, torch.Tensor)), None)
        if first is None:
            raise LensError(f"layer '{name}' puts out no tensor", got=type(output).__name__, expected="a tensor")
        kept[name] = items[first]
        items[first] = items[first].clone()
        return output._make(items) if hasattr(output, "_make") else type(output)(items)

    with exclusive(model):
        handles = [model.register_forward_pre_hook(forget)]
        try:
            for name, module in modules.items():
                handles.append(module.register_forward_hook(lambda _m, _i, output, name=name: keep(name, output)))
            yield kept
        finally:
            for handle in handles:
                handle.remove()


def select(model: "Lens", names: Sequence[str] | None = None) -> dict[str, nn.Module]:
    """Modules of the named layers, in depth order; all of them by default; an unknown name raises `LensError`."""
    if names is None:
        return dict(model.layers)
    if unknown := [name for name in names if name not in model.layers]:
        raise LensError("unknown layer", got=", ".join(map(repr, unknown)), expected=f"of {', '.join(model.layers)}")
    return {name: module for name, module in model.layers.items() if name in names}
