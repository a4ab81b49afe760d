"""Does the network need what a map points at? Cells are taken out, put back or disturbed in the map's order.

`ask` is the network: it takes clips (B, C, T, V, M) float32 and answers with logits (B, classes). Maps come together,
(K, T, V, M) on the model's frames, one for each layer; results are one number a map.

Sources: Petsiuk et al., RISE, arXiv 1806.07421 (deletion, insertion); Agarwal et al., OpenXAI, arXiv 2206.11104 (PGI,
PGU); Yeh et al., On the (In)fidelity and Sensitivity of Explanations, arXiv 1901.09392, as captum computes it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from stgcn_lens.errors import LensError
from stgcn_lens.explain.cells import Cells, Fill

Ask = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Removal:
    """How the answer changes as a share of the cells is gone; all (K, steps + 1), and the means over the share.

    Attributes
    ----------
    deletion : probability of the class when the highest cells are gone; falls early if the map is right.
    insertion : probability when only the highest cells are there; rises early if the map is right.
    deletion_logit, insertion_logit : the same of the logit.
    """

    deletion: np.ndarray
    insertion: np.ndarray
    deletion_logit: np.ndarray
    insertion_logit: np.ndarray


def removal(
    cells: Cells, maps: np.ndarray, target: int, ask: Ask, *, steps: int, seed: list[int], fill: Fill = "mean"
) -> Removal:
    """Deletion and insertion curves of maps (K, T, V, M), in `steps` equal steps from nothing to all cells.

    Step s takes round(s n / steps) of n cells. Both curves share their ends, so each map costs 2 (steps - 1)
    answers.
    """
    if steps < 2:
        raise LensError("too few steps", got=steps, expected=">= 2")
    cuts = np.round(np.arange(steps + 1) * cells.size / steps).astype(int)
    inner = cuts[1:-1, None, None, None]
    gone = [np.stack([np.zeros_like(cells.present), cells.present])]
    for map in maps:
        ranks = cells.ranks(map, seed)
        gone += [ranks < inner, ranks >= inner]
    logits = ask(cells.without(np.concatenate(gone), fill)).astype(np.float64)
    curves = []
    for values in (softmax(logits, axis=1)[:, target], logits[:, target]):
        whole, empty = np.broadcast_to(values[:2, None], (2, len(maps)))
        middle = values[2:].reshape(len(maps), 2, steps - 1)
        curves.append(np.column_stack([whole, middle[:, 0], empty]))
        # Put back from the lowest to the highest share.
        curves.append(np.column_stack([empty, middle[:, 1], whole]))
    return Removal(deletion=curves[0], insertion=curves[1], deletion_logit=curves[2], insertion_logit=curves[3])


def area(curve: np.ndarray) -> np.ndarray:
    """Area under curves (..., points) of equal steps over [0, 1], trapezoids."""
    return np.trapezoid(curve, dx=1 / (curve.shape[-1] - 1), axis=-1)


def gaps(
    cells: Cells,
    maps: np.ndarray,
    target: int,
    ask: Ask,
    *,
    share: float,
    strength: float,
    draws: int,
    seed: list[int],
) -> tuple[np.ndarray, np.ndarray]:
    """Prediction gaps (PGI, PGU) of maps (K, T, V, M): what noise on the highest cells, and on all others, does.

    Mean over draws of |p(x) - p(x + noise on those cells)|, p the probability of the class; the noise, `strength`
    times the clip's own, is the same for every map.

    Parameters
    ----------
    share : of the cells are the important ones, at least one, at most all but one.
    """
    if not 0 < share < 1 or draws < 1 or strength <= 0:
        raise LensError(
            "impossible gaps", got=f"share {share}, draws {draws}, strength {strength}", expected="0 < share < 1, > 0"
        )
    noise = strength * cells.noise(draws, [*seed, 1])
    top = min(max(round(share * cells.size), 1), cells.size - 1)
    batch = [cells.x[None]]
    for map in maps:
        important = (cells.ranks(map, seed) < top)[cells.shows]
        batch += [cells.x + noise * important, cells.x + noise * ~important]
    chance = softmax(ask(np.concatenate(batch)).astype(np.float64), axis=1)[:, target]
    gap = np.abs(chance[1:] - chance[0]).reshape(len(maps), 2, draws).mean(axis=2)
    return gap[:, 0], gap[:, 1]


def boxes(cells: Cells, count: int, seed: list[int]) -> np.ndarray:
    """Random removals (count, T, V, M) bool: a stretch of frames of some joints, of every body present.

    The stretch has 1 to all frames, the joints are 1 to all, both drawn evenly.
    """
    rng = np.random.default_rng(seed)
    masks = np.zeros((count, *cells.x.shape[1:]), bool)
    for mask in masks:
        length = rng.integers(1, cells.frames + 1)
        start = rng.integers(0, cells.frames - length + 1)
        joints = rng.permutation(cells.layout.V)[: rng.integers(1, cells.layout.V + 1)]
        mask[start : start + length, joints] = True
    return masks & cells.present


def infidelity(maps: np.ndarray, masks: np.ndarray, drops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Captum's normalised infidelity of maps (K, T, V, M), and the share of the drops that a map leaves unexplained.

    mean over removals of (beta * sum of the removed cells' values - drop of the logit)^2, at the scale beta that fits
    the map best: maps of any unit compare. Divided by the mean squared drop it is a share in [0, 1], NaN where no
    removal changes the logit.

    Parameters
    ----------
    masks : (S, T, V, M) bool, the cells that each removal took. `drops`: (S,), f(x) - f(x without them).
    """
    drops = drops.astype(np.float64)
    sums = np.einsum("ktvm,stvm->ks", maps.astype(np.float64), masks)
    square = (sums**2).sum(axis=1)
    beta = np.divide(sums @ drops, square, out=np.zeros(len(maps)), where=square > 0)
    error = ((beta[:, None] * sums - drops) ** 2).mean(axis=1)
    power = (drops**2).mean()
    return error, error / power if power > 0 else np.full(len(maps), np.nan)
