"""What the lens needs of a network: logits for clips, and named layers that keep (bodies, channels, frames, joints).

Any torch network can say so through an adapter of about ten lines (docs/adapter.md): `fold` and `View` are for those.
`probe.check` says what an adapter has got wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from stgcn_lens.skeleton import Layout


@runtime_checkable
class Lens(Protocol):
    """A model that can be analysed.

    Attributes
    ----------
    layers : ordered name -> module, from "input" to the last block. The output of each module is
        (N*M, C_l, T_l, V), clip n and body m in row n*M + m; of a tuple its first tensor counts.
    strides : name -> total temporal stride r_l, so that T_l = ceil(T / r_l).
    layout : the skeleton it was built for.
    """

    layers: dict[str, nn.Module]
    strides: dict[str, int]
    layout: Layout

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes) of clips (N, C, T, V, M)."""
        ...


@dataclass(frozen=True)
class ModelSpec:
    """A row of `MODELS`: how to configure and build an architecture.

    Attributes
    ----------
    config : the dataclass of its settings; its fields are flags of `stgcn-lens train --architecture NAME`.
    build : `build(config, layout, channels, classes)` returns a module that meets `Lens`.
    small : settings for a few hundred clips (ours), which `train` takes where nothing else is said.
    """

    name: str
    what: str
    source: str
    config: type
    build: Callable[[Any, Layout, int, int], nn.Module]
    small: Any


def fold(x: torch.Tensor) -> torch.Tensor:
    """Clips (N, C, T, V, M) with the bodies in the batch, as layers have them: (N*M, C, T, V)."""
    return x.permute(0, 4, 1, 2, 3).flatten(0, 1)


class View(nn.Module):
    """What another module puts out, on the axes of the lens: a layer for where a network has other axes.

    From then on the module's output takes a way round: through `there`, where the lens sees it, and through `back` into
    the network, which computes what it did before. The way round is needed because gradients, and so saliency, flow
    only through what goes on to the logits.

    Parameters
    ----------
    module : the one to look at; of any module of a network that has been built.
    there : `there(output)`, of whatever the module puts out, is (N*M, C_l, T_l, V).
    back : `back(z, output)` makes an output of those axes again, with z in place of what `there` took from it.
    """

    def __init__(
        self, module: nn.Module, there: Callable[[Any], torch.Tensor], back: Callable[[torch.Tensor, Any], Any]
    ) -> None:
        super().__init__()
        self._there, self._back = there, back
        module.register_forward_hook(self._round)  # a method, not a lambda: a deep copy then calls the copied view

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """The same; what looks at the layer hooks on here."""
        return z

    def _round(self, _module: nn.Module, _inputs: Any, output: Any) -> Any:
        return self._back(self(self._there(output)), output)
