"""What the lens needs of a network: logits for clips, and named layers that keep (bodies, channels, frames, joints)."""

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
        (N*M, C_l, T_l, V), clip n and body m in row n*M + m.
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
