"""What the lens needs of a network, held by every row of MODELS."""

from dataclasses import replace

import pytest
import torch

from stgcn_lens.activations import record
from stgcn_lens.models import MODELS, Lens
from stgcn_lens.skeleton import LAYOUTS
from tests.models.weights import SMALL, built, clips, randomised

models = pytest.mark.parametrize("name", MODELS)


@models
def test_a_row_is_named_after_its_key_and_says_where_it_comes_from(name):
    assert MODELS[name].name == name
    assert MODELS[name].what
    assert MODELS[name].source


@models
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("frames", [1, 21, 50])
def test_every_layer_keeps_bodies_channels_frames_and_joints(name, layout, frames):
    model, v = built(name, layout), LAYOUTS[layout].V
    assert isinstance(model, Lens)
    assert list(model.layers) == ["input", *(f"block_{i}" for i in range(1, len(model.layers)))]
    assert list(model.strides) == list(model.layers)
    assert model.layout is LAYOUTS[layout]
    with torch.no_grad(), record(model, model.layers) as kept:
        logits = model(clips(2, 3, frames, v, 2))
        shapes = {layer: tuple(kept[layer].shape) for layer in model.layers}
    assert logits.shape == (2, 5)
    assert list(kept) == list(model.layers)  # they run in the order in which they are named
    for layer, (bodies, _, t, joints) in shapes.items():
        assert (bodies, t, joints) == (2 * 2, -(-frames // model.strides[layer]), v), layer


@models
def test_the_input_layer_is_the_clip_with_body_m_of_clip_n_in_row_n_times_bodies_plus_m(name):
    model, x = built(name, "ntu25"), clips(3, 3, 6, 25, 2)
    with torch.no_grad(), record(model, model.layers) as kept:
        model(x)
        for n in range(3):
            for m in range(2):
                assert torch.equal(kept["input"][n * 2 + m], x[n, ..., m])


@models
def test_a_layer_of_one_clip_does_not_depend_on_the_other_clips(name):
    model, x = built(name, "ntu25"), clips(3, 3, 9, 25, 2)
    with torch.no_grad(), record(model, model.layers) as kept:
        model(x)
        together = {layer: kept[layer][2:4].clone() for layer in model.layers}
        model(x[1:2])
        for layer in model.layers:
            torch.testing.assert_close(kept[layer], together[layer], rtol=1e-4, atol=1e-5)


@models
def test_permuted_clips_have_permuted_logits(name):
    model, x = built(name, "ntu25"), clips(4, 3, 9, 25, 2)
    order = torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        torch.testing.assert_close(model(x[order]), model(x)[order], rtol=1e-4, atol=1e-5)
        assert not torch.allclose(model(x), model(x)[order], atol=1e-3)


@models
def test_the_order_of_the_bodies_does_not_change_the_logits(name):
    model, x = built(name, "ntu25"), clips(2, 3, 9, 25, 3)
    with torch.no_grad():
        torch.testing.assert_close(model(x[..., [2, 0, 1]]), model(x), rtol=1e-4, atol=1e-5)


@models
def test_evaluation_is_deterministic_and_training_is_not_where_there_is_dropout(name):
    spec = MODELS[name]
    config = replace(SMALL.get(name, spec.config()), dropout=0.5)
    model, x = spec.build(config, LAYOUTS["ntu25"], 3, 5), clips(2, 3, 8, 25, 1)
    randomised(model)  # a fresh block may be its shortcut, whatever is dropped
    with torch.no_grad():
        assert not torch.equal(model.train()(x), model(x))
        assert torch.equal(model.eval()(x), model(x))


@models
@pytest.mark.parametrize("channels", [2, 3])
def test_it_is_built_for_two_and_three_channels(name, channels):
    model = built(name, "openpose18", channels, classes=7)
    with torch.no_grad():
        assert model(clips(1, channels, 12, 18, 1)).shape == (1, 7)


@models
def test_every_parameter_and_every_joint_reaches_the_logits(name):
    model, x = built(name, "ntu25"), clips(2, 3, 12, 25, 2).requires_grad_()
    model(x).square().sum().backward()
    assert x.grad is not None
    assert (x.grad.abs().sum(dim=(0, 1, 2, 4)) > 0).all()
    dead = [key for key, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert dead == []
