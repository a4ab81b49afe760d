"""What is scored, on which clips, and how; every constant here is ours unless it says otherwise."""

from dataclasses import dataclass
from typing import Literal

from stgcn_lens.errors import LensError
from stgcn_lens.explain.cells import Fill
from stgcn_lens.explain.stability import Form


@dataclass(frozen=True)
class ScoreConfig:
    """Which explanations are judged, and by what."""

    methods: tuple[str, ...] = ()
    """Explanations to score, by their names in `explain`; all by default."""
    metrics: tuple[str, ...] = ()
    """Metrics to score them by; all by default (localisation only where clips carry planted evidence)."""
    layers: tuple[str, ...] = ()
    """Layers of the methods that explain layers; every block by default."""
    split: Literal["test", "val", "train", "all"] = "test"
    """Side of the run that the clips are drawn from."""
    clips: int = 64
    """Clips in the sample, drawn evenly from the classes; 0: all."""
    remade: int = 12
    """Clips, the first of the sample, for the metrics that explain each clip many times over: stability, randomisation
    and contrast of two classes."""
    seed: int = 0
    """Of the sample, the random maps, all noise, the random weights and the bootstrap."""
    steps: int = 10
    """Equal steps in which cells are deleted or inserted."""
    fill: Fill = "mean"
    """What takes a removed cell's place: the joint's own mean about the body's centre, or zeros."""
    share: float = 0.1
    """Share of the cells that are the important ones of PGI and PGU."""
    noise: float = 0.1
    """Noise of PGI and PGU, as a share of the clip's own strength about the body's centre (20 dB)."""
    draws: int = 4
    """Draws of that noise."""
    removals: int = 32
    """Random removals that infidelity is taken over."""
    disturbed: int = 4
    """Disturbed inputs of a clip that stability is taken over."""
    disturbance: float = 0.01
    """How much they are disturbed, as a share of the clip's own strength (40 dB)."""
    form: Form = "norms"
    """Stability by quotients of norms (ours) or of single entries (as published)."""
    networks: int = 2
    """Networks drawn anew altogether, over which randomisation is averaged; its steps are those of the first."""
    independent: bool = False
    """Also draw each layer anew alone, not only with all above it."""
    random_maps: int = 4
    """Random maps for each clip, whose scores are averaged."""
    resamples: int = 1000
    """Bootstrap resamples of the clips."""
    batch: int = 32
    """Clips per pass; does not change the result."""

    def __post_init__(self) -> None:
        least = {"clips": 0, "steps": 2}
        for name in ("remade", "draws", "removals", "disturbed", "networks", "random_maps", "resamples", "batch"):
            least[name] = 1
        for name, smallest in least.items():
            if getattr(self, name) < smallest:
                raise LensError(f"scoring: {name} too small", got=getattr(self, name), expected=f">= {smallest}")
        if not 0 < self.share < 1 or self.noise <= 0 or self.disturbance <= 0:
            got = f"share {self.share}, noise {self.noise}, disturbance {self.disturbance}"
            raise LensError("impossible scoring", got=got, expected="0 < share < 1, noise > 0, disturbance > 0")
