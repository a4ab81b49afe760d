"""Saliency of the network that the lens trains itself, against captum."""

import pytest
import torch
from captum.attr import LayerIntegratedGradients
from torch import nn

from stgcn_lens.explain.gradcam import grad_cam
from stgcn_lens.explain.gradients import layer_integrated_gradients
from stgcn_lens.models import STGCN, STGCNConfig
from stgcn_lens.skeleton import LAYOUTS
from tests.explain.mock import clips
from tests.explain.test_gradcam import captum, off
from tests.test_activations import hooks

TARGET = torch.tensor([1, 0, 5])


def lived_in(config: STGCNConfig, layout: str) -> STGCN:
    """A network whose batch norms have seen data, so that evaluation mode differs from training mode."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = STGCN(config, LAYOUTS[layout], channels=3, classes=6)
        for module in model.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                nn.init.normal_(module.running_mean, 0, 0.2)
                nn.init.uniform_(module.running_var, 0.5, 1.5)
                nn.init.normal_(module.bias, 0, 0.3)
    return model


@pytest.mark.parametrize("layout", ["ntu25", "coco17"])
@pytest.mark.parametrize("configuration", ["release", "paper"])
def test_every_block_equals_captum(configuration: str, layout: str) -> None:
    model = lived_in(STGCNConfig(configuration=configuration, width=4), layout).eval()
    joints = model.layout.V
    for pooling, bodies in (("body", 2), ("clip", 1)):
        x = clips(t=21, m=bodies, v=joints)
        ours = grad_cam(model, x, TARGET, list(model.layers), pooling=pooling, signed=True)
        assert len(ours.maps) == {"release": 11, "paper": 10}[configuration]
        for name, map in ours.maps.items():
            assert map.shape == (3, -(-21 // model.strides[name]), joints, bodies)
            assert off(map, captum(model, name, x, TARGET, relu=False)) <= 1e-5


@pytest.mark.parametrize("layout", ["ntu25", "coco17"])
def test_integrated_gradients_of_a_block_equal_captum(layout: str) -> None:
    model = lived_in(STGCNConfig(configuration="compact", width=4), layout).eval()
    x = clips(t=21, m=2, v=model.layout.V)
    ours = layer_integrated_gradients(model, x, TARGET, ["block_3", "block_6"], signed=True, steps=4, fill="zero")
    for name, map in ours.maps.items():
        whole = LayerIntegratedGradients(model, model.layers[name]).attribute(x, x * 0, target=TARGET, n_steps=4)
        total = whole.detach().sum(dim=1)
        assert off(map, total.view(3, 2, *total.shape[1:]).permute(0, 2, 3, 1).numpy()) <= 1e-4


def test_training_state_and_hooks_are_left_alone() -> None:
    model = lived_in(STGCNConfig(width=4), "ntu25").train()
    statistics = {name: value.clone() for name, value in model.named_buffers()}
    grad_cam(model, clips(t=21, v=25), TARGET)
    assert all(torch.equal(value, statistics[name]) for name, value in model.named_buffers())
    assert all(module.training for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert hooks(model) == 0
