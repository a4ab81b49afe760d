"""The one hook manager: what the layers of a model put out, kept as it was, and nothing of it left on the model.

Everything here holds the model's own lock while it lasts, so two threads on one model take turns.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
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
def plain_float32(device: str) -> Iterator[None]:
    """Convolutions and products on a GPU with all bits of float32, as on a CPU: TF32 keeps 10 of the 23.

    Else neighbours would depend on the device.
    """
    if not device.startswith("cuda"):
        yield
        return
    places = (torch.backends.cudnn.conv, torch.backends.cuda.matmul)  # type: ignore[attr-defined]
    before = [place.fp32_precision for place in places]
    for place in places:
        place.fp32_precision = "ieee"
    try:
        yield
    finally:
        for place, precision in zip(places, before, strict=True):
            place.fp32_precision = precision


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
        tensor = _first(name, output)
        kept[name] = tensor
        # The next operation may be an in-place ReLU: let it spoil a copy, not what is kept.
        return _with_first(output, tensor.clone())

    with exclusive(model):
        handles = [model.register_forward_pre_hook(forget)]
        try:
            for name, module in modules.items():
                handles.append(module.register_forward_hook(lambda _m, _i, output, name=name: keep(name, output)))
            yield kept
        finally:
            for handle in handles:
                handle.remove()


@contextmanager
def resuming(
    model: nn.Module, name: str, module: nn.Module
) -> Iterator[Callable[[torch.Tensor, torch.Tensor], torch.Tensor]]:
    """The model from one of its modules on.

    Yields `run(a, x)`, the output of the model on x with `a` in the place of what the module puts out (of a tuple, of
    its first tensor). What follows gets a copy of `a`, and may write into it. Forward passes of other threads, and
    those that do not go through `run`, are left alone.

    Parameters
    ----------
    model : the module that is called; its lock is held.
    name, module : a submodule of it, see `select`.

    Raises
    ------
    LensError
        (in `run`) if the module does not run, puts out no tensor or one of other axes than `a`.
    """
    waiting: list[torch.Tensor] = []
    thread = threading.get_ident()

    def swap(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        if threading.get_ident() != thread or not waiting:
            return None
        a, was = waiting.pop(), _first(name, output)
        if a.shape != was.shape:
            raise LensError(f"other axes than layer '{name}' has", got=tuple(a.shape), expected=tuple(was.shape))
        return _with_first(output, a.clone())

    def run(a: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        waiting[:] = [a]
        try:
            output: torch.Tensor = model(x)
            if waiting:
                raise LensError(
                    f"layer '{name}' was not run", fix="name a module on the way from the clips to the logits"
                )
            return output
        finally:
            waiting.clear()

    with exclusive(model):
        handle = module.register_forward_hook(swap)
        try:
            yield run
        finally:
            handle.remove()


def select(model: "Lens", names: Sequence[str] | None = None) -> dict[str, nn.Module]:
    """Modules of the named layers, in depth order; all of them by default; an unknown name raises `LensError`."""
    if names is None:
        return dict(model.layers)
    if unknown := [name for name in names if name not in model.layers]:
        raise LensError(
            "unknown layer", got=", ".join(map(repr, unknown)), expected=f"some of {', '.join(model.layers)}"
        )
    return {name: module for name, module in model.layers.items() if name in names}


def _first(name: str, output: Any) -> torch.Tensor:
    """What a layer put out: a tensor, or the first one of a tuple or list."""
    for item in output if isinstance(output, (tuple, list)) else [output]:
        if isinstance(item, torch.Tensor):
            return item
    raise LensError(f"layer '{name}' puts out no tensor", got=type(output).__name__, expected="a tensor")


def _with_first(output: Any, tensor: torch.Tensor) -> Any:
    """An output of the same kind with another first tensor."""
    if isinstance(output, torch.Tensor):
        return tensor
    items = list(output)
    items[next(i for i, item in enumerate(items) if isinstance(item, torch.Tensor))] = tensor
    return output._make(items) if hasattr(output, "_make") else type(output)(items)
