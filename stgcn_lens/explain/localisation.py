"""Does saliency find what carries the class? Maps against planted evidence, beside two maps that know nothing.

The controls are a random map and the speed of every joint: a map that does not beat them explains nothing that
noise or plain motion would not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.errors import LensError
from stgcn_lens.explain.controls import motion


@dataclass(frozen=True)
class LocalisationConfig:
    """How maps are scored against planted evidence."""

    draws: int = 4
    """Random maps for each clip, whose scores are averaged (ours)."""
    resamples: int = 1000
    """Bootstrap resamples of the clips (ours)."""
    level: float = 0.95
    """Coverage of the intervals (ours)."""
    seed: int = 0
    """Seed of the random maps and of the bootstrap."""

    def __post_init__(self) -> None:
        if self.draws < 1 or self.resamples < 1 or not 0 < self.level < 1:
            raise LensError(
                "impossible localisation settings",
                got=f"draws {self.draws}, resamples {self.resamples}, level {self.level}",
                expected="draws >= 1, resamples >= 1, 0 < level < 1",
            )


@dataclass(frozen=True)
class Interval:
    """A mean over clips with its percentile bootstrap interval over clips."""

    value: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True)
class Localisation:
    """How well one layer's maps find the planted evidence; means over clips, all in [0, 1] but the differences.

    Attributes
    ----------
    layer : name of the layer.
    average_precision : area under precision-recall over (frame, joint) cells.
    random, motion : the same of the control maps.
    difference_to_random, difference_to_motion : paired, clip by clip; in [-1, 1].
    pointing : share of clips whose highest cell is evidence.
    prevalence : share of cells that are evidence: what a constant map scores, and about what a random one does.
    n, left_out : clips scored, and clips left out because they carry no evidence.
    """

    layer: str
    average_precision: Interval
    random: Interval
    motion: Interval
    difference_to_random: Interval
    difference_to_motion: Interval
    pointing: Interval
    prevalence: float
    n: int
    left_out: int


def average_precision(map: np.ndarray, evidence: np.ndarray, present: np.ndarray) -> float:
    """Area under the precision-recall curve over the cells of the bodies present, in [0, 1].

    Parameters
    ----------
    map : (F, V, M), higher where it matters more; cells of equal value are tied, so a constant map scores the
        prevalence of evidence.
    evidence : (F, V, M) bool, with at least one cell among those present.
    present : (F, M) bool.

    Raises
    ------
    LensError
        if the axes differ, a value is not finite or no present cell is evidence.

    Notes
    -----
    Sum over thresholds n of (R_n - R_{n-1}) P_n, recall and precision at each, as in scikit-learn; written out
    here because the checks there take ten times as long as the work.
    """
    values, truth = _cells(map, evidence, present)
    order = np.argsort(-values)
    values, truth = values[order], truth[order]
    last = np.append(np.flatnonzero(np.diff(values)), len(values) - 1)  # of each run of tied cells
    found = np.cumsum(truth)[last]
    return float((np.diff(found, prepend=0) * found / (last + 1)).sum() / found[-1])


def pointing(map: np.ndarray, evidence: np.ndarray, present: np.ndarray) -> float:
    """Whether the highest present cell is evidence: 1 or 0, or the share of evidence among tied highest cells.

    Axes as in `average_precision`. Source: Zhang et al., "Top-down neural attention by excitation backprop",
    arXiv 1608.00507 (pointing game).
    """
    values, truth = _cells(map, evidence, present)
    return float(truth[values == values.max()].mean())


def localise(
    clips: Iterable[Clip], maps: Iterable[Mapping[str, np.ndarray]], config: LocalisationConfig | None = None
) -> list[Localisation]:
    """Score every layer's maps against the evidence that the clips carry, with controls and intervals.

    Both are read one clip at a time, so that maps may come from a generator.

    Parameters
    ----------
    clips : clips as the maps show them (cleaned, at their own frame rate), some with `evidence`.
    maps : for each clip, layer -> map (F, V, M'); body slots beyond the clip's are padding.
    config : draws, resamples and seed.

    Raises
    ------
    LensError
        if no clip carries evidence, or maps and clips do not fit.
    """
    config = config or LocalisationConfig()
    scores: dict[str, list[tuple[float, float]]] = {}
    controls: list[tuple[float, float, float]] = []
    left_out = 0
    for number, (clip, by_layer) in enumerate(zip(clips, maps, strict=True)):
        if clip.evidence is None or not (clip.evidence & clip.valid[:, None]).any():
            left_out += 1
            continue
        evidence, present = clip.evidence, clip.valid
        rng = np.random.default_rng([config.seed, number])
        chance = [average_precision(rng.random(evidence.shape), evidence, present) for _ in range(config.draws)]
        prevalence = evidence.transpose(0, 2, 1)[present].mean()
        controls.append((float(np.mean(chance)), average_precision(motion(clip), evidence, present), float(prevalence)))
        for layer, map in by_layer.items():
            on_clip = map[..., : clip.bodies]
            score = average_precision(on_clip, evidence, present), pointing(on_clip, evidence, present)
            scores.setdefault(layer, []).append(score)
    if not controls:
        raise LensError("no clip carries evidence", got=f"{left_out} clips without", fix="use synthetic clips")
    if short := [layer for layer, values in scores.items() if len(values) != len(controls)]:
        raise LensError("some clips have no map", got=f"layers {', '.join(short)}", expected="the same layers for all")

    random, moving, prevalences = np.array(controls).T
    results = []
    for layer, values in scores.items():
        precision, hit = np.array(values).T
        columns = {
            "average_precision": precision,
            "random": random,
            "motion": moving,
            "difference_to_random": precision - random,
            "difference_to_motion": precision - moving,
            "pointing": hit,
        }
        results.append(
            Localisation(
                layer=layer,
                **_bootstrap(columns, config),
                prevalence=float(prevalences.mean()),
                n=len(precision),
                left_out=left_out,
            )
        )
    return results


def _cells(map: np.ndarray, evidence: np.ndarray, present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values and truth of the (frame, joint) cells of present bodies, flat."""
    if map.shape != evidence.shape or present.shape != (map.shape[0], map.shape[2]):
        raise LensError(
            "map and evidence do not fit", got=f"{map.shape}, {evidence.shape}, {present.shape}", expected="one clip's"
        )
    truth = evidence.transpose(0, 2, 1)[present].ravel()
    values = map.transpose(0, 2, 1)[present].ravel()
    if not truth.any():
        raise LensError("no present cell is evidence", fix="leave the clip out")
    if not np.isfinite(values).all():
        raise LensError("the map holds values that are not finite", got=f"{(~np.isfinite(values)).sum()} cells")
    return values, truth


def _bootstrap(columns: Mapping[str, np.ndarray], config: LocalisationConfig) -> dict[str, Interval]:
    """Mean of each column (n,) with its percentile interval; clips are drawn for all columns at once."""
    rng = np.random.default_rng(config.seed)
    table = np.stack(list(columns.values()), axis=1)
    n = len(table)
    means = np.stack([table[rng.integers(n, size=n)].mean(axis=0) for _ in range(config.resamples)])
    low, high = np.quantile(means, [(1 - config.level) / 2, (1 + config.level) / 2], axis=0)
    triples = zip(table.mean(axis=0), low, high, strict=True)
    return {name: Interval(*(float(v) for v in triple)) for name, triple in zip(columns, triples, strict=True)}
