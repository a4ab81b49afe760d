"""Grad-CAM leaves the model as it found it, works under any mode and thread, and refuses what makes no sense."""

import sys
import threading

import pytest
import torch
from torch import nn

from stgcn_lens.errors import LensError
from stgcn_lens.explain.explanation import Explanation
from stgcn_lens.explain.gradcam import grad_cam
from tests.explain.mock import Mock, clips
from tests.explain.test_gradcam import BLOCKS, TARGET, same
from tests.test_activations import hooks


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_weights_gradients_flags_and_input_are_left_alone(frozen: bool, mode) -> None:
    model, x = Mock(inplace=True).train(), clips()
    expected = grad_cam(model, x, TARGET)
    model.blocks[0].norm.eval()
    for parameter in model.parameters():
        parameter.requires_grad_(not frozen)
        parameter.grad = torch.ones_like(parameter)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    with mode():
        given = x.clone()
        assert same(grad_cam(model, given, TARGET), expected)
    assert not given.requires_grad
    assert torch.equal(given, x)
    assert [name for name, module in model.named_modules() if not module.training] == ["blocks.0.norm"]
    assert all(p.requires_grad is not frozen and (p.grad == 1).all() for p in model.parameters())
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def test_a_model_may_write_into_its_input() -> None:
    class Writes(Mock):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x.mul_(2))

    x = clips()
    assert same(grad_cam(Writes(), x, TARGET), grad_cam(Mock(), 2 * x, TARGET))
    assert torch.equal(x, clips())


def test_all_layers_come_from_one_forward_and_one_backward_pass() -> None:
    model, calls = Mock(), {"forward": 0, "backward": 0}

    class Count(torch.autograd.Function):
        @staticmethod
        def forward(ctx, y: torch.Tensor) -> torch.Tensor:
            calls["forward"] += 1
            return y.clone()

        @staticmethod
        def backward(ctx, gradient: torch.Tensor) -> torch.Tensor:
            calls["backward"] += 1
            return gradient

    model.head.register_forward_hook(lambda _m, _i, out: Count.apply(out))
    assert len(grad_cam(model, clips(), TARGET).maps) == 3
    assert calls == {"forward": 1, "backward": 1}


@pytest.mark.parametrize("place", ["blocks.1.temporal", "head"])
def test_nothing_is_left_on_a_model_that_fails(place: str) -> None:
    class Broken(nn.Module):
        def forward(self, *_: object) -> torch.Tensor:
            raise RuntimeError("broken part")

    model = Mock().train()
    model.set_submodule(place, Broken())
    before = hooks(model)
    with pytest.raises(RuntimeError, match="broken part"):
        grad_cam(model, clips())
    assert hooks(model) == before
    assert all(module.training for module in model.modules())


def test_nothing_is_left_on_a_model_that_works() -> None:
    model = Mock()
    model.head.register_forward_hook(lambda *_: None)
    before = hooks(model)
    grad_cam(model, clips())
    assert hooks(model) == before == 1


def test_threads_on_one_model_get_what_they_get_one_after_the_other() -> None:
    model = Mock(inplace=True).train()
    jobs = [(clips(n=1 + i % 3, t=9 + i, seed=i), i % 2 + 1) for i in range(8)]

    def work(i: int) -> Explanation:
        x, c = jobs[i]
        return grad_cam(model, x, torch.full((len(x),), c), BLOCKS[: 1 + i % 3])

    expected, results = [work(i) for i in range(8)], {}
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [
            threading.Thread(target=lambda k=k: results.update({(k, i): work(i) for i in range(k, 8, 2)}))
            for k in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(results) == 8
    assert all(same(result, expected[i]) for (_, i), result in results.items())
    assert all(module.training for module in model.modules())
    assert hooks(model) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": torch.tensor([0, 4, 1])}, "target outside the classes: got 4, expected 0 to 3"),
        ({"target": torch.tensor([0, -1, 1])}, "got -1"),
        ({"target": torch.tensor([0, 1])}, r"expected integers \(3,\)"),
        ({"target": torch.tensor([0.0, 1.0, 2.0])}, "float32"),
        ({"target": torch.tensor([True, True, False])}, "bool"),
        ({"layers": ["block_1", "block_7"]}, "unknown layer: got 'block_7'"),
        ({"layers": []}, "no layer to explain"),
        ({"pooling": "frame"}, "got 'frame', expected one of clip, body"),
        ({"x": torch.zeros(3, 9, 5, 2)}, r"got torch.float32 \(3, 9, 5, 2\)"),
        ({"x": torch.zeros(0, 3, 9, 5, 2)}, "not a batch of clips"),
        ({"x": torch.zeros(3, 3, 9, 5, 2, dtype=torch.int64)}, "not a batch of clips: got torch.int64"),
        ({"x": torch.full((3, 3, 9, 5, 2), torch.nan)}, "not finite numbers: got clip 0 of the batch"),
    ],
)
def test_bad_calls_get_one_line_that_says_what_was_got(change: dict, message: str) -> None:
    model = Mock()
    with pytest.raises(LensError, match=message):
        grad_cam(**{"model": model, "x": clips()} | change)
    assert hooks(model) == 0


def test_layers_off_the_way_or_out_of_shape_are_named() -> None:
    class Cut(Mock):
        def tail(self, y: torch.Tensor, done: int, bodies: int) -> torch.Tensor:
            with torch.no_grad():
                y = self.relu[0](self.blocks[0](y, self.a))
            return self.head(y.mean(dim=(2, 3)).view(-1, bodies, y.shape[1]).mean(dim=1))

    cut = Cut(channels=(5,), strides=(1,))
    with pytest.raises(LensError, match="'block_1' is cut off"):
        grad_cam(cut, clips())
    cut.blocks.append(nn.Identity())
    cut.strides["block_2"] = 1
    with pytest.raises(LensError, match="'block_2' was not run"):
        grad_cam(cut, clips(), layers=["block_2"])
    model = Mock()
    model.strides["block_2"] = 4
    with pytest.raises(LensError, match=r"'block_2'.*got \(6, 6, 5, 5\).*\(6, any, 3, 5\) at stride 4"):
        grad_cam(model, clips())
    with pytest.raises(LensError, match="not a torch module: got function"):
        grad_cam(lambda x: x, clips())
