"""HiResCAM, LayerCAM and Grad-CAM++ at every layer: against their equations written out, captum, and known cases."""

import numpy as np
import pytest
import torch
from captum.attr import LayerGradientXActivation

from stgcn_lens.activations import record
from stgcn_lens.errors import LensError
from stgcn_lens.explain.cams import grad_cam_plus_plus, hires_cam, layer_cam
from stgcn_lens.explain.gradcam import grad_cam
from tests.explain.mock import Mock, clips
from tests.explain.test_gradcam import BLOCKS, TARGET, off
from tests.reference import cams as literal

METHODS = {
    "hires": (hires_cam, literal.hires_cam, ("clip",)),
    "layer": (layer_cam, literal.layer_cam, ("clip",)),
    "plus": (grad_cam_plus_plus, literal.grad_cam_plus_plus, ("clip", "body")),
}


@pytest.mark.parametrize("done", [0, 2, 3])
@pytest.mark.parametrize("name", METHODS)
def test_every_layer_equals_the_equation_written_out(name: str, done: int) -> None:
    function, equation, poolings = METHODS[name]
    model, x = Mock().double().eval(), clips(n=2, t=5).double()
    layer = ["input", *BLOCKS][done]
    with torch.no_grad(), record(model, {layer: model.layers[layer]}) as acts:
        model(x)
    features = acts[layer].view(2, 2, *acts[layer].shape[1:]).numpy()
    for clip, target in enumerate([1, 3]):

        def score(a: np.ndarray, target: int = target) -> float:
            with torch.no_grad():
                return float(model.tail(torch.from_numpy(a), done, 2)[0, target])

        slopes = literal.slopes(score, features[clip])
        for pooling in poolings:
            keywords: dict = {"pooling": pooling} if len(poolings) > 1 else {}
            expected = equation(slopes, features[clip], pooling)
            if name == "hires":
                keywords["signed"] = True
            else:
                expected = np.maximum(expected, 0)
            ours = function(model, x, torch.tensor([1, 3]), [layer], **keywords).maps[layer][clip]
            assert off(ours, expected) <= 1e-4


@pytest.mark.parametrize("layer", ["input", *BLOCKS])
def test_hires_cam_equals_captum(layer: str) -> None:
    model, x = Mock().eval(), clips()
    whole = LayerGradientXActivation(model, model.layers[layer]).attribute(x.clone().requires_grad_(True), TARGET)
    mean = whole.detach().mean(dim=1)
    expected = mean.view(3, 2, *mean.shape[1:]).permute(0, 2, 3, 1).numpy()
    ours = hires_cam(model, x, TARGET, ["input", *BLOCKS], signed=True).maps[layer]
    assert off(ours, expected) <= 1e-5


def test_where_the_gradient_is_the_same_everywhere_all_but_layer_cam_are_alike() -> None:
    class Straight(Mock):
        """After the last block only means follow: one gradient for all cells of a channel."""

        def tail(self, y: torch.Tensor, done: int, bodies: int) -> torch.Tensor:
            for i in range(done, len(self.blocks)):
                y = self.blocks[i](y, self.a)
            return self.head(y.mean(dim=(2, 3)).view(-1, bodies, y.shape[1]).mean(dim=1))

    model, x = Straight(), clips()
    one, two = (function(model, x, TARGET, ["block_3"], signed=True) for function in (grad_cam, hires_cam))
    assert off(one.maps["block_3"], two.maps["block_3"]) <= 1e-5
    with torch.no_grad():
        model.head.weight.abs_()
    three, four = (function(model, x, TARGET, ["block_3"]) for function in (layer_cam, hires_cam))
    assert off(three.maps["block_3"], four.maps["block_3"]) <= 1e-5


def test_cells_without_gradient_have_no_weight_in_grad_cam_plus_plus_and_nothing_divides_by_zero() -> None:
    model = Mock()
    with torch.no_grad():
        model.blocks[2].norm.bias[:] = -1000  # every ReLU after the last block is shut
    found = grad_cam_plus_plus(model, clips(), TARGET)
    assert not found.maps["block_3"].any()
    assert found.no_evidence["block_3"].all()


def test_an_unknown_pooling_is_refused() -> None:
    with pytest.raises(LensError, match="got 'frame', expected one of clip, body"):
        grad_cam_plus_plus(Mock(), clips(), pooling="frame")
