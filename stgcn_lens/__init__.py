"""Analysis of what spatio-temporal graph convolution networks learn, at which layer, and whether to trust it.

Axes, everywhere: N clips, M bodies, C channels, T frames, V joints, L layers, K partitions, k neighbours,
r_l total temporal stride of layer l, D = C_l * V features of one frame. A clip is (C, T, V, M); a model's trunk
works on (N*M, C, T, V). Layers are named ``input, block_1 ... block_10, logits``.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_SUBMODULES = (
    "activations",
    "adjacency",
    "arrays",
    "data",
    "distances",
    "embeddings",
    "errors",
    "explain",
    "files",
    "graphs",
    "models",
    "projection",
    "report",
    "runs",
    "skeleton",
    "studies",
    "training",
    "viz",
)
__all__ = ["__version__", *_SUBMODULES]


def __getattr__(name: str) -> Any:
    # Submodules load on first use (PEP 562): importing the package costs no torch.
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
