"""Shapley values of body parts: what each adds to the score, averaged over the orders in which parts could come.

A part that is not there yet is filled with what says nothing (`Cells.neutral`). The players are the parts of every body
of a clip. Of at most `EXACT` players all coalitions are asked; of more, captum samples orders.

Sources: Shapley, "A value for n-person games", 1953; sampling: Castro, Gomez, Tejada, 2009, as captum's
ShapleyValueSampling.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from captum.attr import ShapleyValueSampling

from stgcn_lens.errors import LensError
from stgcn_lens.explain.cells import Cells, Fill
from stgcn_lens.explain.explanation import Explanation, Score, asking, explanation, neutral, score_of, told_apart, whole
from stgcn_lens.explain.pieces import mask, pieces

if TYPE_CHECKING:
    from stgcn_lens.models.protocol import Lens

EXACT = 8  # players, 2^8 answers (ours)
CHUNK = 32  # coalitions that are asked at once (ours); does not change the result


def shapley_parts(
    model: "Lens",
    x: torch.Tensor,
    target: torch.Tensor | None = None,
    *,
    against: torch.Tensor | None = None,
    cells: Sequence[Cells] | None = None,
    signed: bool = False,
    fill: Fill = "mean",
    samples: int = 25,
    seed: int = 0,
) -> Explanation:
    """Shapley values of the parts of each body, over the whole clip; every cell of a part shows the part's value.

    Those of one clip add up to what the score exceeds that of the clip which says nothing by. Parameters as of
    `gradcam.grad_cam` (there are no layers), and: `fill`, what takes the place of a part that is not there; `samples`,
    orders that are drawn where there are more players than `EXACT`, with `seed`, which is the same for every clip.
    """
    if samples < 1:
        raise LensError("impossible sampling", got=f"{samples} samples", expected="at least 1")
    with asking(model, x) as network, torch.no_grad():
        x = x.detach().clone()
        real = whole(model, x, cells)
        start = neutral(x, real, fill)
        logits = network(x.clone())
        score = score_of(logits, target, against, len(x))
        maps = torch.zeros(len(x), *x.shape[2:], device=x.device)
        for i, cell in enumerate(real):
            players = pieces(cell, "part")
            clip = tuple(number[i : i + 1] for number in score.classes)

            def ask(x: torch.Tensor, clip: tuple[torch.Tensor, ...] = clip) -> torch.Tensor:
                return Score.of(network(x.clone()), *(number.expand(len(x)) for number in clip))

            if players.max() < 0:  # nobody is there
                continue
            if players.max() < EXACT:
                maps[i] = _exact(ask, x[i], start[i], players)
            else:
                maps[i] = _sampled(ask, x[i : i + 1], start[i : i + 1], players, samples, seed)
    return explanation(
        {"input": told_apart(maps, logits)}, logits, score, strides={"input": 1}, cells=real, signed=signed
    )


def _exact(
    ask: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, start: torch.Tensor, players: np.ndarray
) -> torch.Tensor:
    """(T, V, M), from the scores of all coalitions."""
    count = int(players.max()) + 1
    coalitions = (np.arange(2**count)[:, None] >> np.arange(count) & 1).astype(bool)  # (2^P, P)
    inside = torch.from_numpy(players.clip(min=0)).to(x.device)
    scores = []
    for begin in range(0, len(coalitions), CHUNK):
        chosen = torch.from_numpy(coalitions[begin : begin + CHUNK]).to(x.device)
        scores.append(ask(torch.where(chosen[:, inside][:, None], x, start)).double().cpu().numpy())
    worth, size = np.concatenate(scores), coalitions.sum(axis=1)
    values = np.zeros(count)
    for player in range(count):
        without = np.flatnonzero(~coalitions[:, player])
        weight = np.array([1 / (count * math.comb(count - 1, s)) for s in size[without]])
        values[player] = weight @ (worth[without | 1 << player] - worth[without])
    return torch.from_numpy(values).to(x)[inside]


def _sampled(
    ask: Callable[[torch.Tensor], torch.Tensor],
    x: torch.Tensor,
    start: torch.Tensor,
    players: np.ndarray,
    samples: int,
    seed: int,
) -> torch.Tensor:
    """(T, V, M), from orders drawn with a seed; captum alone would draw from the global generator."""
    rng = np.random.default_rng(seed)

    def orders(count: int, samples: int) -> Iterator[Sequence[int]]:
        for _ in range(samples):
            yield rng.permutation(count).tolist()

    method = ShapleyValueSampling(ask)
    method.permutation_generator = orders
    found: torch.Tensor = method.attribute(
        x,
        baselines=start,
        feature_mask=torch.from_numpy(mask([players])).to(x.device),
        n_samples=samples,
        perturbations_per_eval=CHUNK,
    )
    return found[0, 0]
