"""Grad-CAM of all layers at once against captum layer by layer, against the literal equation, and in bad company."""

import sys
import threading

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn

from stgcn_lens.activations import record
from stgcn_lens.errors import LensError
from stgcn_lens.explain.gradcam import GradCam, grad_cam
from tests.explain.mock import Mock, clips
from tests.reference.gradcam import grad_cam as literal
from tests.test_activations import hooks

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


def same(a: GradCam, b: GradCam) -> bool:
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


def test_threads_on_one_model_get_what_they_get_one_after_the_other() -> None:
    model = Mock(inplace=True).train()
    jobs = [(clips(n=1 + i % 3, t=9 + i, seed=i), i % 2 + 1) for i in range(8)]

    def work(i: int) -> GradCam:
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
