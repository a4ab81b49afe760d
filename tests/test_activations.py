"""What is kept is what the layer put out, and nothing is left on the model."""

import contextlib
import gc
import threading
from collections import namedtuple

import pytest
import torch
from torch import nn

from stgcn_lens import activations
from stgcn_lens.activations import evaluating, exclusive, record, resuming, select
from stgcn_lens.errors import LensError
from tests.explain.mock import Mock, clips


def hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def outputs(net: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """What each part of a chain puts out, by calling one after the other on copies."""
    kept = []
    for part in net:
        x = part(x.clone())
        x = x[0] if isinstance(x, tuple) else x
        kept.append(x.clone())
    return kept


class Pair(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[str, torch.Tensor, torch.Tensor]:
        return "graph", 2 * x, x


def test_a_following_in_place_relu_changes_neither_what_is_kept_nor_the_result() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2))
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    linear, relu, last = outputs(net, x)
    assert (linear < 0).any()
    with record(net, {"linear": net[0], "relu": net[1]}) as acts:
        assert torch.equal(net(x), last)
    assert torch.equal(acts["linear"], linear)
    assert torch.equal(acts["relu"], relu)


def test_what_is_kept_stays_in_the_autograd_graph() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2))
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    with record(net, {"linear": net[0]}) as acts:
        y = net(x)
    (gradient,) = torch.autograd.grad(y[:, 1].sum(), acts["linear"])
    assert torch.allclose(gradient, (acts["linear"] > 0) * net[2].weight[1])


def test_of_a_tuple_the_first_tensor_is_kept_and_the_rest_passed_on_untouched() -> None:
    class Last(nn.Module):
        def forward(self, items: tuple[str, torch.Tensor, torch.Tensor]) -> torch.Tensor:
            self.seen = items
            return items[1].mul_(0)

    net = nn.Sequential(Pair(), Last())
    x = torch.ones(2, 2)
    with record(net, {"pair": net[0]}) as acts:
        net(x)
    assert isinstance(net[1].seen, tuple)
    assert net[1].seen[0] == "graph"
    assert net[1].seen[2] is x
    assert torch.equal(acts["pair"], torch.full((2, 2), 2.0))


def test_a_named_tuple_keeps_its_names() -> None:
    out = namedtuple("out", "features graph")

    class Named(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, int]:
            return out(features=x + 1, graph=7)

    net = nn.Sequential(Named())
    with record(net, {"named": net[0]}) as acts:
        result = net(torch.zeros(2))
    assert (result.graph, result.features.tolist(), acts["named"].tolist()) == (7, [1, 1], [1, 1])


def test_each_forward_pass_replaces_the_one_before() -> None:
    net = nn.Sequential(nn.Identity())
    with record(net, {"a": net[0]}) as acts:
        net(torch.zeros(1))
        net(torch.ones(2))
        assert acts["a"].tolist() == [1, 1]


def test_a_layer_that_runs_twice_in_a_pass_is_refused() -> None:
    shared = nn.Identity()
    net = nn.Sequential(shared, shared)
    with record(net, {"a": shared}), pytest.raises(LensError, match="'a' runs twice"):
        net(torch.zeros(1))
    assert hooks(net) == 0


def test_a_layer_without_a_tensor_is_refused_by_name() -> None:
    class Words(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"x": x}

    net = nn.Sequential(Words())
    with record(net, {"words": net[0]}), pytest.raises(LensError, match=r"'words'.*got dict"):
        net(torch.zeros(1))


@pytest.mark.parametrize("failing", [False, True])
def test_no_hook_is_left_and_those_of_others_stay(failing: bool) -> None:
    net = Mock()
    net.head.register_forward_hook(lambda *_: None)
    before = hooks(net)
    x = clips()[..., :2, :] if failing else clips()
    with contextlib.suppress(RuntimeError), record(net, net.layers) as acts:
        assert hooks(net) == before + len(net.layers) + 1
        net(x)
    assert len(acts) == (1 if failing else len(net.layers))
    assert hooks(net) == before


@pytest.mark.parametrize("failing", [False, True])
def test_every_training_flag_comes_back_as_it_was(failing: bool) -> None:
    net = Mock().train()
    net.blocks[1].norm.eval()
    net.dropout.eval()
    before = [module.training for module in net.modules()]
    with contextlib.suppress(RuntimeError), evaluating(net):
        assert not any(module.training for module in net.modules())
        if failing:
            raise RuntimeError("halfway")
    assert [module.training for module in net.modules()] == before
    assert len(set(before)) == 2


def test_passes_of_other_threads_leave_no_trace() -> None:
    net = nn.Sequential(nn.Identity())
    with record(net, {"a": net[0]}) as acts:
        net(torch.zeros(1))
        other = threading.Thread(target=net, args=(torch.ones(3),))
        other.start()
        other.join()
        assert acts["a"].tolist() == [0]


@pytest.mark.parametrize("kind", [exclusive, evaluating, lambda net: record(net, {})])
def test_a_second_thread_waits_for_the_model_and_the_same_thread_does_not(kind) -> None:
    net, entered = nn.Identity(), threading.Event()

    def enter() -> None:
        with kind(net):
            entered.set()

    other = threading.Thread(target=enter)
    with kind(net), kind(net):
        other.start()
        assert not entered.wait(0.1)
    other.join()
    assert entered.is_set()


def test_another_model_is_free_meanwhile() -> None:
    def enter() -> None:
        with exclusive(nn.Identity()):
            entered.set()

    entered = threading.Event()
    with exclusive(nn.Identity()):
        other = threading.Thread(target=enter)
        other.start()
        assert entered.wait(10)
    other.join()


def test_the_lock_goes_with_the_model() -> None:
    gc.collect()
    before = len(activations._LOCKS)
    net = nn.Identity()
    with exclusive(net):
        assert len(activations._LOCKS) == before + 1
    del net
    gc.collect()
    assert len(activations._LOCKS) == before


def test_layers_are_selected_in_depth_order() -> None:
    net = Mock()
    assert list(select(net, ["block_3", "input"])) == ["input", "block_3"]
    assert list(select(net)) == ["input", "block_1", "block_2", "block_3"]
    with pytest.raises(LensError, match=r"got 'block_9'.*block_1"):
        select(net, ["block_1", "block_9"])


@pytest.mark.parametrize("tuples", [False, True])
@pytest.mark.parametrize("inplace", [False, True])
def test_a_model_goes_on_from_what_a_layer_put_out(tuples: bool, inplace: bool) -> None:
    model, x = Mock(inplace=inplace, tuples=tuples).eval(), clips()
    with torch.no_grad():
        expected = model(x)
        with record(model, model.layers) as acts:
            model(clips(seed=2))
            other, logits = dict(acts), model(x)
    assert torch.equal(logits, expected)
    for name, module in model.layers.items():
        with torch.no_grad(), resuming(model, name, module) as run:
            assert torch.equal(run(acts[name], clips(seed=3)), expected)
            before = other[name].clone()
            assert not torch.equal(run(other[name], x), expected)
            assert torch.equal(other[name], before)
            assert torch.equal(model(x), expected)  # not through `run`: as it is
    assert hooks(model) == 0


def test_gradients_flow_to_what_a_layer_was_given_and_not_before_it() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2))
    x = torch.randn(8, 3, requires_grad=True)
    a = torch.randn(8, 4, requires_grad=True)
    with resuming(net, "linear", net[0]) as run:
        gradients = torch.autograd.grad(run(a, x)[:, 1].sum(), [a, x], allow_unused=True)
    assert torch.allclose(gradients[0], (a > 0) * net[2].weight[1])
    assert gradients[1] is None


def test_what_cannot_be_resumed_is_refused_and_nothing_is_left() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    aside = nn.Identity()
    with resuming(net, "linear", net[0]) as run:
        with pytest.raises(LensError, match=r"other axes than layer 'linear' has: got \(8, 5\), expected \(8, 4\)"):
            run(torch.zeros(8, 5), torch.zeros(8, 3))
        with pytest.raises(RuntimeError):
            run(torch.zeros(8, 4), torch.zeros(8, 9))
        assert torch.equal(net(torch.zeros(8, 3)), net[1](net[0].bias.expand(8, 4)))
    with resuming(net, "aside", aside) as run, pytest.raises(LensError, match="'aside' was not run"):
        run(torch.zeros(8, 4), torch.zeros(8, 3))
    assert hooks(net) == hooks(aside) == 0


def test_a_pass_of_another_thread_is_not_resumed() -> None:
    model, x = Mock().eval(), clips()
    expected = model(x)
    found: list[torch.Tensor] = []

    class Slow(nn.Module):
        def forward(self, y: torch.Tensor) -> torch.Tensor:
            thread = threading.Thread(target=lambda: found.append(model(x)))
            model.input = nn.Identity()  # the other thread does not come here again
            thread.start()
            thread.join()
            return y

    slow = model.input = Slow()
    with torch.no_grad(), resuming(model, "block_1", model.blocks[0]) as run:
        run(torch.zeros(6, 4, 9, 5), x)
    model.input = slow
    assert torch.allclose(found[0], expected)
