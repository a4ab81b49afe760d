"""Networks that are not ours behind an adapter: seen as they are, explained as captum does, refused with the reason."""

import copy

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn

from stgcn_lens.activations import record
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.errors import LensError
from stgcn_lens.explain.gradcam import grad_cam
from stgcn_lens.models import MODELS, Lens
from stgcn_lens.models.given import given, weights_hash
from stgcn_lens.models.probe import check
from stgcn_lens.models.protocol import View, fold
from stgcn_lens.skeleton import get_layout
from tests.models.strangers import STRANGERS, Agcn, AgcnAdapter, Tokens, TokensAdapter, network
from tests.models.weights import built, clips

NTU = get_layout("ntu25")
SIZES = {"channels": 3, "frames": 12, "bodies": 2, "classes": 4}
TARGET = torch.tensor([2, 0, 3])
strangers = pytest.mark.parametrize("name", STRANGERS)


def x(n: int = 3, frames: int = 12) -> torch.Tensor:
    return clips(n, 3, frames, 25, 2, seed=1)


def own_axes(name: str, x: torch.Tensor) -> torch.Tensor:
    """Clips as the stranger reads them."""
    return x.permute(0, 4, 2, 3, 1) if name == "tokens" else x


def raw_layers(name: str, net: nn.Module) -> list[nn.Module]:
    return {
        "agcn": lambda: [net.l1, net.l2, net.l3],
        "tokens": lambda: list(net.encoder),
        "volume": lambda: [net.stem, net.deep],
    }[name]()


def on_our_axes(name: str, output: object, bodies: int = 2) -> np.ndarray:
    """A stranger's own output, (N*M, C, T, V), by loops over plain indices."""
    if name == "agcn":
        return output[0].detach().numpy()
    y = output.detach().numpy()
    if name == "tokens":
        b, length, c = y.shape
        out = np.zeros((b, c, (length - 1) // 25, 25), np.float32)
        for token in range(length - 1):
            out[:, :, token // 25, token % 25] = y[:, 1 + token]
        return out
    return np.stack([y[row // bodies, ..., row % bodies] for row in range(len(y) * bodies)])


@strangers
def test_an_adapter_meets_the_protocol(name) -> None:
    _, adapter = network(name)
    assert isinstance(adapter, Lens)
    assert list(check(adapter, **SIZES)) == list(adapter.layers)


@pytest.mark.parametrize("name", MODELS)
def test_our_own_networks_keep_to_the_protocol_too(name) -> None:
    widths = check(built(name, "ntu25", classes=4), **SIZES)
    assert widths["input"] == 3
    assert list(widths) == ["input", *(f"block_{i}" for i in range(1, len(widths)))]


@strangers
def test_a_network_computes_behind_its_adapter_what_it_computes_alone(name) -> None:
    torch.manual_seed(3)
    made = STRANGERS[name][0]().eval()
    with torch.no_grad():
        alone = made(own_axes(name, x()))
        adapter = STRANGERS[name][1](made, NTU)
        behind, hooked = adapter(x()), made(own_axes(name, x()))
    alone, hooked = (y["scores"] if isinstance(y, dict) else y for y in (alone, hooked))
    torch.testing.assert_close(behind, alone, rtol=1e-5, atol=1e-6)  # a view may lie otherwise in memory
    torch.testing.assert_close(hooked, alone, rtol=1e-5, atol=1e-6)


@strangers
def test_the_layers_are_the_networks_own_outputs_on_our_axes(name) -> None:
    net, adapter = network(name)
    kept = {}
    with torch.no_grad():
        for number, module in enumerate(raw_layers(name, net), start=1):
            # Before the views and ours, so that this is what the module itself puts out.
            module.register_forward_hook(
                lambda _m, _i, out, number=number: kept.__setitem__(number, copy.deepcopy(out)), prepend=True
            )
        with record(adapter, adapter.layers) as seen:
            adapter(x())
            assert torch.equal(seen["input"], fold(x()))
            assert torch.equal(seen["input"][3], x()[1, ..., 1])
            for number, output in kept.items():
                np.testing.assert_array_equal(seen[f"block_{number}"].numpy(), on_our_axes(name, output))


@strangers
@pytest.mark.parametrize("signed", [False, True])
def test_grad_cam_through_the_adapter_equals_captum(name, signed) -> None:
    _, adapter = network(name)
    ours = grad_cam(adapter, x(), TARGET, pooling="body", signed=signed)
    assert list(ours.maps) == list(adapter.layers)[1:]
    for layer, got in ours.maps.items():
        whole = LayerGradCam(adapter, adapter.layers[layer]).attribute(
            x().requires_grad_(True), TARGET, relu_attributions=not signed
        )
        whole = whole[0] if isinstance(whole, tuple) else whole  # of a block that returns the graph, too
        with torch.no_grad(), record(adapter, {layer: adapter.layers[layer]}) as acts:
            adapter(x())
        theirs = whole.detach()[:, 0] / acts[layer].shape[1]
        theirs = theirs.unflatten(0, (3, 2)).permute(0, 2, 3, 1).numpy()
        assert np.abs(theirs).max() > 0
        assert np.abs(got - theirs).max() <= 1e-5 * np.abs(theirs).max(), layer


@strangers
def test_the_maps_are_those_of_the_gradients_at_the_networks_own_outputs(name) -> None:
    net, adapter = network(name)
    ours, kept = grad_cam(adapter, x(), TARGET, signed=True), {}

    def keep(number: int, output: object) -> object:
        first = output[0] if isinstance(output, tuple) else output
        kept[number] = first
        return (first.clone(), *output[1:]) if isinstance(output, tuple) else first.clone()

    for number, module in enumerate(raw_layers(name, net), start=1):
        module.register_forward_hook(lambda _m, _i, out, number=number: keep(number, out), prepend=True)
    score = adapter(x()).gather(1, TARGET[:, None]).sum()
    gradients = torch.autograd.grad(score, list(kept.values()))
    for (number, a), gradient in zip(kept.items(), gradients, strict=True):
        as_tuple = (lambda t: (t,)) if name == "agcn" else (lambda t: t)
        a_bctv, g_bctv = (on_our_axes(name, as_tuple(t)) for t in (a, gradient))
        alpha = g_bctv.reshape(3, 2, *g_bctv.shape[1:]).mean(axis=(1, 3, 4))  # (N, C)
        weighed = alpha[:, None, :, None, None] * a_bctv.reshape(3, 2, *a_bctv.shape[1:])
        expected = weighed.mean(axis=2).transpose(0, 2, 3, 1)
        got = ours.maps[f"block_{number}"]
        assert np.abs(got - expected).max() <= 1e-5 * np.abs(expected).max(), number


@strangers
def test_a_deep_copy_shows_its_own_layers(name) -> None:
    _, adapter = network(name)
    twin = copy.deepcopy(adapter)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.mul_(1.5)
    first, second = (grad_cam(each, x(), TARGET) for each in (adapter, twin))
    assert list(first.maps) == list(second.maps)
    assert not np.array_equal(first.maps["block_2"], second.maps["block_2"])


def test_fold_puts_body_m_of_clip_n_into_row_n_times_bodies_plus_m() -> None:
    rows = fold(x())
    assert rows.shape == (6, 3, 12, 25)
    for n in range(3):
        for m in range(2):
            assert torch.equal(rows[2 * n + m], x()[n, ..., m])


# given


@strangers
def test_a_given_network_says_all_that_is_needed_to_use_it(name) -> None:
    net, adapter = network(name)
    net.train()
    loaded = given(adapter, classes=list("abcd"), preprocessing=Preprocessing(frames=12), name="A stranger's")
    assert not net.training
    assert (loaded.classes, loaded.bodies, loaded.layout) == (tuple("abcd"), 2, NTU)
    assert loaded.about["architecture"]["model"] == "A stranger's"
    assert loaded.about["architecture"]["given"]["strides"] == adapter.strides
    assert loaded.about["parameters"] == sum(p.numel() for p in net.parameters())
    assert loaded.hash == loaded.about["weights_sha256"] == weights_hash(adapter)


def test_the_hash_is_of_names_kinds_shapes_and_values() -> None:
    def of(**tensors: torch.Tensor) -> str:
        module = nn.Module()
        for key, tensor in tensors.items():
            module.register_buffer(key, tensor)
        return weights_hash(module)

    a = torch.arange(6.0).view(2, 3)
    shared = nn.Module()
    shared.one = shared.two = nn.Linear(2, 2)  # tied weights are no obstacle
    assert len(weights_hash(shared)) == 64
    others = (
        of(b=a), of(a=a.double()), of(a=a.view(3, 2)), of(a=a + 1), of(a=a, b=a), of(a=a.t().contiguous()), of()
    )  # fmt: skip
    assert len({of(a=a), *others}) == 8
    assert of(a=a) == of(a=a.t().contiguous().t())  # not of how they lie in memory
    assert of(a=a.bfloat16(), b=torch.tensor(True)) != of(a=a.half(), b=torch.tensor(True))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"classes": "abcd"}, "not the names of classes: got 'abcd'"),
        ({"classes": ["a", "b", "a", "c"]}, "got 'a' twice"),
        ({"classes": []}, r"got \[\]"),
        ({"classes": [1, 2, 3, 4]}, "a list of texts"),
        ({"classes": ["a", "b", "c"]}, r"logits \(2, 4\) of 2 clips, expected \(2, 3\)"),
        ({"bodies": 0}, "got 3 channels, 0 bodies"),
        (
            {"channels": 2},
            r"AgcnAdapter cannot read clips: got RuntimeError: .* \(N, C, T, V, M\) = \(2, 2, 12, 25, 2\)",
        ),
        ({"bodies": 1}, "AgcnAdapter cannot read clips: got RuntimeError"),
    ],
)
def test_what_does_not_fit_a_given_network_is_told(settings, told) -> None:
    _, adapter = network("agcn")
    with pytest.raises(LensError, match=told):
        given(adapter, **{"classes": list("abcd"), "preprocessing": Preprocessing(frames=12), **settings})


# what an adapter can get wrong


def agcn(**changes: object) -> nn.Module:
    """The adapter with other attributes; a function is called with the adapter and gives the attribute."""
    _, adapter = network("agcn")
    for key, value in changes.items():
        setattr(adapter, key, value(adapter) if callable(value) and not isinstance(value, nn.Module) else value)
    return adapter


def layers(**changes: object):
    """A function that gives an adapter's layers, changed: None leaves one out, a function gets the adapter."""

    def changed(adapter: nn.Module) -> dict[str, object]:
        new = {name: value(adapter) if callable(value) else value for name, value in changes.items()}
        return {name: module for name, module in {**adapter.layers, **new}.items() if module is not None}

    return changed


class WithoutInput(AgcnAdapter):
    def forward(self, x):
        return self.net(x)


class Loose(TokensAdapter):
    """Shows tokens on our axes, beside the network's way."""

    def __init__(self, net, layout) -> None:
        super().__init__(net, layout)
        for layer in net.encoder:
            layer._forward_hooks.clear()
        self.layers = {"input": self.input, "block_1": nn.Identity()}

    def forward(self, x):
        kept = []
        handle = self.net.encoder[0].register_forward_hook(lambda _m, _i, out: kept.append(out))
        logits = super().forward(x)
        handle.remove()
        self.layers["block_1"](kept[0][:, 1:].unflatten(1, (-1, 25)).permute(0, 3, 1, 2))
        return logits


class Raw(TokensAdapter):
    def __init__(self, net, layout) -> None:
        super().__init__(net, layout)
        self.layers = {"input": self.input, "block_1": net.encoder[0]}
        net.encoder[0]._forward_hooks.clear()


class Detached(AgcnAdapter):
    def forward(self, x):
        self.input(fold(x))
        with torch.no_grad():
            return self.net(x)


class BodiesFirst(AgcnAdapter):
    """The bodies in the batch in the other order: clip n and body m in row m*N + n."""

    def __init__(self, net, layout) -> None:
        super().__init__(net, layout)
        block, turned = net.l1, lambda y: (y[0].unflatten(0, (-1, 2)).transpose(0, 1).flatten(0, 1), y[1])
        back = lambda z, y: (z.unflatten(0, (2, -1)).transpose(0, 1).flatten(0, 1), y[1])  # noqa: E731
        self.layers["block_1"] = View(block, lambda y: turned(y)[0], back)


class Restless(AgcnAdapter):
    def forward(self, x):
        self.input(fold(x))
        return self.net(x + 0.5 * torch.rand_like(x))


class Sociable(AgcnAdapter):
    """A batch's clips are normalised with each other."""

    def forward(self, x):
        self.input(fold(x))
        return self.net((x - x.mean(0)) * 3 + x)


class Unfolded(AgcnAdapter):
    def forward(self, x):
        self.input(x[..., 0])
        return self.net(x)


class Answers(AgcnAdapter):
    def forward(self, x):
        self.input(fold(x))
        return {"logits": self.net(x)}


class Twice(AgcnAdapter):
    def forward(self, x):
        self.input(fold(x))
        self.net(x)
        return self.net(x)


def made(kind: type, net: type = Agcn) -> nn.Module:
    torch.manual_seed(0)
    return kind(net().eval(), NTU)


def broken() -> nn.Module:
    adapter = agcn()
    with torch.no_grad():
        adapter.net.l2.g.weight[0, 0] = float("nan")
    return adapter


@pytest.mark.parametrize(
    ("adapter", "told"),
    [
        (lambda: Agcn, "not a torch module: got type"),
        (lambda: network("agcn")[0], "Agcn has no 'layout': got nothing, expected a stgcn_lens.skeleton.Layout"),
        (lambda: agcn(layout="ntu25"), "has no 'layout': got str, expected a stgcn_lens.skeleton.Layout"),
        (lambda: agcn(layers=[]), "has no 'layers': got list, expected a dict name -> module"),
        (lambda: agcn(strides=None), "has no 'strides': got nothing, expected a dict name -> total temporal stride"),
        (
            lambda: agcn(layers=layers(input=None)),
            r"other names than the lens knows: got 'block_1', 'block_2', 'block_3', expected 'input', then .*Identity",
        ),
        (lambda: agcn(layers=layers(stage_4=lambda a: a.net.relu)), "'stage_4', expected 'input', then"),
        (lambda: agcn(layers=layers(**{"block_../x": lambda a: a.net.relu})), "letters, digits or _"),
        (
            lambda: agcn(layers=layers(block_3=lambda a: a.net.l3.forward)),
            "layer 'block_3' is no module: got method, expected torch.nn.Module; .* shown by a View",
        ),
        (lambda: agcn(strides={"input": 1, "block_1": 1}), r"no stride of layer 'block_2': got nothing"),
        (lambda: agcn(strides=dict.fromkeys(agcn().layers, 0)), "no stride of layer 'input': got 0, expected .* >= 1"),
        (
            lambda: agcn(strides=dict.fromkeys(agcn().layers, 1)),
            r"layer 'block_2' has other axes than the lens reads: got \(4, 8, 6, 25\), expected "
            r"\(N\*M, C_l, T_l, V\) = \(4, any, 12, 25\) at stride 1, of 2 clips of 2 bodies, 12 frames, 25 joints "
            r"\(ntu25\); strides\['block_2'\] = 2 would fit",
        ),
        (
            lambda: made(Unfolded),
            r"layer 'input' .* got \(2, 3, 12, 25\), expected .* \(4, any, 12, 25\).*; the bodies are not in the",
        ),
        (
            lambda: made(Raw, Tokens),
            r"layer 'block_1' has other axes .*: got \(4, 151, 8\), expected .*\(4, any, 6, 25\).*; a View brings it",
        ),
        (
            lambda: agcn(layers=layers(block_3=lambda a: View(a.net.l3, lambda y: y[0][..., :5], lambda z, y: y))),
            r"layer 'block_3' .* got \(4, 10, 3, 5\).*; 5 is not the number of joints; what has pooled them cannot",
        ),
        (lambda: made(WithoutInput), "layer 'input' does not run: .* an Identity runs where forward calls it"),
        (lambda: agcn(layers=layers(block_2=lambda a: nn.ReLU())), "'block_2' does not run: got of input, block_1, "),
        (
            lambda: agcn(layers=layers(block_1=lambda a: a.net.l2, block_2=lambda a: a.net.l1)),
            "another order than they run: got input, block_1, block_2, block_3, expected input, block_2, block_1, b",
        ),
        (lambda: agcn(layers=layers(block_1=lambda a: a.net.relu, block_2=None, block_3=None)), "'block_1' runs twice"),
        (lambda: made(Twice), "layer 'block_1' runs twice in one forward pass; give each use its own module"),
        (lambda: made(Answers), r"forward puts out no logits: got dict, expected a tensor \(2, classes\)"),
        (lambda: made(Loose, Tokens), "layer 'block_1' does not go on to the logits: got no gradient, .*; a View"),
        (lambda: made(Detached), "layer 'block_1' is cut off from the clips: got no gradient, .*torch.no_grad"),
        (lambda: made(BodiesFirst), r"'block_1': a clip alone and among others gives two answers: .* row n\*M \+ m"),
        (lambda: made(Sociable), "a clip alone and among others gives two answers: .* on the others of its batch"),
        (lambda: made(Restless), "the same clip twice gives two answers: .* dropout must be off"),
        (broken, r"layer 'block_2' is not finite: got NaN or infinity in 4800 of 4800 numbers"),
        (lambda: AgcnAdapter(Agcn(num_class=7).eval(), NTU), r"logits \(2, 7\) of 2 clips, expected \(2, 4\)"),
    ],
)
def test_what_an_adapter_gets_wrong_is_told_with_the_layer_and_both_sides(adapter, told) -> None:
    with pytest.raises(LensError, match=told) as caught:
        check(adapter(), **SIZES)
    assert str(caught.value).count("\n") == 0


def test_a_check_leaves_the_network_as_it_was() -> None:
    net, adapter = network("agcn")
    net.drop.train()
    before = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    check(adapter, **SIZES)
    assert all(torch.equal(tensor, before[key]) for key, tensor in net.state_dict().items())
    assert [module.training for module in net.modules()].count(True) == 1
    assert all(parameter.grad is None for parameter in net.parameters())
    assert not any(module._forward_hooks for module in net.modules())
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_check_goes_through_where_gradients_are_off(mode) -> None:
    _, adapter = network("volume")
    with mode():
        assert check(adapter, **SIZES)


def test_a_frozen_network_keeps_to_the_protocol() -> None:
    _, adapter = network("tokens")
    adapter.requires_grad_(False)
    assert check(adapter, **SIZES)
    assert grad_cam(adapter, x(), TARGET).maps["block_1"].any()
