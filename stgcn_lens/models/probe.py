"""Noise through a network that is not ours, to see whether it keeps to the protocol, and what exactly it does not."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from stgcn_lens.errors import LensError
from stgcn_lens.skeleton import Layout

_CLIPS = 2  # in a check; enough to see which rows of a layer belong to which clip
_NAMES = "'input', then 'block_1' and so on ('block_' and letters, digits or _), in depth order"


def check(model: nn.Module, *, channels: int, frames: int, bodies: int, classes: int) -> dict[str, int]:
    """Run noise through a model and see whether it keeps to the protocol; returns each layer's channels.

    It is run in evaluation mode, on the device that it is on, with clips of these sizes, two at once and one alone.

    Raises
    ------
    LensError
        naming the layer, what it does and what was expected: for names, strides and axes, bodies and frames in other
        places, layers that do not run, run twice or run in another order, that the logits do not depend on, or that
        depend on the other clips of a batch.
    """
    layout, layers, strides = _said(model)
    first = next(iter([*model.parameters(), *model.buffers()]), torch.zeros(0))
    flags = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        with torch.inference_mode(mode=False), torch.enable_grad():
            generator = torch.Generator().manual_seed(0)
            x = torch.randn(_CLIPS, channels, frames, layout.V, bodies, generator=generator).to(first.device)
            # A copy of the leaf: a network may write into its input.
            both = _run(model, layers, x.requires_grad_(True).clone())
            _axes(both, layers, strides, layout, x, classes)
            _connected(both)
        with torch.no_grad():
            alone, again = (_run(model, layers, x[1:].detach().clone()) for _ in range(2))
        for what, tensor in alone.values.items():
            _agree(what, tensor, again.values[what], both.values[what].unflatten(0, (_CLIPS, -1))[1])
    finally:
        for module, training in flags:
            module.training = training
    return {name: both.values[name].shape[1] for name in layers}


@dataclass(frozen=True, eq=False)
class _Seen:
    """One forward pass: the logits and every layer's first tensor, in the graph and as values that nothing changes."""

    logits: torch.Tensor
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    values: dict[str, torch.Tensor] = field(default_factory=dict)


def _said(model: nn.Module) -> tuple[Layout, dict[str, nn.Module], dict[str, int]]:
    """Layout, layers and strides as the model gives them, if they are of the right kind."""
    if not isinstance(model, nn.Module):
        raise LensError("not a torch module", got=type(model).__name__, expected="an adapter: a torch.nn.Module")
    for name, kind in (("layout", Layout), ("layers", (Mapping, nn.ModuleDict)), ("strides", Mapping)):
        found = getattr(model, name, None)
        if not isinstance(found, kind):
            expected = {"layout": "a stgcn_lens.skeleton.Layout", "layers": "a dict name -> module"}
            got = "nothing" if found is None else type(found).__name__
            wish = expected.get(name, "a dict name -> total temporal stride")
            raise LensError(f"{type(model).__name__} has no '{name}'", got=got, expected=wish)
    layers, strides = dict(model.layers.items()), dict(model.strides.items())  # type: ignore[union-attr,operator]
    names = list(layers)
    if names[:1] != ["input"] or len(names) < 2 or not all(re.fullmatch(r"block_\w+", str(name)) for name in names[1:]):
        fix = "'input' can be a torch.nn.Identity() that forward calls with fold(x)" if "input" not in names else None
        got = ", ".join(map(repr, names)) or "none"
        raise LensError("layers of other names than the lens knows", got=got, expected=_NAMES, fix=fix)
    for name, module in layers.items():
        if not isinstance(module, nn.Module):
            fix = "name the module; what has other axes is shown by a View" if callable(module) else None
            raise LensError(
                f"layer '{name}' is no module", got=type(module).__name__, expected="torch.nn.Module", fix=fix
            )
        stride = strides.get(name)
        if not isinstance(stride, int) or isinstance(stride, bool) or stride < 1:
            got = "nothing" if stride is None else repr(stride)
            raise LensError(f"no stride of layer '{name}'", got=got, expected="strides[name], a whole number >= 1")
    return model.layout, layers, strides  # type: ignore[return-value]


def _run(model: nn.Module, layers: Mapping[str, nn.Module], x: torch.Tensor) -> _Seen:
    """A forward pass, watched."""
    axes = f"(N, C, T, V, M) = {tuple(x.shape)}"
    with _watched(layers) as seen:
        try:
            logits = model(x)
        except LensError:
            raise
        except Exception as error:  # whatever a network raises on clips that it cannot read
            raise LensError(
                f"{type(model).__name__} cannot read clips",
                got=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
                expected=f"a forward(x) of x {axes}",
                fix="turn the axes in the adapter's forward (docs/adapter.md)",
            ) from error
    if not isinstance(logits, torch.Tensor):
        raise LensError(
            "forward puts out no logits", got=type(logits).__name__, expected=f"a tensor ({len(x)}, classes)"
        )
    ran = [name for name in seen if name in layers]
    for name in layers:
        if name not in seen:
            fix = "name the module that forward calls" + (
                "; an Identity runs where forward calls it" if isinstance(layers[name], nn.Identity) else ""
            )
            raise LensError(f"layer '{name}' does not run", got=f"of {', '.join(ran) or 'none'} an output", fix=fix)
    if ran != list(layers):
        raise LensError("layers in another order than they run", got=", ".join(layers), expected=", ".join(ran))
    outputs = {name: pair[0] for name, pair in seen.items()}
    values = {name: pair[1] for name, pair in seen.items()}
    return _Seen(logits, outputs, {**values, "logits": logits.detach().clone()})


@contextmanager
def _watched(layers: Mapping[str, nn.Module]) -> Iterator[dict[str, tuple[torch.Tensor, torch.Tensor]]]:
    """What the layers put out inside the block, in the order in which they do: a tensor and a copy of its values."""
    seen: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}

    def keep(name: str, output: Any) -> None:
        if name in seen:
            raise LensError(f"layer '{name}' runs twice in one forward pass", fix="give each use its own module")
        items = output if isinstance(output, (tuple, list)) else [output]
        first = next((item for item in items if isinstance(item, torch.Tensor)), None)
        if first is None:
            raise LensError(f"layer '{name}' puts out no tensor", got=type(output).__name__, expected="a tensor")
        seen[name] = first, first.detach().clone()

    handles = []
    try:
        for name, module in layers.items():
            handles.append(module.register_forward_hook(lambda _m, _i, output, name=name: keep(name, output)))
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _axes(
    seen: _Seen,
    layers: Mapping[str, nn.Module],
    strides: Mapping[str, int],
    layout: Layout,
    x: torch.Tensor,
    classes: int,
) -> None:
    """`LensError` unless every layer and the logits have their axes and finite numbers."""
    n, _, t, v, m = x.shape
    for name in layers:
        shape, stride = tuple(seen.values[name].shape), strides[name]
        wanted = (n * m, shape[1] if len(shape) == 4 else 0, -(-t // stride), v)
        if shape == wanted:
            continue
        fix = "a View brings it to these axes (docs/adapter.md)"
        if len(shape) == 4 and (shape[0], shape[3]) == (n * m, v):
            found = [r for r in range(1, t + 1) if -(-t // r) == shape[2]]
            fix = f"strides['{name}'] = {found[0]} would fit" if found else f"no stride makes {shape[2]} frames of {t}"
        elif len(shape) == 4 and shape[1:] == wanted[1:] and shape[0] == n:
            fix = f"the bodies are not in the batch: fold(x) puts them there; {fix}"
        elif len(shape) == 4 and shape[:1] + shape[2:3] == wanted[:1] + wanted[2:3]:
            fix = f"{shape[3]} is not the number of joints; what has pooled them cannot be shown joint by joint"
        sizes = f"{n} clips of {m} bodies, {t} frames, {v} joints ({layout.name})"
        raise LensError(
            f"layer '{name}' has other axes than the lens reads",
            got=shape,
            expected=f"(N*M, C_l, T_l, V) = ({n * m}, any, {wanted[2]}, {v}) at stride {stride}, of {sizes}",
            fix=fix,
        )
    if tuple(seen.logits.shape) != (n, classes):
        raise LensError(
            "the network does not tell these classes apart",
            got=f"logits {tuple(seen.logits.shape)} of {n} clips",
            expected=f"({n}, {classes}): one number for each clip and class",
            fix="name as many classes as it has logits; what puts out more than logits is cut in the adapter's forward",
        )
    for name, values in seen.values.items():
        if not values.isfinite().all():
            what = "the logits are" if name == "logits" else f"layer '{name}' is"
            got = f"NaN or infinity in {int((~values.isfinite()).sum())} of {values.numel()} numbers"
            raise LensError(f"{what} not finite", got=got, expected="finite numbers", fix="look for NaN in the weights")


def _connected(seen: _Seen) -> None:
    """`LensError` unless every layer but the input is on the way from the clips to the logits."""
    tensors = {name: tensor for name, tensor in seen.tensors.items() if tensor.requires_grad}
    found: dict[str, torch.Tensor | None] = {}
    if tensors and seen.logits.requires_grad:
        score = seen.logits.sum()
        found = dict(zip(tensors, torch.autograd.grad(score, list(tensors.values()), allow_unused=True), strict=True))
    for name in seen.tensors:
        if name == "input" or found.get(name) is not None:
            continue
        what, fix = "is cut off from the clips", "take torch.no_grad, detach and numpy out of the network's forward"
        if name in tensors:
            what = "does not go on to the logits"
            fix = "a View shows an output and lets the network go on from it (docs/adapter.md)"
        expected = "a module on the way from the clips to the logits"
        raise LensError(f"layer '{name}' {what}", got="no gradient", expected=expected, fix=fix)


def _agree(what: str, alone: torch.Tensor, again: torch.Tensor, among: torch.Tensor) -> None:
    """`LensError` unless a clip alone, once more, and among others gives the same, up to rounding."""
    called = "the logits" if what == "logits" else f"layer '{what}'"
    among = among.reshape(alone.shape)
    allowed = 1e-2 * float(alone.abs().max())
    for other, how, fix in (
        (again, "the same clip twice gives two answers", "dropout must be off in evaluation mode"),
        (
            among,
            "a clip alone and among others gives two answers",
            "body m of clip n belongs in row n*M + m, as fold(x) has it; no clip may depend on the others of its batch",
        ),
    ):
        off = float((alone - other).abs().max())
        if off > allowed:
            raise LensError(f"{called}: {how}", got=f"a difference of {off:.3g}", expected="none", fix=fix)
