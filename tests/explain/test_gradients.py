"""Methods that captum computes: against derivatives of our own, captum's own form of them, and their axioms."""

import numpy as np
import pytest
import torch
from captum.attr import LayerIntegratedGradients

from stgcn_lens.activations import record
from stgcn_lens.errors import LensError
from stgcn_lens.explain import gradients
from stgcn_lens.explain.cells import Cells
from stgcn_lens.explain.gradients import (
    input_x_gradient,
    integrated_gradients,
    layer_integrated_gradients,
    saliency,
)
from tests.explain.mock import STICK, Mock, clips
from tests.explain.test_gradcam import BLOCKS, TARGET, off

OTHER = torch.tensor([0, 1, 1])


def slope(model: Mock, x: torch.Tensor, against: bool = False) -> np.ndarray:
    """d (y_target - y_other) / d x, (N, C, T, V, M)."""
    x = x.clone().requires_grad_(True)
    logits = model.eval()(x)
    score = logits.gather(1, TARGET[:, None]) - logits.gather(1, OTHER[:, None]) * against
    return torch.autograd.grad(score.sum(), x)[0].numpy()


def gap(model: Mock, x: torch.Tensor, start: torch.Tensor) -> np.ndarray:
    """(N,) by what the score of the target falls from x to start."""
    with torch.no_grad():
        return (model(x) - model(start)).gather(1, TARGET[:, None])[:, 0].numpy()


@pytest.mark.parametrize("against", [False, True])
def test_saliency_is_the_largest_absolute_derivative_of_a_joint(against: bool) -> None:
    model, x = Mock(), clips()
    found = saliency(model, x, TARGET, against=OTHER if against else None)
    assert off(found.maps["input"], np.abs(slope(model, x, against)).max(axis=1)) <= 1e-5


@pytest.mark.parametrize("against", [False, True])
def test_input_times_gradient_is_the_sum_over_coordinates(against: bool) -> None:
    model, x = Mock(), clips()
    found = input_x_gradient(model, x, TARGET, against=OTHER if against else None, signed=True)
    assert off(found.maps["input"], (slope(model, x, against) * x.numpy()).sum(axis=1)) <= 1e-5


@pytest.mark.parametrize("fill", ["mean", "zero"])
def test_integrated_gradients_add_up_to_what_the_score_falls_by(fill) -> None:
    model, x = Mock().eval(), clips()
    start = torch.zeros_like(x)
    if fill == "mean":
        centre = x[:, :, :, STICK.centre, None]
        start = centre + (x - centre).mean(dim=2, keepdim=True)
    found = integrated_gradients(model, x, TARGET, signed=True, steps=200, fill=fill).maps["input"]
    assert np.allclose(found.sum(axis=(1, 2, 3)), gap(model, x, start), rtol=0.02, atol=0.01)


def test_integrated_gradients_are_the_mean_slope_on_the_way() -> None:
    model, x = Mock().double().eval(), clips(n=2, t=5).double()
    target = torch.tensor([1, 3])
    total = np.zeros(x.shape)
    nodes, weights = np.polynomial.legendre.leggauss(6)
    for node, weight in zip(nodes, weights, strict=True):
        point = (x * (node + 1) / 2).requires_grad_(True)
        score = model(point).gather(1, target[:, None]).sum()
        total += weight / 2 * torch.autograd.grad(score, point)[0].numpy()
    found = integrated_gradients(model, x, target, signed=True, steps=6, fill="zero").maps["input"]
    assert off(found, (total * x.numpy()).sum(axis=1)) <= 1e-5


@pytest.mark.parametrize("layer", ["input", *BLOCKS])
def test_layer_integrated_gradients_equal_captum(layer: str) -> None:
    # captum's own form cannot do with in-place ReLUs, nor with blocks that put out tuples.
    model, x = Mock(inplace=True, tuples=True), clips()
    peer = Mock().eval()
    method = LayerIntegratedGradients(peer, peer.layers[layer])
    whole = method.attribute(x, torch.zeros_like(x), target=TARGET, n_steps=8)
    total = whole.detach().sum(dim=1)
    expected = total.view(3, 2, *total.shape[1:]).permute(0, 2, 3, 1).numpy()
    found = layer_integrated_gradients(model, x, TARGET, [layer], signed=True, steps=8, fill="zero")
    assert off(found.maps[layer], expected) <= 1e-4


def test_every_layers_integrated_gradients_add_up_to_the_same() -> None:
    model, x = Mock().eval(), clips()
    found = layer_integrated_gradients(model, x, TARGET, ["input", *BLOCKS], signed=True, steps=200, fill="zero")
    expected = gap(model, x, torch.zeros_like(x))
    for map in found.maps.values():
        assert np.allclose(map.sum(axis=(1, 2, 3)), expected, rtol=0.02, atol=0.01)


def test_the_last_block_is_explained_against_the_features_of_the_empty_clip() -> None:
    class Straight(Mock):
        def tail(self, y: torch.Tensor, done: int, bodies: int) -> torch.Tensor:
            for i in range(done, len(self.blocks)):
                y = self.blocks[i](y, self.a)
            return self.head(y.mean(dim=(2, 3)).view(-1, bodies, y.shape[1]).mean(dim=1))

    model, x = Straight().eval(), clips()
    with torch.no_grad(), record(model, {"block_3": model.blocks[2]}) as acts:
        model(torch.zeros_like(x))
        start = acts["block_3"]
        model(x)
        change = (acts["block_3"] - start).view(3, 2, 5, 3, 5)
    weight = model.head.weight[TARGET] / (2 * 3 * 5)
    expected = torch.einsum("nc,nmctv->ntvm", weight, change).detach().numpy()
    found = layer_integrated_gradients(model, x, TARGET, ["block_3"], signed=True, steps=1, fill="zero")
    assert off(found.maps["block_3"], expected) <= 1e-5


@pytest.mark.parametrize("function", [integrated_gradients, layer_integrated_gradients])
def test_the_size_of_a_chunk_changes_nothing(function, monkeypatch: pytest.MonkeyPatch) -> None:
    model, x, found = Mock(), clips(), []
    for chunk in (1, 7, 1000):
        monkeypatch.setattr(gradients, "CHUNK", chunk)
        found.append(function(model, x, TARGET, signed=True, steps=5).maps)
    for name, map in found[0].items():
        assert all(off(other[name], map) <= 1e-5 for other in found[1:])


@pytest.mark.parametrize("function", [saliency, input_x_gradient, integrated_gradients])
def test_a_frame_that_is_shown_again_gets_what_its_repeats_say(function) -> None:
    model, real = Mock(), clips(n=2, t=4)
    x = real[:, :, torch.arange(9) % 4]
    there = np.zeros((9, 2), bool)
    there[:4] = True
    cells = [Cells(clip.numpy(), there, 4, np.arange(9) % 4, STICK, "joint") for clip in x]
    target = torch.tensor([1, 3])

    class Replayed(Mock):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x[:, :, torch.arange(9) % 4])

    found = function(model, x, target, cells=cells).maps["input"]
    short = function(Replayed(), real, target).maps["input"]
    assert off(found[:, :4], short) <= 1e-5
    assert not found[:, 4:].any()


def test_a_layer_that_the_score_ignores_gives_zeros() -> None:
    class Side(Mock):
        def tail(self, y: torch.Tensor, done: int, bodies: int) -> torch.Tensor:
            for block, relu in zip(self.blocks[:2], self.relu[:2], strict=True):
                y = relu(block(y, self.a))
            self.blocks[2](y, self.a)
            return self.head(y.mean(dim=(2, 3)).view(-1, bodies, y.shape[1]).mean(dim=1))

    found = layer_integrated_gradients(Side(channels=(4, 5, 5)), clips(), TARGET, signed=True, steps=2)
    assert not found.maps["block_3"].any()
    assert found.maps["block_2"].any()
    assert found.reasons["block_3"] == ("no evidence: nothing here changes the score",) * 3


@pytest.mark.parametrize("function", [integrated_gradients, layer_integrated_gradients])
def test_bad_settings_are_refused(function) -> None:
    with pytest.raises(LensError, match="impossible way: got 0 steps, expected at least 1"):
        function(Mock(), clips(), steps=0)
    with pytest.raises(LensError, match="unknown filling: got 'noise'"):
        function(Mock(), clips(), fill="noise")
