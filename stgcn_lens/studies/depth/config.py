"""What the study of layers compares, and over which settings it looks for the same answer."""

from dataclasses import dataclass
from typing import Literal

from stgcn_lens.errors import LensError
from stgcn_lens.graphs import KERNELS

Steps = Literal["whole", "half"]


@dataclass(frozen=True)
class DepthConfig:
    """Controls, separability, and the settings of the sensitivity table."""

    untrained: bool = True
    """Control: the same network with the weights as they were drawn."""
    shuffled: bool = True
    """Control: the same training on shuffled labels; takes as long as the run's own."""
    epochs: int | None = None
    """Epochs of that training (by default the run's own)."""
    separable: float = 0.5
    """A class is separable where its kNN label error lies below this share of the way from the best that its size
    allows to chance (ours)."""
    sensitivity: Literal["all", "ends", "none"] = "all"
    """Layers of the sensitivity table: all, or input, middle and last block, or no table."""
    windows: tuple[int, ...] = (4, 8, 16)
    """Input frames a window (ours)."""
    strides: tuple[Steps, ...] = ("whole", "half")
    """From window to window: a whole window, or half of one."""
    ks: tuple[int, ...] = (5, 10, 15, 25)
    """Neighbours (ours)."""
    kernels: tuple[str, ...] = KERNELS
    """Kernels of NNK."""
    resamples: int = 1000
    """Bootstrap resamples of the clips (ours)."""
    seed: int = 0
    """Of the resamples."""

    def __post_init__(self) -> None:
        if not 0 < self.separable < 1:
            raise LensError("impossible share", got=f"separable {self.separable}", expected="0 < separable < 1")
        if self.epochs is not None and self.epochs < 1:
            raise LensError("impossible training", got=f"epochs {self.epochs}", expected="epochs >= 1")
        if self.resamples < 1:
            raise LensError("no resamples", got=self.resamples, expected="at least 1")
        if self.sensitivity == "none":
            return
        if not (self.windows and self.strides and self.ks and self.kernels):
            got = f"windows {self.windows}, strides {self.strides}, ks {self.ks}, kernels {self.kernels}"
            raise LensError("a sensitivity table without settings", got=got, fix="leave it out: --sensitivity none")
        if min(self.windows) < 1 or min(self.ks) < 1:
            got = f"windows {self.windows}, ks {self.ks}"
            raise LensError("impossible settings", got=got, expected="windows >= 1, ks >= 1")
        if unknown := [name for name in self.kernels if name not in KERNELS]:
            raise LensError("no such kernel", got=", ".join(unknown), expected=" or ".join(KERNELS))
