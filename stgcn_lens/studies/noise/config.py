"""What is disturbed, how, and with which windows and graphs it is looked at."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

from stgcn_lens.data.noise import NOISES as KINDS
from stgcn_lens.data.noise import Noise, checked, get_noise
from stgcn_lens.embeddings import EmbedConfig
from stgcn_lens.errors import LensError
from stgcn_lens.graphs import GraphConfig
from stgcn_lens.runs import Run
from stgcn_lens.studies.settings import embedding, geometry

Applied = Literal["recorded", "cleaned"]


@dataclass(frozen=True)
class NoiseConfig:
    """Which noise, how much of it, and how often."""

    kinds: tuple[str, ...] = ()
    """Kinds of noise; all by default: gaussian, joint_dropout, frame_dropout, jitter, viewpoint, second_body."""
    levels: tuple[float, ...] = ()
    """Levels, in the unit of the one kind that is named; by default each kind's own."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Draws of the noise; the same one goes the same way at every level."""
    layers: tuple[str, ...] = ()
    """Layers to look at; by default input, every block and logits."""
    applied: Applied = "recorded"
    """To clips as they were recorded, or as cleaned: then centring, turning and scaling do not see the noise."""
    resamples: int = 1000
    """Bootstrap resamples of the clips (ours)."""
    seed: int = 0
    """Of the resamples."""
    batch: int = 16
    """Clips per pass; does not change the result."""

    def __post_init__(self) -> None:
        rows = [get_noise(kind) for kind in self.kinds]
        if self.levels and (len(rows) != 1 or rows[0].unit is None):
            got = f"levels {', '.join(f'{level:g}' for level in self.levels)}; kinds {', '.join(self.kinds) or 'all'}"
            raise LensError("levels are in the unit of one kind", got=got, fix="name one kind that has levels: --kinds")
        for level in self.levels:
            checked(rows[0], level)
        if self.applied not in get_args(Applied):
            raise LensError("no such place for noise", got=repr(self.applied), expected=" or ".join(get_args(Applied)))
        if not self.seeds or min(self.seeds) < 0 or len(set(self.seeds)) < len(self.seeds):
            raise LensError("impossible seeds", got=self.seeds, expected="at least one, from 0, none twice")
        if self.resamples < 1 or self.batch < 1:
            got = f"resamples {self.resamples}, batch {self.batch}"
            raise LensError("impossible study", got=got, expected="both >= 1")

    @property
    def measured(self) -> "NoiseConfig":
        """The same with those settings at their default that no single condition depends on."""
        return replace(self, kinds=(), levels=(), seeds=(0,), batch=1)

    @property
    def rows(self) -> tuple[Noise, ...]:
        """The rows of the kinds that are asked for."""
        return tuple(row for name, row in KINDS.items() if name in (self.kinds or KINDS))

    def doses(self, row: Noise) -> tuple[float | None, ...]:
        """Levels of a kind, mild ones first; one without a level where it has none."""
        if row.unit is None:
            return (None,)
        return tuple(sorted({float(level) for level in self.levels or row.levels}, reverse=not row.rising))

    def draws(self, row: Noise) -> tuple[int, ...]:
        """Seeds of a kind; one where nothing is drawn."""
        return self.seeds if row.unit is not None else self.seeds[:1]


@dataclass(frozen=True)
class Settings:
    """How clips become windows and windows graphs: as the run's own stages did it, so that numbers agree."""

    embed: EmbedConfig
    graph: GraphConfig

    @classmethod
    def of(cls, run: Run) -> "Settings":
        """Those of the run's stages `embed` and `graph`; where there are none, their defaults."""
        return cls(embedding(run), geometry(run).graph)
