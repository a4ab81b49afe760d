"""Removal, noise and infidelity on networks of which the answer is known, against literal copies and captum."""

import numpy as np
import pytest
import torch
from captum.metrics import infidelity as captum_infidelity

from stgcn_lens.errors import LensError
from stgcn_lens.explain.cells import Cells
from stgcn_lens.explain.fidelity import area, boxes, gaps, infidelity, removal
from tests.explain.linear import Linear
from tests.explain.mock import STICK
from tests.explain.test_cells import some
from tests.reference import saliency_metrics as literal


@pytest.fixture
def cells(rng: np.random.Generator) -> Cells:
    return some(rng)


@pytest.fixture
def model(cells: Cells) -> Linear:
    return Linear(*cells.there.shape)


def worth(model: Linear, cells: Cells, target: int) -> np.ndarray:
    """(T, V, M), by how much the logit falls when a cell alone is removed: what a perfect map says."""
    return ((cells.x - cells.neutral()) * model.weights(target)).sum(axis=0)


@pytest.mark.parametrize("steps", [2, 5, 10])
def test_curves_are_those_of_taking_cells_out_one_by_one(cells: Cells, model: Linear, rng, steps: int) -> None:
    maps = rng.random((2, *cells.x.shape[1:]))
    ours = removal(cells, maps, 1, model.ask, steps=steps, seed=[0])
    for k, map in enumerate(maps):
        for insert, chance, logit in (
            (False, ours.deletion, ours.deletion_logit),
            (True, ours.insertion, ours.insertion_logit),
        ):
            wanted = literal.removal_curve(cells.x, cells.there, STICK.centre, map, 1, model.ask, steps, insert=insert)
            assert np.allclose(chance[k], wanted[0], atol=1e-6)
            assert np.allclose(logit[k], wanted[1], atol=1e-5)
            assert area(chance[k]) == pytest.approx(literal.area(wanted[0]), abs=1e-6)


def test_a_linear_networks_logit_falls_by_what_the_removed_cells_were_worth(cells: Cells, model: Linear) -> None:
    each = worth(model, cells, 2)
    curve = removal(cells, each[None], 2, model.ask, steps=4, seed=[0]).deletion_logit[0]
    falling = -np.sort(-each[cells.present])
    gone = [falling[: round(s / 4 * cells.size)].sum() for s in range(5)]
    assert np.allclose(curve, model.ask(cells.x[None])[0, 2] - np.array(gone), atol=1e-4)


def test_no_map_beats_the_worth_of_the_cells_of_a_linear_network(cells: Cells, model: Linear, rng) -> None:
    each = worth(model, cells, 0)
    maps = np.stack([each, -each, *rng.random((20, *each.shape))])
    found = removal(cells, maps, 0, model.ask, steps=10, seed=[0])
    deletion, insertion = area(found.deletion_logit), area(found.insertion_logit)
    assert deletion[0] < deletion[2:].min()
    assert deletion[1] > deletion[2:].max()
    assert insertion[0] > insertion[2:].max()
    assert insertion[1] < insertion[2:].min()


def test_a_network_that_ignores_its_input_makes_all_maps_alike(cells: Cells, rng) -> None:
    ask = lambda x: np.tile([1.0, 3.0, 2.0], (len(x), 1))  # noqa: E731
    maps = rng.random((3, *cells.x.shape[1:]))
    found = removal(cells, maps, 1, ask, steps=3, seed=[0])
    chance = np.exp(3) / np.exp([1, 3, 2]).sum()
    for curve in (found.deletion, found.insertion):
        assert np.allclose(curve, chance)
    for gap in gaps(cells, maps, 1, ask, share=0.2, strength=0.5, draws=3, seed=[0]):
        assert not gap.any()
    masks = boxes(cells, 8, [0])
    error, unexplained = infidelity(maps, masks, np.zeros(8))
    assert not error.any()
    assert np.isnan(unexplained).all()


def test_zero_filling_is_another_curve(cells: Cells, model: Linear, rng) -> None:
    map = rng.random((1, *cells.x.shape[1:]))
    zeros = removal(cells, map, 1, model.ask, steps=4, seed=[0], fill="zero")
    bias = model.head.bias.detach().numpy()[1]
    assert zeros.deletion_logit[0, -1] == pytest.approx(bias, abs=1e-5)
    assert zeros.insertion_logit[0, 0] == pytest.approx(bias, abs=1e-5)


def test_maps_judged_together_are_judged_as_alone(cells: Cells, model: Linear, rng) -> None:
    maps = rng.random((3, *cells.x.shape[1:]))
    together = removal(cells, maps, 1, model.ask, steps=5, seed=[0]).deletion
    alone = [removal(cells, map[None], 1, model.ask, steps=5, seed=[0]).deletion[0] for map in maps]
    assert np.allclose(together, alone, atol=1e-6)
    both = gaps(cells, maps, 1, model.ask, share=0.1, strength=0.1, draws=2, seed=[0])
    one = gaps(cells, maps[:1], 1, model.ask, share=0.1, strength=0.1, draws=2, seed=[0])
    assert np.allclose([gap[0] for gap in both], [gap[0] for gap in one], atol=1e-6)


def test_gaps_are_of_noise_on_the_highest_cells_and_on_the_rest(cells: Cells, model: Linear, rng) -> None:
    map = rng.random(cells.x.shape[1:])
    important, others = gaps(cells, map[None], 1, model.ask, share=0.3, strength=0.4, draws=3, seed=[7])
    noise = 0.4 * cells.noise(3, [7, 1])
    top = round(0.3 * cells.size)
    line = np.sort(map[cells.present])[-top]

    def chance(x: np.ndarray) -> float:
        e = np.exp(model.ask(x[None])[0].astype(float))
        return float(e[1] / e.sum())

    for mask, found in ((map >= line, important), (map < line, others)):
        wanted = [abs(chance(cells.x + draw * mask) - chance(cells.x)) for draw in noise]
        assert found[0] == pytest.approx(np.mean(wanted), abs=1e-6)


def test_cells_that_matter_have_the_larger_gap(cells: Cells) -> None:
    model = Linear(*cells.there.shape, scale=0.0)
    with torch.no_grad():  # only one joint of the first body is looked at
        weights = torch.randn(3, 3, 9, generator=torch.Generator().manual_seed(0))
        model.head.weight.view(3, 3, 9, STICK.V, 2)[:, :, :, 4, 0] = weights
    map = np.zeros(cells.x.shape[1:])
    map[:, 4, 0] = 1
    share = 7 / cells.size
    important, others = gaps(cells, map[None], 1, model.ask, share=share, strength=0.5, draws=4, seed=[0])
    assert important[0] > 0.01
    assert others[0] == pytest.approx(0, abs=1e-6)


def test_infidelity_is_captums(cells: Cells, model: Linear, rng) -> None:
    masks = boxes(cells, 12, [3])
    drops = model.ask(cells.x[None])[0, 1] - model.ask(cells.without(masks))[:, 1]
    maps = rng.random((2, *cells.x.shape[1:]))
    error, unexplained = infidelity(maps, masks, drops)
    for map, ours in zip(maps, error, strict=True):
        # captum wants the attribution in the input's shape and multiplies it by the perturbation: each removed cell
        # counts once, spread over its channels.
        shown = torch.from_numpy(np.broadcast_to(map, cells.x.shape).copy())[None]

        def perturb(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            spread = torch.from_numpy(masks[:, None].repeat(3, axis=1)) / 3.0
            return spread, torch.from_numpy(cells.without(masks))

        theirs = captum_infidelity(
            model,
            perturb,
            torch.from_numpy(cells.x)[None],
            shown.float(),
            target=1,
            n_perturb_samples=12,
            normalize=True,
        )
        assert ours == pytest.approx(float(theirs), rel=1e-4)
    assert np.allclose(unexplained, error / np.mean(drops.astype(float) ** 2))


def test_the_worth_of_a_linear_networks_cells_leaves_nothing_unexplained_at_any_scale(cells: Cells, model) -> None:
    each = worth(model, cells, 1)
    masks = boxes(cells, 20, [0])
    drops = model.ask(cells.x[None])[0, 1] - model.ask(cells.without(masks))[:, 1]
    error, unexplained = infidelity(np.stack([each, 50 * each, -each, 0 * each]), masks, drops)
    assert np.allclose(error[:3], 0, atol=1e-5)
    assert np.allclose(unexplained, [0, 0, 0, 1], atol=1e-4)


def test_removals_are_boxes_among_the_present_cells(cells: Cells) -> None:
    masks = boxes(cells, 40, [0])
    assert not (masks & ~cells.present).any()
    for mask in masks:
        frames = np.flatnonzero(mask[..., 0].any(axis=1))
        assert np.array_equal(frames, np.arange(frames[0], frames[-1] + 1))
        joints = mask[frames[0], :, 0]
        assert (mask[frames][..., 0] == joints).all()
    assert 0.1 < masks[..., cells.present].mean() < 0.6


def test_impossible_settings_are_refused(cells: Cells, model: Linear) -> None:
    map = np.zeros((1, *cells.x.shape[1:]))
    with pytest.raises(LensError, match="too few steps: got 1, expected >= 2"):
        removal(cells, map, 0, model.ask, steps=1, seed=[0])
    with pytest.raises(LensError, match="impossible gaps: got share 1"):
        gaps(cells, map, 0, model.ask, share=1, strength=1.0, draws=1, seed=[0])
