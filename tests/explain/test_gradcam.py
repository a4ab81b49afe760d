"""Grad-CAM of all layers at once: against captum layer by layer, the literal equation, and known cases."""

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn

from stgcn_lens.activations import record
from stgcn_lens.explain.explanation import Explanation
from stgcn_lens.explain.gradcam import grad_cam
from tests.explain.mock import Mock, clips
from tests.reference.gradcam import grad_cam as literal

BLOCKS = ("block_1", "block_2", "block_3")
TARGET = torch.tensor([2, 0, 3])


def captum(model: nn.Module, layer: str, x: torch.Tensor, target: torch.Tensor, *, relu: bool = True) -> np.ndarray:
    """captum's map of one layer in our axes, (N, T_l, V, M), after dividing its sum over channels by their number."""
    x = x.clone().requires_grad_(True)
    whole = LayerGradCam(model, model.layers[layer]).attribute(x, target, relu_attributions=relu)
    with torch.no_grad(), record(model, {layer: model.layers[layer]}) as acts:
        model(x.detach())
    mean = whole.detach()[:, 0] / acts[layer].shape[1]
    return mean.view(x.shape[0], x.shape[4], *mean.shape[1:]).permute(0, 2, 3, 1).numpy()


def off(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference relative to the largest value."""
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def same(a: Explanation, b: Explanation) -> bool:
    return list(a.maps) == list(b.maps) and all(np.array_equal(a.maps[name], b.maps[name]) for name in a.maps)


@pytest.mark.parametrize("layer", ["input", *BLOCKS])
@pytest.mark.parametrize(("pooling", "bodies"), [("body", 2), ("body", 1), ("clip", 1)])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("inplace", [False, True])
def test_every_layer_equals_captum(layer: str, pooling, bodies: int, signed: bool, inplace: bool) -> None:
    model, x = Mock(inplace=inplace).eval(), clips(m=bodies)
    ours = grad_cam(model, x, TARGET, ["input", *BLOCKS], pooling=pooling, signed=signed)
    assert off(ours.maps[layer], captum(model, layer, x, TARGET, relu=not signed)) <= 1e-5


@pytest.mark.parametrize("pooling", ["clip", "body"])
@pytest.mark.parametrize("done", [0, 1, 2, 3])
def test_every_layer_equals_the_equation_written_out(done: int, pooling) -> None:
    model, x = Mock().double().eval(), clips(n=2, t=5).double()
    layer = ["input", *BLOCKS][done]
    ours = grad_cam(model, x, torch.tensor([1, 3]), [layer], pooling=pooling, signed=True).maps[layer]
    with torch.no_grad(), record(model, {layer: model.layers[layer]}) as acts:
        model(x)
    for clip, target in enumerate([1, 3]):
        features = acts[layer][2 * clip : 2 * clip + 2].numpy()

        def score(a: np.ndarray, target: int = target) -> float:
            with torch.no_grad():
                return float(model.tail(torch.from_numpy(a), done, 2)[0, target])

        assert off(ours[clip], literal(score, features, pooling)) <= 1e-5


def test_pooling_over_the_clip_differs_from_pooling_by_body() -> None:
    model, x = Mock(), clips()
    by_clip, by_body = (grad_cam(model, x, TARGET, pooling=p).maps["block_1"] for p in ("clip", "body"))
    assert off(by_clip, by_body) > 0.1


def test_a_naive_hook_is_spoilt_by_an_in_place_relu_and_ours_is_not() -> None:
    x = clips()
    spoilt, sound = Mock(inplace=True).eval(), Mock(inplace=False).eval()
    truth = grad_cam(sound, x, TARGET)
    assert same(grad_cam(spoilt, x, TARGET), truth)

    kept = {}
    for name in BLOCKS:
        spoilt.layers[name].register_forward_hook(lambda _m, _i, out, name=name: kept.__setitem__(name, out))
    score = spoilt(x).gather(1, TARGET[:, None]).sum()
    gradients = torch.autograd.grad(score, list(kept.values()))
    for name, gradient in zip(kept, gradients, strict=True):
        alpha = gradient.view(3, 2, *gradient.shape[1:]).mean(dim=(1, 3, 4))
        a = kept[name].detach().view(3, 2, *gradient.shape[1:])
        naive = torch.einsum("nc,nmctv->ntvm", alpha, a).clamp(min=0) / a.shape[2]
        assert off(naive.numpy(), truth.maps[name]) > 0.1


def test_blocks_that_return_tuples_give_the_same_maps() -> None:
    x = clips()
    assert same(grad_cam(Mock(tuples=True, inplace=True), x, TARGET), grad_cam(Mock(), x, TARGET))


def test_a_clip_alone_and_in_a_batch_has_the_same_maps() -> None:
    model, x = Mock().train(), clips(n=4)
    target = torch.tensor([0, 1, 2, 3])
    whole = grad_cam(model, x, target)
    for i in range(4):
        alone = grad_cam(model, x[i : i + 1], target[i : i + 1])
        for name in BLOCKS:
            assert off(alone.maps[name][0], whole.maps[name][i]) <= 1e-5


def test_permuting_clips_permutes_maps() -> None:
    model, x, order = Mock(), clips(n=5), torch.tensor([3, 0, 4, 1, 2])
    plain, permuted = grad_cam(model, x), grad_cam(model, x[order])
    assert np.array_equal(permuted.target, plain.target[order])
    for name in BLOCKS:
        assert np.allclose(permuted.maps[name], plain.maps[name][order.numpy()], atol=1e-7)


def test_swapping_bodies_swaps_their_maps() -> None:
    model, x = Mock(), clips()
    plain, swapped = grad_cam(model, x, TARGET), grad_cam(model, x.flip(4), TARGET)
    for name in BLOCKS:
        assert np.allclose(swapped.maps[name], plain.maps[name][..., ::-1], atol=1e-7)


def test_a_padded_second_body_has_the_same_map_in_every_clip_up_to_alpha() -> None:
    model, x = Mock(), clips()
    x[..., 1] = 0
    maps = grad_cam(model, x, torch.tensor([1, 1, 1]), ["block_3"], signed=True).maps["block_3"]
    with torch.no_grad(), record(model, model.layers) as acts:
        model.eval()(x)
    padded = acts["block_3"][1::2]
    assert torch.equal(padded[0], padded[1])
    # block_3 is followed by ReLU and linear means only: alpha there is the share of positive cells times the weight.
    assert maps.shape == (3, 3, 5, 2)
    for clip in range(3):
        both = acts["block_3"][2 * clip : 2 * clip + 2]
        alpha = (both > 0).float().mean(dim=(0, 2, 3)) * model.head.weight[1] / (2 * 3 * 5)
        expected = (alpha[:, None, None] * padded[clip]).mean(dim=0)
        assert off(maps[clip, ..., 1], expected.detach().numpy()) <= 1e-5


def test_by_default_the_predicted_class_is_explained_at_every_layer_but_the_input() -> None:
    model, x = Mock().eval(), clips(n=6)
    with torch.no_grad():
        model.head.bias -= model(x).mean(dim=0)
        logits = model(x)
    result = grad_cam(model, x)
    assert np.allclose(result.logits, logits.numpy())
    assert np.array_equal(result.target, logits.argmax(1).numpy())
    assert len(set(result.target)) > 1
    assert same(result, grad_cam(model, x, logits.argmax(1)))
    assert {name: (m.shape, m.dtype) for name, m in result.maps.items()} == {
        "block_1": ((6, 9, 5, 2), np.float32),
        "block_2": ((6, 5, 5, 2), np.float32),
        "block_3": ((6, 3, 5, 2), np.float32),
    }


def test_the_class_explained_matters() -> None:
    model, x = Mock(), clips()
    assert off(grad_cam(model, x, TARGET).maps["block_3"], grad_cam(model, x, TARGET * 0 + 1).maps["block_3"]) > 0.1


def test_a_class_that_depends_on_nothing_gives_zeros_and_says_so() -> None:
    model = Mock()
    with torch.no_grad():
        model.head.weight[2] = 0
    result = grad_cam(model, clips(), TARGET)
    for name in BLOCKS:
        assert not result.maps[name][0].any()
        assert result.no_evidence[name][0]
    assert result.maps["block_3"][1].any()
    assert not result.no_evidence["block_3"][1]


def test_a_layer_that_speaks_only_against_the_class_gives_zeros_and_says_so() -> None:
    model = Mock()
    with torch.no_grad():
        model.head.weight[0] = -1
        model.blocks[2].norm.bias[:] = 100
    kinds = [grad_cam(model, clips(), torch.zeros(3, dtype=torch.int64), signed=signed) for signed in (False, True)]
    assert all(kind.no_evidence["block_3"].all() for kind in kinds)
    assert not kinds[0].maps["block_3"].any()
    assert (kinds[1].maps["block_3"] < 0).all()


def test_a_layer_that_the_score_ignores_gives_zeros_and_others_are_not_harmed() -> None:
    class Side(Mock):
        """block_3 is run, and its output thrown away."""

        def tail(self, y: torch.Tensor, done: int, bodies: int) -> torch.Tensor:
            for block, relu in zip(self.blocks[:2], self.relu[:2], strict=True):
                y = relu(block(y, self.a))
            self.blocks[2](y, self.a)
            return self.head(y.mean(dim=(2, 3)).view(-1, bodies, y.shape[1]).mean(dim=1))

    result = grad_cam(Side(channels=(4, 5, 5)), clips(), TARGET)
    assert result.no_evidence["block_3"].all()
    assert not result.maps["block_3"].any()
    assert result.maps["block_2"].any()


def test_the_signed_map_is_the_unsigned_one_where_it_is_positive() -> None:
    model, x = Mock(), clips()
    plain, signed = grad_cam(model, x, TARGET), grad_cam(model, x, TARGET, signed=True)
    for name in BLOCKS:
        assert (signed.maps[name] < 0).any()
        assert np.array_equal(np.maximum(signed.maps[name], 0), plain.maps[name])
        assert np.array_equal(signed.no_evidence[name], plain.no_evidence[name])
