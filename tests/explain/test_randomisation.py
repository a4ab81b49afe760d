"""Weights drawn anew from the head downward: which, in which order, and that nothing else is touched."""

import copy

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from stgcn_lens.errors import LensError
from stgcn_lens.explain.gradcam import grad_cam
from stgcn_lens.explain.randomisation import cascade, groups, independent, rank_correlation
from tests import tiny
from tests.explain.linear import Linear
from tests.explain.mock import Mock, clips


@pytest.fixture
def net():
    return tiny.model(width=2)


def x_of(net) -> torch.Tensor:
    return torch.randn(1, 3, 24, net.layout.V, 2, generator=torch.Generator().manual_seed(0))


def changed(one: nn.Module, other: nn.Module) -> set[str]:
    before = one.state_dict()
    return {name for name, value in other.state_dict().items() if not torch.equal(value, before[name])}


def test_the_head_is_first_then_the_blocks_from_the_last_on_then_what_prepares_the_clips(net) -> None:
    found = groups(net, x_of(net))
    assert list(found) == ["logits", *(f"block_{i}" for i in range(6, 0, -1)), "input"]
    assert found["logits"] == ["head"]
    assert found["input"] == ["entry.norm"]
    assert all(name.startswith("blocks.2.") for name in found["block_3"])


def test_every_parameter_belongs_to_one_group(net) -> None:
    members = [name for part in groups(net, x_of(net)).values() for name in part]
    assert len(members) == len(set(members))
    own = {f"{name}.{key}" for name in members for key, _ in net.get_submodule(name).named_parameters(recurse=False)}
    assert own == {name for name, _ in net.named_parameters()}


def test_each_step_draws_one_group_more(net) -> None:
    parts = groups(net, x_of(net))
    so_far: set[str] = set()
    for name, other in cascade(net, parts, seed=0):
        so_far |= {f"{member}." for member in parts[name]}
        found = changed(net, other)
        assert all(key.startswith(tuple(so_far)) for key in found)
        assert {key.rsplit(".", 1)[0] + "." for key in found} == so_far
    weights = {name for name, p in net.named_parameters() if p.ndim > 1}
    assert weights <= found  # masks and all kernels are new at the end


def test_alone_draws_one_group_at_a_time_with_the_weights_of_the_cascade(net) -> None:
    parts = groups(net, x_of(net))
    last = copy.deepcopy([other for _, other in cascade(net, parts, seed=4)][-1])
    for name, other in independent(net, parts, seed=4):
        found = changed(net, other)
        assert found
        assert all(key.startswith(tuple(f"{member}." for member in parts[name])) for key in found)
        assert all(torch.equal(other.state_dict()[key], last.state_dict()[key]) for key in found)


def test_the_network_itself_its_hooks_and_the_global_generator_stay(net) -> None:
    before = copy.deepcopy(net.state_dict())
    net.train()
    state = torch.get_rng_state()
    for _ in cascade(net, groups(net, x_of(net)), seed=0):
        pass
    assert net.training
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not any(module._forward_pre_hooks for module in net.modules())


def test_hooks_go_even_after_an_error(net) -> None:
    with pytest.raises(LensError):
        groups(net, torch.zeros(1, 3, 24, 7, 2))
    assert not any(module._forward_pre_hooks for module in net.modules())
    with pytest.raises(LensError, match="not a torch module"):
        groups(object(), x_of(net))


def test_the_seed_says_which_weights_come(net) -> None:
    parts = groups(net, x_of(net))
    one, same, other = (copy.deepcopy([model for _, model in cascade(net, parts, seed=seed)][-1]) for seed in (1, 1, 2))
    assert not changed(one, same)
    assert changed(one, other)


def test_foreign_networks_are_taken_apart_as_they_run() -> None:
    model = Mock(tuples=True)
    found = groups(model, clips(1))
    assert list(found) == ["logits", "block_3", "block_2", "block_1"]
    _, other = next(cascade(model, found, seed=0))
    assert changed(model, other) == {"head.weight", "head.bias"}


def test_loose_parameters_are_drawn_with_the_spread_they_had() -> None:
    model = Mock()
    model.loose = nn.Parameter(torch.full((200,), 3.0) + torch.randn(200, generator=torch.Generator().manual_seed(1)))
    found = groups(model, clips(1))
    assert found["input"] == [""]
    other = [other for _, other in cascade(model, found, seed=0)][-1]
    assert not torch.equal(model.loose, other.loose)
    assert float(other.loose.detach().mean()) == pytest.approx(3, abs=0.3)
    assert float(other.loose.detach().std()) == pytest.approx(float(model.loose.detach().std()), rel=0.25)


def test_rank_correlation_is_scipys(rng: np.random.Generator) -> None:
    a, b = rng.integers(6, size=(2, 80)).astype(float)
    assert rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert rank_correlation(a, np.exp(a)) == pytest.approx(1)


def test_a_silent_map_has_nothing_in_common_with_another_and_two_have_no_number() -> None:
    assert rank_correlation(np.zeros(5), np.arange(5.0)) == 0
    assert rank_correlation(np.arange(5.0), np.zeros(5)) == 0
    assert np.isnan(rank_correlation(np.zeros(5), np.ones(5)))


def test_a_map_of_random_weights_has_nothing_in_common_with_the_trained_one() -> None:
    model = Linear(9, 2)
    x = clips(1)
    trained = (model.weights(1) * x[0].numpy()).sum(axis=0)
    found = []
    for seed in range(20):
        other = [m for _, m in cascade(model, groups(model, x), seed=seed)][-1]
        found.append(rank_correlation(trained, (other.weights(1) * x[0].numpy()).sum(axis=0)))
    assert abs(np.mean(found)) < 0.1


def test_a_class_activation_map_changes_with_the_head(net) -> None:
    x = x_of(net)
    before = grad_cam(net, x, torch.tensor([1]), signed=True).maps["block_6"]
    _, other = next(cascade(net, groups(net, x), seed=0))
    after = grad_cam(other, x, torch.tensor([1]), signed=True).maps["block_6"]
    assert rank_correlation(before, after) < 0.9
