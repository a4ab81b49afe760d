"""The conditions of the study, one by one: read where they are finished, else measured and kept."""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.noise import Noise, disturb
from stgcn_lens.data.transforms import Sample, clean, fit, prepare
from stgcn_lens.models.checkpoints import Loaded
from stgcn_lens.parts import Parts
from stgcn_lens.runs import Run
from stgcn_lens.studies.noise.config import Applied, NoiseConfig, Settings
from stgcn_lens.studies.noise.measures import Measured, measure
from stgcn_lens.studies.noise.passes import look
from stgcn_lens.studies.noise.results import Answers


@dataclass(frozen=True, eq=False)
class Subject:
    """A network under study, the run that it is from, and its layers that are looked at."""

    run: Run
    network: Loaded
    layers: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Ground:
    """What every network is studied on, and how.

    Attributes
    ----------
    clips, chosen : the set, and the rows (N,) of it that are under analysis. `labels`: (N,) their classes.
    kinds : rows of `NOISES` that these clips allow.
    """

    clips: ClipSet
    chosen: np.ndarray
    labels: np.ndarray
    kinds: tuple[Noise, ...]
    config: NoiseConfig
    settings: Settings
    device: str

    @property
    def plan(self) -> list[tuple[str, float | None, int]]:
        """Kind, level and seed of every noisy condition, mild levels first."""
        return [
            (row.name, level, seed)
            for row in self.kinds
            for level in self.config.doses(row)
            for seed in self.config.draws(row)
        ]


def answers(ground: Ground, subject: Subject, parts: Parts, done: Callable[[], None]) -> Answers:
    """All that the study asks of one network.

    Parameters
    ----------
    parts : where finished conditions are; those of no other network.
    done : called after every condition, the clean one included.
    """
    config = ground.config
    see = partial(
        look,
        subject.network,
        ground.clips,
        ground.chosen,
        subject.layers,
        ground.settings.embed,
        batch=config.batch,
        device=ground.device,
    )
    count = partial(
        measure, labels=ground.labels, graph=ground.settings.graph, seed=config.seed, resamples=config.resamples
    )
    began = time.perf_counter()
    calm = see()
    at_rest, neighbours = count(calm, seconds=time.perf_counter() - began)
    calm = replace(calm, windows={})  # of all that is kept the largest, and no longer needed
    done()
    noisy: dict[tuple[str, float | None], dict[int, Measured]] = {}
    for kind, level, seed in ground.plan:
        name = f"{kind}_{'all' if level is None else f'{level:g}'}_{seed}"
        found = parts.read(name)
        if found is None:
            began = time.perf_counter()
            make = partial(_disturbed, subject.network, config.applied, kind, level, seed)
            seen = see(target=calm.predicted, make=make)
            made, _ = count(seen, seconds=time.perf_counter() - began, clean=calm, neighbours=neighbours)
            found = {field.name: getattr(made, field.name) for field in fields(Measured)}
            parts.write(name, **found)
        noisy.setdefault((kind, level), {})[seed] = Measured(**found)
        done()
    return Answers(subject.layers, at_rest, noisy)


def _disturbed(network: Loaded, applied: Applied, kind: str, level: float | None, seed: int, clip: Clip) -> Sample:
    """The clip under noise as the network gets it."""
    prep, bodies = network.preprocessing, network.bodies
    if applied == "recorded":
        return prepare(disturb(clip, kind, level, seed=seed), prep, bodies)
    return fit(disturb(clean(clip, prep), kind, level, seed=seed), prep, bodies)
