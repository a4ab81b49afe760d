"""ST-GCN against the transcription of its equations, against the released formulation, and its known sizes."""

import pytest
import torch
import torch.nn.functional as F

from stgcn_lens.adjacency import NORMALISATIONS, PARTITIONS, partitions
from stgcn_lens.errors import LensError
from stgcn_lens.models import STGCN, STGCNConfig
from stgcn_lens.models.blocks import GraphConv, Pointwise, SpatioTemporalBlock
from stgcn_lens.models.stgcn import CONFIGURATIONS
from stgcn_lens.skeleton import get_layout
from tests.models.weights import clips, randomised, stgcn
from tests.reference import stgcn as reference

every_graph = pytest.mark.parametrize(
    ("strategy", "normalisation"), [(s, n) for s in PARTITIONS for n in NORMALISATIONS], ids=lambda value: value
)


def described(model: STGCN) -> list[tuple[int, str]]:
    """(stride, kind of shortcut) of each block, from the published table, not from the modules."""
    multiples, strided, first_shortcut = CONFIGURATIONS[model.config.configuration]
    out, before = [], None
    for number, multiple in enumerate(multiples, start=1):
        stride = 2 if number in strided else 1
        same = multiple == before and stride == 1
        none = number == 1 and not first_shortcut
        out.append((stride, "none" if none else "identity" if same else "convolution"))
        before = multiple
    return out


def test_the_released_network_has_its_published_number_of_parameters():
    config = STGCNConfig(configuration="release", width=64, partition="spatial", kernel=9, importance=True)
    model = STGCN(config, get_layout("ntu25"), channels=3, classes=60)
    assert sum(p.numel() for p in model.parameters()) == 3_098_832


@every_graph
def test_a_graph_convolution_equals_the_sum_over_neighbours_and_partitions(strategy, normalisation):
    model = stgcn(partition=strategy, normalisation=normalisation, layout="ntu25").double()
    block, x = model.blocks[0], clips(1, 3, 2, 25).double()
    weights = {key: value.numpy() for key, value in block.state_dict().items()}
    edges = reference.messages(model.layout, strategy, normalisation)
    expected = reference.graph_conv(x[0].numpy(), weights, edges)
    with torch.no_grad():
        actual = block.graph(x)[0]
    torch.testing.assert_close(actual, torch.from_numpy(expected), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("stride", "c_out", "frames"), [(1, 4, 5), (1, 6, 3), (2, 6, 5), (2, 6, 4), (2, 6, 1)])
def test_a_block_equals_the_transcription(stride, c_out, frames):
    layout = get_layout("coco17")
    adjacency = torch.from_numpy(partitions(layout, "spatial", "symmetric"))
    block = randomised(SpatioTemporalBlock(GraphConv(4, c_out, adjacency), 4, c_out, stride=stride, kernel=3)).double()
    x = clips(1, 4, frames, 17).double()
    weights = {key: value.numpy() for key, value in block.state_dict().items()}
    shortcut = "identity" if stride == 1 and c_out == 4 else "convolution"
    edges = reference.messages(layout, "spatial", "symmetric")
    expected = reference.block(x[0].numpy(), weights, edges, stride, shortcut)
    with torch.no_grad():
        actual = block(x)[0]
    torch.testing.assert_close(actual, torch.from_numpy(expected), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("configuration", "strategy", "importance"),
    [("release", "spatial", True), ("paper", "distance-tied", True), ("compact", "spatial-release", False)],
)
def test_a_whole_network_equals_the_transcription(configuration, strategy, importance):
    model = stgcn(
        configuration=configuration, partition=strategy, importance=importance, width=1, kernel=3, layout="coco17"
    ).double()
    x = clips(2, 3, 5, 17, 2).double()
    weights = {key: value.numpy() for key, value in model.state_dict().items()}
    with torch.no_grad():
        actual = model(x)
    for clip, logits in zip(x, actual, strict=True):
        expected = reference.network(
            clip.numpy(), weights, model.layout, strategy, model.config.normalisation, described(model)
        )
        torch.testing.assert_close(logits, torch.from_numpy(expected), rtol=1e-10, atol=1e-10)


def released(model: STGCN, x: torch.Tensor) -> torch.Tensor:
    """Logits as the released code computes them: 1x1 convolution to K*C channels, then the graph, then (kernel, 1)."""
    state, n, m = model.state_dict(), x.shape[0], x.shape[4]

    def norm(y: torch.Tensor, name: str) -> torch.Tensor:
        parts = [state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return F.batch_norm(y, *parts, training=False)

    x = x.permute(0, 4, 3, 1, 2).contiguous()  # (N, M, V, C, T)
    _, _, v, c, t = x.shape
    x = norm(x.view(n * m, v * c, t), "entry.norm").view(n * m, v, c, t).permute(0, 2, 3, 1)
    graph = torch.from_numpy(partitions(model.layout, model.config.partition, model.config.normalisation))
    for i, (stride, shortcut) in enumerate(described(model)):
        own = f"blocks.{i}"
        y = F.conv2d(x, state[f"{own}.graph.conv.weight"], state[f"{own}.graph.conv.bias"])
        y = y.view(n * m, len(graph), -1, *y.shape[2:])
        a = graph * state[f"{own}.graph.importance"] if model.config.importance else graph
        y = F.relu(norm(torch.einsum("nkctv,kvw->nctw", y, a), f"{own}.graph_norm"))
        pad = ((model.config.kernel - 1) // 2, 0)
        y = F.conv2d(y, state[f"{own}.temporal.weight"], state[f"{own}.temporal.bias"], (stride, 1), pad)
        y = norm(y, f"{own}.temporal_norm")
        if shortcut == "identity":
            y = y + x
        elif shortcut == "convolution":
            beside = F.conv2d(x, state[f"{own}.shortcut.0.weight"], state[f"{own}.shortcut.0.bias"], (stride, 1))
            y = y + norm(beside, f"{own}.shortcut.1")
        x = F.relu(y)
    pooled = F.avg_pool2d(x, x.shape[2:]).view(n, m, -1).mean(dim=1)
    return F.linear(pooled, state["head.weight"], state["head.bias"])


@every_graph
def test_logits_equal_those_of_the_released_formulation(strategy, normalisation):
    model, x = stgcn(partition=strategy, normalisation=normalisation), clips(3, 3, 21, 25, 2)
    with torch.no_grad():
        torch.testing.assert_close(model(x), released(model, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
@pytest.mark.parametrize("importance", [True, False])
def test_every_configuration_equals_the_released_formulation(configuration, importance):
    model = stgcn(configuration=configuration, importance=importance, layout="openpose18")
    x = clips(2, 3, 13, 18, 1)
    with torch.no_grad():
        torch.testing.assert_close(model(x), released(model, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("configuration", "blocks", "strides"),
    [
        ("release", 10, [1, 1, 1, 1, 1, 2, 2, 2, 4, 4, 4]),
        ("paper", 9, [1, 1, 1, 1, 2, 2, 2, 4, 4, 4]),
    ],
)
def test_the_published_configurations_have_their_depth_and_strides(configuration, blocks, strides):
    model = stgcn(configuration=configuration)
    assert list(model.layers) == ["input", *(f"block_{i}" for i in range(1, blocks + 1))]
    assert list(model.strides.values()) == strides


def test_a_fresh_block_with_a_shortcut_is_its_shortcut():
    model = STGCN(STGCNConfig(width=4), get_layout("ntu25"), 3, 5).eval()
    x = clips(2, 4, 7, 25).abs()
    with torch.no_grad():
        torch.testing.assert_close(model.blocks[1](x), x, rtol=0, atol=0)
        assert not torch.equal(model.blocks[0](x[:, :3]), x)


def test_the_edge_importance_starts_at_one_and_changes_the_logits():
    torch.manual_seed(0)
    model, x = STGCN(STGCNConfig(width=4), get_layout("ntu25"), 3, 5).eval(), clips(1, 3, 8, 25, 1)
    with torch.no_grad():
        assert all((block.graph.importance == 1).all() for block in model.blocks)
        before = model(x)
        model.blocks[0].graph.importance[0, 3, 3] = 5
        assert not torch.allclose(model(x), before)


@pytest.mark.parametrize(
    ("shape", "got"),
    [
        ((2, 3, 8, 17, 1), "3 channels, 17 joints"),
        ((2, 2, 8, 25, 1), "2 channels, 25 joints"),
        ((2, 8, 3, 25, 1), "8 channels, 25 joints"),
        ((2, 3, 8, 25), r"axes \(2, 3, 8, 25\)"),
        ((2, 3, 8, 25, 1, 1), r"axes \(2, 3, 8, 25, 1, 1\)"),
    ],
)
def test_clips_of_another_layout_are_refused_with_both_sides(shape, got):
    with pytest.raises(LensError, match=rf"'ntu25'.*got {got}, expected .*3 channels, 25 joints; use clips"):
        stgcn()(clips(*shape))


@pytest.mark.parametrize(
    "settings",
    [
        {"configuration": "relase"},
        {"partition": "spatail"},
        {"normalisation": "row"},
        {"width": 0},
        {"kernel": 0},
        {"kernel": 4},
        {"dropout": 1.0},
        {"dropout": -0.1},
    ],
    ids=str,
)
def test_an_impossible_network_is_refused_with_what_is_possible(settings):
    with pytest.raises(LensError) as caught:
        stgcn(**settings)
    assert str(next(iter(settings.values()))) in str(caught.value.got)
    assert caught.value.expected


@pytest.mark.parametrize("frames", [7, 8])
def test_a_strided_pointwise_convolution_is_pytorchs(frames):
    # In float64, which oneDNN leaves alone: its own gradient is what this one is there to avoid.
    ours, theirs = Pointwise(4, 6, 2).double(), torch.nn.Conv2d(4, 6, 1, (2, 1)).double()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(3, 4, frames, 5, dtype=torch.float64)
    found = []
    for conv in (ours, theirs):
        fed = x.clone().requires_grad_()
        y = conv(fed)
        y.square().sum().backward()
        found.append((y, fed.grad, conv.weight.grad, conv.bias.grad))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)
