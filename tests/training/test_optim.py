"""The schedule's values, and which weights are decayed."""

import math

import pytest
import torch

from stgcn_lens.errors import LensError
from stgcn_lens.training import TrainConfig
from stgcn_lens.training.optim import learning_rate, sgd
from tests.models.weights import stgcn

COSINE = TrainConfig(epochs=25, lr=0.2, warmup=5, schedule="cosine")
STEP = TrainConfig(epochs=60, lr=0.2, warmup=5, schedule="step", milestones=(10, 50))


@pytest.mark.parametrize("config", [COSINE, STEP], ids=["cosine", "step"])
def test_the_rate_warms_up_linearly_from_nearly_zero(config):
    assert 0 < learning_rate(config, 0) < 1e-3 * config.lr
    for progress in (1, 2.5, 4):
        assert learning_rate(config, progress) == pytest.approx(config.lr * progress / 5, rel=1e-2)
    assert learning_rate(config, 5) == config.lr


def test_cosine_falls_from_the_peak_through_the_half_to_zero():
    assert learning_rate(COSINE, 10) == pytest.approx(0.1 * (1 + math.cos(math.pi / 4)))
    assert learning_rate(COSINE, 15) == pytest.approx(0.1)
    assert learning_rate(COSINE, 25) == pytest.approx(0, abs=1e-12)
    rates = [learning_rate(COSINE, 5 + i / 10) for i in range(200)]
    assert rates == sorted(rates, reverse=True)
    assert min(rates) > 0


def test_steps_divide_by_ten_at_each_milestone():
    expected = {5: 0.2, 9.99: 0.2, 10: 0.02, 49.9: 0.02, 50: 0.002, 59.9: 0.002}
    assert {at: learning_rate(STEP, at) for at in expected} == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ["cosine", "step"])
def test_without_warm_up_the_first_step_has_the_full_rate(schedule):
    assert learning_rate(TrainConfig(lr=0.3, warmup=0, schedule=schedule, epochs=2), 0) == 0.3


def test_a_training_shorter_than_its_warm_up_never_exceeds_the_peak():
    config = TrainConfig(epochs=2, warmup=5, lr=0.1)
    assert all(0 < learning_rate(config, i / 10) < 0.1 for i in range(20))


def test_matrices_are_decayed_and_vectors_and_edge_importance_are_not():
    model, config = stgcn(), TrainConfig(weight_decay=0.01, momentum=0.8, lr=0.3)
    optimiser = sgd(model, config)
    decay = {id(p): group["weight_decay"] for group in optimiser.param_groups for p in group["params"]}
    assert len(decay) == sum(len(group["params"]) for group in optimiser.param_groups)
    for name, parameter in model.named_parameters():
        kept = name.endswith(("bias", "norm.weight", "importance", "shortcut.1.weight"))
        assert decay.pop(id(parameter)) == (0 if kept else 0.01), name
    assert not decay
    for group in optimiser.param_groups:
        assert (group["momentum"], group["nesterov"], group["lr"]) == (0.8, True, 0.3)


def test_decay_draws_weights_to_zero_and_importance_stays_at_one():
    model = stgcn()
    for block in model.blocks:
        torch.nn.init.ones_(block.graph.importance)
    optimiser = sgd(model, TrainConfig(weight_decay=0.1, lr=0.5))
    before = model.head.weight.detach().clone()
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    # The first Nesterov step moves by lr * (1 + momentum) * decay * weight.
    torch.testing.assert_close(model.head.weight.detach(), before * (1 - 0.5 * 1.9 * 0.1))
    assert all((block.graph.importance == 1).all() for block in model.blocks)


@pytest.mark.parametrize(
    "settings",
    [
        {"schedule": "linear"},
        {"epochs": 0},
        {"batch": 0},
        {"lr": 0.0},
        {"lr": float("nan")},
        {"lr": float("inf")},
        {"lr": 1e300},
        {"warmup": -1},
        {"momentum": 0.0},
        {"momentum": 1.0},
        {"weight_decay": -0.1},
        {"label_smoothing": 1.0},
        {"label_smoothing": -0.1},
    ],
    ids=str,
)
def test_an_impossible_training_is_refused_with_what_is_possible(settings):
    with pytest.raises(LensError) as caught:
        TrainConfig(**settings)
    assert str(next(iter(settings.values()))) in str(caught.value.got)
    assert caught.value.expected
